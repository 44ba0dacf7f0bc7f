"""The incoming half of the media socket: what comes from the phone, in order.

Messages of Twilio's flow in. Each 20 ms of the caller go to the tape, to the detector of voice and
to the ears; the detector's windows, keys and marks go on as events. It keeps the audio time, by
which everything that the caller does is told: how much audio has come, whenever it came. Nothing
here knows whose turn it is.
"""

import logging
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from voiceagent.call import turn_events as on
from voiceagent.call.activity import ActivityDetector, Window
from voiceagent.call.audio import BYTES_PER_MS
from voiceagent.call.ears import Ears
from voiceagent.call.playout import Playout
from voiceagent.call.tape import Tape
from voiceagent.call.vad import VoiceActivity
from voiceagent.errors import ProtocolError
from voiceagent.token_buckets import TokenBucket
from voiceagent.twilio import media_stream as twilio

_MAX_MALFORMED: Final = 1000
"""So many broken messages are no phone: the socket is closed."""
_MESSAGES_COUNTED: Final = 32
"""So many are counted in one go."""
_MESSAGES_A_SECOND: Final = 1000.0
"""Twilio sends some 55; whoever sends more than this is read no faster, and the socket pushes
back."""
_MESSAGES_SAVED_UP: Final = 5000.0
"""A line that stalled delivers what was held up at once: this is a minute and a half of it."""

_log = logging.getLogger(__name__)


class Receiver:
    """Takes one call's messages until `close`. Loop thread only."""

    def __init__(
        self,
        start: twilio.Start,
        voice_activity: VoiceActivity,
        ears: Ears,
        playout: Playout,
        tape: Tape,
        *,
        now_ms: Callable[[], float],
        dispatch: Callable[[on.Event], None],
        on_mark: Callable[[str], None],
        leave: Callable[[str], None],
        end: Callable[[str], None],
    ) -> None:
        """`on_mark(name)`: the phone returned a mark; `leave(reason)`: the caller's side has gone;
        `end(reason)`: the call must end."""
        self._call_sid = start.call_sid
        self._stream_sid = start.stream_sid
        self._vad = voice_activity.open(self._on_windows)
        self._activity = ActivityDetector()
        self._ears = ears
        self._playout = playout
        self._tape = tape
        self._now_ms = now_ms
        self._dispatch = dispatch
        self._on_mark = on_mark
        self._leave = leave
        self._end = end
        self._is_open = True
        self._bytes = 0
        self.frames = 0
        """Media messages that came."""
        self.malformed = 0
        """Messages that were none of Twilio's."""
        self.silence_due_ms = inf
        """Audio time at which the machine is told what has arrived."""
        self._media_at_ms = 0.0
        self._keyed_from_ms: float | None = None
        self._taken = 0
        self._rate = TokenBucket(_MESSAGES_SAVED_UP, _MESSAGES_A_SECOND, now_ms() / 1000.0)

    @property
    def audio_ms(self) -> float:
        """The audio time of what came last."""
        return self._bytes / BYTES_PER_MS

    def arrived_at_ms(self, audio_ms: float) -> float:
        """When the audio of that audio time arrived, if it came evenly."""
        return self._now_ms() - (self.audio_ms - audio_ms)

    @property
    def silent_ms(self) -> float:
        """How long no audio has come."""
        return self._now_ms() - self._media_at_ms

    @property
    def is_no_phone(self) -> bool:
        """Whether more broken messages came than any phone sends."""
        return self.malformed > _MAX_MALFORMED

    def take_keyed_from_ms(self) -> float | None:
        """Audio time of the first key since this was asked last; None: none was pressed."""
        keyed_from_ms, self._keyed_from_ms = self._keyed_from_ms, None
        return keyed_from_ms

    def stop(self) -> None:
        """The call has its end: whatever still comes is not looked at."""
        self._is_open = False

    def close(self) -> None:
        """Let go of the detector of voice; once."""
        self.stop()
        self._vad.close()
        del self._vad  # it knows this, which would wait for a full collection

    def take(self, message: str | bytes) -> float:
        """Take a message; tells for how many seconds no other should be read."""
        if not self._is_open:
            return 0.0
        try:
            self._on_message(_decode(message))
        except ProtocolError as error:
            self._on_malformed(error)
        except Exception:
            _log.exception("the call failed", extra={"call_sid": self._call_sid})
            self._end("error")
        self._taken += 1
        if self._taken % _MESSAGES_COUNTED:
            return 0.0
        return self._rate.overdraw(_MESSAGES_COUNTED, self._now_ms() / 1000.0)

    def _on_message(self, message: twilio.InboundMessage) -> None:
        match message:
            case twilio.Media():
                self._check_stream(message.stream_sid)
                self._on_media(message.ulaw)
            case twilio.Mark():
                self._check_stream(message.stream_sid)
                self._tape.mark_came(message.name)
                self._on_mark(message.name)
            case twilio.Dtmf():
                self._check_stream(message.stream_sid)
                if self._keyed_from_ms is None:
                    self._keyed_from_ms = self.audio_ms
                self._dispatch(on.Digit(message.digit))
            case twilio.Stop():
                self._check_stream(message.stream_sid)
                self._leave("caller_hangup")
            case twilio.Start():
                raise ProtocolError("a second start")
            case twilio.Connected() | twilio.Unknown():
                pass

    def _check_stream(self, stream_sid: str) -> None:
        if stream_sid != self._stream_sid:
            raise ProtocolError("another stream's message")

    def _on_malformed(self, error: ProtocolError) -> None:
        self.malformed += 1
        if self.malformed == 1:
            _log.warning("malformed message: %s", error, extra={"call_sid": self._call_sid})
        if self.is_no_phone:
            self._end("error")

    def _on_media(self, ulaw: bytes) -> None:
        self._bytes += len(ulaw)
        self.frames += 1
        self._media_at_ms = self._now_ms()
        self._tape.caller(ulaw)
        self._vad.feed(ulaw)
        ears = self._ears.stream
        if ears is not None:
            ears.feed(ulaw)
        self._tell_arrived()

    def _on_windows(self, windows: Sequence[Window]) -> None:
        for window in windows:
            agent_dbfs = self._playout.loudest_dbfs(self.arrived_at_ms(window.end_ms))
            heard = self._activity.push(window, agent_dbfs)
            self._dispatch(on.Voice(window.end_ms, heard))
        self._tell_arrived()

    def _tell_arrived(self) -> None:
        """Let a silence end when it is long enough, not with the window that is known next."""
        if self.audio_ms >= self.silence_due_ms:
            self._dispatch(on.Arrived(self.audio_ms))


def _decode(message: str | bytes) -> twilio.InboundMessage:
    if isinstance(message, bytes):
        raise ProtocolError("a binary message")
    return twilio.decode(message)

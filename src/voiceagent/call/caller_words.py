"""The caller's words, on their way to whoever may know them.

What was said or keyed flows in as it was heard; what may be shown of it flows out, into the memory
of the conversation and the record. What nobody may keep is hidden in them and silenced on the
tape, in what was said before as well, as soon as it is known for what it is.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from voiceagent.call import turn_events as on
from voiceagent.call.conversation import Conversation
from voiceagent.call.detail import CallDetail
from voiceagent.call.discretion import Discretion, Piece
from voiceagent.call.receiving import Receiver
from voiceagent.call.tape import Tape

_AROUND_MS: Final = 500.0
"""Silenced on the tape before and behind the voice that says what nobody may keep."""


class CallerWords:
    """Of one call. Loop thread only; times are audio time in ms."""

    def __init__(
        self,
        discretion: Discretion,
        conversation: Conversation,
        detail: CallDetail,
        tape: Tape,
        receiver: Receiver,
        *,
        now_ms: Callable[[], float],
    ) -> None:
        self._discretion = discretion
        self._conversation = conversation
        self._detail = detail
        self._tape = tape
        self._receiver = receiver
        self._now_ms = now_ms

    def shown(self, text: str) -> str:
        """The same words as they may be shown."""
        return self._discretion.shown(text, self._asked) if text else text

    def said(self, ended: on.UtteranceEnded) -> None:
        """The caller has said or keyed this, whole."""
        taken = self._discretion.take(self._piece(ended), self._asked)
        for before, now in taken.corrected:
            self._conversation.caller_had_said(before.shown, now.shown)
            self._detail.correct(now.turn, now.shown)
            self._silence(now)
        if taken.piece.hides:
            self._silence(taken.piece)
        self._conversation.caller_said(taken.piece.shown)
        self._detail.utterance(
            replace(ended, text=taken.piece.shown),
            started_at_ms=self._receiver.arrived_at_ms(ended.started_audio_ms),
            ended_at_ms=self._receiver.arrived_at_ms(ended.ended_audio_ms),
            now_ms=self._now_ms(),
        )

    def keep_off_tape(self, text: str, since_ms: float) -> None:
        """This is being said since then, and is never answered; it was heard so far."""
        if self.shown(text) != text:
            self._silence(Piece(0, text, since_ms, self._receiver.audio_ms))

    @property
    def _asked(self) -> str:
        """The agent's last words, as far as they were heard."""
        last = self._conversation.last
        return last.text if last is not None and last.who == "agent" else ""

    def _piece(self, ended: on.UtteranceEnded) -> Piece:
        started_ms, ended_ms = ended.started_audio_ms, ended.ended_audio_ms
        if ended.source == "dtmf":
            started_ms = self._receiver.take_keyed_from_ms() or started_ms
            ended_ms = self._receiver.audio_ms
        return Piece(ended.turn, ended.text, started_ms, ended_ms)

    def _silence(self, piece: Piece) -> None:
        self._tape.silence(piece.started_ms - _AROUND_MS, piece.ended_ms + _AROUND_MS)

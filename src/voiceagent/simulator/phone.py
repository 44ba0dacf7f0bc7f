"""A phone line's playback buffer, as Twilio Media Streams has it.

Messages of the service flow in with the time at which they arrived; marks flow
out when the audio before them has been played, or at once after a `clear`. The
line keeps what was really played, how late audio came, and every message that
breaks the protocol. It never waits, never reads a clock and sends nothing.
"""

import binascii
import json
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from voiceagent.call.audio import BYTES_PER_MS, FRAME_BYTES, ULAW_SILENCE

MAX_BUFFERED_MS: Final = 600_000
"""Twilio ends the stream with error 31931 when more than ten minutes are buffered."""

SPAN_GAP_MS: Final = 200
"""Quieter stretches than this do not split what the caller hears as one speech."""

UNMARKED_PAUSE_MS: Final = 1000
"""A server that never marks the ends of its sentences is given this much silence between two."""

QUIET_CODES: Final = bytes([*range(0x70, 0x80), *range(0xF0, 0x100)])
"""µ-law codes of at most ±120 in 16-bit PCM (-48.7 dBFS): not heard as speech."""


@dataclass(slots=True)
class Span:
    """A stretch in which the agent was heard. Times in ms on the caller's clock."""

    start_ms: float
    end_ms: float
    received_ms: float
    """When the message that it begins with arrived."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A message that the service must not send."""

    at_ms: float
    kind: str
    """`not-json`, `binary`, `event`, `stream-sid`, `fields`, `payload`, `riff-header`,
    `frame-size`, `overflow`."""
    detail: str


@dataclass(frozen=True, slots=True)
class MarkReturned:
    """A mark that went back to the service."""

    name: str
    at_ms: float
    played: bool
    """False when a `clear` returned it: the audio before it was not heard to its end."""


@dataclass(slots=True)
class _Sentence:
    """What is known of the sentence whose audio is arriving."""

    generation: str = ""
    """The part of its progress marks before the colon; empty until the first one."""
    suspects: list[float] = field(default_factory=list)
    """Lateness of frames after a dry-out, until a mark tells that they are of this sentence."""


class _RefusedError(Exception):
    """Why a message is not taken."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class PhoneLine:
    """One call's earpiece. Times are ms on one clock and never decrease from call to call.

    `frame_bytes` is the payload size that every media message must have, None
    for any (Twilio itself takes any).
    """

    def __init__(
        self,
        stream_sid: str,
        *,
        frame_bytes: int | None = FRAME_BYTES,
        keep_audio: bool = True,
    ) -> None:
        self.stream_sid = stream_sid
        self.spans: list[Span] = []
        self.clears: list[float] = []
        self.violations: list[Violation] = []
        self.returned: list[MarkReturned] = []
        self.media_messages = 0
        self.lateness_ms: array[float] = array("d")
        """For each frame inside a sentence, how long the buffer was dry when it arrived; negative
        while there was still audio to play."""
        self._frame_bytes = frame_bytes
        self._keep_audio = keep_audio
        self._played: list[tuple[float, bytes]] = []
        self._play_end_ms = 0.0
        self._marks: deque[tuple[float, str]] = deque()
        self._sentence: _Sentence | None = None
        self._names_generations = False
        self._span_open = False

    @property
    def late_ms(self) -> list[float]:
        """Lateness of each late frame, in the order of arrival (an unsettled one is late)."""
        confirmed = [lateness for lateness in self.lateness_ms if lateness > 0]
        return confirmed + (self._sentence.suspects if self._sentence else [])

    def buffered_ms(self, now_ms: float) -> float:
        """How much audio is still to be played."""
        return max(0.0, self._play_end_ms - now_ms)

    def speaking(self, now_ms: float) -> Span | None:
        """The span that is being heard now."""
        for span in reversed(self.spans):
            if span.start_ms <= now_ms < span.end_ms:
                return span
            if span.end_ms <= now_ms:
                break
        return None

    def quiet_for_ms(self, now_ms: float) -> float:
        """How long the agent has not been heard; 0 while more audio waits to be played."""
        if self._play_end_ms > now_ms or not self.spans:
            return 0.0 if self._play_end_ms > now_ms else now_ms
        return now_ms - self.spans[-1].end_ms

    def receive(self, message: str | bytes, now_ms: float) -> list[str]:
        """Take one message of the service; names of the marks that return because of it."""
        try:
            event, body = self._parse(message)
            if event == "media":
                self._take_media(self._decode(body), now_ms)
                return []
            if event == "mark":
                return self._take_mark(body, now_ms)
        except _RefusedError as refused:
            self._violation(now_ms, refused.kind, str(refused))
            return []
        return self._clear(now_ms)

    def marks_due(self, now_ms: float) -> list[str]:
        """Names of the marks whose audio has been played by now, in order, each once."""
        due: list[str] = []
        while self._marks and self._marks[0][0] <= now_ms:
            due.append(self._return(self._marks.popleft()[1], now_ms, played=True))
        return due

    def audio(self, until_ms: float) -> bytes:
        """µ-law of what was played from 0 to `until_ms`, with silence in between."""
        heard = bytearray([ULAW_SILENCE]) * int(until_ms * BYTES_PER_MS)
        for start_ms, ulaw in self._played:
            start = round(start_ms * BYTES_PER_MS)
            piece = ulaw[: max(0, len(heard) - start)]
            heard[start : start + len(piece)] = piece
        return bytes(heard)

    def _take_media(self, ulaw: bytes, now_ms: float) -> None:
        self.media_messages += 1
        if self._frame_bytes is not None and len(ulaw) != self._frame_bytes:
            self._violation(now_ms, "frame-size", f"{len(ulaw)} bytes, not {self._frame_bytes}")
        if self._play_end_ms - now_ms > MAX_BUFFERED_MS:
            raise _RefusedError("overflow", "more than ten minutes buffered")
        if not ulaw:
            return
        self._judge_lateness(now_ms)
        start_ms = max(self._play_end_ms, now_ms)
        self._play_end_ms = start_ms + len(ulaw) / BYTES_PER_MS
        if self._keep_audio:
            self._played.append((start_ms, ulaw))
        self._extend_spans(start_ms, ulaw, now_ms)

    def _judge_lateness(self, now_ms: float) -> None:
        lateness_ms = now_ms - self._play_end_ms
        if self._sentence is None:
            self._sentence = _Sentence()
        elif lateness_ms <= 0:
            self.lateness_ms.append(lateness_ms)
        elif not self._names_generations and lateness_ms > UNMARKED_PAUSE_MS:
            self._close_sentence()
            self._sentence = _Sentence()
        else:
            self._sentence.suspects.append(lateness_ms)

    def _close_sentence(self) -> None:
        if self._sentence is not None:
            self.lateness_ms.extend(self._sentence.suspects)
            self._sentence = None

    def _extend_spans(self, start_ms: float, ulaw: bytes, now_ms: float) -> None:
        from_onset = ulaw.lstrip(QUIET_CODES)
        if not from_onset:
            return
        onset_ms = start_ms + (len(ulaw) - len(from_onset)) / BYTES_PER_MS
        end_ms = start_ms + len(ulaw.rstrip(QUIET_CODES)) / BYTES_PER_MS
        last = self.spans[-1] if self._span_open else None
        if last is not None and onset_ms - last.end_ms < SPAN_GAP_MS:
            last.end_ms = end_ms
        else:
            self.spans.append(Span(onset_ms, end_ms, now_ms))
            self._span_open = True

    def _take_mark(self, body: dict[str, Any], now_ms: float) -> list[str]:
        mark = body.get("mark")
        name = mark.get("name") if isinstance(mark, dict) else None
        if not isinstance(mark, dict) or not isinstance(name, str) or len(mark) != 1:
            raise _RefusedError("fields", "a mark has exactly a name")
        self._settle_sentence(name)
        self._marks.append((max(self._play_end_ms, now_ms), name))
        return self.marks_due(now_ms)

    def _settle_sentence(self, mark: str) -> None:
        """A mark tells of which generation the frames before it are, or that a sentence ended."""
        generation, colon, _ = mark.partition(":")
        if colon:
            self._names_generations = True
        sentence = self._sentence
        if sentence is not None:
            if sentence.generation and generation != sentence.generation:
                sentence.suspects.clear()  # frames of a new sentence, after one that was given up
            sentence.generation = generation
            self.lateness_ms.extend(sentence.suspects)
            sentence.suspects.clear()
        if ":end" in mark:
            self._close_sentence()

    def _clear(self, now_ms: float) -> list[str]:
        self.clears.append(now_ms)
        while self._played and self._played[-1][0] >= now_ms:
            self._played.pop()
        if self._played:
            start_ms, ulaw = self._played[-1]
            self._played[-1] = (start_ms, ulaw[: round((now_ms - start_ms) * BYTES_PER_MS)])
        while self.spans and self.spans[-1].start_ms >= now_ms:
            self.spans.pop()
        if self.spans:
            self.spans[-1].end_ms = min(self.spans[-1].end_ms, now_ms)
        self._span_open = False
        self._close_sentence()
        names = self.marks_due(now_ms)
        names += [self._return(name, now_ms, played=False) for _, name in self._marks]
        self._marks.clear()
        self._play_end_ms = min(self._play_end_ms, now_ms)
        return names

    def _return(self, name: str, now_ms: float, *, played: bool) -> str:
        self.returned.append(MarkReturned(name, now_ms, played))
        return name

    def _parse(self, message: str | bytes) -> tuple[str, dict[str, Any]]:
        """The event and its message; raises `_RefusedError` for anything but the three allowed."""
        if isinstance(message, bytes):
            raise _RefusedError("binary", f"{len(message)} bytes")
        try:
            body = json.loads(message)
        except ValueError:
            raise _RefusedError("not-json", message[:80]) from None
        event = body.get("event") if isinstance(body, dict) else None
        if event not in ("media", "mark", "clear"):
            raise _RefusedError("event", f"{event!r} is not media, mark or clear")
        if body.get("streamSid") != self.stream_sid:
            raise _RefusedError("stream-sid", f"{body.get('streamSid')!r} on {event}")
        expected = {"event", "streamSid"} if event == "clear" else {"event", "streamSid", event}
        if body.keys() != expected:
            extra = ", ".join(sorted(map(str, body.keys() ^ expected)))
            raise _RefusedError("fields", f"{event}: {extra}")
        return event, body

    @staticmethod
    def _decode(body: dict[str, Any]) -> bytes:
        media = body["media"]
        if not isinstance(media, dict) or media.keys() != {"payload"}:
            raise _RefusedError("fields", "media has exactly a payload")
        try:
            ulaw = binascii.a2b_base64(media["payload"], strict_mode=True)
        except (binascii.Error, ValueError, TypeError):
            raise _RefusedError("payload", "not base64") from None
        if ulaw.startswith(b"RIFF"):
            raise _RefusedError("riff-header", "audio with a file header")
        return ulaw

    def _violation(self, now_ms: float, kind: str, detail: str) -> None:
        self.violations.append(Violation(now_ms, kind, detail))

"""The outgoing side of the call: when which 20 ms of the agent's voice leave for the phone.

µ-law of sentences goes in; frames and marks come out, a little ahead of real
time; the phone's mark acknowledgements come back in and tell what was heard.
Pure: `now_ms` is handed in, nothing is sent or waited for here.

Positions are ms of the reply's audio, from its first sample. A mark is named
`g<generation>:<position>` or, at the end of a sentence, `g<generation>:end<n>:<position>`.
The generation changes with every reply, stop and resumption, because a `clear`
returns every pending mark at once (Twilio Media Streams, "clear message"): an
acknowledgement of an old generation tells nothing about what was heard.
"""

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal

from voiceagent.call.audio import BYTES_PER_MS, FRAME_BYTES, ULAW_SILENCE

_SILENT_DBFS: Final = -100.0
_MOST_GAPS: Final = 256
"""Of one stretch of sending; nobody counts further."""
_ECHO_MEMORY_MS: Final = 800.0
"""How long the agent's own voice may take to come back through a speakerphone and two networks."""


@dataclass(frozen=True, slots=True)
class PlayoutPolicy:
    """Output lead of 200-400 ms and a mark each 200 ms: what other engines settled on."""

    lead_min_ms: float = 200.0
    """When the phone has less than this left to play, it is sent more."""
    lead_max_ms: float = 400.0
    """It is sent no further ahead than this."""
    mark_every_ms: float = 200.0
    max_unsent_ms: float = 30_000.0
    """With more than this waiting, `has_room` asks the synthesis to pause."""


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms of µ-law."""

    ulaw: bytes


@dataclass(frozen=True, slots=True)
class MarkAfter:
    """A mark to be sent behind the frames before it."""

    name: str


Outgoing = Frame | MarkAfter


@dataclass(frozen=True, slots=True)
class Gap:
    """The phone's buffer ran dry within a reply, if the phone plays at once."""

    ms: float
    cause: Literal["late", "starved"]
    """`late`: the audio was there, and was not sent in time; `starved`: it was not there yet."""


@dataclass(slots=True)
class _Audio:
    """All audio of one reply, kept until the reply is over so that it can be taken up again."""

    reply: int
    ulaw: bytearray = field(default_factory=bytearray)
    levels_dbfs: list[float] = field(default_factory=list)
    """Of each whole frame in `ulaw`."""
    sentence_ends: list[int] = field(default_factory=list)
    """Byte positions, ascending, at which sentences end."""
    complete: bool = False
    sent: int = 0
    """Bytes given out in the current generation, counted from the reply's first sample."""
    heard: int = 0
    """Bytes that the phone acknowledged as played."""


class Playout:
    """The outgoing buffer of one call: one reply at a time."""

    def __init__(self, policy: PlayoutPolicy | None = None) -> None:
        self.policy = policy or PlayoutPolicy()
        self.frames_sent = 0
        self._audio: _Audio | None = None
        self._generation = 0
        self._held = False
        self._pending: deque[tuple[str, int]] = deque()
        """Marks on their way: name and byte position."""
        self._origin_ms = 0.0
        """When the byte at `_origin_byte` began to play, if the phone plays at once."""
        self._origin_byte = 0
        self._marked_byte = 0
        self._to_play: deque[tuple[float, float]] = deque()
        """(when it plays, level) of the frames that were given out and play later."""
        self._peaks: deque[tuple[float, float]] = deque()
        """The same of frames that played lately, without those that a later one outdid: the
        first is the loudest. It is asked thirty times a second in each call."""
        self._starved = False
        """All that was pushed has been given out, and it was not all of the reply."""
        self._gaps: deque[Gap] = deque(maxlen=_MOST_GAPS)

    # --- filling --------------------------------------------------------------------------

    def begin(self, reply: int) -> None:
        """Start a new reply; what was left of an earlier one is dropped."""
        self._audio = _Audio(reply)
        self._held = False
        self._new_generation(0)

    def push(self, reply: int, ulaw: bytes, levels_dbfs: list[float]) -> None:
        """Append whole frames of µ-law with the level of each; ignored if the reply is over."""
        audio = self._of(reply)
        if audio is not None and not audio.complete:
            audio.ulaw += ulaw
            audio.levels_dbfs += levels_dbfs

    def end_sentence(self, reply: int) -> None:
        """What was pushed so far ends a sentence."""
        audio = self._of(reply)
        if audio is not None and len(audio.ulaw) > (audio.sentence_ends or [0])[-1]:
            audio.sentence_ends.append(len(audio.ulaw))

    def finish(self, reply: int) -> None:
        """No more audio will come for this reply."""
        self.end_sentence(reply)
        if audio := self._of(reply):
            audio.complete = True

    def has_room(self) -> bool:
        """False while so much waits to be sent that the synthesis should pause."""
        audio = self._audio
        return (
            audio is None
            or (len(audio.ulaw) - audio.sent) / BYTES_PER_MS < self.policy.max_unsent_ms
        )

    # --- stopping and going on ------------------------------------------------------------

    def stop(self, reply: int, now_ms: float) -> bool:
        """Hold the reply. True if the phone may still have audio of it and needs a `clear`."""
        audio = self._of(reply)
        if audio is None:
            return False
        in_phone = bool(self._pending) or self._played_byte(audio, now_ms) < audio.sent
        self._held = True
        self._new_generation(audio.sent)
        self._hear_until(now_ms)
        self._to_play.clear()
        return in_phone

    def resume(self, reply: int, from_ms: float) -> None:
        """Go on with a held reply at a position, rounded down to a frame."""
        audio = self._of(reply)
        if audio is None:
            return
        start = int(from_ms * BYTES_PER_MS) // FRAME_BYTES * FRAME_BYTES
        audio.sent = min(max(start, 0), len(audio.ulaw))
        self._held = False
        self._new_generation(audio.sent)

    def drop(self, reply: int, now_ms: float) -> bool:
        """Forget the reply. True if the phone may still have audio of it and needs a `clear`."""
        needs_clear = not self._held and self.stop(reply, now_ms)
        if self._of(reply):
            self._audio = None
        return needs_clear

    # --- sending --------------------------------------------------------------------------

    def poll(self, now_ms: float) -> list[Outgoing]:
        """What is to be sent now, in order; often nothing."""
        audio = self._audio
        if audio is None or self._held:
            return []
        if audio.sent >= len(audio.ulaw):
            return [self._mark_sentence_end(audio)] if self._owes_mark(audio) else []
        played = self._played_byte(audio, now_ms)
        if played >= audio.sent:
            # The phone's buffer is dry: what is sent now plays now.
            self._note_gap(audio, now_ms)
            self._origin_ms, self._origin_byte = now_ms, audio.sent
            played = audio.sent
        if (audio.sent - played) / BYTES_PER_MS > self.policy.lead_min_ms:
            return []
        out: list[Outgoing] = []
        limit = min(played + int(self.policy.lead_max_ms * BYTES_PER_MS), len(audio.ulaw))
        ends = set(audio.sentence_ends)
        while audio.sent < limit:
            frame = bytes(audio.ulaw[audio.sent : audio.sent + FRAME_BYTES])
            plays_ms = self._origin_ms + (audio.sent - self._origin_byte) / BYTES_PER_MS
            self._to_play.append((plays_ms, audio.levels_dbfs[audio.sent // FRAME_BYTES]))
            audio.sent += FRAME_BYTES
            self.frames_sent += 1
            out.append(Frame(frame))
            if audio.sent in ends:
                out.append(self._mark_sentence_end(audio))
            elif audio.sent - self._marked_byte >= self.policy.mark_every_ms * BYTES_PER_MS:
                out.append(self._mark("", audio.sent))
        self._starved = audio.sent >= len(audio.ulaw) and not audio.complete
        return out

    def next_poll_ms(self, now_ms: float) -> float | None:
        """When `poll` will next have something to give; None until more is pushed."""
        audio = self._audio
        if audio is None or self._held:
            return None
        if audio.sent >= len(audio.ulaw):
            return now_ms if self._owes_mark(audio) else None
        lead_ms = (audio.sent - self._played_byte(audio, now_ms)) / BYTES_PER_MS
        return now_ms + max(0.0, lead_ms - self.policy.lead_min_ms)

    def take_gaps(self) -> list[Gap]:
        """Those since it was asked last."""
        gaps = list(self._gaps)
        self._gaps.clear()
        return gaps

    def acknowledge(self, name: str) -> bool:
        """The phone returned a mark. True if it tells that audio of this reply was heard."""
        audio = self._audio
        if audio is None or not any(name == pending for pending, _ in self._pending):
            return False
        while self._pending:
            pending, position = self._pending.popleft()
            audio.heard = max(audio.heard, position)
            if pending == name:
                break
        return True

    # --- what is known --------------------------------------------------------------------

    def heard_ms(self, reply: int) -> float:
        """Audio of the reply that was heard: up to the last acknowledged mark."""
        audio = self._of(reply)
        return audio.heard / BYTES_PER_MS if audio else 0.0

    def sent_ms(self, reply: int) -> float:
        audio = self._of(reply)
        return audio.sent / BYTES_PER_MS if audio else 0.0

    def length_ms(self, reply: int) -> float:
        """All audio of the reply that was pushed."""
        audio = self._of(reply)
        return len(audio.ulaw) / BYTES_PER_MS if audio else 0.0

    def played_by_ms(self, reply: int, now_ms: float) -> float:
        """When all that was pushed will have been played, if nothing stands in the way."""
        audio = self._of(reply)
        if audio is None:
            return now_ms
        return now_ms + (len(audio.ulaw) - self._played_byte(audio, now_ms)) / BYTES_PER_MS

    def is_complete(self, reply: int) -> bool:
        """Whether all audio of the reply is here."""
        audio = self._of(reply)
        return audio is not None and audio.complete

    @property
    def is_all_sent(self) -> bool:
        """Whether the reply under way is complete and its last frame was given out."""
        audio = self._audio
        return audio is not None and audio.complete and audio.sent >= len(audio.ulaw)

    def is_played_out(self, reply: int) -> bool:
        """Whether the reply is complete and the phone acknowledged its last mark."""
        audio = self._of(reply)
        return (
            audio is not None
            and audio.complete
            and not self._held
            and audio.sent >= len(audio.ulaw)
            and not self._pending
        )

    def loudest_dbfs(self, now_ms: float) -> float | None:
        """The loudest level at which the agent was heard at the phone lately; None if silent."""
        self._hear_until(now_ms)
        peaks = self._peaks
        while peaks and peaks[0][0] < now_ms - _ECHO_MEMORY_MS:
            peaks.popleft()
        return peaks[0][1] if peaks and peaks[0][1] > _SILENT_DBFS else None

    # --- inside ---------------------------------------------------------------------------

    def _hear_until(self, now_ms: float) -> None:
        to_play, peaks = self._to_play, self._peaks
        while to_play and to_play[0][0] <= now_ms:
            frame = to_play.popleft()
            while peaks and peaks[-1][1] <= frame[1]:
                peaks.pop()
            peaks.append(frame)

    def _of(self, reply: int) -> _Audio | None:
        return self._audio if self._audio is not None and self._audio.reply == reply else None

    def _new_generation(self, from_byte: int) -> None:
        self._generation += 1
        self._pending.clear()
        self._marked_byte = from_byte
        # Dry: the next frame that is sent begins to play when it is sent.
        self._origin_ms, self._origin_byte = -inf, from_byte

    def _note_gap(self, audio: _Audio, now_ms: float) -> None:
        dry_ms = self._origin_ms + (audio.sent - self._origin_byte) / BYTES_PER_MS
        if -inf < dry_ms < now_ms:
            self._gaps.append(Gap(now_ms - dry_ms, "starved" if self._starved else "late"))

    def _played_byte(self, audio: _Audio, now_ms: float) -> int:
        """What the phone has played by now, if it plays at once; at most what was sent."""
        if self._origin_ms == -inf:
            return audio.sent
        elapsed = int((now_ms - self._origin_ms) * BYTES_PER_MS)
        return min(audio.sent, self._origin_byte + elapsed)

    def _owes_mark(self, audio: _Audio) -> bool:
        """The sentence's end became known only after its last frame had left."""
        return self._marked_byte < audio.sent == (audio.sentence_ends or [0])[-1]

    def _mark_sentence_end(self, audio: _Audio) -> MarkAfter:
        return self._mark(f"end{audio.sentence_ends.index(audio.sent)}:", audio.sent)

    def _mark(self, kind: str, position: int) -> MarkAfter:
        name = f"g{self._generation}:{kind}{position // BYTES_PER_MS}"
        self._pending.append((name, position))
        self._marked_byte = position
        return MarkAfter(name)


def whole_frames(ulaw: bytes) -> bytes:
    """The audio filled up with silence to whole 20 ms frames."""
    return ulaw + bytes([ULAW_SILENCE]) * (-len(ulaw) % FRAME_BYTES)

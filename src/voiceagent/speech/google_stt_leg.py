"""One streaming request to Google (a leg) and the audio of a call that legs are fed from.

Positions in the call's audio flow in, requests and results placed in that audio flow out.
Pure: positions are bytes (8 are a millisecond), and what was fed only to keep a request
awake is never counted as the call's.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from voiceagent.call.audio import BYTES_PER_MS, ULAW_SILENCE
from voiceagent.speech.google_stt_policy import HalfClose, StreamPolicy
from voiceagent.speech.ports import Recognition

_FILLER: Final = bytes([ULAW_SILENCE])
_FILL_BEHIND_MS: Final = 1_000.0


class AudioTape:
    """The last seconds of a call's audio; positions count from the first byte ever taken."""

    def __init__(self, kept_ms: float) -> None:
        self._kept = int(kept_ms * BYTES_PER_MS)
        self._audio = bytearray()
        self.begin = 0
        self.end = 0

    def append(self, ulaw: bytes) -> None:
        """Take audio; what is older than `kept_ms` is let go."""
        self._audio += ulaw
        self.end += len(ulaw)
        # A tenth of slack: moving the buffer with every frame would cost more than it frees.
        if len(self._audio) > self._kept * 1.1:
            self.forget(self.end - self._kept)

    def forget(self, before: int) -> None:
        """Let go of what lies before that position."""
        surplus = min(before, self.end) - self.begin
        if surplus > 0:
            del self._audio[:surplus]
            self.begin += surplus

    def read(self, start: int, end: int) -> bytes:
        return bytes(self._audio[start - self.begin : end - self.begin])


@dataclass(slots=True)
class Leg:
    """A request under way: what of the call it has been sent, and what it has settled."""

    id: int
    start: int
    """The first byte of the call that it hears."""
    opened_ms: float
    until: int | None = None
    """It hears nothing from here on and is half-closed; None: it hears on."""
    sent: int = field(init=False)
    """Up to where it was sent the call."""
    settled: int = field(init=False)
    """Up to where its finals reach."""
    covered: int = field(init=False)
    """Up to where its results reach, interims included."""
    stream_bytes: int = 0
    """All that it was sent, fillers included: its own time."""
    half_closed: bool = False
    responses: int = 0
    responded_ms: float = 0.0
    interim: str = ""
    """The last one of what is not settled."""
    piece_start: int | None = None
    """Where the piece that its interims are about begins; None: none was told since the final."""
    close_by_ms: float | None = None
    """A half-closed leg that has not ended by then is given up."""
    muted: bool = False
    """Another leg hears its stretch: what it says no longer counts."""
    repairs: int = 0
    """So many tries for a stretch that another leg did not settle; 0: it is not such a try."""
    texts: list[str] = field(default_factory=list)
    """Finals of a repaired stretch, told together."""
    told_from: int = 0
    """Where the words of a repaired stretch begin."""
    twin: int | None = None
    """The leg that hears the same stretch; the first one to settle it counts."""
    ready_ms: float = 0.0
    """By then it has been sent the past that it begins with."""
    quiet_to: int = 0
    """Results that end before this are held back: more of the stretch has been told already."""
    quiet_until_ms: float = 0.0
    held: list[Recognition] = field(default_factory=list)
    fill_ms: float | None = None
    """When the next filler is due; None: the last thing sent was the call's."""
    _anchors: list[tuple[int, int, bool]] = field(init=False)
    """(stream position, call position, whether a filler begins there)."""

    def __post_init__(self) -> None:
        self.sent = self.settled = self.covered = self.start
        self.responded_ms = self.opened_ms
        self._anchors = [(0, self.start, False)]

    @property
    def is_repair(self) -> bool:
        return self.repairs > 0

    @property
    def unsettled_from(self) -> int | None:
        """Where words begin that were told as interims only."""
        return self.piece_start if self.interim else None

    def send(self, count: int) -> None:
        """The next bytes of the call go out."""
        if self._anchors[-1][2]:
            self._anchors.append((self.stream_bytes, self.sent, False))
        self.fill_ms = None
        self.sent += count
        self.stream_bytes += count

    def fill(self, count: int) -> None:
        """Bytes that are not the call's go out."""
        if not self._anchors[-1][2]:
            self._anchors.append((self.stream_bytes, self.sent, True))
        self.stream_bytes += count

    def skip_to(self, position: int) -> int:
        """Leave out what is no longer there. Returns how many bytes that were."""
        skipped = position - self.sent
        if skipped <= 0:
            return 0
        self.sent = position
        self._anchors.append((self.stream_bytes, position, False))
        return skipped

    def place(self, stream_ms: float | None) -> int:
        """Which byte of the call is at that time of the request's own audio; None: the last."""
        if stream_ms is None:
            return self.sent
        at = round(stream_ms * BYTES_PER_MS)
        index = bisect_right(self._anchors, at, key=lambda anchor: anchor[0]) - 1
        stream_at, call_at, is_filler = self._anchors[max(index, 0)]
        position = call_at if is_filler else call_at + at - stream_at
        return max(self.start, min(position, self.sent))


def next_request(
    leg: Leg, tape: AudioTape, end: int, policy: StreamPolicy, now_ms: float, *, starving: bool
) -> bytes | HalfClose | None:
    """What that leg is sent next of the tape before `end`; None when nothing is due yet.

    `starving`: no media has come for a while, so what there is goes out, then silence in
    real time.
    """
    if leg.half_closed:
        return HalfClose()
    bounded = leg.until is not None
    if leg.until is not None:
        end = leg.until
    request, available = int(policy.request_ms * BYTES_PER_MS), end - leg.sent
    if available >= request or (available > 0 and (bounded or starving)):
        count = min(available, request)
        paced_ms = policy.burst_ms + (now_ms - leg.opened_ms) * policy.catch_up_speed
        if leg.stream_bytes + count > paced_ms * BYTES_PER_MS:
            return None
        audio = tape.read(leg.sent, leg.sent + count)
        leg.send(count)
        return audio
    if bounded:
        leg.half_closed = True
        return HalfClose()
    if not starving or (leg.fill_ms is not None and now_ms < leg.fill_ms):
        return None
    due_ms = now_ms if leg.fill_ms is None else max(leg.fill_ms, now_ms - _FILL_BEHIND_MS)
    leg.fill_ms = due_ms + policy.request_ms
    leg.fill(request)
    return _FILLER * request

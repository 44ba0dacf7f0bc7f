"""Which of the agent's sound lies beside which of the caller's.

What came from the phone and what went to it flow in, in the order of the media socket;
stereo samples flow out once it is certain that they belong together. The caller's sound is
the clock: 20 ms arrive each 20 ms, and a mark that the phone returns comes in order with
them, so what it acknowledges ended exactly there, however late the event loop looks. What
was cleared before it was played does not come out. Pure; positions are bytes, 8 to the ms.
"""

from collections import deque
from typing import Final

from voiceagent.call.audio import ULAW_SILENCE
from voiceagent.recordings.events import (
    AgentHeard,
    AgentSent,
    CallerHeard,
    Cleared,
    Missed,
    Sound,
)

CHANNELS: Final = 2
_JITTER: Final = 480
"""Marks of one stretch of speech may come 60 ms apart from what they should: no gap is made."""
_LONGEST_WAIT: Final = 16_000
"""A phone that has not returned a mark for two seconds is taken to have played at once."""


class TwoVoices:
    """One call's recording, from its first moment on."""

    def __init__(self) -> None:
        self._left = bytearray()
        self._right = bytearray()
        """Not given out yet; `_right` may be longer where a phone acknowledges early."""
        self._given = 0
        """Moments that were given out."""
        self._sent: deque[tuple[AgentSent, int]] = deque()
        """Not known to have been played; each with how much of the caller had come by then."""
        self._anchored = False
        """Where the present stretch of speech begins is known by a mark."""

    @property
    def length(self) -> int:
        """How much of the caller has come."""
        return self._given + len(self._left)

    def take(self, event: Sound) -> None:
        """Something happened."""
        match event:
            case CallerHeard(ulaw):
                self._left += ulaw
                self._play_unacknowledged()
            case AgentSent():
                if not self._sent:
                    self._silence_until(self.length)
                    self._anchored = False
                self._sent.append((event, self.length))
            case AgentHeard(end):
                self._acknowledge(end)
            case Cleared():
                self._stop()
            case Missed(caller_bytes):
                self._stop()
                self._left += bytes([ULAW_SILENCE]) * caller_bytes

    def silence(self, start: int, end: int) -> int:
        """Nothing is to come out of the caller between these moments. Returns up to which of them
        it has come out already."""
        begin, behind = (max(0, moment - self._given) for moment in (start, end))
        behind = min(behind, len(self._left))
        self._left[begin:behind] = bytes([ULAW_SILENCE]) * max(0, behind - begin)
        return min(end, self._given)

    def samples(self) -> bytes:
        """What has become certain since the last time: interleaved, the caller first."""
        if not self._sent:
            self._silence_until(self.length)
        count = min(len(self._left), len(self._right))
        both = bytearray(CHANNELS * count)
        both[0::CHANNELS] = self._left[:count]
        both[1::CHANNELS] = self._right[:count]
        del self._left[:count], self._right[:count]
        self._given += count
        return bytes(both)

    def rest(self) -> bytes:
        """The call is over, and so is what the agent was saying."""
        self._stop()
        # A phone that acknowledged early has played no more than the call was long.
        del self._right[len(self._left) :]
        return self.samples()

    # --- the agent's channel ----------------------------------------------------------------

    @property
    def _right_end(self) -> int:
        return self._given + len(self._right)

    def _acknowledge(self, end: int) -> None:
        played = bytearray()
        while self._sent and self._sent[0][0].end <= end:
            played += self._sent.popleft()[0].ulaw
        if not played:
            return
        start = self.length - len(played)
        # Later marks of a stretch only tell it from the next one: its sound has no gaps.
        if not self._anchored or start - self._right_end > _JITTER:
            self._silence_until(start)
        self._anchored = True
        self._right += played

    def _play_unacknowledged(self) -> None:
        while self._sent and self.length - self._sent[0][1] > _LONGEST_WAIT:
            self._right += self._sent.popleft()[0].ulaw

    def _stop(self) -> None:
        """What was not acknowledged was played up to now, and no further."""
        while self._sent and self._right_end < self.length:
            self._right += self._sent.popleft()[0].ulaw
        self._sent.clear()
        del self._right[max(0, self.length - self._given) :]
        self._silence_until(self.length)

    def _silence_until(self, position: int) -> None:
        missing = position - self._right_end
        if missing > 0:
            self._right += bytes([ULAW_SILENCE]) * missing

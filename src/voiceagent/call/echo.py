"""How loud the agent comes back from the caller's phone, learnt while it speaks.

In flow windows of inbound audio with the agent's own level beside them; out flows how
loud a caller must be to be told from the agent's echo. Pure: it never decides who speaks.

A poor speakerphone returns the agent 20 dB down, most phones 45 dB or not at all
(3GPP TS 26.132, 8.7.1 asks for 46). A gate for the first kind would keep every quiet
caller from interrupting, so it only stands until this phone is known.
"""

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from math import ceil
from typing import Final

_NONE_DB: Final = 100.0
"""A window in which nothing like the agent came back."""


@dataclass(frozen=True, slots=True)
class EchoPolicy:
    """The numbers of the gate. Measured figures: docs/overlap.md."""

    least_loss_db: float = 16.0
    """Of a phone that is not known yet, and of the worst: a speakerphone returns the agent at
    least 20 dB down."""
    known_after_ms: float = 1_500.0
    """So much of the agent's speech tells what the phone returns: a greeting has it."""
    memory_ms: float = 5_000.0
    """Of the agent's speech; a caller who turns the loudspeaker on is another phone."""
    loudest_share: float = 0.05
    """The echo is what so much of it reaches: eight windows of the memory. A caller who talks
    over the agent stops it after four."""
    margin_db: float = 4.0
    """How far single windows rise above that."""


class EchoGate:
    """What one call's phone returns of the agent."""

    def __init__(self, window_ms: float, policy: EchoPolicy = EchoPolicy()) -> None:
        self._policy = policy
        self._known = ceil(policy.known_after_ms / window_ms)
        self._memory = ceil(policy.memory_ms / window_ms)
        self._recent: deque[float] = deque()
        self._by_loss: list[float] = []
        """The same, the loudest echo first."""

    def learn(self, agent_dbfs: float, echo_dbfs: float | None) -> None:
        """One window while the agent was heard at that level; None: nothing like speech in it."""
        loss_db = _NONE_DB if echo_dbfs is None else agent_dbfs - echo_dbfs
        self._recent.append(loss_db)
        insort(self._by_loss, loss_db)
        if len(self._recent) > self._memory:
            del self._by_loss[bisect_left(self._by_loss, self._recent.popleft())]

    @property
    def loss_db(self) -> float:
        """By how much the phone weakens the agent at the least, as far as is known."""
        policy = self._policy
        if len(self._recent) < self._known:
            return policy.least_loss_db
        loss_db = self._by_loss[int(policy.loudest_share * len(self._by_loss))]
        return max(policy.least_loss_db, loss_db - policy.margin_db)

"""What a fuzzer asked of the service, and what came of it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Of one run."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)
    """Answers that should not be, each in a line."""

    def answered(self, status: int, took_s: float) -> None:
        """A request was answered with this status."""
        self.statuses[status] += 1
        self.slowest_s = max(self.slowest_s, took_s)

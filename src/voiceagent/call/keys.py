"""The keys that a caller presses, gathered into one answer.

Digits and times flow in, the whole answer flows out: after a pause, or at once with
`#`. Pure.
"""

from voiceagent.call.turn_policy import TurnPolicy


class Keys:
    """What is being keyed in one call. Times are on the call's clock."""

    def __init__(self, policy: TurnPolicy) -> None:
        self._policy = policy
        self._digits = ""
        self._due_ms = 0.0

    @property
    def under_way(self) -> bool:
        return bool(self._digits)

    @property
    def due_ms(self) -> float | None:
        """When the answer is taken as whole."""
        return self._due_ms if self._digits else None

    def press(self, digit: str, now_ms: float) -> str:
        """Take a key; returns the whole answer if this ends it, else an empty text."""
        if digit == "#":
            return self.take()
        # Keys beyond all bounds neither pile up nor put the answer off.
        if len(self._digits) < self._policy.max_digits:
            self._digits += digit
            self._due_ms = now_ms + self._policy.digit_gap_ms
        return ""

    def tick(self, now_ms: float) -> str:
        """The whole answer once nothing was pressed for long enough, else an empty text."""
        return self.take() if self._digits and now_ms >= self._due_ms else ""

    def take(self) -> str:
        """What was keyed so far; it is forgotten here."""
        digits, self._digits = self._digits, ""
        return digits

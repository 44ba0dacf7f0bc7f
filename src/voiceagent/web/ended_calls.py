"""Calls that are over: no further socket is let in for them.

Sids flow in as calls end and as they ring; whether one is over flows out. Kept of a bounded number,
the last ones. Pure.
"""

from typing import Final

MOST: Final = 10_000
"""Of a process that holds a hundred calls at a time: half a day and more; Twilio ends a call after
four hours."""


class EndedCalls:
    """Of one process. A call that another one has held is not known here."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._over: dict[str, None] = {}

    def ended(self, call_sid: str) -> None:
        """It will not come back."""
        self._over.pop(call_sid, None)
        self._over[call_sid] = None
        if len(self._over) > self._most:
            del self._over[next(iter(self._over))]

    def rings(self, call_sid: str) -> None:
        """Twilio has announced it anew, e.g. sent on by a TwiML document of the business's."""
        self._over.pop(call_sid, None)

    def is_over(self, call_sid: str) -> bool:
        """Whether it has ended and did not ring again."""
        return call_sid in self._over

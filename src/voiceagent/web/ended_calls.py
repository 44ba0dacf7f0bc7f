"""Calls that are over: no further socket is let in for them.

Sids flow in as calls ring and as they end; whether one is over flows out. Kept of a bounded number,
the last ones. Pure.
"""

from typing import Final

from voiceagent.recent import Recent

MOST: Final = 10_000
"""Of a process that holds a hundred calls at a time: half a day and more; Twilio ends a call after
four hours."""


class EndedCalls:
    """Of one process. A call that rang at another one is not known here, and so never over."""

    def __init__(self, most: int = MOST) -> None:
        self._is_over: Recent[str, bool] = Recent(most)

    def rings(self, call_sid: str) -> None:
        """Twilio announces it; perhaps anew, sent on by a TwiML document of the business's."""
        self._is_over.put(call_sid, False)

    def ended(self, call_sid: str) -> None:
        """It will not come back."""
        if call_sid in self._is_over:
            self._is_over.put(call_sid, True)

    def is_over(self, call_sid: str) -> bool:
        """Whether it has rung and ended, and did not ring again."""
        return self._is_over.get(call_sid) is True

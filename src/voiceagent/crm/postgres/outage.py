"""What a part of the service tells of a database that is away: once, and not while it starts.

Failures and successes flow in as they are met; a word flows out when it is news. It asks
nothing of the database itself.
"""

import asyncio
from collections.abc import Callable
from typing import Final

SETTLES_S: Final = 15.0
"""Longer than an embedded server takes to start: until then a database that has never worked is
no news. The warm-up tells of one that cannot be reached at once."""


class Outage:
    """One part's view of the database. Loop thread only."""

    def __init__(self, tell: Callable[[str], None], *, settles_s: float = SETTLES_S) -> None:
        """`tell` is given why, when an outage begins to be one."""
        self._tell = tell
        self._settles_s = settles_s
        self._has_worked = False
        self._is_told = False
        self._since_s: float | None = None

    def over(self) -> None:
        """It works."""
        self._has_worked = True
        self._is_told = False

    def met(self, why: str) -> None:
        """It does not."""
        now_s = asyncio.get_running_loop().time()
        if self._since_s is None:
            self._since_s = now_s
        if self._is_told or not (self._has_worked or now_s - self._since_s >= self._settles_s):
            return
        self._is_told = True
        self._tell(why)

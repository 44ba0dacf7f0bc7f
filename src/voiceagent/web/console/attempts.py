"""How often somebody may try to sign in: who failed too often has to wait.

Addresses and times flow in; seconds to wait flow out. Kept in memory, of a bounded number of
addresses: of more than that the oldest are forgotten. Pure: time is handed in.
"""

from collections import deque
from ipaddress import IPv6Address, ip_address
from typing import Final

FAILURES: Final = 5
"""That many in a window, then it waits."""
WINDOW_S: Final = 60.0
MOST_ADDRESSES: Final = 1_000


class Attempts:
    """Failures to sign in, by address. One per process."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}

    def wait_s(self, address: str, now: float) -> float:
        """How long this address has to wait; 0: not at all."""
        failures = self._failures.get(_network(address))
        if failures is None or len(failures) < FAILURES:
            return 0.0
        return max(0.0, failures[0] + WINDOW_S - now)

    def failed(self, address: str, now: float) -> None:
        """It gave a wrong key."""
        network = _network(address)
        failures = self._failures.pop(network, deque(maxlen=FAILURES))
        failures.append(now)
        self._failures[network] = failures
        if len(self._failures) > MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, address: str) -> None:
        """It gave the right one."""
        self._failures.pop(_network(address), None)


def _network(address: str) -> str:
    """One customer has many addresses of version 6: all of a /64 count as one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return f"{int(parsed) >> 64:x}/64"
    return address

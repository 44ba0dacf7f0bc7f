"""How often somebody may try a key: who has tried too many wrong ones has to wait.

Addresses, keys and times flow in; seconds to wait flow out. Kept in memory, of a bounded number of
addresses: of more than that the oldest are forgotten. Pure: time is handed in.
"""

from typing import Final

from voiceagent.recent import Recent
from voiceagent.web.networks import network_of

FAILURES: Final = 5
"""That many different keys in a window, then it waits."""
WINDOW_S: Final = 60.0
MOST_ADDRESSES: Final = 1_000


class Attempts:
    """Wrong keys, by address. One per process, for every door that the key opens.

    The same wrong key again is no further attempt: whoever guesses tries others, and a program
    with an old key keeps nobody waiting who comes from the same address.
    """

    def __init__(self) -> None:
        self._failures: Recent[str, dict[int, float]] = Recent(MOST_ADDRESSES)
        """When each wrong key, of which only the hash is kept, was given first."""

    def wait_s(self, address: str, now: float) -> float:
        """How long this address has to wait; 0: not at all."""
        if not self._failures:
            return 0.0
        failures = self._failures.get(network_of(address))
        if failures is None or len(failures) < FAILURES:
            return 0.0
        return max(0.0, min(failures.values()) + WINDOW_S - now)

    def failed(self, address: str, key: str, now: float) -> bool:
        """It gave a wrong key; whether it has to wait from now on."""
        network = network_of(address)
        failures = {
            known: since
            for known, since in (self._failures.get(network) or {}).items()
            if now - since < WINDOW_S
        }
        failures.setdefault(hash(key), now)
        self._failures.put(network, failures)
        return len(failures) >= FAILURES

    def succeeded(self, address: str) -> None:
        """A person gave the right one: the wrong ones were mistypings."""
        self._failures.pop(network_of(address))

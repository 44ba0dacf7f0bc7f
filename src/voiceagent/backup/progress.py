"""Tells whoever waits for a long command how far it has come.

Counts of bytes flow in, a line now and then flows out. It decides nothing.
"""

from collections.abc import Callable

Tell = Callable[[str], None]
"""Takes a line for people."""


class Progress:
    """Of one piece of work; called with each further count of bytes."""

    def __init__(self, tell: Tell, what: str, step_bytes: int = 100_000_000) -> None:
        self._tell = tell
        self._what = what
        self._step_bytes = step_bytes
        self._bytes = 0

    def __call__(self, count: int) -> None:
        """So many more bytes are done."""
        before, self._bytes = self._bytes, self._bytes + count
        if before // self._step_bytes != self._bytes // self._step_bytes:
            self._tell(f"{self._what}: {readable(self._bytes)} so far")


def readable(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count} bytes"

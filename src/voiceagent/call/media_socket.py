"""The port to a call's WebSocket: messages come in one by one, texts go out, it is closed once."""

from collections.abc import Callable
from typing import Protocol

TakeMessage = Callable[[str | bytes], float]
"""Takes a message that came; tells for how many seconds no other should be read, nearly always 0.
Never raises."""


class MediaSocket(Protocol):
    """The WebSocket of a call, after its handshake."""

    async def deliver(self, take: TakeMessage) -> None:
        """Have every message taken, in order, until the peer has gone."""

    async def send(self, text: str) -> None:
        """Raises `ConnectionError` once the peer has gone."""

    async def close(self, code: int, reason: str) -> None: ...

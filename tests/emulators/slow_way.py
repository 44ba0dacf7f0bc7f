"""A way to the tests' PostgreSQL on which answers can be held back, as by a broken network.

What is asked always reaches the server. From a given word on nothing comes back any more,
until the answers are let through.
"""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

_CANCEL: Final = bytes.fromhex("00000010 04d2162e")
"""How the request begins, on a connection of its own, that cancels a statement."""


class SlowWay:
    """Listens on loopback until the end of the block."""

    def __init__(self, database_url: str) -> None:
        """`database_url` names the directory of the server's socket (`?host=`)."""
        self._url = urlsplit(database_url)
        self._socket = f"{parse_qs(self._url.query)['host'][0]}/.s.PGSQL.5432"
        self._tasks: set[asyncio.Task[None]] = set()
        self.held_from = b""
        """Answers are held back once this was asked; empty: never."""
        self.answers = asyncio.Event()
        """Set while they come through."""
        self.answers.set()
        self.cancelled = asyncio.Event()
        """A statement was to be cancelled."""

    @property
    def url(self) -> str:
        host, port = self._server.sockets[0].getsockname()
        return f"postgresql://postgres@{host}:{port}{self._url.path}?sslmode=disable"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_unix_connection(self._socket)
        asked = asyncio.create_task(self._ask(reader, here))
        answered = asyncio.create_task(self._answer(there, writer))
        self._tasks |= {asked, answered}
        try:
            await asyncio.wait({asked, answered}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            answered.cancel()
            here.close()
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if self.held_from and self.held_from in data:
                    self.answers.clear()
                if data.startswith(_CANCEL):
                    self.cancelled.set()
                server.write(data)
                await server.drain()

    async def _answer(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await server.read(65_536):
                await self.answers.wait()
                writer.write(data)
                await writer.drain()

"""The owner's server: takes webhooks over HTTP on loopback and answers as it is told.

It keeps every request as it came and checks no signature by itself; it answers 204 once
its list of answers is used up. Speaks just enough of HTTP/1.1 for one request a connection.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Answer = int | tuple[int, dict[str, str]] | Talk
"""A status, one with headers, or whatever is to be done with the connection instead."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes


class WebhookReceiver:
    """Listens until the end of an `async with` block."""

    def __init__(self, answers: Iterable[Answer] = ()) -> None:
        self.answers = list(answers)
        self.received: list[Received] = []
        self._news = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/owner"

    async def has(self, count: int) -> list[Received]:
        """Wait until so many requests came, for at most 20 s."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _version = head[0].split()
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            answer = self.answers.pop(0) if self.answers else 204
            async with self._news:
                self.received.append(Received(method, path, headers, body))
                self._news.notify_all()
            if callable(answer):
                await answer(reader, writer)
            else:
                status, more = answer if isinstance(answer, tuple) else (answer, {})
                lines = [f"HTTP/1.1 {status} x", "content-length: 0", "connection: close"]
                lines += [f"{name}: {value}" for name, value in more.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode())
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the sender hung up
        finally:
            writer.close()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing until the sender gives up."""
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without an answer."""
    writer.close()

"""A way between the service and somebody it needs, that breaks as networks break.

Connections flow in on a port of the loopback and are carried to where they really go; told
what is wrong with the way, it cuts them, lets nothing through any more, or carries slowly.
It understands nothing of what it carries.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

HOST: Final = "127.0.0.1"
_PIECE: Final = 65_536

Kind = Literal["open", "refused", "silent", "held", "slow"]
"""`refused`: all connections are reset, new ones refused. `silent`: connections are taken and
nothing ever comes back on them, nor on those that were open: not even when the way is mended.
`held`: nothing passes, and all of it passes later, as when packets are lost for a while.
`slow`: everything passes late and little by little."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How the way is."""

    kind: Kind = "open"
    latency_s: float = 0.0
    """Of each piece, one way; `slow` only."""
    bytes_a_second: float = 0.0
    """Of each connection in each direction; 0: any number; `slow` only."""


OPEN: Final = Condition()


class Way:
    """Listens from `open` or the beginning of an `async with` block until its end."""

    def __init__(self, target: str, port: int = 0) -> None:
        """`target`: `host:port`, or the path of a Unix socket."""
        self._target = target
        self._port = port
        self._condition = OPEN
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._carried: dict[asyncio.Task[None], _Connection] = {}
        self.connections = 0
        """How many were ever taken."""

    @property
    def port(self) -> int:
        return self._port

    @property
    def carrying(self) -> int:
        """How many connections there are."""
        return len(self._carried)

    async def become(self, condition: Condition) -> None:
        """Be like this from now on."""
        self._condition = condition
        if condition.kind == "refused":
            await self._close()
            for connection in self._carried.values():
                connection.reset()
            return
        if condition.kind == "silent":
            for connection in self._carried.values():
                connection.is_dead = True
        if condition.kind == "held":
            self._passing.clear()
        else:
            self._passing.set()
        await self._listen()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()
        tasks = list(self._carried)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._taken, HOST, self._port, limit=_PIECE, reuse_address=True
            )
            self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        connection = self._carried[task] = _Connection(writer, self._condition.kind == "silent")
        try:
            await self._carry(connection, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # one of the two ends, or the test, has ended it
        finally:
            del self._carried[task]
            connection.reset()

    async def _carry(
        self,
        connection: "_Connection",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        await self._passing.wait()
        if connection.is_dead:
            while await reader.read(_PIECE):
                pass
            return
        if self._target.startswith("/"):
            there, back = await asyncio.open_unix_connection(self._target)
        else:
            host, _, port = self._target.rpartition(":")
            there, back = await asyncio.open_connection(host, int(port))
        connection.other = back
        out = asyncio.create_task(self._pump(connection, reader, back))
        home = asyncio.create_task(self._pump(connection, there, writer))
        try:
            await asyncio.wait({out, home}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in (out, home):
                pump.cancel()
            await asyncio.gather(out, home, return_exceptions=True)

    async def _pump(
        self, connection: "_Connection", source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await source.read(self._piece()):
                if connection.is_dead:
                    continue
                if self._condition.kind == "slow":
                    await asyncio.sleep(self._delay_s(len(data)))
                await self._passing.wait()
                sink.write(data)
                await sink.drain()
        if connection.is_dead:
            # Whoever is behind a dead line learns nothing of its end.
            await asyncio.Event().wait()

    def _piece(self) -> int:
        condition = self._condition
        if condition.kind == "slow" and condition.bytes_a_second:
            return max(64, int(condition.bytes_a_second / 4))
        return _PIECE

    def _delay_s(self, size: int) -> float:
        condition = self._condition
        by_size = size / condition.bytes_a_second if condition.bytes_a_second else 0.0
        return max(condition.latency_s, by_size)


class _Connection:
    """Both ends of what is carried."""

    def __init__(self, writer: asyncio.StreamWriter, is_dead: bool) -> None:
        self._writer = writer
        self.other: asyncio.StreamWriter | None = None
        self.is_dead = is_dead
        """Nothing passes on it any more, for good."""

    def reset(self) -> None:
        for writer in (self._writer, self.other):
            if writer is not None:
                writer.transport.abort()

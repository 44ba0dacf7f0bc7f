"""The connection to PostgreSQL: the one of `DATABASE_URL`, or an embedded server.

Gives connections and transactions with deadlines and turns the driver's errors into
the package's own. Knows no table; never prints the URL, which may hold a password.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from voiceagent.crm.postgres.embedded import EmbeddedServer
from voiceagent.errors import OutcomeUnknown, ProviderError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
LoneConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
"""One beside the pool."""

EMBEDDED_START_DEADLINE_S = 25.0
EMBEDDED_STOP_DEADLINE_S = 10.0
CONNECT_DEADLINE_S = 5.0
PING_DEADLINE_S = 2.0
QUERY_DEADLINE_S = 5.0
POOL_CLOSE_DEADLINE_S = 5.0
POOL_MAX = 10
IDLE_S = 15.0
"""A connection that a rush has left over goes after so long: it keeps a quarter of a megabyte and
more of prepared statements here, and a process at the server."""
SESSION_ENDS = {
    # Longer than any work of ours rests between two statements.
    "idle_in_transaction_session_timeout": "'15s'",
    # A statement that waits for a lock is given up by its deadline here: the server learns of it.
    "client_connection_check_interval": "'2s'",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""When the server ends a session whose other side has vanished."""
CONFLICT_ATTEMPTS = 5
"""How often a transaction is tried that gives way to others."""

CONFLICT_CLASS = "40"
"""SQLSTATE class of deadlocks and serialization failures."""
CONTENT_CLASSES = frozenset({"22", "23", "54"})
"""SQLSTATE classes that blame what was to be stored: data exception, constraint, size limit."""
GONE_CLASSES = ("08", "57P")
"""How the SQLSTATEs begin that tell of a lost connection or a server that ends, and of nothing
that was asked."""
NEVER_HEALS_CLASSES = frozenset({"28", "42"})
"""SQLSTATE classes that time does not cure: refused login, a table that is not there."""


class ContentRejected(ProviderError):
    """The database works, but will never take this content."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database rejected the content: {reason}", retryable=False)
        self.reason = reason


class TransactionConflict(ProviderError):
    """Two transactions were in each other's way and this one gave in: try it again."""

    def __init__(self) -> None:
        super().__init__("the transaction gave way to another one", retryable=True)


@dataclass(frozen=True, slots=True)
class Connections:
    """How many the pool has."""

    idle: int
    busy: int
    """Lent out."""


class Database:
    """One process's way to PostgreSQL.

    `start` may be called again at any time: it brings a dead embedded server back and
    returns once a round trip has worked. Connections that died are replaced when they
    are next asked for, so the pool stays the same object throughout.
    """

    def __init__(self, url: str | None, data_dir: Path) -> None:
        self._url = url
        self._server = None if url else EmbeddedServer(data_dir)
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._starting = asyncio.Lock()

    @property
    def embedded(self) -> bool:
        """Whether the server is our own."""
        return self._server is not None

    @property
    def connections(self) -> "Connections":
        """Of the pool, now."""
        if self._pool is None:
            return Connections(idle=0, busy=0)
        idle = self._pool.get_idle_size()
        return Connections(idle=idle, busy=self._pool.get_size() - idle)

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        """The pool of connections. Raises `ProviderError` before the first successful start."""
        if self._pool is None:
            raise ProviderError("the database is not connected yet", retryable=True)
        return self._pool

    async def start(self) -> None:
        """Start the embedded server where there is one, connect, and make one round trip.

        Raises `ProviderError` when that did not work within its deadlines.
        """
        async with self._starting:
            if self._server is not None:
                await asyncio.to_thread(self._server.start, EMBEDDED_START_DEADLINE_S)
            if self._pool is None:
                with _driver_errors("connecting"):
                    async with asyncio.timeout(CONNECT_DEADLINE_S):
                        self._pool = await asyncpg.create_pool(
                            self._address(),
                            # None is kept up: the pool would try by itself while the server is
                            # away, and log each attempt with a traceback. We ask ourselves.
                            init_size=1,
                            min_size=0,
                            max_size=POOL_MAX,
                            timeout=CONNECT_DEADLINE_S,
                            max_inactive_connection_lifetime=IDLE_S,
                            init=_have_it_end,
                            reset=_leave_as_it_is,
                            server_settings={"application_name": "voiceagent"},
                        )
            # Whoever has to connect first may be far away.
            await self._round_trip(PING_DEADLINE_S if self.connections.idle else CONNECT_DEADLINE_S)

    def _address(self) -> str | None:
        return self._server.url() if self._server is not None else self._url

    async def ping(self) -> None:
        """One real round trip within 2 s. Raises `ProviderError`."""
        await self._round_trip(PING_DEADLINE_S)

    async def _round_trip(self, deadline_s: float) -> None:
        async with self.connection(deadline_s) as connection:
            await connection.execute("SELECT 1")

    @asynccontextmanager
    async def connection(self, deadline_s: float = QUERY_DEADLINE_S) -> AsyncIterator[Connection]:
        """Lend a connection for a piece of work that ends within `deadline_s`.

        Raises `ContentRejected` for content that can never be stored, and `ProviderError`
        for every other failure of the driver inside the block.
        """
        with _driver_errors("querying"):
            async with asyncio.timeout(deadline_s):
                connection = await self.pool.acquire()
                try:
                    yield connection
                except asyncio.CancelledError:
                    # The deadline, or our own end: the server may hang, so nothing is asked of
                    # it any more. The pool opens another connection when one is needed.
                    connection.terminate()
                    raise
                finally:
                    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                        await self.pool.release(connection, timeout=PING_DEADLINE_S)

    @asynccontextmanager
    async def beside_the_pool(self, deadline_s: float) -> AsyncIterator[LoneConnection]:
        """Open a connection for work that takes minutes: nobody waits for one of the pool's
        meanwhile. It is closed at the end, and what it had not committed is undone.

        Raises as `connection` does.
        """
        with _driver_errors("querying"):
            async with asyncio.timeout(deadline_s):
                connection = await asyncpg.connect(
                    self._address(),
                    timeout=CONNECT_DEADLINE_S,
                    server_settings={"application_name": "voiceagent"},
                )
                try:
                    yield connection
                finally:
                    # Without a farewell, which a server that hangs would not take.
                    connection.terminate()

    @asynccontextmanager
    async def statement(self, deadline_s: float = QUERY_DEADLINE_S) -> AsyncIterator[Connection]:
        """Lend a connection for one statement that is a transaction of its own.

        Raises as `connection` does, and `OutcomeUnknown` when no answer came to it.
        """
        begun = False
        try:
            async with self.connection(deadline_s) as connection:
                begun = True
                yield connection
        except ProviderError as error:
            if begun and not _is_an_answer(error):
                raise OutcomeUnknown(str(error)) from error
            raise

    @asynccontextmanager
    async def transaction(self, deadline_s: float = QUERY_DEADLINE_S) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction: committed at the end, rolled back on an error.

        Raises as `connection` does; then nothing of it was done. Raises `OutcomeUnknown` when no
        answer came to the COMMIT.
        """
        committing = False
        try:
            async with self.connection(deadline_s) as connection:
                # Not asyncpg's own transaction object: it asks for a rollback when cancelled, and
                # waits for the answer of a server that may never give one.
                await connection.execute("BEGIN")
                try:
                    yield connection
                except Exception:
                    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                        await connection.execute("ROLLBACK")
                    raise
                committing = True
                await connection.execute("COMMIT")
        except ProviderError as error:
            if committing and not _is_an_answer(error):
                raise OutcomeUnknown(str(error)) from error
            raise

    async def close(self) -> None:
        """Close all connections and leave the embedded server; its last user stops it."""
        if self._pool is not None:
            try:
                async with asyncio.timeout(POOL_CLOSE_DEADLINE_S):
                    await self._pool.close()
            except (TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                self._pool.terminate()
            self._pool = None
        if self._server is not None:
            await asyncio.to_thread(self._server.stop, EMBEDDED_STOP_DEADLINE_S)


async def _have_it_end(connection: LoneConnection) -> None:
    """Have the server end this session by itself when this side vanishes without a farewell: it
    would keep its locks, and everybody else waiting for them, for two hours."""
    for setting, value in SESSION_ENDS.items():
        # Not when connecting: what lies between may not know them, nor an old server.
        with suppress(asyncpg.PostgresError):
            await connection.execute(f"SET {setting} = {value}")


async def _leave_as_it_is(_connection: object) -> None:
    """Nothing here changes a session, so a connection that is given back need not be reset: that
    would cost a round trip each time. An open transaction is ended by the driver all the same."""


def _is_an_answer(error: ProviderError) -> bool:
    """Whether the server itself refused what was asked: then nothing of it was done."""
    refusal = error.__cause__
    return isinstance(refusal, asyncpg.PostgresError) and not str(refusal.sqlstate).startswith(
        GONE_CLASSES
    )


@contextmanager
def _driver_errors(doing: str) -> Iterator[None]:
    """Turn what the driver raises into the package's errors, without the content's values."""
    try:
        yield
    except asyncpg.PostgresError as error:
        name, state = type(error).__name__, error.sqlstate or ""
        if state[:2] in CONTENT_CLASSES:
            raise ContentRejected(f"{name} {state}") from error
        if state[:2] == CONFLICT_CLASS:
            raise TransactionConflict from error
        retryable = state[:2] not in NEVER_HEALS_CLASSES
        raise ProviderError(f"{doing} failed: {name} {state}", retryable=retryable) from error
    except TimeoutError as error:
        raise ProviderError(f"{doing}: the database did not answer", retryable=True) from error
    except asyncpg.ClientConfigurationError as error:
        raise ProviderError("DATABASE_URL is not a PostgreSQL URL", retryable=False) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        raise ProviderError(f"{doing} failed: {type(error).__name__}", retryable=True) from error

"""Has PostgreSQL explain every statement that the service sends, where it sends it.

A database flows in as `Database` has it; what its statements did flows out: their time, the pages
of 8 kB that they touched, and which large tables they read from end to end. Each is explained with
ANALYZE inside whatever transaction it stands in, rolled back, and then done.
"""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from voiceagent.crm.postgres.database import Connection, Database

PATIENCE_S: Final = 900.0
LARGE_ROWS: Final = 100_000
"""A table with more is not to be read from end to end while somebody waits."""
_NOT_EXPLAINED: Final = ("BEGIN", "COMMIT", "ROLLBACK", "SET", "SELECT set_config")
_LARGE: Final = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples > $1
"""


@dataclass(slots=True)
class Seen:
    """What the statements of one path did."""

    name: str
    ms: float = 0.0
    slowest_ms: float = 0.0
    slowest: str = ""
    buffers: int = 0
    statements: int = 0
    read_whole: set[str] = field(default_factory=set)


class ExplainingDatabase(Database):
    """Explains each statement where it is asked, and then has it done."""

    path: Seen | None = None
    """Of what is done now; None: nothing is explained."""
    large: frozenset[str] = frozenset()

    async def look(self) -> None:
        """Which tables are large."""
        async with super().connection(PATIENCE_S) as connection:
            rows = await connection.fetch(_LARGE, LARGE_ROWS)
        self.large = frozenset(row["relname"] for row in rows)

    @asynccontextmanager
    async def connection(self, deadline_s: float = PATIENCE_S) -> AsyncIterator[Connection]:
        """As `Database.connection`, with patience."""
        async with super().connection(max(deadline_s, PATIENCE_S)) as connection:
            yield connection if self.path is None else _Explained(connection, self)  # type: ignore[misc]

    def note(self, statement: str, plan: dict[str, Any]) -> None:
        """One statement's plan, to the path that goes on."""
        path = self.path
        assert path is not None  # noqa: S101 - nothing is explained without one
        root = plan["Plan"]
        took_ms = plan["Execution Time"]
        path.ms += took_ms
        path.statements += 1
        path.buffers += root["Shared Hit Blocks"] + root["Shared Read Blocks"]
        if took_ms > path.slowest_ms:
            path.slowest_ms, path.slowest = took_ms, " ".join(statement.split())[:100]
        for node in _nodes(root):
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in self.large:
                # With a limit above it, only what was read counts.
                read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                if read * node["Actual Loops"] > LARGE_ROWS / 2:
                    path.read_whole.add(node["Relation Name"])


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


class _Explained:
    """A connection that explains first. What it explains is rolled back before it is done."""

    def __init__(self, connection: Connection, database: ExplainingDatabase) -> None:
        self._connection = connection
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, statement: str, *values: Any, **options: Any) -> Any:
        await self._explain(statement, values)
        return await self._connection.fetch(statement, *values, **options)

    async def fetchrow(self, statement: str, *values: Any, **options: Any) -> Any:
        await self._explain(statement, values)
        return await self._connection.fetchrow(statement, *values, **options)

    async def fetchval(self, statement: str, *values: Any, **options: Any) -> Any:
        await self._explain(statement, values)
        return await self._connection.fetchval(statement, *values, **options)

    async def execute(self, statement: str, *values: Any, **options: Any) -> Any:
        await self._explain(statement, values)
        return await self._connection.execute(statement, *values, **options)

    async def executemany(self, statement: str, rows: Sequence[Any], **options: Any) -> None:
        for values in rows:
            await self._explain(statement, values)
        await self._connection.executemany(statement, rows, **options)

    async def _explain(self, statement: str, values: Sequence[Any]) -> None:
        if statement.strip().startswith(_NOT_EXPLAINED) or self._database.path is None:
            return
        asked = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}"
        inside = self._connection.is_in_transaction()
        begin, end = ("SAVEPOINT plan", "ROLLBACK TO plan") if inside else ("BEGIN", "ROLLBACK")
        await self._connection.execute(begin)
        try:
            found = await self._connection.fetchval(asked, *values)
        except asyncpg.QueryCanceledError:
            path = self._database.path
            path.slowest = f"cancelled: {' '.join(statement.split())[:80]}"
            return
        finally:
            await self._connection.execute(end)
        self._database.note(statement, json.loads(found)[0])

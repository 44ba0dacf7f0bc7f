"""Versions of what the agent says, as people wrote them in the pages, and which of them is live.

TOML text flows in and out as it is: what it means, and whether it is sound, is the agent's
concern. Nothing is ever changed or deleted here. Whoever wrote on what somebody else has
replaced meanwhile is told so, and loses nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.errors import Conflict, NotFound

AGENT_CHANNEL: Final = "voiceagent_agent"
"""Says that another version, or the file, has become live."""
MAX_SCRIPT_BYTES: Final = 64 * 1024
"""Of UTF-8; the migration says so, too."""
MAX_NOTE: Final = 300
MAX_NAME: Final = 80
MOST_SHOWN: Final = 50
"""Of the list of versions: the newest."""

_LIST = "SELECT id, made_at, made_by, note, based_on FROM agent_versions ORDER BY id DESC LIMIT $1"
_ONE = "SELECT id, made_at, made_by, note, based_on, script FROM agent_versions WHERE id = $1"
_NEWEST = """
SELECT id, made_at, made_by, note, based_on, script FROM agent_versions ORDER BY id DESC LIMIT 1
"""
_ADD = """
INSERT INTO agent_versions (made_by, note, based_on, script) VALUES ($1, $2, $3, $4)
RETURNING id, made_at, made_by, note, based_on, script
"""
_LIVE = """
SELECT l.id, l.at, l.made_by, l.version_id, l.file_sum, v.script
FROM agent_live l LEFT JOIN agent_versions v ON v.id = l.version_id
ORDER BY l.id DESC LIMIT 1
"""
_MAKE_LIVE = "INSERT INTO agent_live (made_by, version_id, file_sum) VALUES ($1, $2, $3)"
# Two people are told apart by who comes first; readers are not held up.
_ONE_AFTER_THE_OTHER = "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"


@dataclass(frozen=True, slots=True)
class VersionHead:
    """One version, without its text."""

    id: int
    made_at: datetime
    made_by: str
    note: str
    based_on: int | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version."""

    head: VersionHead
    script: str
    """The agent's whole TOML."""

    @property
    def id(self) -> int:
        """Counted up from 1."""
        return self.head.id


@dataclass(frozen=True, slots=True)
class Live:
    """What somebody made live last."""

    change: int
    """Counts up; 0: nobody has ever made anything live."""
    at: datetime | None = None
    made_by: str = ""
    version_id: int | None = None
    """None: the file."""
    script: str | None = None
    file_sum: str = ""
    """Of the file's text at that time."""


class OutOfDate(Conflict):
    """Somebody else was quicker: `newest` is what is there now."""

    def __init__(self, newest: int) -> None:
        super().__init__(f"there is a newer one: {newest}")
        self.newest = newest


class AgentVersions:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database, tell: Callable[[str, str], None]) -> None:
        """`tell(channel, payload)` is called after a commit; it must not block."""
        self._database = database
        self._tell = tell

    async def newest(self) -> Version | None:
        """The last that was kept; None: there is none."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_NEWEST)
        return _version(row) if row is not None else None

    async def get(self, version_id: int) -> Version:
        """That version. Raises `NotFound`."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_ONE, version_id)
        if row is None:
            raise NotFound(f"there is no version {version_id}")
        return _version(row)

    async def heads(self) -> Sequence[VersionHead]:
        """The newest first."""
        async with self._database.connection() as connection:
            return [_head(row) for row in await connection.fetch(_LIST, MOST_SHOWN)]

    async def add(
        self, script: str, *, made_by: str, note: str, based_on: int | None, seen: int
    ) -> Version:
        """Keep one more; the newest again where its text is the same.

        `seen` is the newest (0: none) that the writer knew of. Raises `OutOfDate` when there is
        another one by now.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_ONE_AFTER_THE_OTHER.format(table="agent_versions"))
            row = await connection.fetchrow(_NEWEST)
            if row is not None and row["script"] == script:
                return _version(row)
            if row is not None and row["id"] != seen:
                raise OutOfDate(row["id"])
            added: Any = await connection.fetchrow(_ADD, made_by, note, based_on, script)
        return _version(added)

    async def live(self) -> Live:
        """What is live."""
        async with self._database.connection() as connection:
            return await _live(connection)

    async def make_live(
        self, version_id: int | None, *, made_by: str, seen: int, file_sum: str
    ) -> None:
        """Have that version answer from now on, or the file (None).

        `seen` is the change that whoever decides knew of. Raises `OutOfDate` when there is
        another one by now, and `NotFound`.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_ONE_AFTER_THE_OTHER.format(table="agent_live"))
            live = await _live(connection)
            if live.version_id == version_id and live.change:
                return
            if live.change != seen:
                raise OutOfDate(live.change)
            if version_id is not None and await connection.fetchrow(_ONE, version_id) is None:
                raise NotFound(f"there is no version {version_id}")
            await connection.execute(_MAKE_LIVE, made_by, version_id, file_sum)
        self._tell(AGENT_CHANNEL, "")


async def _live(connection: Connection) -> Live:
    row = await connection.fetchrow(_LIVE)
    if row is None:
        return Live(0)
    return Live(
        row["id"], row["at"], row["made_by"], row["version_id"], row["script"], row["file_sum"]
    )


def _head(row: asyncpg.Record) -> VersionHead:
    return VersionHead(row["id"], row["made_at"], row["made_by"], row["note"], row["based_on"])


def _version(row: asyncpg.Record) -> Version:
    return Version(_head(row), row["script"])

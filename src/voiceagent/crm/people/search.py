"""Finds people, calls and messages by a name, a number or what was said or written.

A few words flow in, hits flow out: contacts first, then calls and messages, the newest
first. The newest rows are looked through, and rare words found by an index of trigrams behind
them. A request takes so long and no longer, however many rows there are; its cursor says how far
it came.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from voiceagent.crm.people.search_indexes import unfinished
from voiceagent.crm.people.search_streams import (
    CONTACTS,
    MIN_INDEXED_CHARACTERS,
    PHASES,
    Stream,
)
from voiceagent.crm.people.views import SearchHit, SearchPage
from voiceagent.crm.postgres.database import QUERY_DEADLINE_S, Connection, Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    contains_pattern,
    from_cursor,
    next_cursor,
    number_pattern,
    storable,
)

BUDGET_S: Final = 1.0
"""After so long a page is given as it is."""
INDEX_S: Final = 0.75
"""A statement by the indexes may take so long: words that are not so rare are found sooner by
rows."""
STRETCHES_TO_FILL: Final = 10
"""Words that fill a page in so many stretches of rows are not rare: no index is asked."""
SNIPPET_CHARACTERS: Final = 160

_START_OF_WORDS: Final = Position(datetime(9999, 1, 1, tzinfo=UTC), "words")
_BY_ROWS: Final = "rows "
"""So begins a cursor's id where the indexes took too long: the next page goes by rows."""
# The planner is to know the words, and to look through no table.
_BY_INDEX: Final = """
SELECT set_config('statement_timeout', $1, true), set_config('plan_cache_mode',
    'force_custom_plan', true), set_config('enable_seqscan', 'off', true)
"""


@dataclass(frozen=True, slots=True)
class _Words:
    """What is looked for, as the parameters of a stream's SQL."""

    text: str
    pattern: str
    number: str | None

    @classmethod
    def of(cls, q: str) -> "_Words":
        return cls(storable(q), contains_pattern(q), number_pattern(q))

    @property
    def by_rows(self) -> tuple[str | None, ...]:
        return self.pattern, self.number

    @property
    def by_index(self) -> tuple[str | None, ...]:
        return *self.by_rows, self.text, self.number and self.number.strip("%")


class Search:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(
        self, database: Database, *, budget_s: float = BUDGET_S, index_s: float = INDEX_S
    ) -> None:
        self._database = database
        self._budget_s = budget_s
        self._index_s = index_s

    async def find(
        self, q: str, *, cursor: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> SearchPage:
        """Where these words, or this part of a number, stand. Raises `InvalidCursor`."""
        after = from_cursor("search", cursor)
        limit = min(limit, MAX_LIMIT)
        words = _Words.of(q)
        now_s = asyncio.get_running_loop().time
        enough_s = now_s() + self._budget_s
        mark = ""
        if after is not None and after.id.startswith(_BY_ROWS):
            after, indexed = Position(after.at, after.id.removeprefix(_BY_ROWS)), False
        else:
            indexed = len(words.text) >= MIN_INDEXED_CHARACTERS and await self._has_indexes()
        hits: list[asyncpg.Record] = []
        phase = 0 if after is None or after.id.startswith(f"{CONTACTS.kind} ") else 1
        while phase < len(PHASES):
            missing = limit - len(hits) + 1
            found, after = await self._by_rows(PHASES[phase], words, after, missing)
            hits += found
            rare = len(found) * STRETCHES_TO_FILL < missing
            if indexed and rare and after is not None:
                rest = await self._by_index(PHASES[phase], words, after, limit - len(hits) + 1)
                if rest is None:
                    indexed, mark = False, _BY_ROWS
                else:
                    hits, after = hits + rest, None
            if len(hits) > limit:
                return _page(hits[:limit], _position(hits[limit - 1]), q)
            if after is None:
                phase, after = phase + 1, _START_OF_WORDS
            if phase < len(PHASES) and now_s() > enough_s:
                return _page(hits, replace(after, id=f"{mark}{after.id}"), q)
        return _page(hits, None, q)

    async def _by_rows(
        self,
        streams: Sequence[Stream],
        words: _Words,
        after: Position | None,
        limit: int,
    ) -> tuple[Sequence[asyncpg.Record], Position | None]:
        """The first hits among the next rows, and where those end; None: there are no more."""
        async with self._database.connection() as connection:
            ends = [await _end(connection, stream, after) for stream in streams]
            end = max((end for end in ends if end), key=_order, default=None)
            rows: list[asyncpg.Record] = []
            for stream in streams:
                values: list[Any] = [*words.by_rows]
                stretch = _behind(stream, after, values) + _until(stream, end, values)
                statement = _statement(stream, stream.rows, stretch, limit)
                rows += await connection.fetch(statement, *values)
        return _first(rows, limit), end

    async def _has_indexes(self) -> bool:
        async with self._database.connection() as connection:
            return not await unfinished(connection)

    async def _by_index(
        self,
        streams: Sequence[Stream],
        words: _Words,
        after: Position,
        limit: int,
    ) -> list[asyncpg.Record] | None:
        """All hits that are left of these streams, up to the limit; None when that takes too
        long."""
        rows: list[asyncpg.Record] = []
        async with self._database.transaction(QUERY_DEADLINE_S + 2 * self._index_s) as connection:
            await connection.execute(_BY_INDEX, f"{self._index_s * 1000:.0f}")
            try:
                for stream in streams:
                    values: list[Any] = [*words.by_index]
                    behind = _behind(stream, after, values)
                    statement = _statement(stream, stream.indexed_rows, behind, limit)
                    rows += await connection.fetch(statement, *values)
            except asyncpg.QueryCanceledError:
                return None
        return _first(rows, limit)


async def _end(connection: Connection, stream: Stream, after: Position | None) -> Position | None:
    """How far a look at the stream goes; None: to its end."""
    values: list[Any] = []
    statement = (
        f"SELECT {stream.time} AS at, {stream.key} AS key FROM {stream.rows}"  # noqa: S608
        f" WHERE true {_behind(stream, after, values)}"
        f" ORDER BY 1 DESC, 2 DESC OFFSET {stream.at_once - 1} LIMIT 1"
    )
    row = await connection.fetchrow(statement, *values)
    return None if row is None else Position(row["at"], row["key"])


def _statement(stream: Stream, source: str, stretch: str, limit: int) -> str:
    """The first hits of these rows. Whose a hit is is looked up for hits only."""
    return f"""
SELECT hit.*, of.name, of.phone FROM (
    SELECT '{stream.kind}' AS kind, {stream.alias}.{stream.id}::text AS id, {stream.time} AS at,
           {stream.contact_id} AS contact_id, {stream.text} AS text
    FROM {source} {stream.joins}
    WHERE {stream.is_hit} {stretch}
    ORDER BY {stream.time} DESC, {stream.key} DESC LIMIT {limit}
) AS hit LEFT JOIN contacts of ON of.id = hit.contact_id
"""  # noqa: S608 - our own constants


def _first(rows: list[asyncpg.Record], limit: int) -> list[asyncpg.Record]:
    return sorted(rows, key=lambda row: _order(_position(row)), reverse=True)[:limit]


def _behind(stream: Stream, after: Position | None, values: list[Any]) -> str:
    if after is None:
        return ""
    values += [after.at, after.id]
    at, key = f"${len(values) - 1}", f"${len(values)}::text"
    return f"AND {stream.time} <= {at} AND ({stream.time}, {stream.key}) < ({at}, {key})"


def _until(stream: Stream, end: Position | None, values: list[Any]) -> str:
    if end is None:
        return ""
    values += [end.at, end.id]
    at, key = f"${len(values) - 1}", f"${len(values)}::text"
    return f"AND {stream.time} >= {at} AND ({stream.time}, {stream.key}) >= ({at}, {key})"


def _position(row: asyncpg.Record) -> Position:
    return Position(row["at"], f"{row['kind']} {row['id']}")


def _order(position: Position) -> tuple[datetime, str]:
    return position.at, position.id


def _page(rows: Sequence[asyncpg.Record], last: Position | None, q: str) -> SearchPage:
    items = [SearchHit(**{**row, "text": snippet(row["text"], q)}) for row in rows]
    return SearchPage(items=items, next_cursor=next_cursor("search", last))


def snippet(text: str, q: str) -> str:
    """As much of a text as shows the words in it."""
    if len(text) <= SNIPPET_CHARACTERS:
        return text
    found = max(0, text.casefold().find(q.casefold()))
    start = max(0, min(found - SNIPPET_CHARACTERS // 4, len(text) - SNIPPET_CHARACTERS))
    cut = text[start : start + SNIPPET_CHARACTERS]
    return f"{'…' if start else ''}{cut}{'…' if start + len(cut) < len(text) else ''}"

"""Finds people, calls and messages by a name, a number or what was said or written.

A few words flow in, hits flow out: contacts first, then calls and messages, the newest
first. A request looks through rows for a second and no longer, however many there are; its
cursor says how far it came. Where there are trigram indexes rare words are found at once.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

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
)

BUDGET_S: Final = 1.0
"""After so long a page is given as it is."""
INDEXED_TIMEOUT_MS: Final = 1500
"""Words that stand nearly everywhere are found sooner without an index."""
TRIGRAM_INDEXES: Final = ("turns_words", "messages_words")
"""docs/privacy.md tells how they are made."""
MIN_INDEXED_CHARACTERS: Final = 3
"""A trigram index does not help with shorter words."""
SNIPPET_CHARACTERS: Final = 160


@dataclass(frozen=True, slots=True)
class Stream:
    """A table that is looked through from its newest row on."""

    kind: str
    at: str
    id: str
    found: str
    """The statement up to its first condition: `$1` is what to find as words, `$2` as a number."""
    table: str
    candidates: str
    """A condition that the rows found fulfil, too, and that trigram indexes answer."""
    at_once: int
    """Rows that are looked through at a time."""

    @property
    def key(self) -> str:
        """Orders rows of the same time, also among those of other tables."""
        return f"('{self.kind} ' || {self.id}) COLLATE \"C\""

    @property
    def by_index(self) -> "Stream":
        """The same, found by trigram indexes."""
        return replace(self, found=f"{self.found} AND {self.candidates}")


CONTACTS: Final = Stream(
    kind="contact",
    at="k.created_at",
    id="k.id",
    found="""
SELECT 'contact' AS kind, k.id::text AS id, k.created_at AS at, k.id AS contact_id, k.name, k.phone,
       COALESCE((SELECT string_agg(f.value, ', ' ORDER BY f.key)
                 FROM jsonb_each_text(k.fields) f WHERE f.value ILIKE $1), '') AS text
FROM contacts k
WHERE k.merged_into IS NULL AND k.erasing IS NULL
  AND (k.name ILIKE $1 OR k.phone LIKE $1 OR k.phone LIKE $2
       OR EXISTS (SELECT FROM jsonb_each_text(k.fields) f WHERE f.value ILIKE $1)
       OR EXISTS (SELECT FROM contacts m
                  WHERE m.merged_into = k.id AND (m.phone LIKE $1 OR m.phone LIKE $2))
       OR EXISTS (SELECT FROM contact_identities i
                  WHERE i.contact_id = k.id AND (i.value LIKE $1 OR i.value LIKE $2)))
""",
    table="contacts k",
    candidates="true",
    at_once=5_000,
)

CALLS: Final = Stream(
    kind="call",
    at="c.started_at",
    id="c.call_sid",
    found="""
SELECT 'call' AS kind, c.call_sid AS id, c.started_at AS at, c.contact_id, k.name, k.phone,
       COALESCE(said.text, CASE WHEN c.summary ILIKE $1 THEN c.summary END, learnt.value, '')
       AS text
FROM calls c
LEFT JOIN contacts k ON k.id = c.contact_id
LEFT JOIN LATERAL (SELECT t.text FROM turns t WHERE t.call_sid = c.call_sid AND t.text ILIKE $1
                   ORDER BY t.seq LIMIT 1) AS said ON true
LEFT JOIN LATERAL (SELECT f.value FROM call_fields f
                   WHERE f.call_sid = c.call_sid AND f.value ILIKE $1
                   ORDER BY f.name LIMIT 1) AS learnt ON true
WHERE (said.text IS NOT NULL OR learnt.value IS NOT NULL OR c.summary ILIKE $1
       OR c.from_number LIKE $1 OR c.to_number LIKE $1
       OR c.from_number LIKE $2 OR c.to_number LIKE $2)
""",
    table="calls c",
    candidates="""
c.call_sid IN (
    SELECT call_sid FROM turns WHERE text ILIKE $1
    UNION SELECT call_sid FROM call_fields WHERE value ILIKE $1
    UNION SELECT call_sid FROM calls
          WHERE summary ILIKE $1 OR from_number LIKE $1 OR to_number LIKE $1
             OR from_number LIKE $2 OR to_number LIKE $2)
""",
    at_once=500,
)

MESSAGES: Final = Stream(
    kind="message",
    at="m.created_at",
    id="m.id",
    found="""
SELECT 'message' AS kind, m.id::text AS id, m.created_at AS at, m.contact_id, k.name, k.phone,
       COALESCE(CASE WHEN m.text ILIKE $1 OR m.text LIKE $2 THEN m.text END, heard.transcript, '')
       AS text
FROM messages m
LEFT JOIN contacts k ON k.id = m.contact_id
LEFT JOIN LATERAL (SELECT f.transcript FROM message_media f
                   WHERE f.message_id = m.id AND f.transcript ILIKE $1
                   ORDER BY f.position LIMIT 1) AS heard ON true
WHERE (m.text ILIKE $1 OR m.text LIKE $2 OR heard.transcript IS NOT NULL)
""",
    table="messages m",
    candidates="""
m.id IN (
    SELECT id FROM messages WHERE text ILIKE $1 OR text LIKE $2
    UNION SELECT message_id FROM message_media WHERE transcript ILIKE $1)
""",
    at_once=5_000,
)

PHASES: Final[tuple[tuple[Stream, ...], ...]] = ((CONTACTS,), (CALLS, MESSAGES))
"""One after the other; what is in one phase comes in one order."""
_START_OF_WORDS: Final = Position(datetime(9999, 1, 1, tzinfo=UTC), "words")

_HAS_INDEXES: Final = """
SELECT count(*) = cardinality($1::text[]) FROM pg_index
WHERE indexrelid = ANY(SELECT to_regclass(name) FROM unnest($1::text[]) AS wanted (name))
  AND indisvalid
"""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Which rows are looked through: those behind `after`, up to `end`."""

    after: Position | None
    end: Position | None
    """None: to the end."""


class Search:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database, *, budget_s: float = BUDGET_S) -> None:
        self._database = database
        self._budget_s = budget_s

    async def find(
        self, q: str, *, cursor: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> SearchPage:
        """Where these words, or this part of a number, stand. Raises `InvalidCursor`."""
        after = from_cursor("search", cursor)
        limit = min(limit, MAX_LIMIT)
        words = (contains_pattern(q), number_pattern(q))
        now_s = asyncio.get_running_loop().time
        enough_s = now_s() + self._budget_s
        indexed = len(q) >= MIN_INDEXED_CHARACTERS and await self._has_indexes()
        hits: list[asyncpg.Record] = []
        phase = 0 if after is None or after.id.startswith(f"{CONTACTS.kind} ") else 1
        while phase < len(PHASES):
            found, after = await self._by_rows(PHASES[phase], words, after, limit - len(hits) + 1)
            hits += found
            if indexed and after is not None and len(hits) <= limit:
                # The words are rare: now an index is quicker than the next rows.
                rest = await self._by_index(PHASES[phase], words, after, limit - len(hits) + 1)
                indexed = rest is not None
                if rest is not None:
                    hits, after = hits + rest, None
            if len(hits) > limit:
                return _page(hits[:limit], _position(hits[limit - 1]), q)
            if after is None:
                phase, after = phase + 1, _START_OF_WORDS
            if phase < len(PHASES) and now_s() > enough_s:
                return _page(hits, after, q)
        return _page(hits, None, q)

    async def _by_rows(
        self,
        streams: Sequence[Stream],
        words: tuple[str, str | None],
        after: Position | None,
        limit: int,
    ) -> tuple[Sequence[asyncpg.Record], Position | None]:
        """The first hits among the next rows, and where those end; None: there are no more."""
        async with self._database.connection() as connection:
            ends = [await _end(connection, stream, after) for stream in streams]
            end = max((end for end in ends if end), key=_order, default=None)
            return await _found(connection, streams, words, _Stretch(after, end), limit), end

    async def _has_indexes(self) -> bool:
        async with self._database.connection() as connection:
            return bool(await connection.fetchval(_HAS_INDEXES, list(TRIGRAM_INDEXES)))

    async def _by_index(
        self,
        streams: Sequence[Stream],
        words: tuple[str, str | None],
        after: Position | None,
        limit: int,
    ) -> list[asyncpg.Record] | None:
        """All of it at once; None when that takes too long."""
        deadline_s = QUERY_DEADLINE_S + 2 * INDEXED_TIMEOUT_MS / 1000
        async with self._database.transaction(deadline_s) as connection:
            await connection.execute(f"SET LOCAL statement_timeout = {INDEXED_TIMEOUT_MS}")
            try:
                by_index = [stream.by_index for stream in streams]
                return await _found(connection, by_index, words, _Stretch(after, None), limit)
            except asyncpg.QueryCanceledError:
                return None


async def _end(connection: Connection, stream: Stream, after: Position | None) -> Position | None:
    """How far a look at the stream goes; None: to its end."""
    values: list[Any] = []
    statement = (
        f"SELECT {stream.at} AS at, {stream.key} AS key FROM {stream.table}"  # noqa: S608
        f" WHERE true {_behind(stream, after, values)}"
        f" ORDER BY 1 DESC, 2 DESC OFFSET {stream.at_once - 1} LIMIT 1"
    )
    row = await connection.fetchrow(statement, *values)
    return None if row is None else Position(row["at"], row["key"])


async def _found(
    connection: Connection,
    streams: Sequence[Stream],
    words: tuple[str, str | None],
    stretch: _Stretch,
    limit: int,
) -> list[asyncpg.Record]:
    """The first hits of a stretch, in one order."""
    rows: list[asyncpg.Record] = []
    for stream in streams:
        values: list[Any] = [*words]
        behind = _behind(stream, stretch.after, values)
        until = _until(stream, stretch.end, values)
        statement = (
            f"{stream.found} {behind} {until}"
            f" ORDER BY {stream.at} DESC, {stream.key} DESC LIMIT {limit}"
        )
        rows += await connection.fetch(statement, *values)
    return sorted(rows, key=lambda row: _order(_position(row)), reverse=True)[:limit]


def _behind(stream: Stream, after: Position | None, values: list[Any]) -> str:
    if after is None:
        return ""
    values += [after.at, after.id]
    at, key = f"${len(values) - 1}", f"${len(values)}::text"
    return f"AND {stream.at} <= {at} AND ({stream.at}, {stream.key}) < ({at}, {key})"


def _until(stream: Stream, end: Position | None, values: list[Any]) -> str:
    if end is None:
        return ""
    values += [end.at, end.id]
    at, key = f"${len(values) - 1}", f"${len(values)}::text"
    return f"AND {stream.at} >= {at} AND ({stream.at}, {stream.key}) >= ({at}, {key})"


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

"""Who is meant by a part of a name or of a number.

A few letters flow in; ids of contacts flow out, or word that they are many. The newest contacts
are looked through first: what many of them have, many have. What few have is found by the index of
trigrams, where that is made. Nothing is written.
"""

from typing import Final
from uuid import UUID

from voiceagent.crm.people.search_indexes import unfinished
from voiceagent.crm.people.search_streams import CONTACT_WORDS, LONG, MIN_INDEXED_CHARACTERS
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import contains_pattern, number_pattern, storable

MOST_PEOPLE: Final = 2_000
"""Whose ids are given; more are many."""
NEWEST: Final = 1_000
"""Contacts that are looked through: 2 ms."""
OFTEN: Final = 100
"""So many of the newest, and they are many: no index is asked."""

# Those merged into another one have kept their numbers; what is theirs is the other one's.
_IS_MEANT: Final = "erasing IS NULL AND (name ILIKE $1 OR phone LIKE $1 OR phone LIKE $2)"
_OF_NEWEST: Final = f"""
SELECT count(*) FROM (
    SELECT * FROM contacts ORDER BY created_at DESC, id DESC LIMIT {NEWEST}
) AS newest WHERE {_IS_MEANT}
"""  # noqa: S608 - our own constants
_BY_ROWS: Final = f"""
SELECT COALESCE(merged_into, id) FROM contacts WHERE {_IS_MEANT} LIMIT $3
"""  # noqa: S608 - our own constants
_BY_INDEX: Final = f"""
SELECT COALESCE(merged_into, id) FROM contacts
WHERE (trigrams({CONTACT_WORDS}) @> trigrams($4) OR trigrams({CONTACT_WORDS}) @> trigrams($5)
       OR trigrams({CONTACT_WORDS}) @> {LONG})
  AND {_IS_MEANT} LIMIT $3
"""  # noqa: S608 - our own constants
# The planner is to know the words, and to look through no table.
_PLAN: Final = """
SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('enable_seqscan', 'off', true)
"""


async def people_meant(database: Database, q: str) -> list[UUID] | None:
    """The contacts in whose name or number this stands; None: they are many.

    Raises `ProviderError`.
    """
    pattern, number, text = contains_pattern(q), number_pattern(q), storable(q)
    async with database.transaction() as connection:
        if await connection.fetchval(_OF_NEWEST, pattern, number) >= OFTEN:
            return None
        values: list[object] = [pattern, number, MOST_PEOPLE + 1]
        statement = _BY_ROWS
        if len(text) >= MIN_INDEXED_CHARACTERS and not await unfinished(connection):
            statement = _BY_INDEX
            values += [text, number and number.strip("%")]
            await connection.execute(_PLAN)
        rows = await connection.fetch(statement, *values)
    return [row[0] for row in rows] if len(rows) <= MOST_PEOPLE else None

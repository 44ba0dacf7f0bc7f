"""Makes the indexes that rare words are found by, beside the running service.

No migration does: making them takes minutes where there are millions of rows, and a migration
that long would hold up every write and the start. What is missing or half made is found in the
catalogue, so any process may be killed at any moment. Until all are there a search goes by rows.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from voiceagent.crm.people.search_streams import CALL_WORDS, CONTACT_WORDS
from voiceagent.crm.postgres.database import Connection, Database, LoneConnection
from voiceagent.crm.postgres.outage import Outage
from voiceagent.errors import ProviderError

INDEXES: Final[Mapping[str, str]] = {
    "contacts_trigrams": f"contacts USING gin (trigrams({CONTACT_WORDS}))",
    "contact_identities_trigrams": "contact_identities USING gin (trigrams(value))",
    "calls_trigrams": f"calls USING gin (trigrams({CALL_WORDS}))",
    "call_fields_trigrams": "call_fields USING gin (trigrams(value))",
    "turns_trigrams": "turns USING gin (trigrams(text))",
    "messages_trigrams": "messages USING gin (trigrams(text))",
    "message_media_trigrams": "message_media USING gin (trigrams(transcript))",
}
"""What each is made of. The functions are the migrations'."""
PENDING_KB: Final = 256
"""What is written is sorted in when there is so much of it: a writer does it in some ms, and a
search reads no more than that unsorted."""
MAKING_DEADLINE_S: Final = 6 * 3600.0
LOOK_S: Final = 60.0
RETRY_S: Final = 5.0
"""While the database is away, as it is when the service has just begun."""
LONGEST_RETRY_S: Final = 3600.0
"""Twice as long after each failure: what fails after minutes of work, for want of room or because
the role may not take so long, must not fill the disk and the cores again and again."""

_LOCK_KEY: Final = 0x74726967
_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock($1)"
_UNFINISHED: Final = """
SELECT name, found.indexrelid IS NOT NULL AS begun
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
LEFT JOIN pg_index found ON found.indexrelid = to_regclass(name)
WHERE found.indisvalid IS NOT TRUE ORDER BY place
"""
"""`begun`: there is what a killed process has left."""

_log = logging.getLogger(__name__)


async def unfinished(connection: "Connection | LoneConnection") -> dict[str, bool]:
    """Which indexes are not there, and whether half of one is."""
    rows = await connection.fetch(_UNFINISHED, list(INDEXES))
    return {row["name"]: row["begun"] for row in rows}


class SearchIndexes:
    """One per process; `run` is its task."""

    def __init__(self, database: Database, *, retry_s: float = RETRY_S) -> None:
        self._database = database
        self._retry_s = retry_s
        self._outage = Outage(lambda why: _log.warning("the search indexes wait why=%r", why))

    async def run(self) -> None:
        """Until all of them are there. A database that is away is asked again soon, and then more
        and more seldom."""
        retry_s = self._retry_s
        while True:
            wait_s = LOOK_S
            try:
                if await self.make():
                    return
                self._outage.over()
            except ProviderError as error:
                self._outage.met(str(error))
                wait_s, retry_s = retry_s, min(2 * retry_s, LONGEST_RETRY_S)
            await asyncio.sleep(wait_s)

    async def make(self) -> bool:
        """Make what is missing; false where another process is at it. Raises `ProviderError`."""
        async with self._database.connection() as connection:
            if not await unfinished(connection):
                return True
        async with self._database.beside_the_pool(MAKING_DEADLINE_S) as guard:
            # A transaction of its own holds the lock, also through a pooler.
            await guard.execute("BEGIN")
            if not await guard.fetchval(_TRY_LOCK, _LOCK_KEY):
                return False
            # Lets go of the snapshot that the answer was read in: making an index waits for all
            # who have one.
            await guard.execute("SELECT")
            async with self._database.beside_the_pool(MAKING_DEADLINE_S) as connection:
                for name, begun in (await unfinished(connection)).items():
                    if begun:
                        await connection.execute(f"DROP INDEX CONCURRENTLY {name}")
                    await _create(connection, name)
        return True


async def _create(connection: LoneConnection, name: str) -> None:
    began_s = asyncio.get_running_loop().time()
    await connection.execute(
        f"CREATE INDEX CONCURRENTLY {name} ON {INDEXES[name]}"
        f" WITH (gin_pending_list_limit = {PENDING_KB})"
    )
    took_s = asyncio.get_running_loop().time() - began_s
    _log.info("search index made name=%s took_s=%.1f", name, took_s)

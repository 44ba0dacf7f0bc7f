"""Keys under which programs had messages sent, of which an erasure leaves no more than a hash.

Ids of messages, numbers and names flow in; keys that belong to them, or that name them, are
hashed with a key that is not in the database. They go on doing their work: asked for again
under the same one, nothing is sent twice. All keys are read in steps, since there may be millions.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import phonenumbers

from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.privacy.tombstones import Tombstones

_OF_MESSAGES: Final = "SELECT key FROM message_keys WHERE message_id = ANY($1::uuid[])"

# However the number is written in it: with signs, with the zero of the country or without.
_PAGE_ABOUT: Final = """
WITH page AS MATERIALIZED (
    SELECT key FROM message_keys WHERE key > $1 ORDER BY key LIMIT $2
)
SELECT (SELECT max(key) FROM page) AS last, ARRAY(
    SELECT key FROM page
    WHERE key LIKE ANY($3::text[]) OR regexp_replace(key, '[^0-9]', '', 'g') LIKE ANY($4::text[])
) AS found
"""

_HIDE: Final = """
UPDATE message_keys SET key = 'erased ' || encode($2, 'hex'), key_hash = $2 WHERE key = $1
"""
_HIDDEN: Final = "erased "
_STEP: Final = 50_000
"""A tenth of a second on a slow machine."""
_LEAST_DIGITS: Final = 6
"""Of a number within its country; with fewer, any key might name it."""


async def hide_keys_of(
    connection: Connection, tombstones: Tombstones, message_ids: Collection[UUID]
) -> None:
    """Those of these messages, inside a transaction of the caller."""
    rows = await connection.fetch(_OF_MESSAGES, message_ids)
    await _hide(connection, tombstones, [row["key"] for row in rows])


async def hide_keys_about(
    database: Database,
    tombstones: Tombstones,
    phones: Collection[str],
    names: Collection[str],
    *,
    step: int = _STEP,
) -> None:
    """Those in which one of these E.164 numbers stands, in whatever form, or one of the names
    (ids: without a sign of LIKE's), whoever the message went to. Raises `ProviderError`."""
    texts = [f"%{name}%" for name in names]
    numbers = [f"%{digits}%" for digits in map(_national, phones) if len(digits) >= _LEAST_DIGITS]
    last: str | None = ""
    while last is not None:
        async with database.transaction() as connection:
            row = await connection.fetchrow(_PAGE_ABOUT, last, step, texts, numbers)
            assert row is not None  # noqa: S101 - the statement always has one
            await _hide(connection, tombstones, row["found"])
        last = row["last"]


async def _hide(connection: Connection, tombstones: Tombstones, keys: Collection[str]) -> None:
    clear = sorted(key for key in keys if not key.startswith(_HIDDEN))
    await connection.executemany(_HIDE, [(key, tombstones.hash_of_key(key)) for key in clear])


def _national(phone: str) -> str:
    """What follows the country's code, as people write it at home, without the zero."""
    try:
        return str(phonenumbers.parse(phone).national_number)
    except phonenumbers.NumberParseException:
        return phone.removeprefix("+")

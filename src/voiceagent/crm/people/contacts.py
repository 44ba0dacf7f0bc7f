"""Contacts: found by number, made when somebody new is met, and what is known of them.

The SQL of the contacts table. The writing functions work inside a transaction of the
caller; whatever the order in which they are told of things, they end in the same row.
"""

import asyncio
import json
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from voiceagent.crm.identity import uuid7
from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    contains_pattern,
    from_cursor,
    next_cursor,
    number_pattern,
)
from voiceagent.crm.recording.fields import LearntFields
from voiceagent.crm.views import ContactPage, ContactView
from voiceagent.errors import NotFound

_VIEW = """
SELECT k.id, k.phone, k.name, k.fields, k.created_at, k.updated_at,
       k.last_summary, k.last_summary_at,
       ARRAY(SELECT m.phone FROM contacts m WHERE m.merged_into = k.id AND m.phone IS NOT NULL
             UNION
             SELECT i.value FROM contact_identities i
             WHERE i.contact_id = k.id AND i.value IS DISTINCT FROM k.phone
             ORDER BY 1) AS identities,
       (SELECT max(c.started_at) FROM calls c WHERE c.contact_id = k.id) AS last_call_at
FROM contacts k
"""

_PAGE = f"""{_VIEW}
WHERE k.merged_into IS NULL AND k.erasing IS NULL
  AND ($1::text IS NULL OR k.phone LIKE $1 OR k.phone LIKE $2 OR k.name ILIKE $1
       OR EXISTS (SELECT 1 FROM jsonb_each_text(k.fields) f WHERE f.value ILIKE $1)
       OR EXISTS (SELECT 1 FROM contacts m
                  WHERE m.merged_into = k.id AND (m.phone LIKE $1 OR m.phone LIKE $2)))
  AND ($3::text IS NULL
       OR k.id = (SELECT COALESCE(m.merged_into, m.id) FROM contacts m WHERE m.phone = $3))
  AND ($4::timestamptz IS NULL OR (k.created_at, k.id) < ($4, $5::uuid))
ORDER BY k.created_at DESC, k.id DESC
LIMIT $6
"""  # noqa: S608 - our own constant

_ONE = f"{_VIEW} WHERE k.id = surviving_contact($1)"

_BY_PHONE = """
INSERT INTO contacts (id, phone, created_at, updated_at) VALUES ($1, $2, $3, $3)
ON CONFLICT (phone) DO UPDATE
SET created_at = LEAST(contacts.created_at, excluded.created_at),
    updated_at = GREATEST(contacts.updated_at, excluded.updated_at)
RETURNING id, merged_into
"""

_HEARD_OF = """
UPDATE contacts SET created_at = LEAST(created_at, $2), updated_at = GREATEST(updated_at, $2)
WHERE id = $1
"""

_ANONYMOUS = "INSERT INTO contacts (id, created_at, updated_at) VALUES ($1, $2, $2)"

_LOCK = """
SELECT fields, fields_at, merged_into FROM contacts WHERE id = $1 AND erasing IS NULL FOR UPDATE
"""

_SET_FIELDS = """
UPDATE contacts
SET fields = $2, fields_at = $3, name = $4,
    created_at = LEAST(created_at, $5), updated_at = GREATEST(updated_at, $6)
WHERE id = $1
"""

_OF_CALL = "SELECT contact_id, announced_at FROM calls WHERE call_sid = $1"
_OF_CALL_PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8)
"""A call's first record is on its way to the database while its brain gets ready."""


class ContactsRepository:
    """Reads contacts. Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        *,
        q: str | None = None,
        phone: str | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> ContactPage:
        """Contacts, newest first; `q` searches number, name and fields.

        Raises `InvalidCursor`.
        """
        after = from_cursor("contacts", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _PAGE,
                contains_pattern(q) if q else None,
                number_pattern(q) if q else None,
                phone,
                after.at if after else None,
                UUID(after.id) if after else None,
                limit + 1,
            )
        items = [_view(row) for row in rows[:limit]]
        more = len(rows) > limit
        last = Position(items[-1].created_at, str(items[-1].id)) if more else None
        return ContactPage(items=items, next_cursor=next_cursor("contacts", last))

    async def get(self, contact_id: UUID) -> ContactView:
        """One contact; the survivor for one that became another. Raises `NotFound`."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_ONE, contact_id)
        if row is None:
            raise NotFound(f"there is no contact {contact_id}")
        return _view(row)


async def contact_of_call(database: Database, call_sid: str, deadline_s: float) -> UUID | None:
    """The contact of a call; None when nobody knows who calls.

    Waits up to 1.5 s for a call that has just begun to be known. `deadline_s` bounds each
    question; raises `ProviderError`.
    """
    for pause_s in (*_OF_CALL_PAUSES_S, None):
        async with database.connection(deadline_s) as connection:
            call = await connection.fetchrow(_OF_CALL, call_sid)
        if call is not None:
            contact_id: UUID | None = call["contact_id"]
            # Announced without one: the number is withheld, and more will not come of it.
            if contact_id is not None or call["announced_at"] is not None:
                return contact_id
        if pause_s is not None:
            await asyncio.sleep(pause_s)
    return None


async def contact_of_number(connection: Connection, phone: str, at: datetime) -> UUID:
    """The contact with this E.164 number, made if need be; its row is locked."""
    row = await connection.fetchrow(_BY_PHONE, uuid7(), phone, at)
    assert row is not None  # noqa: S101 - the statement always has one
    contact_id: UUID = row["merged_into"] or row["id"]
    if contact_id != row["id"]:
        await connection.execute(_HEARD_OF, contact_id, at)
    return contact_id


async def anonymous_contact(connection: Connection, at: datetime) -> UUID:
    """A new contact without a number."""
    contact_id = uuid7()
    await connection.execute(_ANONYMOUS, contact_id, at)
    return contact_id


async def learn(
    connection: Connection, contact_id: UUID, learnt: LearntFields, since: datetime, at: datetime
) -> None:
    """Merge what was learnt into a contact, known since `since` and last heard of at `at`.

    Raises `NotFound`.
    """
    row = await connection.fetchrow(_LOCK, contact_id)
    if row is None:
        raise NotFound(f"there is no contact {contact_id}")
    if row["merged_into"] is not None:
        return await learn(connection, row["merged_into"], learnt, since, at)
    merged = known_of(row).merged(learnt)
    await connection.execute(
        _SET_FIELDS,
        contact_id,
        json.dumps(merged.values, ensure_ascii=False),
        json.dumps(merged.stamps, ensure_ascii=False),
        # As they call themselves at WhatsApp, until they tell.
        merged.values.get("name") or merged.values.get("whatsapp_name"),
        since,
        at,
    )
    return None


def known_of(row: asyncpg.Record) -> LearntFields:
    """What is known of a contact, from `fields` and `fields_at` of its row."""
    return LearntFields(json.loads(row["fields"]), json.loads(row["fields_at"]))


def _view(row: asyncpg.Record) -> ContactView:
    return ContactView(**{**row, "fields": json.loads(row["fields"])})

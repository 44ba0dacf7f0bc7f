"""Two contacts turn out to be one person: all that is known of one goes to the other.

Two ids flow in, one contact is left that has everything. People merge contacts, and a sign
stays where the first one was, so that its id and its number lead on; what a call's own
records bring together leaves none. Whatever comes later lands on the survivor.
"""

from typing import Final
from uuid import UUID

import asyncpg

from voiceagent.crm.people.contacts import known_of, learn
from voiceagent.crm.postgres.database import (
    CONFLICT_ATTEMPTS,
    Connection,
    Database,
    TransactionConflict,
)
from voiceagent.crm.postgres.record_lock import exclude_records
from voiceagent.errors import Conflict, NotFound

DEADLINE_S: Final = 20.0

MOVED: Final = ("calls", "callbacks", "appointments", "payments", "outbox", "messages")
"""Tables whose rows go to the other contact as they are. Identities and the memory of what was
written go as well."""

_MOVES: Final = tuple(
    f"UPDATE {table} SET contact_id = $2 WHERE contact_id = $1"  # noqa: S608 - our own names
    for table in MOVED
)

_SURVIVOR = "SELECT surviving_contact($1)"

_MOVE_IDENTITIES = "UPDATE contact_identities SET contact_id = $2 WHERE contact_id = $1"

# Signs first: who dials an old number comes by one.
_LOCK = """
SELECT id, phone, fields, fields_at, created_at, updated_at,
       merged_into IS NOT NULL OR erasing IS NOT NULL AS gone
FROM contacts WHERE id IN ($1, $2) OR merged_into IN ($1, $2)
ORDER BY merged_into IS NULL, id FOR UPDATE
"""

# Of two switches the one that was set later stays, and of two summaries that of the later call.
# Unread stays what either did not show as read; who never wrote has nothing unread.
_JOIN = """
UPDATE contacts k
SET agent = CASE WHEN g.agent_changed_at > COALESCE(k.agent_changed_at, '-infinity')
                 THEN g.agent ELSE k.agent END,
    agent_changed_at = GREATEST(k.agent_changed_at, g.agent_changed_at),
    whatsapp_stop_at = GREATEST(k.whatsapp_stop_at, g.whatsapp_stop_at),
    whatsapp_start_at = GREATEST(k.whatsapp_start_at, g.whatsapp_start_at),
    last_summary = CASE WHEN g.last_summary_at > COALESCE(k.last_summary_at, '-infinity')
                        THEN g.last_summary ELSE k.last_summary END,
    last_summary_at = GREATEST(k.last_summary_at, g.last_summary_at),
    read_at = (
        SELECT CASE WHEN isfinite(min(seen.until)) THEN min(seen.until) END
        FROM (SELECT COALESCE(c.read_at, CASE WHEN EXISTS (
                         SELECT FROM messages m WHERE m.contact_id = c.id AND m.direction = 'in')
                     THEN '-infinity' ELSE 'infinity' END::timestamptz)
              FROM contacts c WHERE c.id IN (k.id, g.id)) AS seen (until)
    )
FROM contacts g
WHERE g.id = $1 AND k.id = $2
"""

# What was decided and not handed over comes first, then what is younger. Claims of both are void.
_JOIN_DIALOGUES = """
INSERT INTO written_dialogues AS d (contact_id, state, version, unsent, updated_at)
SELECT $2, state, version + 1, unsent, updated_at FROM written_dialogues WHERE contact_id = $1
ON CONFLICT (contact_id) DO UPDATE
SET (state, unsent, updated_at) = (
        SELECT o.state, o.unsent, o.updated_at
        FROM (VALUES (d.state, d.unsent, d.updated_at),
                     (excluded.state, excluded.unsent, excluded.updated_at))
             AS o (state, unsent, updated_at)
        ORDER BY o.unsent IS NULL, o.updated_at DESC NULLS LAST LIMIT 1),
    version = GREATEST(d.version, excluded.version) + 1, leased_until = NULL
"""
_DROP_DIALOGUE = "DELETE FROM written_dialogues WHERE contact_id = $1"

_SET_PHONE = "UPDATE contacts SET phone = $2 WHERE id = $1"

_REPOINT = "UPDATE contacts SET merged_into = $2 WHERE merged_into = $1"

_LEAVE_A_SIGN = """
UPDATE contacts
SET merged_into = $2, name = NULL, fields = '{}', fields_at = '{}', read_at = NULL,
    last_summary = NULL, last_summary_at = NULL, agent = DEFAULT, agent_changed_at = NULL,
    whatsapp_stop_at = NULL, whatsapp_start_at = NULL
WHERE id = $1
"""


class Merging:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def merge(self, contact_id: UUID, into: UUID) -> UUID:
        """Make one of two contacts; asked again it changes nothing. Cannot be undone.

        Returns the survivor's id. Raises `NotFound`, and `Conflict` for a contact and itself.
        """
        if contact_id == into:
            raise Conflict("a contact cannot be merged into itself")
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                async with self._database.transaction(DEADLINE_S) as connection:
                    await exclude_records(connection)
                    return await _merge(connection, contact_id, into)
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise
        raise AssertionError


async def absorb(connection: Connection, anonymous_id: UUID, contact_id: UUID) -> None:
    """The anonymous contact turned out to be another: all that is its goes there, and it goes.

    Works inside a transaction of the caller.
    """
    if await _join(connection, anonymous_id, contact_id):
        await connection.execute("DELETE FROM contacts WHERE id = $1", anonymous_id)


async def _merge(connection: Connection, contact_id: UUID, into: UUID) -> UUID:
    gone: UUID | None = await connection.fetchval(_SURVIVOR, contact_id)
    survivor: UUID | None = await connection.fetchval(_SURVIVOR, into)
    if gone is None or survivor is None:
        raise NotFound(f"there is no contact {contact_id if gone is None else into}")
    if gone != survivor and await _join(connection, gone, survivor):
        await connection.execute(_LEAVE_A_SIGN, gone, survivor)
    return survivor


async def _join(connection: Connection, gone: UUID, contact_id: UUID) -> bool:
    """Have everything of the first one lead to the second; false when there is no first one."""
    # Identities before contacts, as who answers for a sender takes them; and once more, since one
    # may have been added before the contact was locked.
    await connection.execute(_MOVE_IDENTITIES, gone, contact_id)
    rows = {row["id"]: row for row in await connection.fetch(_LOCK, gone, contact_id)}
    if gone not in rows:
        return False
    if contact_id not in rows or rows[gone]["gone"] or rows[contact_id]["gone"]:
        raise TransactionConflict  # somebody was quicker
    await connection.execute(_MOVE_IDENTITIES, gone, contact_id)
    await connection.execute(_JOIN, gone, contact_id)
    for move in _MOVES:
        await connection.execute(move, gone, contact_id)
    await connection.execute(_JOIN_DIALOGUES, gone, contact_id)
    await connection.execute(_DROP_DIALOGUE, gone)
    await _join_phones(connection, rows[gone], rows[contact_id])
    await learn(
        connection,
        contact_id,
        known_of(rows[gone]),
        rows[gone]["created_at"],
        rows[gone]["updated_at"],
    )
    await connection.execute(_REPOINT, gone, contact_id)
    return True


async def _join_phones(
    connection: Connection, gone: asyncpg.Record, survivor: asyncpg.Record
) -> None:
    """The survivor takes the number if it has none; otherwise the sign that is left keeps it."""
    if gone["phone"] is not None and survivor["phone"] is None:
        await connection.execute(_SET_PHONE, gone["id"], None)
        await connection.execute(_SET_PHONE, survivor["id"], gone["phone"])

"""Deletes calls and messages with everything that is kept of them, wherever it is kept.

Sids and ids go in, nothing is left of them: neither what refers to them by a key nor what
holds their words under another name, such as what the owner was told. Works inside a
transaction of the caller; decides neither what is deleted nor why.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from voiceagent.crm.postgres.database import Connection
from voiceagent.crm.postgres.paging import storable

OWNER_MESSAGE_KEY: Final = "notice "
"""A notice that goes to the owner by WhatsApp is a message under this and the notice's id."""

# What stays of an appointment is an hour that is not free. A wish belongs to its call.
_RELEASE = """
UPDATE appointments
SET contact_id = NULL, call_sid = NULL, about = '', name = '',
    key = 'erased ' || id, token = 'erased ' || id
WHERE (contact_id = $1 OR call_sid = ANY($2::text[]))
  AND status = 'booked' AND upper(period) > now()
"""
_APPOINTMENTS = """
DELETE FROM appointments WHERE contact_id = $1 OR call_sid = ANY($2::text[])
"""

# What nobody went to pay leaves nothing. Of the rest stays what books need, and what finds money
# that comes late: how much, when, by which provider and under which ids of its own.
_PAYMENTS = """
DELETE FROM payments WHERE (contact_id = $1 OR call_sid = ANY($2::text[])) AND attempt = 0
"""
_UNLINK_PAYMENTS = """
WITH unlinked AS (
    UPDATE payments
    SET contact_id = NULL, call_sid = NULL, what_for = '', problem = '', link = NULL, digest = '',
        key = 'erased ' || id, token = 'erased ' || id, updated_at = now(),
        status = CASE WHEN status IN ('created', 'sent', 'approved', 'failed')
                      THEN 'cancelled' ELSE status END,
        closed_at = CASE WHEN paid_at IS NULL THEN COALESCE(closed_at, now()) ELSE closed_at END,
        told_at = CASE WHEN paid_at IS NULL THEN told_at ELSE COALESCE(told_at, now()) END
    WHERE contact_id = $1 OR call_sid = ANY($2::text[])
    RETURNING id
)
UPDATE payment_events e SET detail = '' FROM unlinked WHERE e.payment_id = unlinked.id
"""

# Who writes the summary of one of them, and tells of it, is waited for.
_LOCK_CALLS = "SELECT FROM calls WHERE call_sid = ANY($1::text[]) ORDER BY call_sid FOR UPDATE"
_WEBHOOKS = "DELETE FROM webhook_answers WHERE call_sid = ANY($1::text[])"
# With their turns, fields and wishes to be called back.
_CALLS = "DELETE FROM calls WHERE call_sid = ANY($1::text[])"

_NOTICES = """
DELETE FROM notices WHERE substring(key from '^[^:]*:[^:]*:(.*)$') = ANY($1::text[]) RETURNING id
"""
_NOTICES_THAT_SAY = """
DELETE FROM notices WHERE payload::text LIKE ANY($1::text[]) RETURNING id
"""
_MESSAGES_OF_NOTICES = """
SELECT message_id FROM message_keys WHERE key = ANY($1::text[]) AND message_id IS NOT NULL
"""

NOTHING_HANGS_ON: Final = """
NOT EXISTS (SELECT FROM calls x WHERE x.contact_id = k.id)
AND NOT EXISTS (SELECT FROM callbacks x WHERE x.contact_id = k.id)
AND NOT EXISTS (SELECT FROM appointments x WHERE x.contact_id = k.id)
AND NOT EXISTS (SELECT FROM payments x WHERE x.contact_id = k.id)
AND NOT EXISTS (SELECT FROM messages x WHERE x.contact_id = k.id)
"""
"""A condition on a contact `k`."""

_CONTACTS_OF_CALLS = """
SELECT DISTINCT contact_id FROM calls
WHERE call_sid = ANY($1::text[]) AND contact_id IS NOT NULL
"""
_NOBODY = f"""
DELETE FROM contacts k
WHERE k.id = ANY($1::uuid[]) AND k.phone IS NULL AND {NOTHING_HANGS_ON}
AND NOT EXISTS (SELECT FROM contact_identities x WHERE x.contact_id = k.id)
AND NOT EXISTS (SELECT FROM contacts x WHERE x.merged_into = k.id)
"""  # noqa: S608 - our own constant

_SPOKEN = "SELECT id FROM messages WHERE call_sid = ANY($1::text[]) ORDER BY id"
_OUTBOX = "DELETE FROM outbox WHERE message_id = ANY($1::uuid[])"
# The hash of a number and of words can be guessed; the key stays, so that nothing is sent again.
_KEYS = "UPDATE message_keys SET digest = '' WHERE message_id = ANY($1::uuid[])"
_CHANGES = "DELETE FROM message_changes WHERE message_id = ANY($1::uuid[])"
# With the files that came along.
_MESSAGES = "DELETE FROM messages WHERE id = ANY($1::uuid[])"


async def delete_calls(connection: Connection, call_sids: Collection[str]) -> None:
    """All of these calls but their appointments, which have a time of their own."""
    sids = sorted(map(storable, call_sids))
    await connection.execute(_LOCK_CALLS, sids)
    await _delete_notices_about(connection, sids)
    await connection.execute(_WEBHOOKS, sids)
    await connection.execute(_CALLS, sids)


async def erase_lone_calls(connection: Connection, call_sids: Collection[str]) -> None:
    """These calls with their appointments and what was spoken to the fallback in them, and contacts
    without a number that nothing else is known of."""
    sids = sorted(map(storable, call_sids))
    rows = await connection.fetch(_CONTACTS_OF_CALLS, sids)
    spoken = await connection.fetch(_SPOKEN, sids)
    await delete_messages(connection, [row["id"] for row in spoken])
    await release_appointments(connection, None, call_sids)
    await unlink_payments(connection, None, call_sids)
    await delete_calls(connection, call_sids)
    await connection.execute(_NOBODY, [row["contact_id"] for row in rows])


async def delete_messages(connection: Connection, message_ids: Collection[UUID]) -> None:
    """All of these messages, files and what the owner was told of them included."""
    ids = sorted(message_ids)
    await _delete_notices_about(connection, [str(message_id) for message_id in ids])
    await _delete_bare_messages(connection, ids)


async def delete_notices_that_say(connection: Connection, texts: Collection[str]) -> None:
    """Notices in whose content one of these stands; none of them holds a sign of LIKE's."""
    patterns = [f"%{text}%" for text in texts]
    rows = await connection.fetch(_NOTICES_THAT_SAY, patterns)
    await _delete_what_was_sent(connection, [row["id"] for row in rows])


async def release_appointments(
    connection: Connection, contact_id: UUID | None, call_sids: Collection[str]
) -> None:
    """Of this contact and these calls: an hour to come stays taken, by nobody; the rest goes."""
    sids = sorted(map(storable, call_sids))
    await connection.execute(_RELEASE, contact_id, sids)
    await connection.execute(_APPOINTMENTS, contact_id, sids)


async def unlink_payments(
    connection: Connection, contact_id: UUID | None, call_sids: Collection[str]
) -> None:
    """Of this contact and these calls: money that moved, or still may, stays, and is nobody's."""
    sids = sorted(map(storable, call_sids))
    await connection.execute(_PAYMENTS, contact_id, sids)
    await connection.execute(_UNLINK_PAYMENTS, contact_id, sids)


async def _delete_notices_about(connection: Connection, subjects: list[str]) -> None:
    rows = await connection.fetch(_NOTICES, subjects)
    await _delete_what_was_sent(connection, [row["id"] for row in rows])


async def _delete_what_was_sent(connection: Connection, notice_ids: Collection[UUID]) -> None:
    """The messages to the owner that these notices became."""
    keys = [f"{OWNER_MESSAGE_KEY}{notice_id}" for notice_id in notice_ids]
    rows = await connection.fetch(_MESSAGES_OF_NOTICES, keys)
    await _delete_bare_messages(connection, sorted(row["message_id"] for row in rows))


async def _delete_bare_messages(connection: Connection, ids: list[UUID]) -> None:
    for statement in (_OUTBOX, _KEYS, _CHANGES, _MESSAGES):
        await connection.execute(statement, ids)

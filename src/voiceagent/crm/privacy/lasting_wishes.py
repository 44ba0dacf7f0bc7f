"""What people wished before they were erased goes on when their number is met again.

The wishes of the erased (`tombstones.py`) flow in with what has just been written; the
contacts' own wishes flow out, and a later wish of the same person lifts the old one. Works
inside a transaction of the caller; knows a number only from whoever has it.
"""

from collections.abc import Sequence
from typing import Final

from voiceagent.crm.postgres.database import Connection
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.late_records import AnyRecord, Stops, Subject, identities_of
from voiceagent.crm.recording.message_models import MessageReceived, Sender

_OF_IDENTITY: Final = """
SELECT i.contact_id AS id FROM contact_identities i WHERE i.kind = $1 AND i.value = $2
UNION SELECT COALESCE(k.merged_into, k.id) FROM contacts k WHERE $1 = 'phone' AND k.phone = $2
"""

_RESTORE: Final = f"""
UPDATE contacts SET whatsapp_stop_at = $3
WHERE id IN ({_OF_IDENTITY}) AND COALESCE(whatsapp_stop_at < $3, true)
"""  # noqa: S608 - our own constant

_ALL_OF: Final = f"""
WITH them AS ({_OF_IDENTITY})
SELECT i.kind, i.value FROM contact_identities i WHERE i.contact_id IN (SELECT id FROM them)
UNION SELECT 'phone', k.phone FROM contacts k
WHERE k.phone IS NOT NULL AND (SELECT true FROM them WHERE id IN (k.id, k.merged_into) LIMIT 1)
"""  # noqa: S608 - our own constant


async def restore_stops(connection: Connection, stops: Stops) -> None:
    """Contacts of these numbers and LIDs want no messages, unless they have wished for them
    since."""
    for (kind, value), stopped_at in sorted(stops.items()):
        await connection.execute(_RESTORE, kind, value, stopped_at)


async def lift_stops(
    connection: Connection, tombstones: Tombstones, records: Sequence[AnyRecord]
) -> None:
    """Whoever wishes for messages again among these records is met anew without the old wish,
    by whichever number."""
    for record in records:
        if not isinstance(record, MessageReceived) or record.from_me or record.wish != "start":
            continue
        known = await _all_of(connection, record.sender)
        await tombstones.lift(connection, known, record.at)


async def _all_of(connection: Connection, sender: Sender) -> set[Subject]:
    identities = identities_of(sender)
    known: set[Subject] = set(identities)
    for kind, value in identities:
        rows = await connection.fetch(_ALL_OF, kind, value)
        known |= {(row["kind"], row["value"]) for row in rows}
    return known

"""Applies the records of spoken messages: each becomes a message of its caller, with its sound.

Records with the contact of their call go in, rows come out. A merge like those of
`call_records.py`: told again, it changes nothing. Works inside a transaction of the caller;
other processes are told when that is committed.
"""

from uuid import UUID

from voiceagent.crm.postgres.database import Connection
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.recording.call_models import VoicemailLeft
from voiceagent.crm.recording.message_records import MESSAGES_CHANNEL, keep_notes, tell

_MESSAGE = """
INSERT INTO messages (id, contact_id, channel, provider, direction, status, kind, external_id,
                      call_sid, sent_at, created_at)
VALUES ($1, $2, 'voice', $3, 'in', 'received', 'audio', $4, $5, $6, $6)
ON CONFLICT (id) DO NOTHING
RETURNING true
"""

_HEARD_OF = """
UPDATE contacts SET created_at = LEAST(created_at, $2), updated_at = GREATEST(updated_at, $2)
WHERE id = $1
"""

# What was summarised without the message is again, and told.
_SUMMARISE_AGAIN = """
UPDATE calls SET summarised_at = NULL, summary_lease_until = NULL WHERE call_sid = $1
"""


async def apply_voicemail(connection: Connection, record: VoicemailLeft, contact_id: UUID) -> None:
    """Keep one message. Its call is there, and locked by the caller."""
    call_sid = storable(record.call_sid)
    is_new = await connection.fetchval(
        _MESSAGE,
        record.id,
        contact_id,
        record.provider,
        storable(record.external_id),
        call_sid,
        record.at,
    )
    if not is_new:
        return
    await connection.execute(_HEARD_OF, contact_id, record.at)
    await connection.execute(_SUMMARISE_AGAIN, call_sid)
    await keep_notes(connection, record.id, record.provider, [record.sound])
    # Without its contact: nobody answers it in writing.
    await tell(connection, MESSAGES_CHANNEL, str(record.id))

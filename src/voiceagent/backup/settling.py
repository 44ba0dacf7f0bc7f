"""What is to be done with a restored state before anybody works with it.

The world has gone on since the backup: what waited to be sent may have been sent, who was in the
data may have been erased, and each side of a WhatsApp conversation has other keys by now. A
restored database and the sidecar's restored file flow in, and are changed so that nobody is
written to twice, nobody comes back, and conversations are begun anew by themselves.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.erasure import Erasure
from voiceagent.crm.privacy.tombstones import KEPT, Tombstones
from voiceagent.crm.recording.late_records import Subject

_DEADLINE_S: Final = 600.0
_STEP: Final = 2_000

# People can have it sent once more; a receipt that comes late tells that it had arrived.
_UNSENT: Final = """
WITH gone AS (DELETE FROM outbox RETURNING message_id)
UPDATE messages m SET status = 'failed', error = $1, updated_at = now()
FROM gone WHERE m.id = gone.message_id AND m.status IN ('queued', 'unknown')
"""
# What the agent was about to write, and what it had not answered yet: days may have passed.
_UNWRITTEN: Final = "UPDATE written_dialogues SET unsent = NULL WHERE unsent IS NOT NULL"
# What waits in the restored journal of the erased comes as late as the backup is old.
_TOMBSTONES: Final = "UPDATE tombstones SET until = GREATEST(until, now() + $1::interval)"

_HAS_SIDECAR: Final = "SELECT to_regclass('whatsapp_sidecar.records') IS NOT NULL"
_SESSIONS: Final = "DELETE FROM whatsapp_sidecar.records WHERE tab = $1 AND starts_with(key, $2)"
_LEASE: Final = "DELETE FROM whatsapp_sidecar.lease"
SIDECAR_KEYS: Final = "signal_keys"
"""The sidecar's table of what it encrypts with."""
SIDECAR_SESSION: Final = "session/"
"""Of one conversation with one device: with an old one nothing could be read on the other side,
and keys would be used twice. A missing one is agreed on anew, as with a new device."""

_PEOPLE: Final = """
SELECT k.id, array_remove(array_agg(DISTINCT k.phone) || array_agg(i.value)
           FILTER (WHERE i.kind = 'phone'), NULL) AS phones,
       array_remove(array_agg(i.value) FILTER (WHERE i.kind = 'lid'), NULL) AS lids
FROM contacts k LEFT JOIN contact_identities i ON i.contact_id = k.id
WHERE k.id > $1 AND k.erasing IS NULL AND k.merged_into IS NULL
GROUP BY k.id ORDER BY k.id LIMIT $2
"""


async def settle_database(database: Database, made_at: datetime) -> int:
    """Have nothing be sent that may have been sent; how many messages that were. Raises
    `ProviderError`."""
    why = f"restored from a backup of {made_at:%Y-%m-%d %H:%M} UTC: it may have been sent since"
    async with database.transaction(_DEADLINE_S) as connection:
        status = await connection.execute(_UNSENT, why)
        await connection.execute(_UNWRITTEN)
        await connection.execute(_TOMBSTONES, KEPT)
        if await connection.fetchval(_HAS_SIDECAR):
            await connection.execute(_SESSIONS, SIDECAR_KEYS, SIDECAR_SESSION)
            await connection.execute(_LEASE)
    return int(status.rpartition(" ")[2])


async def erase_again(
    database: Database, tombstones: Tombstones, data_dir: Path, erased: Collection[str]
) -> int:
    """Begin to erase everybody in the restored data whose hash is among them; the service does the
    rest when it starts. How many these were. Raises `ProviderError`."""
    if not erased:
        return 0
    erasure = Erasure(database, tombstones, DiskTraces(database, tombstones, data_dir))
    count, last = 0, UUID(int=0)
    while True:
        async with database.connection(_DEADLINE_S) as connection:
            found, last_seen = await _page(connection, tombstones, last, erased)
        for contact_id in found:
            await erasure.begin(contact_id)
            count += 1
        if last_seen is None:
            return count
        last = last_seen


async def _page(
    connection: Connection, tombstones: Tombstones, last: UUID, erased: Collection[str]
) -> tuple[list[UUID], UUID | None]:
    """Who of the next ones was erased, and the last one looked at; None: there are no more."""
    rows = await connection.fetch(_PEOPLE, last, _STEP)
    found = []
    for row in rows:
        subjects: Iterable[Subject] = [
            ("contact", str(row["id"])),
            *(("phone", phone) for phone in row["phones"] or ()),
            *(("lid", lid) for lid in row["lids"] or ()),
        ]
        if any(tombstones.digest(subject).hex() in erased for subject in subjects):
            found.append(row["id"])
    return found, rows[-1]["id"] if rows else None


def forget_sessions(store: Iterator[bytes]) -> bytes:
    """A line to be added to the sidecar's file, of which these are the chunks: it takes its
    sessions with other devices away. Empty where there are none."""
    keys: dict[str, None] = {}
    rest = b""
    for chunk in store:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            for table, key in _puts(line):
                if table == SIDECAR_KEYS and key.startswith(SIDECAR_SESSION):
                    keys[key] = None
    if not keys:
        return b""
    body = json.dumps([[SIDECAR_KEYS, key, None] for key in keys], separators=(",", ":"))
    checksum = hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()[:8]
    return f"{checksum} {body}\n".encode()


def _puts(line: bytes) -> list[tuple[str, str]]:
    """Tables and keys of one line of the sidecar's file; a damaged one it does not read either."""
    try:
        return [(str(put[0]), str(put[1])) for put in json.loads(line[9:])]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []

"""Erases a person, so that nothing is left and nothing comes back.

A contact's id flows in. At once nobody finds the person any more and a call or message from
the same number is somebody new; then everything goes in batches, which a killed process
leaves to another one. Only a wish for no more messages lasts. It touches no backup and nothing
that was sent to others.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import UUID

from voiceagent.crm.postgres.database import (
    CONFLICT_ATTEMPTS,
    Connection,
    Database,
    TransactionConflict,
)
from voiceagent.crm.postgres.record_lock import exclude_records
from voiceagent.crm.privacy.deletion import (
    delete_calls,
    delete_messages,
    delete_notices_that_say,
    release_appointments,
    unlink_payments,
)
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.hidden_keys import hide_keys_about, hide_keys_of
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.late_records import Subject
from voiceagent.errors import EngineTimeout, NotFound, ProviderError

_log = logging.getLogger(__name__)

ANSWER_WITHIN_S: Final = 20.0
"""Somebody waits for an erasure so long; then the rest is done without them."""
POLL_S: Final = 60.0
"""How often erasures are looked for that were not finished."""
PLACE_DEADLINE_S: Final = 10.0
CALLS_AT_ONCE: Final = 50
MESSAGES_AT_ONCE: Final = 100

_SURVIVOR = "SELECT surviving_contact($1)"
_IS_GOING = "SELECT true FROM contacts WHERE id = $1 AND erasing IS NOT NULL"

# A call that was announced twice, with two numbers, may hang on the other one's contact.
_STRAY_CALLS = """
SELECT call_sid FROM calls
WHERE CASE direction WHEN 'inbound' THEN from_number ELSE to_number END = ANY(
          SELECT phone FROM contacts WHERE id = $1 OR merged_into = $1
          UNION SELECT value FROM contact_identities WHERE contact_id = $1 AND kind = 'phone')
  AND contact_id IS DISTINCT FROM $1
"""
_TAKE_CALLS = "UPDATE calls SET contact_id = $1 WHERE call_sid = ANY($2::text[])"

_TAKE_IDENTITIES = "DELETE FROM contact_identities WHERE contact_id = $1 RETURNING kind, value"
_LOCK = """
SELECT id, phone, id = $1 AND (merged_into IS NOT NULL OR erasing IS NOT NULL) AS gone,
       CASE WHEN whatsapp_stop_at > COALESCE(whatsapp_start_at, '-infinity')
            THEN whatsapp_stop_at END AS stopped_at
FROM contacts WHERE id = $1 OR merged_into = $1 ORDER BY id FOR UPDATE
"""
_CALLS = "SELECT call_sid FROM calls WHERE contact_id = $1 ORDER BY call_sid"
_MESSAGES = "SELECT id FROM messages WHERE contact_id = $1 ORDER BY id"

_DIALOGUE = "DELETE FROM written_dialogues WHERE contact_id = $1"
_SIGNS = "DELETE FROM contacts WHERE merged_into = $1"
_MARK = """
UPDATE contacts
SET erasing = $2, phone = NULL, name = NULL, fields = '{}', fields_at = '{}', agent = 'off',
    last_summary = NULL, last_summary_at = NULL, whatsapp_stop_at = NULL, whatsapp_start_at = NULL
WHERE id = $1
"""

_GOING = "SELECT id, erasing FROM contacts WHERE erasing IS NOT NULL ORDER BY id LIMIT 100"
_TRACES = "SELECT erasing FROM contacts WHERE id = $1 AND erasing IS NOT NULL"
# A few at a time: of long ones there is much to delete.
_SOME_RECORDINGS = """
DELETE FROM recordings WHERE call_sid IN (
    SELECT r.call_sid FROM recordings r JOIN calls c ON c.call_sid = r.call_sid
    WHERE c.contact_id = $1 LIMIT 10)
RETURNING call_sid
"""
_SOME_CALLS = "SELECT call_sid FROM calls WHERE contact_id = $1 ORDER BY call_sid LIMIT $2"
_SOME_MESSAGES = "SELECT id FROM messages WHERE contact_id = $1 ORDER BY id LIMIT $2"
_OUTBOX = "DELETE FROM outbox WHERE contact_id = $1"
_CALLBACKS = "DELETE FROM callbacks WHERE contact_id = $1"
_GONE = "DELETE FROM contacts WHERE id = $1 AND erasing IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Traces:
    """By what an erased person is found elsewhere."""

    contact_ids: Sequence[str] = ()
    call_sids: Sequence[str] = ()
    message_ids: Sequence[str] = ()
    phones: Sequence[str] = ()
    """E.164."""
    lids: Sequence[str] = ()
    erased_at: str = ""
    """ISO 8601, UTC; empty: by an earlier version. What is younger is somebody's who came anew."""


class Place(Protocol):
    """Where something of people is kept outside the database: recordings, another service."""

    async def erase(self, traces: Traces) -> None:
        """Delete what is there of them; asked again it changes nothing.

        Raises `ProviderError`, or takes longer than its deadline: then it is asked again later, and
        the traces are kept till then.
        """


class Erasure:
    """One per process; `run` is its task."""

    def __init__(
        self,
        database: Database,
        tombstones: Tombstones,
        disk: DiskTraces,
        places: Sequence[Place] = (),
        *,
        poll_s: float = POLL_S,
        place_deadline_s: float = PLACE_DEADLINE_S,
    ) -> None:
        """`places` are asked one after the other, when nothing is left in the database."""
        self._database = database
        self._tombstones = tombstones
        self._disk = disk
        self._places = places
        self._poll_s = poll_s
        self._place_deadline_s = place_deadline_s

    async def erase(self, contact_id: UUID) -> bool:
        """Erase a person; asked again it goes on. False: the rest follows by itself.

        Raises `NotFound`, and `ProviderError` when the database is away and nothing has begun.
        """
        going = await self.begin(contact_id)
        if going is None:
            return True
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._finish(going)
        except (ProviderError, TimeoutError) as error:
            _log.warning("an erasure goes on later contact=%s why=%r", going, str(error))
            return False

    async def begin(self, contact_id: UUID) -> UUID | None:
        """From its end on nobody finds the person; the rest is left to `erase` or `run`, here or in
        another process. The contact that goes now; None when it is gone already.

        Raises `NotFound`, and `ProviderError` when the database is away and nothing has begun.
        """
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                strays = await self._stray_calls(contact_id)
                async with self._database.transaction() as connection:
                    return await self._mark(connection, contact_id, strays)
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise
        raise AssertionError

    async def run(self) -> None:
        """Finish what was begun, here or by a process that is dead, until cancelled."""
        while True:
            with suppress(ProviderError):  # told by those who cannot do without the database
                await self._finish_all()
            await asyncio.sleep(self._poll_s)

    async def _finish_all(self) -> None:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_GOING)
        for row in rows:
            try:
                await self._finish(row["id"])
            except ProviderError as error:
                _log.warning("an erasure goes on later contact=%s why=%r", row["id"], str(error))

    # -- at once -----------------------------------------------------------------------------

    async def _stray_calls(self, contact_id: UUID) -> list[str]:
        """Read before anybody has to wait: it takes long where there are many calls."""
        async with self._database.connection() as connection:
            survivor = await connection.fetchval(_SURVIVOR, contact_id)
            rows = await connection.fetch(_STRAY_CALLS, survivor)
        return [row["call_sid"] for row in rows]

    async def _mark(
        self, connection: Connection, contact_id: UUID, strays: list[str]
    ) -> UUID | None:
        """From the end of the transaction on nothing of the person comes in any more."""
        await exclude_records(connection)
        survivor: UUID | None = await connection.fetchval(_SURVIVOR, contact_id)
        if survivor is None:
            return await self._going_or_gone(connection, contact_id)
        traces, stopped_at = await self._take(connection, survivor, strays)
        subjects: list[Subject] = [
            *(("contact", known) for known in traces.contact_ids),
            *(("call", call_sid) for call_sid in traces.call_sids),
            *(("message", message_id) for message_id in traces.message_ids),
            *(("phone", phone) for phone in traces.phones),
            *(("lid", lid) for lid in traces.lids),
        ]
        erased_at = datetime.fromisoformat(traces.erased_at)
        await self._tombstones.put(connection, subjects, erased_at, stopped_at)
        await connection.execute(_DIALOGUE, survivor)
        await connection.execute(_SIGNS, survivor)
        await connection.execute(_MARK, survivor, json.dumps(asdict(traces)))
        return survivor

    async def _going_or_gone(self, connection: Connection, contact_id: UUID) -> UUID | None:
        if await connection.fetchval(_IS_GOING, contact_id):
            return contact_id
        if await self._tombstones.among(connection, [("contact", str(contact_id))]):
            return None
        raise NotFound(f"there is no contact {contact_id}")

    async def _take(
        self, connection: Connection, survivor: UUID, strays: list[str]
    ) -> tuple[Traces, datetime | None]:
        """Lock the contact, have its identities lead nowhere, and note all that it is known by;
        and since when it has wanted no messages."""
        # As who answers for a sender takes them: identities first. Once more, since one may have
        # been added before the contact was locked.
        identities = list(await connection.fetch(_TAKE_IDENTITIES, survivor))
        rows = await connection.fetch(_LOCK, survivor)
        if not rows or any(row["gone"] for row in rows):
            raise TransactionConflict  # somebody was quicker
        identities += await connection.fetch(_TAKE_IDENTITIES, survivor)
        await connection.execute(_TAKE_CALLS, survivor, strays)
        calls = await connection.fetch(_CALLS, survivor)
        messages = await connection.fetch(_MESSAGES, survivor)
        phones = {row["phone"] for row in rows if row["phone"] is not None}
        phones |= {row["value"] for row in identities if row["kind"] == "phone"}
        traces = Traces(
            contact_ids=[str(row["id"]) for row in rows],
            call_sids=[row["call_sid"] for row in calls],
            message_ids=[str(row["id"]) for row in messages],
            phones=sorted(phones),
            lids=[row["value"] for row in identities if row["kind"] == "lid"],
            erased_at=datetime.now(UTC).isoformat(),
        )
        stopped_at = next((row["stopped_at"] for row in rows if row["id"] == survivor), None)
        return traces, stopped_at

    # -- in batches --------------------------------------------------------------------------

    async def _finish(self, contact_id: UUID) -> bool:
        """Delete everything; true when nothing is left. Raises `ProviderError`."""
        traces = await self._traces(contact_id)
        if traces is None:
            return True  # another process has done it
        while await self._delete_some_recordings(contact_id):
            pass
        while await self._delete_some_calls(contact_id):
            pass
        while await self._delete_some_messages(contact_id):
            pass
        async with self._database.transaction() as connection:
            await connection.execute(_OUTBOX, contact_id)
            await connection.execute(_CALLBACKS, contact_id)
            await release_appointments(connection, contact_id, ())
            await unlink_payments(connection, contact_id, ())
            await delete_notices_that_say(connection, [*traces.contact_ids, *traces.phones])
        names = [*traces.contact_ids, *traces.lids]
        await hide_keys_about(self._database, self._tombstones, traces.phones, names)
        await self._disk.sweep()
        for place in self._places:
            await self._erase_in(place, traces)
        async with self._database.transaction() as connection:
            await connection.execute(_GONE, contact_id)
        _log.info("erased contact=%s", contact_id)
        return True

    async def _erase_in(self, place: Place, traces: Traces) -> None:
        try:
            async with asyncio.timeout(self._place_deadline_s):
                await place.erase(traces)
        except TimeoutError as error:
            name = type(place).__name__
            raise EngineTimeout(f"{name} did not answer in time") from error

    async def _traces(self, contact_id: UUID) -> Traces | None:
        async with self._database.connection() as connection:
            text = await connection.fetchval(_TRACES, contact_id)
        return None if text is None else Traces(**json.loads(text))

    async def _delete_some_recordings(self, contact_id: UUID) -> bool:
        async with self._database.transaction() as connection:
            return bool(await connection.fetch(_SOME_RECORDINGS, contact_id))

    async def _delete_some_calls(self, contact_id: UUID) -> bool:
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_SOME_CALLS, contact_id, CALLS_AT_ONCE)
            call_sids = [row["call_sid"] for row in rows]
            if call_sids:
                await release_appointments(connection, None, call_sids)
                await unlink_payments(connection, None, call_sids)
                await delete_calls(connection, call_sids)
        return bool(call_sids)

    async def _delete_some_messages(self, contact_id: UUID) -> bool:
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_SOME_MESSAGES, contact_id, MESSAGES_AT_ONCE)
            message_ids = [row["id"] for row in rows]
            if message_ids:
                await hide_keys_of(connection, self._tombstones, message_ids)
                await delete_messages(connection, message_ids)
        return bool(message_ids)

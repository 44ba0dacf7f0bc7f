"""Lets go of conversations that are older than the business keeps them.

A number of days flows in; every night calls, messages and whatever hangs on them that is
older goes, in batches of a few rows, so that nobody waits. Of several processes one works.
What is remembered of erased people and what lies on the disk is cleared away as well, also
when conversations are kept for good.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, Final

from voiceagent.crm.calls.caller_calls import forget_old_callers
from voiceagent.crm.postgres.database import (
    CONFLICT_ATTEMPTS,
    Connection,
    Database,
    TransactionConflict,
)
from voiceagent.crm.privacy.deletion import NOTHING_HANGS_ON, delete_calls, delete_messages
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.tombstones import KEPT, forget_old
from voiceagent.errors import ProviderError

_log = logging.getLogger(__name__)

NIGHT: Final = time(3, 20)
"""In the business's zone: nobody calls, and no clock is changed."""
AFTER_START_S: Final = 120.0
"""A service that is started every day has its night then."""
PAUSE_S: Final = 0.05
"""Between two batches, so that others come first."""

# Any constant will do, as long as every version of this service takes the same.
LOCK_KEY: Final = 0x6E696768
_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock($1)"

# What an appointment or a wish knows of its person only by the call is kept before that goes.
_KEEP_APPOINTMENTS = """
UPDATE appointments a SET contact_id = c.contact_id
FROM calls c
WHERE c.call_sid = ANY($1::text[]) AND a.call_sid = c.call_sid AND a.contact_id IS NULL
"""
_KEEP_PAYMENTS = """
UPDATE payments p SET contact_id = c.contact_id
FROM calls c
WHERE c.call_sid = ANY($1::text[]) AND p.call_sid = c.call_sid AND p.contact_id IS NULL
"""
# Where two times count, the one that an index has is asked for as well: when nothing is old any
# more, no table is read from end to end.
_OLD_CALLS = """
SELECT call_sid FROM calls WHERE started_at < $1 AND GREATEST(started_at, ended_at) < $1
ORDER BY started_at, call_sid LIMIT 50
"""
# Before their calls, a few at a time: of long ones there is much to delete.
_OLD_RECORDINGS = """
DELETE FROM recordings WHERE call_sid IN (
    SELECT call_sid FROM recordings WHERE started_at < $1 ORDER BY started_at LIMIT 10)
"""
_OLD_MESSAGES = """
SELECT id FROM messages m WHERE created_at < $1
  AND NOT EXISTS (SELECT FROM outbox o WHERE o.message_id = m.id)
ORDER BY created_at, id LIMIT 100
"""

# Of these nothing else hangs on the rows.
_OLD_ROWS: Final = (
    """
    DELETE FROM callbacks WHERE id IN (
        SELECT id FROM callbacks
        WHERE created_at < $1 AND GREATEST(created_at, at) < $1 LIMIT 500)
    """,
    """
    DELETE FROM appointments WHERE id IN (
        SELECT id FROM appointments
        WHERE lower(period) < $1 AND upper(period) < $1 LIMIT 500)
    """,
    # Books are kept longer than conversations: what stays is nobody's.
    """
    DELETE FROM payments WHERE id IN (
        SELECT id FROM payments WHERE expires_at < $1 AND attempt = 0 LIMIT 500)
    """,
    """
    WITH unlinked AS (
        UPDATE payments
        SET contact_id = NULL, call_sid = NULL, what_for = '', problem = '', link = NULL,
            digest = '', key = 'erased ' || id, token = 'erased ' || id
        WHERE id IN (
            SELECT id FROM payments
            WHERE expires_at < $1
              AND (contact_id IS NOT NULL OR call_sid IS NOT NULL OR what_for <> '') LIMIT 500)
        RETURNING id
    )
    UPDATE payment_events e SET detail = '' FROM unlinked WHERE e.payment_id = unlinked.id
    """,
    """
    DELETE FROM written_dialogues WHERE contact_id IN (
        SELECT contact_id FROM written_dialogues
        WHERE updated_at < $1 AND unsent IS NULL LIMIT 500)
    """,
    """
    DELETE FROM notices WHERE id IN (
        SELECT id FROM notices
        WHERE created_at < $1 AND status IN ('delivered', 'dead') LIMIT 500)
    """,
    """
    DELETE FROM webhook_answers WHERE id IN (
        SELECT id FROM webhook_answers WHERE at < $1 LIMIT 500)
    """,
    """
    DELETE FROM message_keys WHERE key IN (
        SELECT key FROM message_keys WHERE created_at < $1 AND message_id IS NULL LIMIT 500)
    """,
    """
    DELETE FROM engine_failures WHERE id IN (
        SELECT id FROM engine_failures WHERE at < $1 LIMIT 500)
    """,
    """
    DELETE FROM model_usage WHERE id IN (
        SELECT id FROM model_usage WHERE at < $1 LIMIT 500)
    """,
    """
    UPDATE contacts SET last_summary = NULL, last_summary_at = NULL WHERE id IN (
        SELECT id FROM contacts WHERE last_summary_at < $1 LIMIT 500)
    """,
)

# Whoever wants no messages stays known for that, and for nothing else.
_STOPPED: Final = "k.whatsapp_stop_at > COALESCE(k.whatsapp_start_at, '-infinity')"
_BARE: Final = f"""
SELECT k.id FROM contacts k
WHERE k.merged_into IS NULL AND k.erasing IS NULL AND k.updated_at < $1 AND {NOTHING_HANGS_ON}
  AND NOT EXISTS (SELECT FROM written_dialogues x WHERE x.contact_id = k.id)
"""  # noqa: S608 - our own constants
_OLD_CONTACTS: Final = f"""
DELETE FROM contacts WHERE id IN ({_BARE} AND NOT COALESCE({_STOPPED}, false) LIMIT 200)
"""  # noqa: S608 - our own constants
_STRIP_CONTACTS: Final = f"""
UPDATE contacts SET name = NULL, fields = '{{}}', fields_at = '{{}}' WHERE id IN (
    {_BARE} AND {_STOPPED} AND (k.fields <> '{{}}' OR k.name IS NOT NULL) LIMIT 200)
"""  # noqa: S608 - our own constants

# Edits of messages that never came.
_LOST_CHANGES: Final = """
DELETE FROM message_changes WHERE (message_id, at, change) IN (
    SELECT message_id, at, change FROM message_changes c
    WHERE at < $1 AND NOT EXISTS (SELECT FROM messages m WHERE m.id = c.message_id) LIMIT 500)
"""


class Retention:
    """One per process; `run` is its task."""

    def __init__(
        self,
        database: Database,
        disk: DiskTraces,
        days: int | None,
        zone: tzinfo,
        *,
        recording_days: int | None = None,
        after_start_s: float = AFTER_START_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        """`days`: how long conversations are kept; None: for good. `zone`: the business's own.
        `recording_days`: how long recordings are kept; None: as long as conversations."""
        self._database = database
        self._disk = disk
        self._days = days
        kept = [limit for limit in (days, recording_days) if limit is not None]
        self._recording_days = min(kept, default=None)
        self._zone = zone
        self._after_start_s = after_start_s
        self._pause_s = pause_s

    async def run(self) -> None:
        """Work every night until cancelled."""
        wait_s = self._after_start_s
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self.round(datetime.now(UTC))
            except ProviderError as error:
                _log.warning("the night's clearing stopped why=%r", str(error))
            wait_s = until_night_s(datetime.now(UTC), self._zone)

    async def round(self, now: datetime) -> bool:
        """Everything that is due; false when another process is at it. Raises `ProviderError`."""
        since = None if self._days is None else now - timedelta(days=self._days)
        await self._disk.sweep(since)
        works: list[Work] = [_forget, _rows(_LOST_CHANGES, now - KEPT)]
        if self._recording_days is not None:
            works.append(_rows(_OLD_RECORDINGS, now - timedelta(days=self._recording_days)))
        if since is not None:
            works += [_calls(since), _messages(since)]
            works += [_rows(statement, since) for statement in _OLD_ROWS]
            works += [_rows(_OLD_CONTACTS, since), _rows(_STRIP_CONTACTS, since)]
        gone = 0
        for work in works:
            while (count := await self._batch(work)) is not None and count > 0:
                gone += count
                await asyncio.sleep(self._pause_s)
            if count is None:
                return False
        if gone:
            _log.info("the night's clearing is done rows=%d", gone)
        return True

    async def _batch(self, work: "Work") -> int | None:
        """Do one batch; how many there were, or None when another process is at it.

        The lock lasts as long as the batch: between two of them another process may take over,
        and then this one leaves it the rest.
        """
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                async with self._database.transaction() as connection:
                    if not await connection.fetchval(_TRY_LOCK, LOCK_KEY):
                        return None
                    return await work(connection)
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise
        raise AssertionError


Work = Callable[[Connection], Coroutine[Any, Any, int]]
"""One batch; returns how many rows went, 0 when none is left."""


def until_night_s(now: datetime, zone: tzinfo) -> float:
    """Seconds from `now` to the next night."""
    local = now.astimezone(zone)
    night = datetime.combine(local.date(), NIGHT, zone)
    if night <= local:
        night = datetime.combine(local.date() + timedelta(days=1), NIGHT, zone)
    return (night.astimezone(UTC) - now).total_seconds()


async def _forget(connection: Connection) -> int:
    await forget_old(connection)
    await forget_old_callers(connection)
    return 0


def _calls(since: datetime) -> Work:
    async def work(connection: Connection) -> int:
        rows = await connection.fetch(_OLD_CALLS, since)
        call_sids = [row["call_sid"] for row in rows]
        if call_sids:
            await connection.execute(_KEEP_APPOINTMENTS, call_sids)
            await connection.execute(_KEEP_PAYMENTS, call_sids)
            await delete_calls(connection, call_sids)
        return len(call_sids)

    return work


def _messages(since: datetime) -> Work:
    async def work(connection: Connection) -> int:
        rows = await connection.fetch(_OLD_MESSAGES, since)
        if rows:
            await delete_messages(connection, [row["id"] for row in rows])
        return len(rows)

    return work


def _rows(statement: str, since: datetime) -> Work:
    async def work(connection: Connection) -> int:
        status = await connection.execute(statement, since)
        return int(status.rpartition(" ")[2])

    return work

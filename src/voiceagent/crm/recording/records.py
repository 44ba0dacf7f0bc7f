"""Applies records of any kind: of calls, messages, engines and their use, in one transaction.

What the recorder keeps flows in, rows come out, all or none. Records of what was erased
meanwhile come to nothing, however late they come; what the erased wished goes on.
"""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

from pydantic import ConfigDict, Field, TypeAdapter

from voiceagent.crm.postgres.database import (
    CONFLICT_ATTEMPTS,
    QUERY_DEADLINE_S,
    Connection,
    Database,
    TransactionConflict,
)
from voiceagent.crm.postgres.record_lock import exclude_records, hold_people
from voiceagent.crm.privacy.deletion import delete_messages, erase_lone_calls
from voiceagent.crm.privacy.lasting_wishes import lift_stops, restore_stops
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.call_models import CallRecord
from voiceagent.crm.recording.call_records import apply_records
from voiceagent.crm.recording.engine_failures import EngineFailed, apply_engine_failures
from voiceagent.crm.recording.late_records import Sifted
from voiceagent.crm.recording.message_models import (
    MessageChanged,
    MessageFateKnown,
    MessageReceived,
    MessageRecord,
)
from voiceagent.crm.recording.message_records import OnNew, apply_message_records
from voiceagent.crm.recording.model_usage import ModelUsed, apply_model_usage

Record = Annotated[
    CallRecord | MessageRecord | EngineFailed | ModelUsed, Field(discriminator="kind")
]
# Else the last 16,384 short strings that were read stay in memory: words and numbers of callers.
_RECORD: Final = TypeAdapter[Record](Record, config=ConfigDict(cache_strings="keys"))


def record_of(text: str | bytes) -> Record:
    """A record as it lies on the disk. Raises pydantic's `ValidationError`."""
    return _RECORD.validate_json(text)


class RecordsRepository:
    """Where records go."""

    def __init__(
        self,
        database: Database,
        on_new_messages: OnNew | None = None,
        tombstones: Tombstones | None = None,
    ) -> None:
        """`on_new_messages` writes what else belongs to new messages, in their transaction.
        Without `tombstones` nothing comes too late."""
        self._database = database
        self._on_new_messages = on_new_messages
        self._tombstones = tombstones

    async def apply(self, records: Sequence[Record], deadline_s: float = QUERY_DEADLINE_S) -> None:
        """Merge records into the tables, all or none.

        Raises `ContentRejected` when one of them can never be stored, and any other
        `ProviderError` when the database is away.
        """
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                async with self._database.transaction(deadline_s) as connection:
                    late = await self._apply(connection, records)
                if late is None:
                    return
                await self._erase(late, deadline_s)
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise

    async def _apply(self, connection: Connection, records: Sequence[Record]) -> Sifted | None:
        """Apply those that do not come too late.

        Nothing is done when it turns out by them what else is of the erased: other records of it
        may have been applied before, and it is to be erased first.
        """
        await hold_people(connection)
        if self._tombstones is None:
            await self._write(connection, records)
            return None
        sifted = await self._tombstones.sift(connection, records)
        if sifted.found:
            return sifted
        await self._write(connection, sifted.kept)
        await restore_stops(connection, sifted.stops)
        await lift_stops(connection, self._tombstones, sifted.kept)
        return None

    async def _write(self, connection: Connection, records: Sequence[Record]) -> None:
        messages: list[MessageRecord] = []
        failures: list[EngineFailed] = []
        usage: list[ModelUsed] = []
        calls: list[CallRecord] = []
        for record in records:
            if isinstance(record, MessageReceived | MessageFateKnown | MessageChanged):
                messages.append(record)
            elif isinstance(record, EngineFailed):
                failures.append(record)
            elif isinstance(record, ModelUsed):
                usage.append(record)
            else:
                calls.append(record)
        if calls:
            await apply_records(connection, calls)
        if messages:
            await apply_message_records(connection, messages, self._on_new_messages)
        if failures:
            await apply_engine_failures(connection, failures)
        if usage:
            await apply_model_usage(connection, usage)

    async def _erase(self, late: Sifted, deadline_s: float) -> None:
        assert self._tombstones is not None  # noqa: S101 - it has found them
        async with self._database.transaction(deadline_s) as connection:
            await exclude_records(connection)
            for subject, erased_at in late.found.items():
                stopped_at = late.stops.get(subject)
                await self._tombstones.put(connection, [subject], erased_at, stopped_at)
            calls = [value for kind, value in late.found if kind == "call"]
            await erase_lone_calls(connection, calls)
            messages = [UUID(value) for kind, value in late.found if kind == "message"]
            await delete_messages(connection, messages)

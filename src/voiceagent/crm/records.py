"""Applies records of any kind: of calls and of messages, in one transaction.

What the recorder keeps flows in, rows come out, all or none.
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from voiceagent.crm.call_records import apply_records
from voiceagent.crm.database import QUERY_DEADLINE_S, Database, TransactionConflict
from voiceagent.crm.message_models import (
    MessageChanged,
    MessageFateKnown,
    MessageReceived,
    MessageRecord,
)
from voiceagent.crm.message_records import OnNew, apply_message_records
from voiceagent.crm.models import CallRecord

CONFLICT_ATTEMPTS = 5

Record = Annotated[CallRecord | MessageRecord, Field(discriminator="kind")]


class RecordsRepository:
    """Where records go."""

    def __init__(self, database: Database, on_new_messages: OnNew | None = None) -> None:
        """`on_new_messages` writes what else belongs to new messages, in their transaction."""
        self._database = database
        self._on_new_messages = on_new_messages

    async def apply(self, records: Sequence[Record], deadline_s: float = QUERY_DEADLINE_S) -> None:
        """Merge records into the tables, all or none.

        Raises `ContentRejected` when one of them can never be stored, and any other
        `ProviderError` when the database is away.
        """
        messages: list[MessageRecord] = []
        calls: list[CallRecord] = []
        for record in records:
            if isinstance(record, MessageReceived | MessageFateKnown | MessageChanged):
                messages.append(record)
            else:
                calls.append(record)
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                async with self._database.transaction(deadline_s) as connection:
                    if calls:
                        await apply_records(connection, calls)
                    if messages:
                        await apply_message_records(connection, messages, self._on_new_messages)
                    return
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise

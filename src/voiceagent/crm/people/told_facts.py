"""What a contact tells of itself in writing, merged into its card.

Facts flow in with the time at which they were told, a contact's fields flow out; the younger
of two values stays. Adapter of `Learn` in `written/ports.py`.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from voiceagent.crm.people.contacts import learn
from voiceagent.crm.postgres.database import CONFLICT_ATTEMPTS, Database, TransactionConflict
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.postgres.record_lock import hold_people
from voiceagent.crm.recording.fields import LearntFields
from voiceagent.errors import NotFound, ProviderError


class ToldFacts:
    """`learn` is a `Learn`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def learn(self, contact_id: UUID, fields: Mapping[str, str], at: datetime) -> None:
        """Merge what was told at that time; told again it changes nothing.

        Raises `ProviderError`, not retryable for a contact that is gone.
        """
        told = {storable(name): storable(value) for name, value in fields.items()}
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                async with self._database.transaction() as connection:
                    await hold_people(connection)
                    await learn(connection, contact_id, LearntFields.at(at, told), at, at)
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise
            except NotFound as error:
                raise ProviderError(str(error), retryable=False) from error
            else:
                return

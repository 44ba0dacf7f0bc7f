"""Who answers what a contact writes: the agent, nobody, or a person who has taken over.

The switch of each contact is read before the agent answers, and set by people. It says
nothing about telephone calls.
"""

from uuid import UUID

import asyncpg

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.views import AgentMode, AgentView
from voiceagent.errors import NotFound

_READ = "SELECT id, agent, agent_changed_at FROM contacts WHERE id = surviving_contact($1)"

_SET = """
UPDATE contacts
SET agent = $2, agent_changed_at = CASE WHEN agent = $2 THEN agent_changed_at ELSE now() END
WHERE id = surviving_contact($1)
RETURNING id, agent, agent_changed_at
"""


class AgentSwitch:
    """The switches of all contacts. Every method raises `ProviderError` when the database is away,
    and `NotFound` when there is no such contact."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, contact_id: UUID) -> AgentView:
        """How it is set."""
        async with self._database.connection() as connection:
            return _view(await connection.fetchrow(_READ, contact_id), contact_id)

    async def set(self, contact_id: UUID, agent: AgentMode) -> AgentView:
        """Set it; as it is already, it changes nothing."""
        async with self._database.transaction() as connection:
            return _view(await connection.fetchrow(_SET, contact_id, agent), contact_id)


def _view(row: asyncpg.Record | None, contact_id: UUID) -> AgentView:
    if row is None:
        raise NotFound(f"there is no contact {contact_id}")
    return AgentView(contact_id=row["id"], agent=row["agent"], changed_at=row["agent_changed_at"])

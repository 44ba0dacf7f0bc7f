"""Writing to somebody from inside the house: the agent's tool, notices to the owner.

A text and a key flow in, a message in the outbox flows out, once for its key. Nobody waits
for it to be sent. Adapter of `Messenger` in `brain/tool_ports.py`.
"""

import asyncio
from typing import Final
from uuid import UUID

from voiceagent.brain.ports import Party
from voiceagent.crm.messages.drafts import Draft, KeyMismatch, OptedOut
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.people.contacts import contact_of_call
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.message_models import Author
from voiceagent.errors import Conflict, EngineTimeout, NotFound, ProviderError

DEADLINE_S: Final = 1.9
"""A caller who waits for a tool hears silence: after two seconds it is better to say so."""


class OutboxMessenger:
    """One per process; implements `Messenger`."""

    def __init__(
        self,
        database: Database,
        outbox: OutboxRepository,
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """No method takes longer than `deadline_s`."""
        self._database = database
        self._outbox = outbox
        self._deadline_s = deadline_s

    async def send(self, party: Party, text: str, key: str) -> None:
        """Take the message for delivery to whoever the agent talks with.

        Raises `ProviderError`, not retryable and with a sentence for the model when there is
        nobody to write to.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                contact_id = party.contact_id or await contact_of_call(
                    self._database, party.call_sid, self._deadline_s
                )
                if contact_id is None:
                    raise ProviderError("the caller's number is withheld", retryable=False)
                await _put(self._outbox, contact_id, text, f"tool {key}", "agent")
        except TimeoutError as error:
            raise EngineTimeout("the message was not taken in time") from error


class OwnerMessenger:
    """Writes to the owner's own number; `send_text` is a `SendText` of `notices/sender.py`."""

    def __init__(self, outbox: OutboxRepository, phone: str) -> None:
        """`phone`: E.164."""
        self._outbox = outbox
        self._phone = phone

    async def send_text(self, text: str, key: str) -> None:
        """Take a text for delivery. Raises `ProviderError`."""
        await _put(self._outbox, self._phone, text, f"notice {key}", "program")


async def _put(
    outbox: OutboxRepository, to: UUID | str, text: str, key: str, author: Author
) -> None:
    try:
        await outbox.put(Draft(to, text, key, author=author))
    except (OptedOut, NotFound, KeyMismatch, Conflict) as error:
        raise ProviderError(str(error), retryable=False) from error

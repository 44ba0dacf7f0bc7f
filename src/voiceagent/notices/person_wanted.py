"""The owner is told that somebody who writes wants a person: `person.wanted`.

A contact, a reason and a key flow in; a notice in the queue flows out, once for the key.
Adapter of the port `People` in `written/ports.py`. docs/notices.md shows the JSON.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.views import ContactView
from voiceagent.errors import NotFound
from voiceagent.notices.notices import Notice, Target, queue_notice
from voiceagent.written.ports import Reason

_ENGLISH: Final[dict[Reason, str]] = {
    "asked": "WhatsApp: {who} asks for a person. The agent is silent until you switch it on.",
    "failed": "WhatsApp: a message of {who} was not answered. Please answer it yourself.",
    "loop": "WhatsApp: a machine seems to write as {who}. The agent does not answer it.",
    "too_many": "WhatsApp: {who} writes more than the agent may answer. It is silent for an hour.",
    "budget": "WhatsApp: today's budget is spent. Please answer {who} yourself.",
}
_HEBREW: Final[dict[Reason, str]] = {
    "asked": "WhatsApp: {who} – ביקשו לדבר עם אדם. הסוכן שותק עד שיופעל שוב.",
    "failed": "WhatsApp: הודעה של {who} נשארה בלי תשובה. כדאי לענות לה בעצמך.",
    "loop": "WhatsApp: נראה שמכונה כותבת בשם {who}. הסוכן אינו עונה לה.",
    "too_many": "WhatsApp: {who} – נכתבו יותר הודעות ממה שהסוכן רשאי לענות עליהן. הוא שותק לשעה.",
    "budget": "WhatsApp: תקציב היום נוצל. כדאי לענות בעצמך: {who}.",
}


class PersonWanted:
    """Implements `People`."""

    def __init__(
        self,
        database: Database,
        targets: Collection[Target],
        language: str,
        on_queued: Callable[[], None] = lambda: None,
    ) -> None:
        """`targets`: by what the owner is told; without any nobody is. `language`: BCP 47, the
        owner's. `on_queued` is called when something is to be sent."""
        self._database = database
        self._contacts = ContactsRepository(database)
        self._targets = targets
        self._phrases = _HEBREW if language.partition("-")[0] in ("he", "iw") else _ENGLISH
        self._on_queued = on_queued

    async def wanted(self, contact_id: UUID, reason: Reason, key: str) -> None:
        """Tell the owner. A contact that is gone wants nobody. Raises `ProviderError`."""
        if not self._targets:
            return
        try:
            contact = await self._contacts.get(contact_id)
        except NotFound:
            return
        notice = Notice(
            type="person.wanted",
            subject=f"{contact.id} {key}",
            at=datetime.now(UTC),
            data={
                "contact": {
                    "id": str(contact.id),
                    "phone": contact.phone,
                    "name": contact.name or None,
                },
                "channel": "whatsapp",
                "reason": reason,
            },
            text=self._phrases[reason].format(who=_who(contact)),
        )
        async with self._database.transaction() as connection:
            await queue_notice(connection, notice, self._targets)
        self._on_queued()


def _who(contact: ContactView) -> str:
    if contact.name and contact.phone:
        return f"{contact.name} ({contact.phone})"
    return contact.name or contact.phone or "?"

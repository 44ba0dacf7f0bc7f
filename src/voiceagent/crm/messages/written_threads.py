"""The messages of every contact, as a conversation in writing needs them.

Contacts flow in, their threads flow out; an answer goes to the outbox in the transaction that
has looked at the contact's switch. Adapter of the port `Threads` in `written/ports.py`.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from voiceagent.crm.messages.drafts import Draft, KeyMismatch, OptedOut, Routes, put_draft
from voiceagent.crm.messages.outbox import Announce
from voiceagent.crm.postgres.database import CONFLICT_ATTEMPTS, Database, TransactionConflict
from voiceagent.crm.recording.message_models import Author
from voiceagent.crm.recording.message_records import OUTBOX_CHANNEL
from voiceagent.errors import Conflict, NotFound, ProviderError
from voiceagent.written.ports import Kind, Silence, Unanswered, WrittenMessage

HEARD_WITHIN_S: Final = 240.0
"""Longer than a voice note takes that is fetched and understood at the second attempt. Nobody
should wait longer to hear that it was not."""
_FILES: Final = frozenset({"image", "video", "audio", "document", "sticker"})

_LAST = """
SELECT m.id, m.author, m.kind, m.wish, m.created_at,
       m.created_at > now() - $3 * interval '1 second' AND EXISTS (
           SELECT 1 FROM message_media f
           WHERE f.message_id = m.id AND f.voice_note AND f.transcript IS NULL
             AND (f.state = 'waiting' OR f.transcribe_from IS NOT NULL)) AS is_awaited,
       COALESCE(m.answers, '') AS answers,
       COALESCE(NULLIF(m.text, ''),
                (SELECT string_agg(f.transcript, ' ' ORDER BY f.position)
                 FROM message_media f WHERE f.message_id = m.id), '') AS text
FROM messages m
WHERE m.contact_id = surviving_contact($1) AND m.channel = 'whatsapp' AND m.deleted_at IS NULL
ORDER BY m.created_at DESC, m.id DESC
LIMIT $2
"""

_SILENCE = """
SELECT CASE
    WHEN EXISTS (
        SELECT 1 FROM contact_identities i
        WHERE i.contact_id = k.id AND i.kind = 'phone' AND i.value = $2) THEN 'owner'
    WHEN k.whatsapp_stop_at > COALESCE(k.whatsapp_start_at, '-infinity') THEN 'opted_out'
END
FROM contacts k WHERE k.id = surviving_contact($1)
"""

_SWITCH = "SELECT agent FROM contacts WHERE id = surviving_contact($1) FOR NO KEY UPDATE"

# Of each contact the newest message, unless an answer or a person has seen it: then nothing older
# waits either. The OFFSETs keep the planner from joining all messages to all others. Of an answer
# the process, and its clock, may be another one than that of what it answers.
_UNANSWERED = """
SELECT m.contact_id, m.id FROM (
    SELECT DISTINCT ON (contact_id) contact_id, id, created_at FROM messages
    WHERE direction = 'in' AND channel = 'whatsapp'
      AND created_at > now() - interval '24 hours'
      AND created_at <= now() - $1 * interval '1 second'
    ORDER BY contact_id, created_at DESC, id DESC
) m JOIN contacts k ON k.id = m.contact_id
WHERE k.agent = 'on'
  AND NOT COALESCE(k.whatsapp_stop_at > COALESCE(k.whatsapp_start_at, '-infinity'), false)
  AND NOT EXISTS (
      SELECT 1 FROM contact_identities i
      WHERE i.contact_id = k.id AND i.kind = 'phone' AND i.value = $3)
  AND NOT EXISTS (
      SELECT 1 FROM messages a
      WHERE a.contact_id = m.contact_id AND a.author = 'person'
        AND (a.created_at, a.id) > (m.created_at, m.id) OFFSET 0)
  AND NOT EXISTS (
      SELECT 1 FROM messages a JOIN messages n ON n.id::text = a.answers
      WHERE a.contact_id = m.contact_id AND n.contact_id = m.contact_id
        AND a.created_at > m.created_at - interval '1 hour'
        AND (n.created_at, n.id) >= (m.created_at, m.id) OFFSET 0)
ORDER BY m.created_at DESC
LIMIT $2
"""


class CrmThreads:
    """Implements `Threads`. Every method raises `ProviderError`."""

    def __init__(
        self,
        database: Database,
        routes: Routes,
        announce: Announce = lambda *_: None,
        *,
        owner_phone: str | None = None,
        heard_within_s: float = HEARD_WITHIN_S,
    ) -> None:
        """`announce` as that of `OutboxRepository`; `owner_phone` (E.164) is the owner's own.
        `heard_within_s`: so long a voice note is awaited to be put into words; 0 where nobody
        listens to them."""
        self._database = database
        self._routes = routes
        self._announce = announce
        self._owner_phone = owner_phone
        self._heard_within_s = heard_within_s

    async def last(self, contact_id: UUID, limit: int) -> Sequence[WrittenMessage]:
        """Up to `limit` messages, the newest last. What its writer deleted is not among them."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_LAST, contact_id, limit, self._heard_within_s)
        return [_message(row) for row in reversed(rows)]

    async def reply(self, contact_id: UUID, text: str, key: str, answers: str) -> bool:
        """Take one message of the agent's for delivery, once for its key; false, and nothing is
        sent, when the contact's switch is not `on` or it wants no messages."""
        draft = Draft(
            contact_id, text, f"reply {contact_id} {key}", author="agent", answers=answers
        )
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                return await self._reply(contact_id, draft)
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise
            except OptedOut:
                return False
            except (Conflict, KeyMismatch, NotFound) as error:
                raise ProviderError(str(error), retryable=False) from error
        raise AssertionError

    async def silence(self, contact_id: UUID) -> Silence | None:
        """Why it is not to be answered, whatever its switch."""
        async with self._database.connection() as connection:
            silence: Silence | None = await connection.fetchval(
                _SILENCE, contact_id, self._owner_phone
            )
        return silence

    async def unanswered(self, older_than_s: float, limit: int) -> Sequence[Unanswered]:
        """Threads that wait for an answer, the newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_UNANSWERED, older_than_s, limit, self._owner_phone)
        return [Unanswered(row["contact_id"], str(row["id"])) for row in rows]

    async def _reply(self, contact_id: UUID, draft: Draft) -> bool:
        async with self._database.transaction() as connection:
            # Whoever sets the switch now waits for this, and the other way round.
            agent = await connection.fetchval(_SWITCH, contact_id)
            if agent is None:
                raise NotFound(f"there is no contact {contact_id}")
            known = await connection.fetchval(
                "SELECT 1 FROM message_keys WHERE key = $1", draft.key
            )
            if known:
                return True
            if agent != "on":
                return False
            put = await put_draft(connection, draft, self._routes)
        self._announce(OUTBOX_CHANNEL, str(put.message_id))
        return True


def _message(row: asyncpg.Record) -> WrittenMessage:
    author: Author | None = row["author"]
    return WrittenMessage(
        id=str(row["id"]),
        who="contact" if author is None else "person" if author == "person" else "agent",
        text=row["text"],
        at=row["created_at"],
        kind=_kind(row),
        answers=row["answers"],
    )


def _kind(row: asyncpg.Record) -> Kind:
    if row["wish"] is not None:
        return "wish"
    if row["is_awaited"]:
        return "voice"
    kind = row["kind"]
    return "reaction" if kind == "reaction" else "media" if kind in _FILES else "text"

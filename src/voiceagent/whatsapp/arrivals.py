"""What belongs to a new message beside itself: the owner is told, a wish is confirmed.

New messages flow in, within the transaction that writes them; notices and confirmations flow
out to their queues in the same one. So each is there once, or not at all.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from voiceagent.crm.messages.drafts import Draft, KeyMismatch, Routes, put_draft
from voiceagent.crm.postgres.database import Connection
from voiceagent.crm.recording.message_models import MessageReceived
from voiceagent.crm.recording.message_records import OUTBOX_CHANNEL, NewMessage, tell
from voiceagent.errors import Conflict, NotFound
from voiceagent.notices.notices import Target, queue_notice
from voiceagent.whatsapp.message_notice import message_notice
from voiceagent.whatsapp.opt_out import confirmation

CONFIRMED_WITHIN: Final = timedelta(hours=24)
"""A wish that reached us later, e.g. from a journal, is kept; a word about it would only puzzle."""


class Arrivals:
    """Called by the recorder's writer (`OnNew`)."""

    def __init__(
        self, routes: Routes, targets: Collection[Target], *, owner_phone: str | None = None
    ) -> None:
        """`targets`: by what the owner is told of messages. `owner_phone` (E.164) is the owner's
        own, whose messages are no news to the owner."""
        self._routes = routes
        self._targets = targets
        self._owner_phone = owner_phone

    async def __call__(self, connection: Connection, new: Sequence[NewMessage]) -> None:
        for message in new:
            record = message.record
            if record.from_me:
                continue
            if self._targets and record.sender.phone != self._owner_phone:
                notice = message_notice(record, message.contact_id)
                await queue_notice(connection, notice, self._targets)
            if record.wish is not None and not _is_old(record):
                draft = Draft(
                    to=message.contact_id,
                    text=confirmation(record.text, record.wish),
                    key=f"wish {record.id}",
                    despite_stop=True,
                )
                # A word that cannot be given must not keep the message from being kept.
                with suppress(Conflict, NotFound, KeyMismatch):
                    put = await put_draft(connection, draft, self._routes)
                    await tell(connection, OUTBOX_CHANNEL, str(put.message_id))


def _is_old(record: MessageReceived) -> bool:
    return datetime.now(UTC) - (record.sent_at or record.at) > CONFIRMED_WITHIN

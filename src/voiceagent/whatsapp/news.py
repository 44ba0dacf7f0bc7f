"""Word of a message reaches whoever waits for it in this process.

Fates flow in from the outbox here, ids by the database from other processes; those who wait
are woken, and look up what they were not told. Nothing is kept for those who do not wait.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from voiceagent.crm.recording.message_models import RISING, MessageStatus


@dataclass(frozen=True, slots=True)
class KnownFate:
    """What is known of a message."""

    status: MessageStatus
    error: str = ""


@dataclass(slots=True, eq=False)
class Wait:
    """Somebody waits for word of one message."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    fate: KnownFate | None = None
    """None when word came, but not what it says."""


class MessageNews:
    """One per process. Loop thread only."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[Wait]] = {}

    def tell(self, message_id: UUID, fate: KnownFate | None = None) -> None:
        """Something became known of it."""
        for wait in self._waiting.get(message_id, ()):
            wait.fate = fate or wait.fate
            wait.came.set()

    def tell_text(self, payload: str) -> None:
        """The same, as the database tells it: an id, and perhaps a status and more. Empty:
        something may have been missed."""
        message_id, status, *_ = (*payload.split(" "), "")
        if not message_id:
            for waiting in self._waiting:
                self.tell(waiting)
            return
        with suppress(ValueError):
            # Why a message failed is not in the payload.
            known = next((s for s in RISING if s == status and s != "failed"), None)
            self.tell(UUID(message_id), None if known is None else KnownFate(known))

    @contextmanager
    def of(self, message_id: UUID) -> Iterator[Wait]:
        """Wait for word of a message, until the end of the block."""
        wait = Wait()
        self._waiting.setdefault(message_id, set()).add(wait)
        try:
            yield wait
        finally:
            self._waiting[message_id].discard(wait)
            if not self._waiting[message_id]:
                del self._waiting[message_id]

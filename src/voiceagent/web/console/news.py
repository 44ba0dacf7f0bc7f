"""What has changed reaches the browsers that are open: one hub per process.

Ids of messages flow in as the database tells them, of any process; contacts flow out to each
listener. Calls tell nobody, so while somebody watches they are asked for.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final, Protocol
from uuid import UUID

from voiceagent.errors import ProviderError
from voiceagent.web.console.listeners import Listeners

GATHER_S: Final = 0.05
"""Changes within this time are looked up together."""
CALLS_S: Final = 2.0
MOST_MESSAGES: Final = 1_000


class Changes(Protocol):
    """Whom a change concerns. Its methods raise `ProviderError`."""

    async def contacts_of_messages(self, message_ids: Collection[UUID]) -> set[UUID]: ...
    async def calls(self) -> Mapping[str, tuple[UUID | None, str]]: ...


class ConsoleNews:
    """One per process; `run` is its task. Loop thread only."""

    def __init__(self, changes: Changes, *, calls_s: float = CALLS_S) -> None:
        """`calls_s`: how often calls are asked for while somebody watches."""
        self._changes = changes
        self._calls_s = calls_s
        self.listeners = Listeners()
        self._messages: set[UUID] = set()
        self._work = asyncio.Event()

    def message_changed(self, message_id: str) -> None:
        """A message is new or has changed, in whatever process; empty: some were missed."""
        if not self.listeners:
            return
        try:
            self._messages.add(UUID(message_id))
        except ValueError:
            self.everything_changed()
        if len(self._messages) > MOST_MESSAGES:
            self.everything_changed()
        self._work.set()

    def contact_changed(self, contact_id: UUID) -> None:
        """Something of this contact was changed here."""
        self._tell({contact_id})

    def everything_changed(self) -> None:
        """Nobody knows what has changed."""
        self._messages.clear()
        self.listeners.tell_everything()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_up_for_ever(), name="changed messages")
            tasks.create_task(self._ask_for_ever(), name="changed calls")

    async def _look_up_for_ever(self) -> None:
        while True:
            await self._work.wait()
            await asyncio.sleep(GATHER_S)
            self._work.clear()
            messages, self._messages = self._messages, set()
            if not messages or not self.listeners:
                continue
            try:
                self._tell(await self._changes.contacts_of_messages(messages))
            except ProviderError:
                self.everything_changed()

    async def _ask_for_ever(self) -> None:
        known: Mapping[str, tuple[UUID | None, str]] | None = None
        while True:
            if not self.listeners.watched.is_set():
                known = None
            await self.listeners.watched.wait()
            with suppress(ProviderError):
                calls = await self._changes.calls()
                if known is not None:
                    self._tell(_changed(known, calls))
                known = calls
            await asyncio.sleep(self._calls_s)

    def _tell(self, contacts: Collection[UUID]) -> None:
        if contacts:
            self.listeners.tell(contacts)


def _changed(
    before: Mapping[str, tuple[UUID | None, str]], now: Mapping[str, tuple[UUID | None, str]]
) -> set[UUID]:
    return {
        contact_id
        for call_sid, (contact_id, state) in now.items()
        if contact_id is not None and before.get(call_sid) != (contact_id, state)
    }

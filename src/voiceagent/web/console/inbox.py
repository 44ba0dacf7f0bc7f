"""`/console`: conversations by their last activity, search, and one person's thread.

Requests flow in; pages flow out, made of the CRM's views. What is written goes into the outbox
once for its form; who answers is switched by a button. Showing the newest of a thread notes that
it was read. It sends nothing by itself and knows no SQL.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from voiceagent.crm.desk.callbacks import CallbacksRepository
from voiceagent.crm.messages.drafts import Draft, KeyMismatch, OptedOut, Put
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.repository import MessagesRepository
from voiceagent.crm.messages.views import MessageView
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.people.search import Search
from voiceagent.crm.people.views import ConversationView, SearchHit, TimelineItem
from voiceagent.crm.postgres.paging import (
    MAX_CURSOR_CHARACTERS,
    MAX_SEARCH_CHARACTERS,
    Position,
    to_cursor,
)
from voiceagent.crm.views import AgentMode, ContactView
from voiceagent.errors import Conflict
from voiceagent.telemetry import word
from voiceagent.web.console.door import PATH, Door, Posted
from voiceagent.web.console.news import ConsoleNews
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.sessions import Session

LISTED: Final = 40
SHOWN: Final = 60
"""Of a thread, on a page."""
MAX_TEXT_CHARS: Final = 4096

_NOTHING_READ: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BEFORE_ALL: Final = "~"
"""Orders behind each kind of thing at the same time: a page that begins here begins with it."""
_MODES: Final[Mapping[str, AgentMode]] = {"on": "on", "off": "off", "person": "person"}

Words = Annotated[str, Query(max_length=MAX_SEARCH_CHARACTERS)]
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR_CHARACTERS)]


@dataclass(frozen=True, slots=True)
class InboxHouse:
    """What the inbox reads and changes."""

    contacts: ContactsRepository
    conversations: Conversations
    search: Search
    messages: MessagesRepository
    outbox: OutboxRepository
    agents: AgentSwitch
    callbacks: CallbacksRepository
    on_switched: Callable[[UUID], None]
    """Is given each contact for which somebody has set who answers it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What stands beside a thread: conversations, or what was found."""

    q: str
    conversations: Sequence[ConversationView] = ()
    hits: Sequence[SearchHit] = ()
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """One person, and what happened: the oldest first."""

    contact: ContactView
    agent: AgentMode
    items: Sequence[TimelineItem]
    messages: Mapping[str, MessageView]
    earlier: str | None
    is_newest: bool

    @property
    def can_be_written_to(self) -> bool:
        """There is a number or an id."""
        return self.contact.phone is not None or bool(self.contact.identities)


@dataclass(frozen=True, slots=True)
class Draught:
    """What stands in the field to write in."""

    text: str = ""
    fault: str = ""


def inbox_router(pages: Pages, door: Door, house: InboxHouse, news: ConsoleNews) -> APIRouter:
    """The routes."""
    router = pages.router()

    async def listing(q: str, cursor: str | None = None) -> Listing:
        q = q.strip()
        if len(q) > 1:
            found = await house.search.find(q, cursor=cursor, limit=LISTED)
            return Listing(q, hits=found.items, next_cursor=found.next_cursor)
        page = await house.conversations.page(cursor=cursor, limit=LISTED)
        return Listing(q, page.items, next_cursor=page.next_cursor)

    async def thread(contact_id: UUID, cursor: str | None) -> Thread:
        page = await house.conversations.timeline(contact_id, cursor=cursor, limit=SHOWN)
        ids = [UUID(item.id) for item in page.items if item.kind == "message"]
        messages = await house.messages.some(ids)
        return Thread(
            contact=await house.contacts.get(page.contact_id),
            agent=(await house.agents.of(page.contact_id)).agent,
            items=page.items[::-1],
            messages={str(id_): view for id_, view in messages.items()},
            earlier=page.next_cursor,
            is_newest=cursor is None,
        )

    async def note_read(request: Request, shown: Thread, beside: Listing) -> None:
        """They were seen, unless a browser only looked ahead."""
        if not shown.is_newest or "prefetch" in request.headers.get("sec-purpose", ""):
            return
        seen = (item.at for item in shown.items if item.direction == "in")
        contact_id = shown.contact.id
        await house.conversations.read(contact_id, max(seen, default=_NOTHING_READ))
        if any(c.contact_id == contact_id and c.unread for c in beside.conversations):
            news.contact_changed(contact_id)

    async def thread_page(
        request: Request,
        session: Session,
        contact_id: UUID,
        *,
        cursor: str | None = None,
        q: str = "",
        draught: Draught = Draught(),
        status: int = HTTPStatus.OK,
    ) -> Response:
        shown = await thread(contact_id, cursor)
        beside = await listing(q)
        await note_read(request, shown, beside)
        return pages.show(
            request,
            "thread.html",
            session,
            status=status,
            at=f"{PATH}/contacts/{contact_id}" if request.method == "POST" else "",
            thread=shown,
            listing=beside,
            current=shown.contact.id,
            link_to=_link_to,
            why=_why,
            draught=draught,
            key=str(uuid4()),
            max_text=MAX_TEXT_CHARS,
        )

    @router.get(PATH, summary="Conversations, those heard of last first; or what was found")
    async def inbox(
        request: Request,
        session: Annotated[Session, Depends(door.signed_in)],
        q: Words = "",
        cursor: Cursor = None,
    ) -> Response:
        return pages.show(
            request,
            "inbox.html",
            session,
            listing=await listing(q, cursor),
            current=None,
            link_to=_link_to,
            is_newest=cursor is None,
        )

    @router.get("/console/contacts/{contact_id}", summary="What happened with one person")
    async def read_thread(
        request: Request,
        session: Annotated[Session, Depends(door.signed_in)],
        contact_id: UUID,
        q: Words = "",
        cursor: Cursor = None,
    ) -> Response:
        return await thread_page(request, session, contact_id, cursor=cursor, q=q)

    @router.post(
        "/console/contacts/{contact_id}/messages",
        summary="Write to a person on WhatsApp",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def write(
        request: Request,
        posted: Annotated[Posted, Depends(door.posted)],
        contact_id: UUID,
    ) -> Response:
        texts = pages.texts(request).inbox
        text, key = posted.form.get("text").strip(), posted.form.get("key")[:64]
        fault = ""
        if not text:
            fault = texts.empty
        elif len(text) > MAX_TEXT_CHARS:
            fault = texts.too_long
        else:
            try:
                await put(contact_id, text, key)
            except OptedOut:
                fault = texts.opted_out
        if fault:
            return await thread_page(
                request,
                posted.session,
                contact_id,
                draught=Draught(text, fault),
                status=HTTPStatus.UNPROCESSABLE_ENTITY,
            )
        return _to_thread(contact_id)

    async def put(contact_id: UUID, text: str, key: str) -> None:
        draft = Draft(contact_id, text, f"console {key or uuid4()}", author="person")
        try:
            told_of(await house.outbox.put(draft))
        except KeyMismatch:
            # The page came out of the browser's memory: its form was sent before.
            again = Draft(contact_id, text, f"console {uuid4()}", author="person")
            told_of(await house.outbox.put(again))

    def told_of(put: Put) -> None:
        if put.is_new:
            word(
                "CRM_MESSAGE_SAVED",
                call_sid="",
                message_id=str(put.message_id),
                direction="out",
                status=put.status,
            )

    @router.post(
        "/console/contacts/{contact_id}/agent",
        summary="Take over from the agent, or give back",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def switch(posted: Annotated[Posted, Depends(door.posted)], contact_id: UUID) -> Response:
        mode = _MODES.get(posted.form.get("agent"), "person")
        await house.agents.set(contact_id, mode)
        house.on_switched(contact_id)
        news.contact_changed(contact_id)
        return _to_thread(contact_id)

    @router.post(
        "/console/messages/{message_id}/send-again",
        summary="Send a failed message again",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def send_again(
        request: Request,
        posted: Annotated[Posted, Depends(door.posted)],
        message_id: UUID,
    ) -> Response:
        contact_id = (await house.messages.get(message_id)).contact_id
        try:
            told_of(await house.outbox.send_again(message_id))
        except OptedOut:
            return await thread_page(
                request,
                posted.session,
                contact_id,
                draught=Draught(fault=pages.texts(request).inbox.opted_out),
                status=HTTPStatus.UNPROCESSABLE_ENTITY,
            )
        return _to_thread(contact_id)

    @router.post(
        "/console/contacts/{contact_id}/callbacks/{callback_id}/done",
        summary="Note that the person was called back",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def called_back(
        posted: Annotated[Posted, Depends(door.posted)],  # noqa: ARG001
        contact_id: UUID,
        callback_id: UUID,
    ) -> Response:
        with suppress(Conflict):  # somebody else was quicker
            await house.callbacks.close(callback_id, "done")
        news.contact_changed(contact_id)
        return _to_thread(contact_id)

    return router


def _to_thread(contact_id: UUID) -> Response:
    return RedirectResponse(f"{PATH}/contacts/{contact_id}", HTTPStatus.SEE_OTHER)


def _link_to(hit: SearchHit) -> str:
    """Where a hit is shown; a call or message with what came before it."""
    if hit.contact_id is None:
        return ""
    page = f"{PATH}/contacts/{hit.contact_id}"
    if hit.kind == "contact":
        return page
    cursor = to_cursor("timeline", Position(hit.at, _BEFORE_ALL))
    return f"{page}?cursor={cursor}#{hit.kind}-{hit.id}"


def _why(error: str, words: Mapping[str, str]) -> str:
    """Why a message waits or has failed, in the reader's language where that is known."""
    reason = error.partition(":")[0].partition("(")[0].strip()
    return words.get(reason) or words.get(reason.split(" ", 1)[0]) or error

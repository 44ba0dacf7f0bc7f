"""Conversations and threads as a browser without scripts sees them, on a real database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from crm.records import announced, callback, ended, started
from fixtures_database import _server, database, database_url
from voiceagent.crm.desk.appointments import AppointmentsRepository, Booking
from voiceagent.crm.desk.callbacks import CallbacksRepository
from voiceagent.crm.messages.drafts import Draft
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import ProviderError
from web.console.world import Console, console, field_of, now
from whatsapp.world import OTHER, PHONE

__all__ = ["_server", "database", "database_url"]

EVIL = "<script>alert('x')</script>"
NOBODY = UUID("00000000-0000-7000-8000-000000000000")


@pytest.fixture
async def shown(database: Database, tmp_path: Path) -> AsyncIterator[Console]:
    async with console(database, tmp_path, environ={"AGENT_LANGUAGE": "en-US"}) as shown:
        yield await shown.signed_in()


async def unread(database: Database) -> list[int]:
    return [item.unread for item in (await Conversations(database).page()).items]


async def texts(shown: Console) -> list[str]:
    return [message["text"] for message in await shown.house.messages(direction="out")]


# -- the list ---------------------------------------------------------------------------------


async def test_an_empty_inbox_says_what_will_come(shown: Console) -> None:
    assert "No conversations yet" in await shown.text("/console")


async def test_conversations_stand_newest_first_with_what_is_unread(shown: Console) -> None:
    await shown.house.written("first", name="Dana")
    await shown.house.written("second", name="Dana")
    await shown.house.twilio(MessageSid="SM1", From=f"whatsapp:{OTHER}", Body="by Twilio")
    page = await shown.text("/console")
    assert page.index("by Twilio") < page.index("second")
    assert 'aria-label="2 unread"' in page
    assert "<title>(3) Inbox · Carmel Homes</title>" in page
    assert "first" not in page


async def test_a_thread_is_read_once_it_was_shown(shown: Console, database: Database) -> None:
    await shown.house.written("hello")
    thread = f"/console/contacts/{await shown.contact_of()}"
    await shown.text(thread, headers={"sec-purpose": "prefetch"})
    assert await unread(database) == [1]
    await shown.text(thread)
    assert await unread(database) == [0]
    await shown.house.written("again")
    assert await unread(database) == [1]


async def test_an_older_page_of_a_thread_reads_nothing(shown: Console, database: Database) -> None:
    for n in range(70):
        await shown.house.written(f"number {n}.")
    contact = await shown.contact_of()
    thread = f"/console/contacts/{contact}"
    cursor = (await Conversations(database).timeline(UUID(contact), limit=60)).next_cursor
    older = await shown.text(thread, params={"cursor": cursor})
    assert "number 9." in older
    assert "To the newest" in older
    assert "data-live" not in older
    assert await unread(database) == [70]
    newest = await shown.text(thread)
    assert "number 69." in newest
    assert "number 9." not in newest
    assert f'href="?cursor={cursor}"' in newest
    assert await unread(database) == [0]


async def test_more_conversations_are_on_the_next_page(shown: Console) -> None:
    for n in range(45):
        await shown.house.twilio(
            MessageSid=f"SM{n}", From=f"whatsapp:+1202555{n:04}", Body=f"message {n}."
        )
    page = await shown.text("/console")
    assert "message 44." in page
    assert "message 4." not in page
    more = page.split('href="/console?cursor=')[1].split('"')[0]
    assert "message 4." in await shown.text(f"/console?cursor={more}")


async def test_search_finds_names_numbers_and_words_and_leads_to_them(shown: Console) -> None:
    await shown.house.written("the green door", name="Dana")
    contact = await shown.contact_of()
    for q in ("Dana", "050-123", "green"):
        page = await shown.text("/console", params={"q": q})
        assert f"/console/contacts/{contact}" in page
    link = page.split('<a class="person" href="')[1].split('"')[0]
    assert "#message-" in link
    assert "the green door" in await shown.text(link.partition("#")[0])
    assert "Nothing found" in await shown.text("/console", params={"q": "no such word"})
    assert "Dana" in await shown.text("/console", params={"q": "x"})


# -- a thread ---------------------------------------------------------------------------------


async def test_a_thread_has_messages_calls_callbacks_and_appointments_in_one_line(
    shown: Console, database: Database
) -> None:
    await shown.house.written("hello", name="Dana")
    contact = await shown.contact_of()
    await RecordsRepository(database).apply(
        [announced("CA1", PHONE), started("CA1"), ended("CA1", at=66)]
    )
    await database.pool.execute(
        "UPDATE calls SET summary = 'wants four rooms', summary_source = 'script'"
    )
    start = now() + timedelta(days=1)
    booking = Booking(
        start=start,
        end=start + timedelta(hours=1),
        about="a visit",
        name="Dana",
        key="k",
        contact_id=UUID(contact),
    )
    await AppointmentsRepository(database).book(booking)
    page = (await shown.text(f"/console/contacts/{contact}")).partition('id="items"')[2]
    assert page.index("wants four rooms") < page.index("hello") < page.index("a visit")
    assert "1:06" in page
    assert "Booked" in page
    assert "Ended" not in page


async def test_names_and_messages_stay_text(shown: Console) -> None:
    await shown.house.written(EVIL, name=EVIL)
    contact = await shown.contact_of()
    for path in ("/console", f"/console/contacts/{contact}", "/console?q=script"):
        page = await shown.text(path)
        assert EVIL not in page
        assert "&lt;script&gt;alert" in page
    page = await shown.text("/console", params={"q": '"><script>'})
    assert '"><script>' not in page


async def test_what_was_deleted_is_not_shown_and_what_failed_can_be_sent_again(
    shown: Console,
) -> None:
    await shown.house.written("a secret", message_id="A")
    chat = {"jid": f"{PHONE[1:]}@s.whatsapp.net", "phone": PHONE, "lid": None}
    change = {"message_id": "A", "chat": chat, "from_me": False, "change": "deleted"}
    await shown.house.event("message.changed", **change, text="", at=now().isoformat())
    outbox = shown.house.office.outbox
    put = await outbox.put(Draft(PHONE, "to be sent again"))
    [letter] = await outbox.claim("baileys", 1, uuid4(), 30)
    await outbox.settle(letter, "failed", error="not_on_whatsapp: no")
    thread = f"/console/contacts/{await shown.contact_of()}"
    page = await shown.text(thread)
    assert "a secret" not in page
    assert "Deleted by the sender" in page
    assert "the number has no WhatsApp" in page
    for _ in range(2):
        answer = await shown.post(f"/console/messages/{put.message_id}/send-again", thread)
        assert (answer.status_code, answer.headers["location"]) == (303, thread)
    assert await texts(shown) == ["to be sent again", "to be sent again"]
    assert "Sent again" in await shown.text(thread)


async def test_files_are_shown_or_given_by_their_kind(shown: Console, database: Database) -> None:
    media = {"id": "x", "mime_type": "image/png", "file_name": "a.png"}
    await shown.house.written("", message_id="A", kind="image", media=media)
    await shown.house.written(
        "",
        message_id="B",
        kind="document",
        media={"id": "y", "mime_type": "text/html", "file_name": "b.html"},
    )
    thread = f"/console/contacts/{await shown.contact_of()}"
    assert "The file is on its way" in await shown.text(thread)
    queue = MediaQueue(database)
    for claim in await queue.claim(10, 60):
        kind = "image/png" if claim.source == "x" else "text/html"
        await queue.stored(claim, b"content", kind)
    page = await shown.text(thread)
    picture = page.split('<img class="picture" src="')[1].split('"')[0]
    answer = await shown.get(picture)
    assert (answer.content, answer.headers["content-type"]) == (b"content", "image/png")
    assert "inline" in answer.headers["content-disposition"]
    document = page.split('<a class="file" href="')[1].split('"')[0]
    answer = await shown.get(document)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "attachment" in answer.headers["content-disposition"]
    for each in (picture, document):
        assert "sandbox" in (await shown.get(each)).headers["content-security-policy"]


async def test_what_there_is_not_is_a_page_that_says_so(shown: Console) -> None:
    for path in (
        f"/console/contacts/{NOBODY}",
        f"/console/messages/{NOBODY}/media/0",
        "/console/contacts/x",
        "/console?cursor=x",
    ):
        answer = await shown.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert "There is no such page" in answer.text


async def test_a_database_that_is_away_is_told(
    shown: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise ProviderError("away at secret.example", retryable=True)

    monkeypatch.setattr(Conversations, "page", away)
    answer = await shown.get("/console")
    assert answer.status_code == 503
    assert "The database is away" in answer.text
    assert "secret" not in answer.text


# -- what people do ---------------------------------------------------------------------------


async def test_an_answer_goes_into_the_outbox_once_for_its_form(shown: Console) -> None:
    await shown.house.written("hello")
    contact = await shown.contact_of()
    thread = f"/console/contacts/{contact}"
    key = field_of(await shown.text(thread), "key")
    for _ in range(2):
        answer = await shown.post(f"{thread}/messages", thread, text=" shalom \r\n", key=key)
        assert (answer.status_code, answer.headers["location"]) == (303, thread)
    [message] = await shown.house.messages(direction="out")
    assert (message["text"], message["author"]) == ("shalom", "person")
    # Out of the browser's memory: the same form with other words is another message.
    await shown.post(f"{thread}/messages", thread, text="more", key=key)
    assert await texts(shown) == ["more", "shalom"]
    assert "shalom" in await shown.text(thread)


@pytest.mark.parametrize(("text", "fault"), [(" ", "empty"), ("x" * 4097, "too long")])
async def test_what_cannot_be_sent_is_told(shown: Console, text: str, fault: str) -> None:
    await shown.house.written("hello")
    thread = f"/console/contacts/{await shown.contact_of()}"
    answer = await shown.post(f"{thread}/messages", thread, text=text)
    assert answer.status_code == 422
    assert fault in answer.text
    assert await texts(shown) == []


async def test_who_wants_no_messages_gets_none_and_the_words_are_kept(shown: Console) -> None:
    await shown.house.written("STOP")
    thread = f"/console/contacts/{await shown.contact_of()}"
    before = await texts(shown)
    answer = await shown.post(f"{thread}/messages", thread, text="but <b>")
    assert answer.status_code == 422
    assert "asked for no more messages" in answer.text
    assert "but &lt;b&gt;</textarea>" in answer.text
    assert await texts(shown) == before


async def test_a_wish_to_be_called_back_is_closed_by_a_button(
    shown: Console, database: Database
) -> None:
    await shown.house.written("hello")
    contact = await shown.contact_of()
    thread = f"/console/contacts/{contact}"
    await RecordsRepository(database).apply([announced("CA1", PHONE), callback("CA1")])
    page = await shown.text(thread)
    assert "Open" in page
    done = page.split('<form class="done" method="post" action="')[1].split('"')[0]
    for _ in range(2):
        answer = await shown.post(done, thread)
        assert (answer.status_code, answer.headers["location"]) == (303, thread)
    [closed] = (await CallbacksRepository(database).page()).items
    assert closed.status == "done"
    assert "Done" in await shown.text(thread)


async def test_a_person_takes_over_and_gives_back(shown: Console, database: Database) -> None:
    await shown.house.written("hello")
    contact = await shown.contact_of()
    thread = f"/console/contacts/{contact}"
    assert "Take over" in await shown.text(thread)
    await shown.post(f"{thread}/agent", thread, agent="person")
    assert (await AgentSwitch(database).of(UUID(contact))).agent == "person"
    assert "Give back" in await shown.text(thread)
    await shown.post(f"{thread}/agent", thread, agent="on")
    assert (await AgentSwitch(database).of(UUID(contact))).agent == "on"
    assert shown.switched == [UUID(contact)] * 2

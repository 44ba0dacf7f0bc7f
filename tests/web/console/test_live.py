"""The page of live calls: what is shown of them, in both languages, also without a database."""

from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from live.held import PERSON, Call
from live.visitor import shown
from voiceagent.call.glimpse import Glimpse
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.call_models import CallRecord, CallStarted, TurnSpoken
from voiceagent.settings import load_settings
from voiceagent.web.console.followed_calls import FollowedCalls
from voiceagent.wiring.console_office import ConsoleOffice
from voiceagent.wiring.live_office import LiveOffice
from web.console.world import API_KEY, BUSINESS, PAGE, field_of, now

PATH = "/console/live"


class Nobody:
    """A recorder's place."""

    def record(self, record: CallRecord) -> None: ...


class Shown:
    """A process whose database is away; its client is a browser without scripts."""

    def __init__(self, data_dir: Path, *, number: str = PERSON, works: bool = True) -> None:
        settings = load_settings(
            {
                "DATA_DIR": str(data_dir),
                "API_KEY": API_KEY,
                "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
                "TWILIO_PHONE_NUMBER": "+97231234567",
            }
        )
        database = Database("postgresql://nobody@127.0.0.1:1/none", data_dir)
        console = ConsoleOffice(
            settings, database, API_KEY, business=BUSINESS, zone=ZoneInfo("Asia/Jerusalem")
        )
        self.calls: list[Call] = []
        self.followed = FollowedCalls(Nobody())
        office = LiveOffice(
            settings,
            database,
            console,
            calls=lambda: self.calls,
            followed=self.followed,
            transfer_number=number,
            can_transfer=works,
        )
        app = FastAPI()
        app.include_router(console.router(None, lambda _: None, [office.router()]))  # type: ignore[arg-type]
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://own.example.com",
            headers=PAGE | {"accept-language": "en"},
        )

    def begins(self, call_sid: str = "CA1") -> Call:
        call = Call(call_sid)
        self.calls.append(call)
        self.followed.record(
            CallStarted(call_sid=call_sid, at=now(), stream_sid="MZ1", simulated=False)
        )
        return call

    def says(self, text: str, seq: int, *, heard: str | None = None, call_sid: str = "CA1") -> None:
        self.followed.record(
            TurnSpoken(
                call_sid=call_sid,
                at=now(),
                seq=seq,
                turn=seq,
                who="caller" if heard is None else "agent",
                text=text,
                heard=text if heard is None else heard,
                status="complete" if heard is None else "interrupted",
            )
        )

    async def page(self, path: str = PATH) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def press(self, what: str, call_sid: str = "CA1", **form: str) -> str:
        csrf = field_of(await self.page(), "csrf")
        action = f"{PATH}/{call_sid}/{what}"
        answer = await self.client.post(action, data={"csrf": csrf} | form)
        assert answer.status_code == 303, answer.text
        return await self.page(answer.headers["location"])

    async def sign_in(self) -> None:
        csrf = field_of(await self.page("/console/sign-in"), "csrf")
        form = {"csrf": csrf, "key": API_KEY}
        assert (await self.client.post("/console/sign-in", data=form)).status_code == 303


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Shown]:
    one = Shown(tmp_path)
    await one.sign_in()
    yield one
    await one.client.aclose()


async def test_what_was_said_and_is_being_said_is_shown_as_text(process: Shown) -> None:
    call = process.begins()
    process.says("I'd like <b>two</b>", 0)
    process.says("Two of them? Very well.", 1, heard="Two of them?")
    process.says("", 2)
    call.seen = Glimpse("hearing", "<script>alert(1)</script>")
    page = await process.page()
    assert "<script>alert" not in page
    assert "<b>two" not in page
    assert shown(page, "CA1", "hearing") == "Being said now <script>alert(1)</script>"
    assert shown(page, "CA1", "said") == (
        "Caller I'd like <b>two</b> Agent Two of them? Not heard: Very well."
        " Caller Something that was not understood"
    )
    # Without the database nobody knows who it is; what goes on here is shown all the same.
    assert "The database is away" in page


async def test_in_hebrew_it_reads_from_right_to_left(process: Shown) -> None:
    process.begins().seen = Glimpse("thinking")
    page = await process.page(f"{PATH}?lang=he")
    assert '<html lang="he" dir="rtl">' in page
    assert shown(page, "CA1", "tags") == "חושב"
    assert "שיחה אחת עכשיו" in page
    assert "עוד לא נאמר דבר." in page


async def test_calls_are_ended_while_the_database_is_away_and_once(process: Shown) -> None:
    call = process.begins()
    assert "The agent is saying goodbye" in await process.press("hang-up")
    assert shown(await process.page(), "CA1", "tags") == "Saying goodbye"
    assert "That is happening already" in await process.press("hang-up")
    assert call.ordered == ["staff_hangup"]
    process.calls.clear()
    page = await process.press("hang-up")
    assert "The call had just ended" in page
    assert "No calls now" in page


async def test_a_caller_is_put_through_to_a_number_as_people_type_it(process: Shown) -> None:
    call = process.begins()
    for typed in ("", "hello", "12", "+97254", "0" * 60):
        assert "no whole telephone number" in await process.press("transfer", number=typed)
    assert "Only ordinary numbers" in await process.press("transfer", number="1-900-123456")
    assert call.ordered == []
    page = await process.press("transfer", number=" \u200e054-123 4567 ")
    assert "who will be put through" in page
    assert call.ordered == ["+972541234567"]


async def test_without_an_account_it_says_so_instead_of_offering_it(tmp_path: Path) -> None:
    process = Shown(tmp_path, works=False)
    await process.sign_in()
    process.begins()
    page = await process.page()
    assert "account is set" in page
    assert f"{PATH}/CA1/transfer" not in page
    assert "Nobody can be put through" in await process.press("transfer", to="own")
    await process.client.aclose()


async def test_a_screen_reader_is_told_of_turns_unless_there_are_too_many(process: Shown) -> None:
    for number in range(1, 4):
        process.begins(f"CA{number}")
        process.says(f"words of {number}", 0, call_sid=f"CA{number}")
        page = await process.page()
        log = page.partition('id="read-out"')[2].partition("</div>")[0]
        assert log.count("<p ") == (number if number < 3 else 0)


async def test_what_is_still_being_spoken_is_read_out_when_it_is_whole(process: Shown) -> None:
    process.begins()
    process.says("good morning", 0)
    spoken = TurnSpoken(
        call_sid="CA1", at=now(), seq=1, turn=1, who="agent", text="First.", heard="",
        status="speaking",
    )  # fmt: skip
    for record, told in (
        (spoken, "good morning"),
        (spoken.model_copy(update={"text": "First. Second.", "status": "complete"}), "Second."),
    ):
        process.followed.record(record)
        log = (await process.page()).partition('id="read-out"')[2].partition("</div>")[0]
        assert told in log
        assert log.count("<p ") == 1


async def test_nothing_is_done_without_the_token_of_the_session(process: Shown) -> None:
    call = process.begins()
    for form in ({}, {"csrf": "made-up"}):
        for what in ("hang-up", "transfer"):
            answer = await process.client.post(f"{PATH}/CA1/{what}", data=form | {"to": "own"})
            assert answer.status_code == 403
    page = await process.page()
    elsewhere = {"sec-fetch-site": "cross-site"}
    form = {"csrf": field_of(page, "csrf")}
    answer = await process.client.post(f"{PATH}/CA1/hang-up", data=form, headers=elsewhere)
    assert answer.status_code == 403
    assert call.ordered == []


async def test_nobody_looks_or_acts_who_has_not_signed_in(tmp_path: Path) -> None:
    process = Shown(tmp_path)
    call = process.begins()
    assert (await process.client.get(PATH)).status_code == 303
    assert (await process.client.post(f"{PATH}/CA1/hang-up")).status_code == 303
    events = await process.client.get(f"{PATH}/events", headers={"accept": "text/event-stream"})
    assert events.status_code == 401
    assert (call.ordered, call.looks) == ([], 0)
    await process.client.aclose()


async def test_what_came_of_a_button_is_one_of_our_own_sentences(process: Shown) -> None:
    page = await process.page(f"{PATH}?said=%3Cb%3Emade-up")
    news = page.partition('id="news"')[2].partition("</div>")[0]
    assert "notice" not in news
    assert "made-up" not in news
    assert "<b>made-up" not in page

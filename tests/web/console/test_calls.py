"""The list of calls and a call's page, as a browser without scripts sees them."""

import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from crm.kept_recording import keep_recording
from crm.records import announced, ended, started, voicemail, whole_call
from fixtures_database import _server, database, database_url
from voiceagent.crm.desk.appointments import AppointmentsRepository, Booking
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.call_models import CallAnnounced, TurnSpoken
from voiceagent.crm.recording.records import RecordsRepository
from web.console.told_call import ENGLISH, HEBREW, WORDS, told_call
from web.console.world import Console, console

__all__ = ["_server", "database", "database_url"]

DANA = "+972541112233"
EVIL = "<script>alert('x')</script>"
BEGAN = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)  # the second of March at the business


@pytest.fixture
async def shown(database: Database, tmp_path: Path) -> AsyncIterator[Console]:
    async with console(database, tmp_path, environ={"AGENT_LANGUAGE": "en-US"}) as shown:
        yield await shown.signed_in()


@pytest.fixture
async def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


def between(page: str, start: str, end: str) -> str:
    return page.partition(start)[2].partition(end)[0]


def listed(page: str) -> list[str]:
    """The sids of the lines, in their order."""
    return re.findall(r'href="/console/calls/(\w+)"', between(page, 'id="lines"', "</ol>"))


# -- the list ---------------------------------------------------------------------------------


async def test_an_empty_list_says_what_will_come(shown: Console) -> None:
    page = await shown.text("/console/calls")
    assert "No calls yet" in page
    assert "No such calls" in await shown.text("/console/calls?q=Dana")


async def test_a_line_tells_who_when_how_long_how_it_ended_and_what_it_was_about(
    shown: Console, database: Database, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    await database.pool.execute("UPDATE calls SET summary = 'Four rooms', summary_source = 'llm'")
    await keep_recording(database, "CA1", bytes(1600))
    page = await shown.text("/console/calls")
    assert 'data-live="/console/calls"' in page
    line = between(page, 'id="lines"', "</ol>")
    told = ("Dana Levi", "2 March", ">00:29</time>", "1:05", "The agent ended", "Four rooms")
    for words in (*told, "Recorded"):
        assert words in line


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("dana", ["CA1"]),
        ("054-111 22", ["CA1"]),
        ("+972 54 111 2233", ["CA1"]),
        ("2233", ["CA1"]),
        ("3123", []),  # the business's own number is in every call
        ("%", []),
        ("1202", ["CA2"]),
        ("nobody", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)
async def test_calls_are_found_by_a_name_or_a_number(
    shown: Console, records: RecordsRepository, q: str, found: list[str]
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    await records.apply(
        [
            CallAnnounced(
                call_sid="CA2",
                at=BEGAN,
                caller="+97231234567",
                called="+12025550123",
                direction="outbound",
            )
        ]
    )
    assert listed(await shown.text("/console/calls", params={"q": q})) == found


async def test_a_day_is_the_businesss_own(shown: Console, records: RecordsRepository) -> None:
    for n, began in enumerate((BEGAN - timedelta(hours=1), BEGAN, BEGAN + timedelta(days=1))):
        await records.apply(told_call(f"CA{n}", DANA, began=began))
    assert listed(await shown.text("/console/calls?day=2026-03-02")) == ["CA1"]
    assert listed(await shown.text("/console/calls?day=2026-03-01")) == ["CA0"]
    assert listed(await shown.text("/console/calls?day=9999-12-30")) == []
    # Days whose ends are no moments in every zone are days of no call.
    for day in ("yesterday", "0", "-1", "20260302", "0001-01-01", "9999-12-31"):
        assert (await shown.get(f"/console/calls?day={day}")).status_code == 404
    assert listed(await shown.text("/console/calls?day=0001-01-02")) == []
    page = await shown.text("/console/calls?day=2026-03-02&outcome=talked")
    assert 'value="2026-03-02"' in page
    assert '<option value="talked" selected>' in page


async def test_calls_are_told_apart_by_how_they_ended(
    shown: Console, records: RecordsRepository
) -> None:
    endings = {
        "talked": ("agent_hangup", "completed"),
        "transferred": ("transferred", "completed"),
        "missed": ("busy", "completed"),
        "broken": ("socket_lost", "failed"),
    }
    for outcome, (reason, status) in endings.items():
        await records.apply(
            told_call(f"CA{outcome}", DANA, began=BEGAN, reason=reason, status=status)
        )
    await records.apply([announced("CAlive", DANA)])
    for outcome in (*endings, "live"):
        assert listed(await shown.text(f"/console/calls?outcome={outcome}")) == [f"CA{outcome}"]
    assert (await shown.get("/console/calls?outcome=odd")).status_code == 404


async def test_more_calls_are_on_the_next_page_and_the_filter_stays(
    shown: Console, records: RecordsRepository
) -> None:
    for n in range(45):
        await records.apply([announced(f"CA{n:02}", at=n), started(f"CA{n:02}", at=n + 1)])
        await records.apply([ended(f"CA{n:02}", at=n + 2)])
    page = await shown.text("/console/calls?outcome=talked")
    assert listed(page) == [f"CA{n:02}" for n in range(44, 4, -1)]
    link = re.findall(r'href="(/console/calls\?[^"]*cursor=[^"]*)"', page)[0]
    further = await shown.text(link.replace("&amp;", "&"))
    assert listed(further) == [f"CA{n:02}" for n in range(4, -1, -1)]
    assert '<option value="talked" selected>' in further
    assert 'data-live="' not in further
    assert (await shown.get("/console/calls?cursor=nonsense")).status_code == 404


# -- a call -----------------------------------------------------------------------------------


async def test_a_call_tells_who_when_how_it_ended_and_what_came_of_it(
    shown: Console, database: Database, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    await database.pool.execute("UPDATE calls SET summary = 'Four rooms', summary_source = 'llm'")
    await AppointmentsRepository(database).book(
        Booking(
            start=BEGAN + timedelta(days=1),
            end=BEGAN + timedelta(days=1, hours=1),
            about="a visit",
            name="Dana",
            key="k",
            call_sid="CA1",
        )
    )
    page = await shown.text("/console/calls/CA1")
    contact = await database.pool.fetchval("SELECT contact_id FROM calls")
    assert "<title>Call · Dana Levi · Carmel Homes</title>" in page
    facts = between(page, 'id="facts"', "</section>")
    for words in ("+972 54-111-2233", "1:05", "The agent ended the call", "Four rooms"):
        assert words in facts
    assert f'href="/console/contacts/{contact}"' in facts
    came = between(page, 'class="came"', "</ul>")
    assert came.index("Moriah Avenue") < came.index("a visit")
    assert f"/console/contacts/{contact}#callback-" in came
    assert "rooms" in between(page, 'class="learnt"', "</dl>")


async def test_the_transcript_tells_what_was_heard_apart_from_what_was_not(
    shown: Console, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    turns = between(await shown.text("/console/calls/CA1"), 'id="turns"', "</ol>").split("<li ")
    assert len(turns) == 1 + len(ENGLISH)
    interrupted, given_up = turns[3], turns[9]
    assert "With pleasure. In which town, and up to <span" in interrupted
    assert 'Not heard: </span><s class="unheard">what price? We have' in interrupted
    assert "interrupted" in interrupted
    assert 'None of it was heard: </span><s class="unheard">Thank you.</s>' in given_up
    assert "answered after 0.70 s" in interrupted
    assert "slowest" in turns[5]
    assert "went on" in turns[5]
    assert "keys" in turns[8]
    assert "asked again" in turns[10]
    assert '<s class="unheard">' not in turns[1]


async def test_the_picture_is_drawn_and_told_in_a_table(
    shown: Console, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    page = await shown.text("/console/calls/CA1")
    strips = re.findall(r"<svg class=\"strip\".*?</svg>", page, re.DOTALL)
    assert len(strips) == 7
    drawn = [ET.fromstring(strip) for strip in strips]  # noqa: S314 - made here
    classes = [e.get("class") for root in drawn for e in root.iter()]
    for name in ("caller", "agent", "aside", "keys", "eou", "token", "first", "stop", "wait"):
        assert name in classes, name
    assert "resume" in classes
    assert "12 turns" in between(page, 'id="picture-about"', "</p>")
    table = between(page, "<table>", "</table>")
    assert table.count("<tr>") == 1 + len(ENGLISH)
    assert "10.34" in table
    # The policy would not let it through.
    assert " style=" not in page
    assert "<style" not in page
    assert "onclick" not in page


async def test_the_slowest_answer_is_explained(shown: Console, records: RecordsRepository) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    timings = between(await shown.text("/console/calls/CA1"), 'id="timings"', "</section>")
    assert "3 answers · median 0.70 s · slowest 2.6 s" in timings
    assert "The slowest answer came after 2.6 s, at 0:11." in timings
    assert "Most of it (2.1 s) went on thinking." in timings
    await records.apply(told_call("CA2", DANA, began=BEGAN, spoken=ENGLISH[:3]))
    assert "All answers came quickly" in await shown.text("/console/calls/CA2")


async def test_the_record_tells_what_the_service_answered(
    shown: Console, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN, close=1006, status="failed"))
    page = between(await shown.text("/console/calls/CA1"), 'id="records-title"', "</section>")
    assert page.index("Twilio told of the call") < page.index("Sound connected")
    assert '<span class="tag bad">1006</span>' in page
    assert '<span class="tag good">101</span>' in page
    assert "<code>EoU_ms=320:1</code>" in page
    assert WORDS not in page
    assert "false_interruptions" in page


async def test_a_recording_has_a_player_and_places_to_begin_at(
    shown: Console, database: Database, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    page = await shown.text("/console/calls/CA1")
    assert "<audio" not in page
    assert "data-seek" not in page
    await keep_recording(database, "CA1", bytes(16_000 * 40), offset_ms=2000, piece_bytes=100_000)
    page = await shown.text("/console/calls/CA1")
    assert '<audio id="player" controls' in page
    assert 'src="/console/calls/CA1/recording" data-offset-s="2.0"' in page
    # What was said before it began, or after it ended, is not in it.
    seeks = re.findall(r'recording#t=([\d.]+)" data-seek="([\d.]+)"', page)
    assert [float(seconds) for seconds, _ in seeks] == [2.1, 5.1, 8.22, 12.1, 23.4, 25.35, 30.0]
    sound = await shown.get("/console/calls/CA1/recording", headers={"range": "bytes=0-99"})
    assert sound.status_code == 206
    assert sound.headers["content-type"] == "audio/wav"


async def test_a_call_that_goes_on_keeps_itself_new_and_one_that_is_over_does_not(
    shown: Console, database: Database, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN, is_over=False))
    page = await shown.text("/console/calls/CA1")
    assert 'data-live="/console/calls/CA1" data-every="2" data-state="live"' in page
    assert "The call is going on now" in page
    recently = datetime.now(UTC) - timedelta(seconds=70)
    await records.apply(told_call("CA2", DANA, began=recently))
    page = await shown.text("/console/calls/CA2")
    assert 'data-state="settling"' in page
    assert "some seconds after the end" in page
    await records.apply(told_call("CA3", DANA, began=BEGAN))
    page = await shown.text("/console/calls/CA3")
    assert 'data-live="' not in page
    assert 'data-state="over"' in page


async def test_a_caller_who_comes_back_from_a_transfer_goes_on_in_the_same_picture(
    shown: Console, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    back = BEGAN + timedelta(seconds=75)
    again = told_call("CA1", DANA, began=back, spoken=ENGLISH[:3])
    await records.apply(
        [
            record.model_copy(update={"seq": record.seq + 12, "turn": record.turn + 6})
            for record in again
            if isinstance(record, TurnSpoken)
        ]
    )
    turns = between(await shown.text("/console/calls/CA1"), 'id="turns"', "</ol>").split("<li ")
    assert '<span class="at">1:15</span>' in turns[13]
    assert '<span class="at">1:19</span>' in turns[14]
    assert '<span class="at">0:50</span>' in turns[12]


async def test_a_call_in_which_nothing_was_said(shown: Console, records: RecordsRepository) -> None:
    await records.apply([announced("CA1", "anonymous"), ended("CA1", reason="never_connected")])
    page = await shown.text("/console/calls/CA1")
    for words in ("Number withheld", "never connected", "Nothing was said."):
        assert words in page
    assert "picture-title" not in page


async def test_turns_of_an_older_version_without_timings_are_shown(
    shown: Console, records: RecordsRepository
) -> None:
    await records.apply(whole_call("CA1"))
    page = await shown.text("/console/calls/CA1")
    assert "words 3 of CA1" in page
    assert "There is no picture" in page
    assert "no answer that could be measured" in page


async def test_what_was_said_stays_text(
    shown: Console, database: Database, records: RecordsRepository
) -> None:
    spoken = tuple((who, EVIL, *rest) for who, _, *rest in ENGLISH)
    await records.apply(told_call("CA1", DANA, began=BEGAN, spoken=spoken, name=EVIL))
    await database.pool.execute("UPDATE calls SET summary = $1, summary_source = 'llm'", EVIL)
    await database.pool.execute("UPDATE webhook_answers SET detail = $1, event = $1", EVIL)
    for path in ("/console/calls/CA1", "/console/calls", f"/console/calls?q={quote(EVIL)}"):
        page = await shown.text(path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("sid", ["CA404", "x" * 300, "%00", "a%2Fb"])
async def test_a_call_that_nobody_knows_is_a_page(shown: Console, sid: str) -> None:
    answer = await shown.get(f"/console/calls/{sid}")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


async def test_whoever_has_not_signed_in_is_led_to_it(
    database: Database, tmp_path: Path, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    async with console(database, tmp_path) as shown:
        for path in ("/console/calls", "/console/calls/CA1"):
            answer = await shown.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/console/sign-in?next=")


async def test_in_hebrew_it_is_all_there(shown: Console, records: RecordsRepository) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN, spoken=HEBREW, name="דנה לוי"))
    page = await shown.text("/console/calls/CA1?lang=he")
    assert 'dir="rtl"' in page
    for words in ("תמליל", "תמונת השיחה", "לא נשמע:", "הסוכן סיים את השיחה", "רוב הזמן"):
        assert words in page
    # Time goes from left to right there, too.
    assert 'aria-describedby="picture-about" dir="ltr"' in page
    assert 'lang="he">אני מחפש' in page
    assert "יומן שיחות" in await shown.text("/console/calls")


async def test_a_thread_leads_to_its_calls(
    shown: Console, database: Database, records: RecordsRepository
) -> None:
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    contact = await database.pool.fetchval("SELECT contact_id FROM calls")
    assert 'href="/console/calls/CA1"' in await shown.text(f"/console/contacts/{contact}")


async def test_numbers_are_not_told_to_the_log(
    shown: Console, records: RecordsRepository, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="voiceagent")
    await records.apply(told_call("CA1", DANA, began=BEGAN))
    await shown.text("/console/calls", params={"q": "0541112233"})
    await shown.text("/console/calls/CA1")
    assert "1112233" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("voiceagent")
    )


# -- what was left while the service was away -------------------------------------------------


async def test_a_missed_call_shows_the_message_that_was_left_in_it(
    shown: Console, database: Database, records: RecordsRepository
) -> None:
    over = ended("CA1", status="failed", reason="service_away")
    await records.apply([announced("CA1", DANA), over, voicemail("CA1")])
    line = between(await shown.text("/console/calls?outcome=missed"), 'id="lines"', "</ol>")
    assert "The service was away" in line
    page = await shown.text("/console/calls/CA1")
    assert "Message left" in page
    assert "The file is on its way" in page
    queue = MediaQueue(database)
    [file] = await queue.claim(1, 60)
    await queue.stored(file, b"RIFF", "audio/wav")
    voice = await queue.claim_voice(60)
    assert voice is not None
    await queue.transcribed(voice, EVIL)
    page = await shown.text("/console/calls/CA1")
    address = f"/console/messages/{voicemail('CA1').id}/media/0"
    assert f'src="{address}"' in page
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    answer = await shown.get(address)
    assert (answer.content, answer.headers["content-type"]) == (b"RIFF", "audio/wav")
    # In the person's thread as well, with the way to the call.
    thread = await shown.text(f"/console/contacts/{await shown.contact_of(DANA)}")
    assert f'src="{address}"' in thread
    assert '<a href="/console/calls/CA1">Left by telephone</a>' in thread


async def test_a_message_whose_sound_is_gone_says_under_which_sid_twilio_had_it(
    shown: Console, database: Database, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1", DANA), voicemail("CA1")])
    await database.pool.execute("UPDATE message_media SET state = 'failed'")
    assert "RECA1" in await shown.text("/console/calls/CA1")

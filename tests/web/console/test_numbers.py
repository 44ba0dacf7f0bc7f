"""The numbers page as a browser without scripts sees it, on a real database."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from crm.numbers_world import call_at, keep
from fixtures_database import _server, database, database_url
from voiceagent.crm.numbers.tally import Tally
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.engine_failures import engine_failed
from web.console.world import Console, console, now

__all__ = ["_server", "database", "database_url"]

PAGE = "/console/numbers"


@pytest.fixture
async def shown(database: Database, tmp_path: Path) -> AsyncIterator[Console]:
    async with console(database, tmp_path, environ={"AGENT_LANGUAGE": "en-US"}) as shown:
        yield await shown.signed_in()


async def count(database: Database) -> None:
    assert await Tally(database, pause_s=0).round(now() + timedelta(minutes=1)) is not None


def figure(page: str, name: str) -> str:
    """What one card says, without its tags."""
    found = re.search(rf'<article[^>]*data-key="{name}".*?</article>', page, re.DOTALL)
    assert found is not None, name
    return " ".join(re.sub(r"<[^>]*>", " ", found[0]).split())


async def test_nobody_sees_it_without_signing_in(shown: Console) -> None:
    shown.client.cookies.clear()
    answer = await shown.get(PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/sign-in?next=%2Fconsole%2Fnumbers"


async def test_before_anything_was_counted_it_says_so(shown: Console) -> None:
    page = await shown.text(PAGE)
    assert "being counted for the first time" in page
    assert "No numbers yet" in page


async def test_an_empty_one_tells_what_will_be_here(shown: Console, database: Database) -> None:
    await count(database)
    page = await shown.text(PAGE, params={"period": "month"})
    assert "Counted until" in page
    assert "How many people called" in page
    assert '<svg class="chart"' not in page


async def test_figures_have_a_meaning_an_advice_and_what_was_before(
    shown: Console, database: Database
) -> None:
    for n in range(4):
        await keep(database, *call_at(f"CA{n}", now() - timedelta(minutes=n)))
    await keep(database, *call_at("CAmissed", now(), answered=False))
    for n in range(2):
        await keep(database, *call_at(f"CAbefore{n}", now() - timedelta(days=8, minutes=n)))
    await keep(database, engine_failed("tts"))
    await count(database)
    page = await shown.text(PAGE, params={"period": "week"})
    assert "<title>Numbers · Carmel Homes</title>" in page
    calls = figure(page, "calls")
    assert "Calls in 5 The week before: 2 +150% How often people called" in calls
    assert "What to do:" in calls
    assert "80% 4 of 5" in figure(page, "answered")
    assert "Needs care" in figure(page, "answered")
    assert re.search(r"Response time Fine 0\.[345]\d s", figure(page, "response"))
    assert "Recognition 0 Voice 1 Thinking 0" in figure(page, "failures")
    assert "8 4 of them false" in figure(page, "barge-ins")
    assert "67% 8 of 12" in figure(page, "guesses")
    # Each picture has its table.
    pictures = re.findall(r'<svg class="chart".*?</svg>', page, re.DOTALL)
    assert len(pictures) == page.count("<table>") == 3
    assert all("<title" in picture and "<desc" in picture for picture in pictures)
    assert page.count('<th scope="row">') == 24 + 7 + 7


async def test_messages_that_wait(shown: Console, database: Database) -> None:
    await shown.house.written("hello")
    await shown.house.send()
    await shown.house.messages()
    await count(database)
    page = await shown.text(PAGE)
    assert "Messages in 1" in figure(page, "messages-in")
    assert "Waiting to be sent Fine 1" in figure(page, "queued")


async def test_it_is_there_in_hebrew_from_right_to_left(shown: Console, database: Database) -> None:
    await keep(database, *call_at("CA1", now()))
    await count(database)
    page = await shown.text(PAGE, params={"lang": "he", "period": "month"})
    assert '<html lang="he" dir="rtl">' in page
    assert "שיחות נכנסות" in figure(page, "calls")
    assert 'direction="ltr"' in page
    assert '<a href="/console/numbers" aria-current="page">' in page
    # The other language leads to the same period.
    assert "/console/numbers?period=month&amp;lang=en" in page


async def test_nothing_in_it_is_styled_or_run_inside_the_page(
    shown: Console, database: Database
) -> None:
    await keep(database, *call_at("CA1", now()))
    await count(database)
    answer = await shown.get(PAGE)
    assert "style-src 'self'" in answer.headers["content-security-policy"]
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert not re.search(r" on\w+=", answer.text)


async def test_a_period_that_there_is_not(shown: Console) -> None:
    answer = await shown.get(PAGE, params={"period": "year"})
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


async def test_counting_that_has_stopped_is_told(shown: Console, database: Database) -> None:
    await keep(database, *call_at("CA1", now() - timedelta(hours=3)))
    await Tally(database, pause_s=0).round(now() - timedelta(hours=1))
    assert "Nothing is counted any more" in await shown.text(PAGE, params={"period": "week"})


async def test_without_a_database_there_is_a_page_that_says_so(
    shown: Console, database: Database
) -> None:
    await database.close()
    answer = await shown.get(PAGE)
    assert answer.status_code == 503
    assert "The database is away" in answer.text

"""A call's page in a real browser: the picture of a call that was held, its recording in step."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from browser.chromium import Chromium, Page
from browser.visitor import signed_in
from crm.kept_recording import keep_recording
from fixtures_database import _server, database, database_url
from voiceagent.call.audio import pcm16_to_ulaw
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import RecordsRepository
from web.console.told_call import told_call
from web.console.world import console, now
from whole_service import Service, agent_of, on_the_line, talk, until

__all__ = ["_server", "database", "database_url"]

ENGLISH = {"AGENT_LANGUAGE": "en-US"}
PLAYER = "document.querySelector('#player')"
PLAYING = "[...document.querySelectorAll('.turn.playing')].map((turn) => turn.dataset.key).join()"
WORDS = """[...document.querySelectorAll('.turn .text')].map((text) => {
    const copy = text.cloneNode(true);
    copy.querySelectorAll('.hidden').forEach((hint) => hint.remove());
    return copy.textContent.trim().split(/\\s+/);
})"""
CURSOR = """(() => {
    const cursor = document.querySelector('.strip .cursor');
    if (cursor === null) return -1;
    const strip = Number(cursor.closest('.strip').dataset.strip);
    return strip * 10 + Number(cursor.getAttribute('x1')) / 32;
})()"""
OUTSIDE = """[...document.querySelectorAll('.strip :is(text, rect, path, circle, line)')]
    .filter((part) => {
        const [box, strip] = [part, part.closest('svg')].map((one) => one.getBoundingClientRect());
        return box.left < strip.left - 2 || box.right > strip.right + 2;
    }).length"""


def sound(seconds: float) -> bytes:
    """A recording in which both sides hum, each its own note."""
    at = np.arange(round(8000 * seconds)) / 8000
    notes = [(np.sin(2 * np.pi * hz * at) * 6000).astype(np.int16) for hz in (330, 550)]
    return pcm16_to_ulaw(np.stack(notes, axis=1).reshape(-1))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "agent.toml").write_text(agent_of(2))
    environ = {"AGENT_FILE": str(tmp_path / "agent.toml"), "RECORD_CALLS": "1"}
    with Service(tmp_path / "data", **environ) as running:
        asyncio.run(running.until_ready())
        yield running


@asynccontextmanager
async def at_the_service(service: Service, path: str) -> AsyncIterator[Page]:
    key = (service.data_dir / "api_key").read_text().strip()
    with Chromium() as chromium:
        async with chromium.page() as page:
            await page.send("Page.bringToFront")
            await page.send("Page.navigate", url=f"{service.url}{path}?lang=en")
            await page.until(
                "document.readyState === 'complete' && !!document.querySelector('#key')"
            )
            await page.write("#key", key)
            await page.click("button.main")
            await page.until(f"location.pathname === {path!r} && !!document.querySelector('h1')")
            await page.until("document.readyState === 'complete'")
            yield page


async def test_a_call_that_was_held_has_its_page_with_picture_and_recording(
    service: Service,
) -> None:
    async with on_the_line(service, talk(2, "tomorrow morning")) as [line]:
        result = await line.over()
    assert result.ended_by == "agent"
    await until(lambda: service.call_record(line.call_sid).get("recording"))
    record = service.call_record(line.call_sid)
    async with at_the_service(service, f"/console/calls/{line.call_sid}") as page:
        told = await page.evaluate(WORDS)
        assert told == [turn["text"].split() for turn in record["turns"]]
        assert told.count(["tomorrow", "morning"]) == 2
        assert "The agent ended the call" in await page.text("#facts")
        # Each side is where it was: the caller's first word after the agent's first.
        drawn = await page.evaluate(
            "[...document.querySelectorAll('.strip rect[data-turn]')]"
            ".map((block) => [block.getAttribute('class'), Number(block.dataset.turn)])"
        )
        spoken = {turn["seq"]: turn["who"] for turn in record["turns"]}
        assert {turn for _, turn in drawn} == set(spoken)
        assert all(spoken[turn] == kind for kind, turn in drawn)
        for sign in ("eou", "token", "first", "wait"):
            assert await page.evaluate(f"document.querySelectorAll('.strip .{sign}').length") >= 2
        assert await page.evaluate(OUTSIDE) == 0
        assert "2 answers" in await page.text("#timings")
        assert "Twilio told of the call" in await page.text(".records")
        # The player has the sound, and it goes on.
        seconds = record["recording"]["seconds"]
        await page.until(f"Math.abs({PLAYER}.duration - {seconds}) < 0.1")
        await page.click(".turn.caller [data-seek]")
        await page.until(f"{PLAYING}.includes('1') && {PLAYER}.currentTime > 0")
        began = await page.evaluate(f"{PLAYER}.currentTime")
        await page.until(f"{PLAYER}.currentTime > {began} + 0.3")
        assert page.complaints() == []


@pytest.fixture
async def recorded(database: Database, tmp_path: Path) -> AsyncIterator[tuple[Chromium, Page]]:
    """The page of a call whose recording began two seconds after the call."""
    records = told_call("CA1", "+972541112233", began=now() - timedelta(hours=1))
    await RecordsRepository(database).apply(records)
    await keep_recording(database, "CA1", sound(60), offset_ms=2000, piece_bytes=256 * 1024)
    await database.pool.execute("UPDATE calls SET summary = 'x', summary_source = 'script'")
    async with console(database, tmp_path, environ=ENGLISH) as shown:
        with Chromium() as chromium:
            async with signed_in(chromium, shown, "/console/calls/CA1") as page:
                await page.until(f"{PLAYER}.readyState > 0")
                await page.evaluate(f"{PLAYER}.muted = true")
                yield chromium, page


async def test_the_player_the_transcript_and_the_picture_are_in_step(
    recorded: tuple[Chromium, Page],
) -> None:
    _, page = recorded
    assert await page.evaluate(CURSOR) == -1
    # A time in the transcript: the sixth turn, at 25.4 s of the call and 23.4 s of the recording.
    await page.click("#turn-5 [data-seek]")
    await page.until(f"!{PLAYER}.paused && {PLAYING} === '5'")
    assert await page.evaluate("location.pathname") == "/console/calls/CA1"
    assert 23.4 <= await page.evaluate(f"{PLAYER}.currentTime") < 25.1
    assert await page.evaluate("document.querySelector('#turn-5').ariaCurrent") == "true"
    await page.until(f"{CURSOR} > 25.5")
    # It goes over to the answer by itself.
    await page.until(f"{PLAYING} === '6'")
    assert await page.evaluate("document.querySelector('#turn-5').ariaCurrent") is None
    # The cursor is where the sound is.
    await page.evaluate(f"{PLAYER}.pause()")
    await page.until(f"Math.abs({CURSOR} - {PLAYER}.currentTime - 2) < 0.05")
    # A place in the picture: the middle of the strip from 10 to 20 s.
    await page.click("[data-strip='1']")
    await page.until(f"Math.abs({PLAYER}.currentTime - 13) < 0.6 && {PLAYING} === '4'")
    # The player's own slider moves all of it, too; both sides may be heard at once.
    await page.evaluate(f"{PLAYER}.pause()")
    await page.evaluate(f"{PLAYER}.currentTime = 8.3")
    await page.until(f"{PLAYING} === '2,3'")
    # Before the first word of the recording was the greeting.
    await page.evaluate(f"{PLAYER}.currentTime = 0")
    await page.until(f"{PLAYING} === '0' && Math.abs({CURSOR} - 2) < 0.05")


async def test_the_player_is_led_by_the_keyboard(recorded: tuple[Chromium, Page]) -> None:
    _, page = recorded
    await page.evaluate("document.querySelector('#turn-3 [data-seek]').focus()")
    await page.press("\r")
    await page.until(f"!{PLAYER}.paused && {PLAYING}.includes('3')")
    assert 8.2 <= await page.evaluate(f"{PLAYER}.currentTime") < 9.6


@pytest.mark.parametrize("language", ["he", "en"])
async def test_it_is_read_on_a_narrow_telephone(
    recorded: tuple[Chromium, Page], language: str
) -> None:
    _, page = recorded
    await page.send(
        "Emulation.setDeviceMetricsOverride",
        width=320, height=640, deviceScaleFactor=2, mobile=True,
    )  # fmt: skip
    for path in ("/console/calls", "/console/calls/CA1"):
        origin = await page.evaluate("location.origin")
        await page.go(f"{origin}{path}?lang={language}")
        await page.until("innerWidth === 320")
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
    assert await page.evaluate(OUTSIDE) == 0
    # Time goes from left to right, and one strip is under the other.
    boxes = await page.evaluate(
        "[...document.querySelectorAll('.strip')].map((strip) => strip.getBoundingClientRect())"
        ".map((box) => [box.left, box.top])"
    )
    assert len({left for left, _ in boxes}) == 1
    assert [top for _, top in boxes] == sorted(top for _, top in boxes)
    first, second = await page.evaluate(
        "[...document.querySelectorAll('[data-strip=\"0\"] rect[data-turn]')]"
        ".map((block) => [Number(block.dataset.turn), block.getBoundingClientRect().left])"
        ".sort((a, b) => a[0] - b[0]).slice(0, 2)"
    )
    assert first[1] < second[1]
    await page.evaluate("window.mark = 'not reloaded'")


async def test_without_a_recording_a_block_of_the_picture_leads_to_its_turn(
    database: Database, tmp_path: Path
) -> None:
    records = told_call("CA1", "+972541112233", began=now() - timedelta(hours=1))
    await RecordsRepository(database).apply(records)
    async with console(database, tmp_path, environ=ENGLISH) as shown:
        with Chromium() as chromium:
            async with signed_in(chromium, shown, "/console/calls/CA1") as page:
                await page.click("rect[data-turn='5']")
                await page.until("location.hash === '#turn-5'")
                assert await page.evaluate(f"{PLAYER}") is None


async def test_a_call_that_begins_appears_and_grows_on_its_page_by_itself(
    database: Database, tmp_path: Path
) -> None:
    records = RecordsRepository(database)
    began = now()
    call = told_call("CA1", "+972541112233", began=began, is_over=False)
    said = [record for record in call if record.kind == "turn"]
    async with console(database, tmp_path, sends=True, environ=ENGLISH) as shown:
        with Chromium() as chromium:
            async with signed_in(chromium, shown, "/console/calls") as page:
                await records.apply([record for record in call if record.kind != "turn"])
                await page.until("!!document.querySelector('[href=\"/console/calls/CA1\"]')")
                assert "On the line" in await page.text("#lines")
                await page.click("[href='/console/calls/CA1']")
                await page.until("location.pathname === '/console/calls/CA1'")
                await page.until("document.readyState === 'complete'")
                await page.evaluate("window.mark = 'not reloaded'")
                await records.apply(said[:3])
                await page.until("document.querySelectorAll('#turns > li').length === 3")
                await page.until("document.querySelectorAll('.strip rect.agent').length > 1")
                await records.apply(said[3:])
                await page.until("document.querySelectorAll('#turns > li').length === 12")

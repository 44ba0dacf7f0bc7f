"""The page of live calls in a real browser: it grows by itself, and keeps what is being done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from browser.chromium import Chromium, Page
from fixtures_database import _server, database_url
from live.house import PUBLIC, WORDS, House, house
from live.visitor import KEY
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye
from whole_service import on_the_line, speech

__all__ = ["_server", "database_url", "house"]

RECORD = """
window.shown = [];
new MutationObserver(() => {
    const text = document.querySelector('.hearing .text');
    const words = text === null ? '' : text.textContent;
    if (words && words !== window.shown.at(-1)?.[0]) window.shown.push([words, Date.now() / 1000]);
}).observe(document.getElementById('main'), { childList: true, subtree: true });
"""


@asynccontextmanager
async def at_the_page(house: House) -> AsyncIterator[Page]:
    """A browser that shows process B's page, after signing in."""
    with Chromium() as chromium:
        async with chromium.page() as page:
            await page.send("Page.bringToFront")
            await page.send("Page.navigate", url=f"{house.b.url}/console/live?lang=en")
            await page.until("!!document.querySelector('#key')")
            await page.write("#key", KEY)
            await page.click("button.main")
            await page.until(
                "location.pathname === '/console/live' && document.readyState === 'complete'"
            )
            await page.evaluate(f"window.mark = 'not reloaded'; {RECORD}")
            yield page


async def test_words_of_another_process_grow_and_what_is_being_done_stays(house: House) -> None:
    steps = [Answer(speech(WORDS)), AwaitGoodbye()]
    async with at_the_page(house) as page:
        assert "No calls now" in await page.text("#main")
        async with on_the_line(house.a, steps, public_base_url=PUBLIC) as [line]:
            await page.until("document.querySelectorAll('.live-call').length === 1")
            assert await page.text("#count") == "One call now"
            # Somebody begins to type a number while the words come.
            await page.click(".act:nth-of-type(2) summary")
            await page.write("[type=tel]", "03-555")
            await page.until("window.shown.filter(([words]) => words !== '…').length > 3")
            await page.until(f"document.querySelector('.said').innerText.includes({WORDS[:20]!r})")
            assert await page.evaluate("document.activeElement.value") == "03-555"
            assert await page.evaluate("document.querySelector('.act[open]') !== null")
            # Read out is what was said, once each, never what is being said.
            assert (
                await page.evaluate("document.querySelector('.hearing').closest('[aria-live]')")
                is None
            )
            told = await page.evaluate(
                "[...document.querySelectorAll('#read-out p')].map((p) => p.textContent)"
            )
            assert len(told) == 1

            await page.click(".act:nth-of-type(1) summary")
            await page.click(".act:nth-of-type(1) button")
            await page.until("document.querySelector('#news').innerText.includes('saying goodbye')")
            await page.until("document.querySelector('.doing').innerText === 'Saying goodbye'")
            await line.over()
            await page.until("document.querySelector('.live-call') === null")
            assert "No calls now" in await page.text("#main")
        shown = await page.evaluate("window.shown")
        words = [text for text, _ in shown if text != "…"]
        assert [len(text) for text in words] == sorted(len(text) for text in words)
        assert await page.evaluate("window.mark") == "not reloaded"
        assert page.complaints() == []

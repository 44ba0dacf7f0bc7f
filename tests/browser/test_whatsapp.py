"""WhatsApp through the pages, whole way: a real browser, the service, the real sidecar, a WhatsApp
that decrypts."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from browser.chromium import Chromium, Page
from fixtures_database import _server, database_url
from real_whatsapp import KEY, World, until

__all__ = ["_server", "database_url"]

NUMBER = "972521111111"
PICTURE = "document.querySelector('.qr img')"


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    with World(tmp_path, database_url) as world:
        yield world


@asynccontextmanager
async def signed_in(world: World, path: str) -> AsyncIterator[Page]:
    with Chromium() as chromium:
        async with chromium.page() as page:
            await page.send("Page.bringToFront")
            await page.send("Page.navigate", url=f"{world.url}{path}?lang=en")
            await page.until(
                "document.readyState === 'complete' && !!document.querySelector('#key')"
            )
            await page.write("#key", KEY)
            await page.click("button.main")
            await page.until(
                f"location.pathname === {path!r} && document.readyState === 'complete'"
            )
            yield page
            assert page.complaints() == []


def holds(text: str) -> str:
    return f"document.body.innerText.includes({text!r})"


@pytest.mark.slow
async def test_a_phone_is_linked_and_people_are_answered(world: World) -> None:
    async with signed_in(world, "/console/pairing") as page:
        await page.until(f"{PICTURE}?.naturalWidth > 0", 90)
        await asyncio.to_thread(world.pair)
        await page.until(holds("Connected"))

        await asyncio.to_thread(world.fake, "people", numbers=[NUMBER])
        await page.click("nav a[href='/console']")
        await page.until("location.pathname === '/console' && document.readyState === 'complete'")
        await page.evaluate("window.mark = 'not reloaded'")
        await asyncio.to_thread(world.fake, "write", number=NUMBER, text="אפשר לקבוע פגישה?")
        await page.until(holds("אפשר לקבוע פגישה?"))
        assert await page.evaluate("window.mark") == "not reloaded"

        await page.click("a.person")
        await page.until("location.pathname.startsWith('/console/contacts/')")
        await page.until("document.readyState === 'complete' && !!document.querySelector('#text')")
        await page.evaluate("window.mark = 'not reloaded'")
        await page.write("#text", "כן, מחר בארבע")
        await page.click(".composer .send")
        await page.until("!!document.querySelector('.message.out .state.read')")
        assert await page.evaluate("window.mark") == "not reloaded"
    [letter] = await asyncio.to_thread(until, world.arrived, "the answer")
    assert letter["text"] == "כן, מחר בארבע"

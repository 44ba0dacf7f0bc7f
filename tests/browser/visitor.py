"""Somebody who has signed in to the pages of one process, with a real browser."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from browser.chromium import Chromium, Page
from web.console.world import API_KEY, Console, served


@asynccontextmanager
async def signed_in(chromium: Chromium, shown: Console, path: str) -> AsyncIterator[Page]:
    """A browser that shows this page of the process, after signing in; it has a mark."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(shown.app))
        page = await stack.enter_async_context(chromium.page())
        # What nobody sees fetches nothing.
        await page.send("Page.bringToFront")
        await page.send("Page.navigate", url=f"{url}{path}")
        await page.until("document.readyState === 'complete' && !!document.querySelector('#key')")
        await page.write("#key", API_KEY)
        await page.click("button.main")
        await page.until(f"location.pathname === {path!r} && document.readyState === 'complete'")
        await page.evaluate("window.mark = 'not reloaded'")
        yield page
        assert await page.evaluate("window.mark") == "not reloaded"
        assert page.complaints() == []


def holds(text: str) -> str:
    return f"document.body.innerText.includes({text!r})"

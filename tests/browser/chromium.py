"""A headless Chromium, driven by its DevTools protocol: for tests that need a real browser.

Nothing but the browser itself and a WebSocket client is needed. Clicks and keys are real input,
at the place where the element is.
"""

import asyncio
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

DEADLINE_S = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--mute-audio",
    "--remote-debugging-port=0",
    "--lang=en-US",
    "--window-size=1280,900",
)


def executable() -> str:
    """The browser that is there; `CHROMIUM` names another one."""
    named = os.environ.get("CHROMIUM")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("Chromium is needed; script/test installs it.")
    return found


class Page:
    """One page of the browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self.events: list[dict[str, Any]] = []
        self._connection = connection
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        """Take what the browser tells, until it closes."""
        async for text in self._connection:
            told = json.loads(text)
            answer = self._answers.pop(told.get("id"), None)
            if answer is None:
                self.events.append(told)
            elif not answer.done():
                answer.set_result(told)

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._connection.send(
            json.dumps({"id": number, "method": method, "params": parameters})
        )
        async with asyncio.timeout(DEADLINE_S):
            told = await answer
        assert "error" not in told, told["error"]
        return dict(told["result"])

    async def evaluate(self, expression: str) -> Any:
        """The value of JavaScript in the page."""
        told = await self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def until(self, expression: str, deadline_s: float = DEADLINE_S) -> Any:
        """The value, as soon as it is one that counts."""
        try:
            async with asyncio.timeout(deadline_s):
                while not (value := await self._tried(expression)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            shown = await self.evaluate("document.body?.innerText")
            raise AssertionError(f"waited for {expression}; the page:\n{shown}") from None
        return value

    async def go(self, url: str) -> None:
        self.events.clear()
        await self.send("Page.navigate", url=url)
        await self.until(f"location.href === {url!r} && document.readyState === 'complete'")

    async def text(self, selector: str) -> str:
        return str(await self.evaluate(f"document.querySelector({selector!r})?.innerText ?? ''"))

    async def click(self, selector: str) -> None:
        """With the mouse, where the element is shown."""
        place = await self.until(f"""(() => {{
            const element = document.querySelector({selector!r});
            element?.scrollIntoView({{ block: 'center' }});
            const box = element?.getBoundingClientRect() ?? new DOMRect();
            const at = [box.x + box.width / 2, box.y + box.height / 2];
            return element?.contains(document.elementFromPoint(...at)) && at;
        }})()""")
        at = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        await self.send("Input.dispatchMouseEvent", type="mousePressed", **at)
        await self.send("Input.dispatchMouseEvent", type="mouseReleased", **at)

    async def write(self, selector: str, text: str) -> None:
        await self.click(selector)
        await self.send("Input.insertText", text=text)

    async def press(self, key: str) -> None:
        """A key on the keyboard that makes this character."""
        await self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def sockets(self, direction: str) -> list[tuple[float, dict[str, Any]]]:
        """(seconds, message) of what WebSockets have `Sent` or `Received`."""
        name = f"Network.webSocketFrame{direction}"
        return [
            (e["params"]["timestamp"], json.loads(e["params"]["response"]["payloadData"]))
            for e in self.events
            if e.get("method") == name and e["params"]["response"]["opcode"] == 1
        ]

    def complaints(self) -> list[str]:
        """What the page's scripts and the policy found fault with."""
        found = []
        for event in self.events:
            match event:
                case {"method": "Runtime.exceptionThrown", "params": told}:
                    found.append(json.dumps(told["exceptionDetails"]))
                case {"method": "Log.entryAdded", "params": {"entry": entry}}:
                    if entry["level"] in ("error", "warning"):
                        found.append(f"{entry['text']} {entry.get('url', '')}")
                case {"method": "Runtime.consoleAPICalled", "params": told}:
                    if told["type"] in ("error", "warning", "assert"):
                        found.append(json.dumps(told["args"]))
        return found

    async def _tried(self, expression: str) -> Any:
        # Between two pages there is none to ask.
        with suppress(AssertionError):
            return await self.evaluate(expression)
        return None


class Chromium:
    """One browser with a profile of its own, until the end of a `with` block."""

    def __init__(self, *options: str) -> None:
        self._options = options

    def __enter__(self) -> Self:
        self._profile = TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        place = Path(self._profile.name)
        self._process = subprocess.Popen(
            [executable(), *OPTIONS, *self._options, f"--user-data-dir={place}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._told = place / "DevToolsActivePort"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._profile.cleanup()

    @asynccontextmanager
    async def page(self, before: str = "") -> AsyncIterator[Page]:
        """A new page; `before` runs in each document before any script of its own."""
        address = await self._page_address()
        async with connect(address, proxy=None, max_size=None, ping_interval=None) as connection:
            page = Page(connection)
            listening = asyncio.create_task(page.listen())
            try:
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await page.send(f"{domain}.enable")
                if before:
                    await page.send("Page.addScriptToEvaluateOnNewDocument", source=before)
                yield page
            finally:
                listening.cancel()
                await asyncio.wait([listening])

    async def _page_address(self) -> str:
        async with asyncio.timeout(DEADLINE_S):
            while not self._told.exists() or not self._told.read_text().strip():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        port = self._told.read_text().split()[0]
        async with httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S) as client:
            answer = await client.put(f"http://127.0.0.1:{port}/json/new?about:blank")
            return str(answer.json()["webSocketDebuggerUrl"])

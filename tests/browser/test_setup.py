"""A script is edited, heard in the browser's phone, made live, and greets the next caller."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser.chromium import Chromium, Page
from voiceagent.simulator.behaviour import AwaitGoodbye
from whole_service import Service, agent_of, on_the_line, until

FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@contextmanager
def running(place: Path) -> Iterator[Service]:
    (place / "agent.toml").write_text(agent_of(2))
    with Service(place / "data", AGENT_FILE=str(place / "agent.toml")) as service:
        asyncio.run(service.until_ready())
        yield service


def said(service: Service, call_sid: str) -> list[str]:
    turns = service.call_record(call_sid).get("turns", [])
    return [turn["text"] for turn in turns if turn["who"] == "agent"]


async def goes_to(page: Page, selector: str, path: str) -> None:
    """Press it, and wait for the page that it leads to."""
    await page.click(selector)
    await page.until(
        f"location.pathname.startsWith({path!r}) && document.readyState === 'complete'"
    )


async def walk(service: Service) -> None:
    key = (service.data_dir / "api_key").read_text().strip()
    with Chromium(*FAKE) as chromium:
        async with chromium.page() as page:
            await page.send("Page.navigate", url=f"{service.url}/console/setup?lang=en")
            await page.until(
                "document.readyState === 'complete' && !!document.querySelector('#key')"
            )
            await page.write("#key", key)
            await goes_to(page, "button.main", "/console/setup")

            await goes_to(page, "a[href='/console/setup/script']", "/console/setup/script")
            await page.evaluate("document.querySelector('#greeting').value = ''")
            await page.write("#greeting", "A greeting from the page.")
            await page.write("#note", "in a browser")
            await goes_to(page, ".script-form button.main", "/console/setup/versions/1")
            assert await page.evaluate("document.body.innerText.includes('in a browser')")

            await goes_to(page, "a[href='/console/phone?version=1']", "/console/phone")
            await page.click("#call")
            heard = "document.querySelector('#lines').innerText.includes('greeting from the page')"
            await page.until(heard)
            await page.click("#hang-up")
            await page.until("document.querySelector('#phone').dataset.state === 'idle'")
            async with on_the_line(service, [AwaitGoodbye()]) as [line]:
                await until(lambda: "Hello." in " ".join(said(service, line.call_sid)))

            await goes_to(page, "#trial a", "/console/setup/versions/1")
            await page.click("form[action$='/live'] button")
            await page.until("location.pathname === '/console/setup'")
            await page.until("document.body.innerText.includes('version 1')")
            assert page.complaints() == []
    async with on_the_line(service, [AwaitGoodbye()]) as [line]:
        await until(lambda: "A greeting from the page." in " ".join(said(service, line.call_sid)))


def test_from_the_form_to_the_next_call(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        asyncio.run(walk(service))

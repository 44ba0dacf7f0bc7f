"""The inbox in a real browser: what is new appears, an answer is sent, nothing is reloaded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.chromium import Chromium
from browser.visitor import holds, signed_in
from emulators.sidecar import SidecarEmulator
from emulators.sidecar_session import SidecarSessionEmulator
from fixtures_database import _server, database, database_url
from voiceagent.crm.postgres.database import Database
from web.console.world import console

__all__ = ["_server", "database", "database_url"]

ENGLISH = {"AGENT_LANGUAGE": "en-US"}


@pytest.fixture
def chromium() -> Iterator[Chromium]:
    # Each its own: a cookie holds for all ports.
    with Chromium() as chromium:
        yield chromium


async def test_two_browsers_at_two_processes_see_a_new_message(
    chromium: Chromium, database: Database, database_url: str, tmp_path: Path
) -> None:
    there = Database(database_url, tmp_path / "there")
    (tmp_path / "there").mkdir()
    await there.start()
    try:
        async with (
            console(there, tmp_path / "there", sends=True, environ=ENGLISH) as other,
            console(database, tmp_path, sends=True, environ=ENGLISH) as shown,
        ):
            await other.house.written("the first words", name="Dana")
            thread = f"/console/contacts/{await shown.contact_of()}"
            with Chromium() as another:
                async with (
                    signed_in(another, other, "/console") as listed,
                    signed_in(chromium, shown, thread) as read,
                ):
                    await other.house.written("words that came later", name="Dana")
                    await listed.until(holds("words that came later"))
                    await read.until(holds("words that came later"))
    finally:
        await there.close()


async def test_an_answer_is_sent_and_its_fate_appears(
    chromium: Chromium, database: Database, tmp_path: Path
) -> None:
    async with (
        SidecarEmulator(tmp_path / "sidecar") as emulator,
        console(database, tmp_path, emulator, sends=True, environ=ENGLISH) as shown,
    ):
        await shown.house.written("hello", name="Dana")
        thread = f"/console/contacts/{await shown.contact_of()}"
        async with signed_in(chromium, shown, thread) as page:
            await page.write("#text", "an answer <b>")
            enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            await page.send("Input.dispatchKeyEvent", type="keyDown", **enter)
            await page.until("!!document.querySelector('.message.out .state.sent')")
            assert "an answer <b>" in await page.text(".message.out .text")
            assert await page.evaluate("document.querySelector('#text').value") == ""
            assert await page.evaluate("document.activeElement.id") == "text"
            await page.click("#agent-button")
            await page.until(holds("Give back"))
        assert [letter["text"] for letter in emulator.wire] == ["an answer <b>"]


async def test_the_pairing_page_follows_the_phone(
    chromium: Chromium, database: Database, tmp_path: Path
) -> None:
    with SidecarSessionEmulator("pairing") as sidecar:
        environ = ENGLISH | {"BAILEYS_URL": sidecar.base_url}
        async with console(database, tmp_path, environ=environ) as shown:
            await shown.signed_in()
            async with signed_in(chromium, shown, "/console/pairing") as page:
                await page.until("document.querySelector('.qr img')?.naturalWidth > 0")
                sidecar.state = "open"
                await page.until(holds("Connected"))
                # Another state is another page: it is fetched as a whole.
                await page.evaluate("window.mark = 'not reloaded'")

"""How WhatsApp's connection is shown, with the session of an emulated sidecar."""

import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from emulators.sidecar_session import MODULES, SidecarSessionEmulator
from fixtures_database import _server, database, database_url
from voiceagent.crm.postgres.database import Database
from web.console.world import Console, console

__all__ = ["_server", "database", "database_url"]

PAGE = "/console/pairing"
STATES = (
    *("connecting", "pairing", "open", "waiting", "paused", "stopped", "failed", "logged_out"),
    *("standby", "draining"),
)


@pytest.fixture
def emulator() -> Iterator[SidecarSessionEmulator]:
    with SidecarSessionEmulator("pairing") as running:
        yield running


@pytest.fixture
async def shown(
    database: Database, tmp_path: Path, emulator: SidecarSessionEmulator
) -> AsyncIterator[Console]:
    environ = {"BAILEYS_URL": emulator.base_url, "AGENT_LANGUAGE": "en-US"}
    async with console(database, tmp_path, environ=environ) as shown:
        yield await shown.signed_in()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("language", ["he", "en"])
async def test_each_state_has_its_words(
    shown: Console, emulator: SidecarSessionEmulator, state: str, language: str
) -> None:
    emulator.state = state
    page = await shown.text(PAGE, params={"lang": language})
    assert f'data-state="{state}"' in page
    assert ("/console/pairing/start" in page) == (
        state in {"waiting", "stopped", "failed", "logged_out"}
    )
    assert ("/console/pairing/code" in page) == (state == "pairing")


async def test_the_code_to_scan_is_a_picture_that_holds_each_module(shown: Console) -> None:
    page = await shown.text(PAGE)
    source = page.split('<img src="data:image/svg+xml;base64,')[1].split('"')[0]
    picture = base64.b64decode(source).decode()
    assert picture.count("h1v1h-1z") == sum(row.count("1") for row in MODULES)
    assert "<script" not in picture


async def test_why_it_stopped_and_what_to_do_are_told(
    shown: Console, emulator: SidecarSessionEmulator
) -> None:
    emulator.state, emulator.reason = "stopped", {"code": 440, "text": "<b>replaced</b>"}
    page = await shown.text(PAGE)
    assert "Another program took the session over" in page
    assert "440 · &lt;b&gt;replaced&lt;/b&gt;" in page
    assert "תוכנה אחרת השתלטה" in await shown.text(PAGE, params={"lang": "he"})
    emulator.reason = {"code": 408, "text": "the WebSocket failed (408)"}
    page = await shown.text(PAGE)
    assert "the WebSocket failed (408)" in page
    assert "408 ·" not in page


async def test_a_code_to_type_is_shown_for_a_number(shown: Console) -> None:
    answer = await shown.post(f"{PAGE}/code", PAGE, phone="+972 50-123 4567")
    assert answer.status_code == 200
    assert "ABCD<span>-</span>1234" in answer.text
    assert "+972 50-123-4567" in answer.text


@pytest.mark.parametrize("phone", ["", "123", "<b>", "050-1234567"])
async def test_a_number_that_is_none_is_told(
    shown: Console, emulator: SidecarSessionEmulator, phone: str
) -> None:
    answer = await shown.post(f"{PAGE}/code", PAGE, phone=phone)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert not any(asked.method == "POST" for asked in emulator.asked)


async def test_a_code_that_cannot_be_had_is_told(
    shown: Console, emulator: SidecarSessionEmulator
) -> None:
    emulator.moves.append("connecting")  # once the form was shown
    answer = await shown.post(f"{PAGE}/code", PAGE, phone="+972501234567")
    assert answer.status_code == 422
    assert "No code can be had now" in answer.text


async def test_it_is_started_and_unlinked_by_buttons(
    shown: Console, emulator: SidecarSessionEmulator
) -> None:
    emulator.state = "open"
    assert "Unlink this device" in await shown.text(PAGE)
    answer = await shown.post(f"{PAGE}/log-out", PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    assert emulator.state == "logged_out"
    await shown.post(f"{PAGE}/start", PAGE)
    assert emulator.state == "connecting"


async def test_without_a_sidecar_the_page_says_how_to_start_it(
    database: Database, tmp_path: Path
) -> None:
    environ = {"BAILEYS_URL": "http://127.0.0.1:9", "AGENT_LANGUAGE": "en-US"}
    async with console(database, tmp_path, environ=environ) as shown:
        await shown.signed_in()
        page = await shown.text(PAGE)
        assert "start_all.sh" in page
        assert (await shown.post(f"{PAGE}/start", PAGE)).status_code == 303


async def test_a_token_that_differs_is_told(
    database: Database, tmp_path: Path, emulator: SidecarSessionEmulator
) -> None:
    environ = {"BAILEYS_URL": emulator.base_url, "BAILEYS_TOKEN": "another-token-entirely"}
    async with console(database, tmp_path, environ=environ) as shown:
        await shown.signed_in()
        assert "BAILEYS_TOKEN" in await shown.text(PAGE)

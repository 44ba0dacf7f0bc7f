"""`voiceagent whatsapp` against a sidecar whose session moves on as it is asked."""

import io
from collections import deque
from collections.abc import Iterator

import pytest

from emulators.sidecar_session import TOKEN, SidecarSessionEmulator
from voiceagent.errors import ProviderError
from voiceagent.whatsapp import pairing
from voiceagent.whatsapp.sidecar_session import SidecarAway, SidecarSession, TokenRefused


@pytest.fixture
def emulator() -> Iterator[SidecarSessionEmulator]:
    with SidecarSessionEmulator() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "_POLL_S", 0.01)


async def paired(emulator: SidecarSessionEmulator, phone: str | None = None) -> tuple[bool, str]:
    screen = io.StringIO()
    async with SidecarSession(emulator.base_url, TOKEN) as sidecar:
        done = await pairing.pair(sidecar, pairing.PairingTerminal(screen), phone)
    return done, screen.getvalue()


async def test_a_code_is_shown_anew_when_it_changes_and_the_end_is_linked(
    emulator: SidecarSessionEmulator,
) -> None:
    emulator.state = "pairing"
    emulator.moves = deque(["pairing", "pairing", "pairing", "waiting", "connecting", "open"])
    emulator.reason = {"code": 515, "text": "WhatsApp asked for a restart (515)"}
    done, said = await paired(emulator)
    assert done
    assert said.count("Link a device") == 3
    assert "The phone has taken the code" in said
    assert said.splitlines()[-1] == "linked: +972500000001"


async def test_a_code_to_type_is_asked_for_once_in_a_connection(
    emulator: SidecarSessionEmulator,
) -> None:
    emulator.state = "pairing"
    emulator.moves = deque(["pairing", "pairing", "open"])
    done, said = await paired(emulator, "+972500000001")
    assert done
    assert "ABCD-1234" in said
    assert emulator.count("POST", "/pairing-code") == 1


async def test_what_stands_still_is_started(emulator: SidecarSessionEmulator) -> None:
    emulator.state = "logged_out"
    emulator.moves = deque(["logged_out", "open"])
    done, _ = await paired(emulator)
    assert done
    assert emulator.count("POST", "/start") == 1


async def test_who_is_linked_already_is_told_so(emulator: SidecarSessionEmulator) -> None:
    done, said = await paired(emulator)
    assert done
    assert said.startswith("linked already: +972500000001")


async def test_a_session_that_gives_up_ends_it_with_the_reason(
    emulator: SidecarSessionEmulator,
) -> None:
    emulator.state = "pairing"
    emulator.moves = deque(["pairing", "stopped"])
    emulator.reason = {"code": 408, "text": "nobody scanned the QR code"}
    done, said = await paired(emulator)
    assert not done
    assert "nobody scanned the QR code" in said
    assert "voiceagent whatsapp pair" in said


async def test_logging_out_waits_until_it_is_done(emulator: SidecarSessionEmulator) -> None:
    screen = io.StringIO()
    async with SidecarSession(emulator.base_url, TOKEN) as sidecar:
        assert await pairing.log_out(sidecar, pairing.PairingTerminal(screen))
    assert "unlinked" in screen.getvalue()


async def test_the_status_tells_what_to_do(emulator: SidecarSessionEmulator) -> None:
    emulator.state = "pairing"
    screen = io.StringIO()
    async with SidecarSession(emulator.base_url, TOKEN) as sidecar:
        assert not await pairing.tell_status(sidecar, pairing.PairingTerminal(screen))
    assert "voiceagent whatsapp pair" in screen.getvalue()


async def test_a_sidecar_that_is_not_there_is_an_error_that_says_how_to_start_it() -> None:
    async with SidecarSession("http://127.0.0.1:9", TOKEN) as sidecar:
        with pytest.raises(SidecarAway, match=r"start_all\.sh"):
            await sidecar.state()


async def test_another_token_is_an_error_that_shows_none(
    emulator: SidecarSessionEmulator,
) -> None:
    async with SidecarSession(emulator.base_url, "some-other-token-entirely") as sidecar:
        with pytest.raises(TokenRefused) as raised:
            await sidecar.state()
    assert "BAILEYS_TOKEN" in str(raised.value)
    assert "some-other-token-entirely" not in str(raised.value)


async def test_codes_without_modules_are_told_as_an_old_sidecar(
    emulator: SidecarSessionEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emulators.sidecar_session.MODULES", None)
    emulator.state = "pairing"
    async with SidecarSession(emulator.base_url, TOKEN) as sidecar:
        with pytest.raises(ProviderError, match="update the sidecar"):
            await sidecar.qr_code()

"""`voiceagent doctor` against every outside part, emulated on this machine."""

import io
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from emulators.google import serving
from emulators.google_speech import SpeechEmulator
from emulators.google_texttospeech import TextToSpeechEmulator
from emulators.openai_server import OpenAIEmulator
from emulators.sidecar_session import TOKEN, SidecarSessionEmulator
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, Fault, TwilioRestEmulator
from fixtures_database import _server, database_url, empty_database_url  # noqa: F401
from voiceagent.doctor.command import examine, repair, tell
from voiceagent.doctor.findings import Finding, is_well

PUBLIC = "https://agent.example"
WEBHOOK = f"{PUBLIC}/webhook/incoming_call"


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        yield emulator


@pytest.fixture
def sidecar() -> Iterator[SidecarSessionEmulator]:
    with SidecarSessionEmulator() as emulator:
        yield emulator


@asynccontextmanager
async def speech(**services: Any) -> AsyncIterator[Mapping[str, str]]:
    """The variables by which Google's emulator is used."""
    stt = services.get("stt", SpeechEmulator())
    tts = services.get("tts", TextToSpeechEmulator())
    async with serving(stt, tts) as endpoint:
        yield {"GOOGLE_STT_ENDPOINT": endpoint, "GOOGLE_TTS_ENDPOINT": endpoint}


def of_twilio(emulator: TwilioRestEmulator) -> dict[str, str]:
    return {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_PHONE_NUMBER": OWN_NUMBER,
        "TWILIO_BASE_URL": emulator.base_url,
        "PUBLIC_BASE_URL": PUBLIC,
    }


def about(findings: list[Finding], area: str) -> list[Finding]:
    return [finding for finding in findings if finding.area == area]


def levels(findings: list[Finding], area: str) -> list[str]:
    return [finding.level for finding in about(findings, area)]


async def test_everything_in_order_is_told_so(
    twilio: TwilioRestEmulator,
    sidecar: SidecarSessionEmulator,
    database_url: str,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    sid = next(iter(twilio.pages.numbers))
    twilio.pages.numbers[sid] |= {"voice_url": WEBHOOK, "voice_fallback_url": "https://h/"}
    async with speech() as google, OpenAIEmulator() as model:
        findings = await examine(
            {
                **google,
                **of_twilio(twilio),
                "DATA_DIR": str(tmp_path),
                "DATABASE_URL": database_url,
                "BAILEYS_URL": sidecar.base_url,
                "BAILEYS_TOKEN": TOKEN,
                "LLM_BASE_URL": model.base_url,
                "LLM_MODEL": "any",
            }
        )
    in_order = ("stt", "tts", "llm", "twilio", "twilio number", "whatsapp", "database", "clock")
    for area in in_order:
        assert set(levels(findings, area)) == {"ok"}, about(findings, area)
    # The name is nobody's: a service that is not running is no fault of its settings.
    assert levels(findings, "public address") == ["warning"]
    assert is_well(findings)


async def test_a_number_that_points_elsewhere_is_broken_and_fix_points_it_here(
    twilio: TwilioRestEmulator, tmp_path: Path
) -> None:
    environ = {**of_twilio(twilio), "DATA_DIR": str(tmp_path), "BENCH_ENGINES": "1"}
    before = await examine(environ)
    assert levels(before, "twilio number") == ["broken"]
    assert not is_well(before)
    assert not any(request.method == "POST" for request in twilio.requests)
    after = await repair(environ)
    assert levels(after, "twilio number") == ["ok"]
    number = next(iter(twilio.pages.numbers.values()))
    assert number["voice_url"].partition("#")[0] == WEBHOOK
    assert number["voice_fallback_url"]


async def test_what_cannot_be_pointed_here_is_told(
    twilio: TwilioRestEmulator, tmp_path: Path
) -> None:
    twilio.fail_next(Fault.SERVER_ERROR)
    findings = await repair({**of_twilio(twilio), "DATA_DIR": str(tmp_path), "BENCH_ENGINES": "1"})
    assert levels(findings, "twilio number") == ["broken", "broken"]
    assert "could not be pointed here" in about(findings, "twilio number")[1].said


async def test_a_wrong_token_is_told_and_not_shown(
    twilio: TwilioRestEmulator, tmp_path: Path
) -> None:
    environ = of_twilio(twilio) | {"DATA_DIR": str(tmp_path), "BENCH_ENGINES": "1"}
    findings = await examine(environ | {"TWILIO_AUTH_TOKEN": "not-the-token-at-all"})
    assert levels(findings, "twilio") == ["broken"]
    assert "not-the-token-at-all" not in str(findings)


async def test_a_suspended_account_and_a_number_of_another_are_broken(
    twilio: TwilioRestEmulator, tmp_path: Path
) -> None:
    environ = of_twilio(twilio) | {"DATA_DIR": str(tmp_path), "BENCH_ENGINES": "1"}
    findings = await examine(environ | {"TWILIO_PHONE_NUMBER": "+97239999999"})
    assert levels(findings, "twilio number") == ["broken"]
    twilio.pages.status = "suspended"
    assert "suspended" in about(await examine(environ), "twilio")[0].said


async def test_a_voice_that_google_does_not_have_is_a_warning(tmp_path: Path) -> None:
    async with speech() as google:
        findings = await examine(
            {**google, "DATA_DIR": str(tmp_path), "TTS_VOICE": "he-IL-Wavenet-Z"}
        )
    (finding,) = about(findings, "tts")
    assert finding.level == "warning"
    assert "he-IL-Wavenet-A" in finding.todo


async def test_google_away_is_broken(tmp_path: Path) -> None:
    endpoint = "insecure://127.0.0.1:9"
    findings = await examine(
        {
            "GOOGLE_STT_ENDPOINT": endpoint,
            "GOOGLE_TTS_ENDPOINT": endpoint,
            "DATA_DIR": str(tmp_path),
        }
    )
    assert levels(findings, "stt") == levels(findings, "tts") == ["broken"]


async def test_tables_that_are_missing_are_broken(
    empty_database_url: str,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    findings = await examine(
        {
            "DATA_DIR": str(tmp_path),
            "BENCH_ENGINES": "1",
            "DATABASE_URL": empty_database_url,
        }
    )
    assert levels(findings, "database") == ["ok", "broken"]
    assert about(findings, "database")[1].todo == "voiceagent migrate"


async def test_a_database_that_is_not_there_is_broken(tmp_path: Path) -> None:
    findings = await examine(
        {
            "DATA_DIR": str(tmp_path),
            "BENCH_ENGINES": "1",
            "DATABASE_URL": "postgresql://nobody:a-password@127.0.0.1:9/none",
        }
    )
    assert levels(findings, "database") == ["broken"]
    assert "a-password" not in str(findings)


async def test_a_sidecar_with_another_token_is_broken(
    sidecar: SidecarSessionEmulator, tmp_path: Path
) -> None:
    findings = await examine(
        {
            "DATA_DIR": str(tmp_path),
            "BENCH_ENGINES": "1",
            "BAILEYS_URL": sidecar.base_url,
            "BAILEYS_TOKEN": "another-token-than-its-own",
        }
    )
    assert levels(findings, "whatsapp") == ["broken"]


async def test_looking_makes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "data"
    await examine({"DATA_DIR": str(place), "BENCH_ENGINES": "1"})
    assert not place.exists()


async def test_a_wrong_environment_is_all_that_is_told(tmp_path: Path) -> None:
    findings = await examine({"DATA_DIR": str(tmp_path), "EOU_MIN_MS": "5", "PORT": "x"})
    assert {finding.level for finding in findings} == {"broken"}
    assert len(findings) == 2


def test_programs_get_json_and_the_code() -> None:
    stream = io.StringIO()
    broken = [Finding("a", "broken", "It is.", "Mend it.")]
    assert tell(broken, stream, colour=False, machine=True) == 1
    assert json.loads(stream.getvalue())["findings"][0]["todo"] == "Mend it."
    assert tell([Finding("a", "ok", "Fine.")], io.StringIO(), colour=False, machine=False) == 0

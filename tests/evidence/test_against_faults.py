"""`voiceagent evidence` against the real service: it passes, and each fault is named.

One service with a fault at each address of the loopback, asked at all of them at once, with
signatures on; then with its sidecar gone; and one whose database is not there.
"""

import asyncio
import io
import json
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulators.sidecar import TOKEN as SIDECAR_TOKEN
from emulators.sidecar import SidecarEmulator
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, TwilioRestEmulator
from evidence.faults import FAULTS
from voiceagent.evidence.command import Account, Wanted, run
from voiceagent.evidence.service import Target
from whole_service import ROOT, Service, until

API_KEY = "the-key-of-this-test"
PUBLIC = "https://voice.example"
DEPLOY_ID = "deploy-7"
GOOD = "127.0.0.1"
SOMEBODY = "+972521111111"

ENVIRON = {
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "PUBLIC_BASE_URL": PUBLIC,
    "API_KEY": API_KEY,
    "DEPLOY_ID": DEPLOY_ID,
    "STT_ENGINE": "local",
    "TTS_ENGINE": "local",
    "STT_LANGUAGE": "en-US",
    "AGENT_LANGUAGE": "en-US",
    "WHATSAPP_AGENT": "0",
    "BAILEYS_TOKEN": SIDECAR_TOKEN,
    "DRAIN_SECONDS": "2",
}


INSPECTED = (
    ("/webhook/incoming_call", 200),
    ("/webhook/stream_status", 204),
    ("/webhook/stream_status", 204),
    ("/webhook/stream_ended", 204),
)


def event(path: str, status: int) -> dict[str, Any]:
    """As Twilio's request inspector has it."""
    return {
        "request": {"method": "POST", "url": PUBLIC + path},
        "response": {"response_code": status},
    }


class FaultyService(Service):
    """The run line of the Procfile with the faults before it, at every address."""

    def __init__(self, data_dir: Path, **environ: str) -> None:
        super().__init__(data_dir, **(ENVIRON | environ))
        changed = {
            "asgi:app": "evidence.faulty_app:app",
            "127.0.0.1": "0.0.0.0",  # noqa: S104 - all of the loopback's addresses
        }
        self._command = [changed.get(word, word) for word in self._command]
        self._environ["PYTHONPATH"] += f"{os.pathsep}{ROOT / 'tests'}"


@dataclass(frozen=True)
class Outcome:
    """One run of the command."""

    code: int
    said: str
    report: dict[str, Any]

    @property
    def call_sid(self) -> str:
        return str(self.report["call"]).partition(",")[0]

    @property
    def failed(self) -> dict[str, str]:
        """What failed, and how the fault is named."""
        return {
            check["name"]: check["figure"]
            for check in self.report["checks"]
            if check["verdict"] == "failed"
        }


async def evidence(port: int, address: str, out: Path, **more: Any) -> Outcome:
    stream = io.StringIO()
    target = Target(f"http://{address}:{port}", PUBLIC, AUTH_TOKEN, API_KEY)
    wanted = Wanted(
        target,
        out,
        expect_deploy_id=DEPLOY_ID,
        whatsapp_to=SOMEBODY,
        language="en-US",
        say=("I want to buy a house", "it is a private house"),
        checkout=ROOT,
        **more,
    )
    code = await run(wanted, stream, colour=False)
    return Outcome(code, stream.getvalue(), json.loads((out / "report.json").read_text()))


async def all_runs(place: Path) -> dict[str, Outcome]:
    """By the fault; "" is the service as it should be."""
    outcomes: dict[str, Outcome] = {}
    sidecar = AsyncExitStack()
    async with sidecar:
        emulator = await sidecar.enter_async_context(SidecarEmulator(place / "sidecar"))
        service = FaultyService(place / "data", BAILEYS_URL=emulator.url)
        homeless = FaultyService(
            place / "homeless",
            BAILEYS_URL=emulator.url,
            DATABASE_URL="postgresql://nobody@127.0.0.1:9/none",
        )
        with service, homeless:
            await service.until_ready()
            await until(lambda: homeless.readyz()[0] == 200)

            async def one(port: int, fault: str, address: str, **more: Any) -> None:
                out = place / (fault or "good")
                outcomes[fault] = await evidence(port, address, out, **more)

            async with asyncio.TaskGroup() as runs:
                runs.create_task(one(service.port, "", GOOD))
                runs.create_task(one(homeless.port, "database down", GOOD))
                for address, fault in FAULTS.items():
                    runs.create_task(one(service.port, fault, address))
            with TwilioRestEmulator() as twilio:
                sid = outcomes[""].call_sid
                account = Account(ACCOUNT_SID, AUTH_TOKEN, twilio.base_url)
                twilio.pages.events[sid] = [event(*row) for row in INSPECTED]
                await one(service.port, "real call", GOOD, call_sid=sid, account=account)
                others = [{"resource_sid": "CA0", "error_code": "31924"}] * 3
                twilio.pages.alerts = [*others, {"resource_sid": sid, "error_code": "31920"}]
                await one(service.port, "31920", GOOD, call_sid=sid, account=account)
            await sidecar.aclose()
            await one(service.port, "sidecar down", GOOD)
    return outcomes


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return asyncio.run(all_runs(tmp_path_factory.mktemp("evidence")))


def test_a_service_as_it_should_be_passes(runs: dict[str, Outcome]) -> None:
    outcome = runs[""]
    assert outcome.failed == {}, outcome.said
    assert outcome.code == 0
    assert outcome.report["passed"] is True
    assert "SIMULATED" in outcome.report["call"]


def test_a_real_call_passes_by_its_record_and_twilios(runs: dict[str, Outcome]) -> None:
    outcome = runs["real call"]
    assert outcome.failed == {}, outcome.said
    assert outcome.code == 0
    assert "SIMULATED" not in outcome.report["call"]
    assert "Twilio" in outcome.said


NAMED = {
    "no subprotocol": ("handshake: 101 and Sec-WebSocket-Protocol", "is missing"),
    "wrong healthz": ("/healthz", "not 'ok'"),
    "silent": ("the answer is heard", "text-to-speech is silent"),
    "deaf": ("the caller is understood", "speech-to-text is deaf"),
    "double slashes": ("/webhook/incoming_call", "has // in its path"),
    "database down": ("/readyz", "the database (db) is 'err'"),
    "sidecar down": ("WhatsApp out", "the message waits"),
    "two introductions": ("the introduction comes once", "heard 2 times"),
    "31920": ("no 31920, no 31924", "Twilio's 31920"),
}


@pytest.mark.parametrize("fault", NAMED)
def test_each_fault_fails_by_its_name(runs: dict[str, Outcome], fault: str) -> None:
    outcome = runs[fault]
    assert outcome.code == 1
    beginning, words = NAMED[fault]
    named = [figure for name, figure in outcome.failed.items() if name.startswith(beginning)]
    assert len(named) == 1, outcome.said
    assert words in named[0]
    assert words in " ".join(outcome.said.split())


@pytest.mark.parametrize(
    "fault", ["no subprotocol", "wrong healthz", "sidecar down", "two introductions", "31920"]
)
def test_nothing_else_is_blamed_where_nothing_else_is_wrong(
    runs: dict[str, Outcome], fault: str
) -> None:
    assert len(runs[fault].failed) == 1, runs[fault].said


def test_no_key_is_in_what_is_told(runs: dict[str, Outcome]) -> None:
    for outcome in runs.values():
        told = outcome.said + json.dumps(outcome.report)
        assert not any(secret in told for secret in (AUTH_TOKEN, API_KEY, SIDECAR_TOKEN))

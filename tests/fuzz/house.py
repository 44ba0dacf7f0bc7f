"""The whole service for fuzzers: every route works, nothing that it reaches is real.

A folder flows in; the service's address and key flow out, with Twilio, PayPal, Tranzila and the
WhatsApp sidecar emulated, its own PostgreSQL, and a few people, calls and messages in it. Twilio's
signatures are not asked for: what is behind them is what a fuzzer is after.

    PYTHONPATH=src:tests python -m fuzz.house /tmp/house    # until it is interrupted
"""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx

from emulators import paypal as pp
from emulators import tranzila as tz
from emulators.paypal import PayPalEmulator
from emulators.tranzila import TranzilaEmulator
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from faults.outbox_kills import free_port
from front_desk import CLINIC
from serving import Server
from whole_service import ROOT, Service

KEY: Final = "the-key-of-this-run"
TOKEN: Final = "the-token-of-this-run"
AGENT: Final = f"""
closing = "Goodbye."
transfer_when = "always"
{CLINIC}
[[questions]]
id = "name"
save_as = "name"
ask = "Who is it?"
accept = "anything"
"""
PEOPLE: Final = 3
_IS_ERROR: Final = re.compile(r"time=\S+ level=(error|critical) ")
"""At its beginning: what somebody wrote may stand in a line that tells of it."""
START_S: Final = 120.0
"""Fuzzers run where everything else does, and let it go first."""
BEARER: Final = {"Authorization": f"Bearer {KEY}"}


class _Sidecar(Server):
    def __init__(self, place: Path, port: int, events_to: str) -> None:
        super().__init__(
            [
                *(sys.executable, "-m", "emulators.sidecar", "--memory", str(place / "sidecar")),
                *("--port", str(port), "--token", TOKEN, "--events-to", events_to),
            ],
            cwd=ROOT,
            environ={"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"},
        )


class FuzzedService(Service):
    """The service with all its parts, on a port that is known before it runs."""

    def __init__(self, place: Path, port: int, environ: dict[str, str]) -> None:
        super().__init__(place / "data", **environ)
        self._command = [str(port) if word == "0" else word for word in self._command]

    def asked(self, method: str, path: str, **options: Any) -> httpx.Response:
        """An answer to whoever has the key."""
        return self.client.request(method, self.url + path, headers=BEARER, **options)

    def faults(self) -> list[str]:
        """What it wrote that no input should make it write."""
        return [
            line
            for line in self.output.splitlines()
            if _IS_ERROR.match(line) or "Traceback" in line or "was never awaited" in line
        ]


@contextmanager
def running(place: Path, **more: str) -> Iterator[FuzzedService]:
    """The house, started and warm, with somebody in it. `more`: of the service's environment."""
    with ExitStack() as stack:
        twilio = stack.enter_context(TwilioRestEmulator())
        paypal = stack.enter_context(PayPalEmulator())
        tranzila = stack.enter_context(TranzilaEmulator())
        port, sidecar = free_port(), free_port()
        place.mkdir(parents=True, exist_ok=True)
        agent = place / "agent.toml"
        agent.write_text(AGENT)
        environ = {
            "AGENT_FILE": str(agent),
            "AGENT_LANGUAGE": "en-GB",
            "API_KEY": KEY,
            "BAILEYS_TOKEN": TOKEN,
            "BAILEYS_URL": f"http://127.0.0.1:{sidecar}",
            "BENCH_ENGINES": "1",
            "DRAIN_SECONDS": "1",
            # Notices wait there; nobody takes them.
            "OWNER_WEBHOOK_URL": "http://127.0.0.1:9/owner",
            "PAYPAL_BASE_URL": paypal.base_url,
            "PAYPAL_CLIENT_ID": pp.CLIENT_ID,
            "PAYPAL_CLIENT_SECRET": pp.SECRET,
            "PAYPAL_WEBHOOK_ID": pp.WEBHOOK_ID,
            "PUBLIC_BASE_URL": f"https://127.0.0.1:{port}",
            "RECORD_CALLS": "1",
            "TRANZILA_APP_KEY": tz.APP_KEY,
            "TRANZILA_BASE_URL": tranzila.base_url,
            "TRANZILA_SECRET": tz.SECRET,
            "TRANZILA_TERMINAL": tz.TERMINAL,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_BASE_URL": twilio.base_url,
            "TWILIO_PHONE_NUMBER": OWN_NUMBER,
            "TWILIO_SIGNATURE_CHECK": "0",
        } | more
        stack.enter_context(_Sidecar(place, sidecar, f"http://127.0.0.1:{port}"))
        service = stack.enter_context(FuzzedService(place, port, environ))
        service.wait_for("calls are taken from now on", START_S)
        inhabit(service)
        yield service


def interruptible() -> None:
    """Ended from outside, a program ends what it has started as well."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def inhabit(service: FuzzedService) -> None:
    """People who rang and wrote, so that lists and pages have something in them."""
    for number in range(PEOPLE):
        phone = f"+97250123456{number}"
        service.post(
            "/webhook/incoming_call", CallSid=f"CA_FUZZ_{number}", From=phone, To=OWN_NUMBER
        ).raise_for_status()
        service.post(
            "/webhook/whatsapp/twilio",
            MessageSid=f"SM_FUZZ_{number}",
            From=f"whatsapp:{phone}",
            Body="Good morning",
            ProfileName=f"Person {number}",
        ).raise_for_status()


def _main() -> None:
    interruptible()
    with running(Path(sys.argv[1])) as service, suppress(KeyboardInterrupt):
        print(service.url, flush=True)
        signal.pause()
    if service.faults():
        print("\n".join(service.faults()))


if __name__ == "__main__":
    _main()

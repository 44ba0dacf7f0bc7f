"""`voiceagent evidence`: the delivery checks of the playbook against a running service.

Where it is and what may be asked flow in; a table grows on the terminal as the checks are
made, the report goes to a folder, and an exit code flows out: 0 only if all passed.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

from pydantic import SecretStr

from voiceagent.addresses import is_address
from voiceagent.errors import SettingsError
from voiceagent.evidence import message_probe
from voiceagent.evidence import service_checks as checks
from voiceagent.evidence.call_checks import call_checks
from voiceagent.evidence.call_probe import HeardCall, place_call, read_call, utterances
from voiceagent.evidence.check import Check
from voiceagent.evidence.facts import CallFacts, HttpAnswer, RunLine
from voiceagent.evidence.handshake import shake_hands
from voiceagent.evidence.message_checks import IN, OUT, message_in, message_out
from voiceagent.evidence.report import Report, as_json, html, markdown
from voiceagent.evidence.service import Service, Target
from voiceagent.evidence.terminal import Progress
from voiceagent.evidence.wire_checks import wire_checks
from voiceagent.settings import DEFAULT_BAILEYS_URL, Settings
from voiceagent.simulator.sounds import Sound
from voiceagent.twilio.account import TwilioAccount
from voiceagent.whatsapp.sidecar_session import SidecarSession

READY_S: Final = 25.0
"""The first warm-up ends after at most 20 s."""
_POLL_S: Final = 0.5
_STATUS_PATH: Final = "/webhook/stream_status"
_STATUS: Final = {"CallSid": "CA_TEST", "StreamSid": "MZ_TEST", "Status": "connected"}
"""The playbook's own form."""
_PAYMENTS: Final = "/api/crm/payments"


@dataclass(frozen=True, slots=True)
class Account:
    """A Twilio account that may be asked about a call."""

    sid: str
    token: str
    base_url: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown, and by what."""

    target: Target
    out: Path
    expect_deploy_id: str | None = None
    whatsapp_to: str | None = None
    whatsapp: bool = True
    """False: the service has none, and that is on purpose."""
    call_sid: str | None = None
    """A real call that took place; None: one is placed."""
    language: str = "en-US"
    say: Sequence[str] = ()
    account: Account | None = None
    sidecar: tuple[str, str] | None = None
    """Address and token of a sidecar that is near."""
    checkout: Path = Path()
    """Where the run line is."""


def wanted(
    settings: Settings,
    *,
    base_url: str,
    public_base_url: str | None,
    language: str | None,
    whatsapp: bool,
    **given: Any,
) -> Wanted:
    """What to ask for, by the environment of whoever asks.

    Raises `SettingsError` for a base URL that is none.
    """
    here = _address(base_url)
    near = is_near(here)
    public = _address(public_base_url) if public_base_url else None
    if public is None and near:
        public = settings.public_base_url
    token = settings.twilio_auth_token
    secret = token.get_secret_value() if token else None
    account = None
    if settings.twilio_account_sid and secret:
        account = Account(settings.twilio_account_sid, secret, settings.twilio_base_url)
    baileys = _secret(settings.baileys_token, settings.data_dir / "baileys_token")
    url = settings.baileys_url or DEFAULT_BAILEYS_URL
    return Wanted(
        Target(
            here,
            public or here,
            auth_token=secret,
            api_key=_secret(settings.api_key, settings.data_dir / "api_key"),
        ),
        language=language or settings.stt_language,
        account=account,
        sidecar=(url, baileys) if near and baileys else None,
        whatsapp=whatsapp,
        **given,
    )


def _address(text: str) -> str:
    if not is_address(text, "http", "https") or "?" in text:
        raise SettingsError(["--base-url must be an address such as https://your.host"])
    return text.rstrip("/")


def _secret(given: SecretStr | None, path: Path) -> str | None:
    """What was set, else what the service has made; looking makes none."""
    if given is not None:
        return given.get_secret_value()
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


async def run(wanted: Wanted, stream: TextIO, *, colour: bool) -> int:
    """Make all checks. Raises `ProviderError` when the caller's voice is missing."""
    progress = Progress(stream, colour=colour)
    progress.say(f"Evidence for {wanted.target.base_url}")
    said: list[Sound] = []
    if wanted.call_sid is None:
        said = await asyncio.to_thread(utterances, wanted.language, wanted.say)
    heard: HeardCall | None = None
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(Service(wanted.target))
        await _service(wanted, service, progress)
        if wanted.call_sid is None:
            progress.say("· placing a simulated call: Twilio's webhooks and media by this program")
            heard = await place_call(service, said, progress.caller_says, progress.agent_speaks)
            facts = heard.facts
        else:
            account = None
            if wanted.account is not None:
                account = await stack.enter_async_context(
                    TwilioAccount(wanted.account.sid, wanted.account.token, wanted.account.base_url)
                )
            facts = await read_call(service, wanted.call_sid, account)
        _call(facts, progress)
        await _messages(wanted, service, progress, stack)
    report = Report(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        base_url=wanted.target.base_url,
        call=_which_call(facts),
        checks=progress.checks,
        has_recording=heard is not None,
    )
    await asyncio.to_thread(_write, wanted.out, report, heard)
    progress.end(report.verdict, wanted.out / "report.html", passed=report.passed)
    return 0 if report.passed else 1


def is_near(base_url: str) -> bool:
    """Whether that address is this machine or its own network."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_private
    except ValueError:
        return False


async def _service(wanted: Wanted, service: Service, progress: Progress) -> None:
    progress.add(checks.run_line(await asyncio.to_thread(_run_line, wanted.checkout)))
    progress.add(checks.version(await service.get("/version"), wanted.expect_deploy_id))
    progress.add(checks.healthz(await service.get("/healthz")))
    progress.add(checks.readyz(await _ready(service, progress)))
    progress.add(checks.handshake(await shake_hands(service.target, checks.SUBPROTOCOL)))
    progress.add(checks.plain_handshake(await shake_hands(service.target, None)))
    progress.add(checks.stream_status(await service.unsigned(_STATUS_PATH, _STATUS)))
    providers = ("paypal", "tranzila", "stripe")
    told = {name: (await service.api("GET", f"{_PAYMENTS}/{name}"))[0] for name in providers}
    progress.add(checks.payments(told))


async def _ready(service: Service, progress: Progress) -> HttpAnswer:
    """The answer once it is good, or whatever it is after the first warm-up must be over."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + READY_S
    while True:
        answer = await service.get("/readyz")
        if checks.readyz(answer).passed or not answer.status or loop.time() >= until_s:
            return answer
        progress.say("· waiting for the warm-up")
        await asyncio.sleep(_POLL_S)


def _call(facts: CallFacts, progress: Progress) -> None:
    if facts.twiml is not None:
        # A call that was only rung for its TwiML has a sid of its own, told with the request.
        sid = facts.twiml.asked.partition("(")[2].rstrip(")") or facts.call_sid
        progress.add(checks.twiml(facts.twiml, sid))
    for check in (*call_checks(facts), *wire_checks(facts)):
        progress.add(check)


async def _messages(
    wanted: Wanted, service: Service, progress: Progress, stack: AsyncExitStack
) -> None:
    if not wanted.whatsapp:
        for name in (OUT, IN):
            progress.add(Check(name, "left out", "by --no-whatsapp"))
        return
    sent = None
    if wanted.whatsapp_to is not None:
        sidecar = None
        if wanted.sidecar is not None:
            sidecar = await stack.enter_async_context(SidecarSession(*wanted.sidecar))
        sent = await message_probe.send(service, wanted.whatsapp_to, sidecar)
    progress.add(message_out(sent))
    progress.add(message_in(await message_probe.receive(service)))


def _which_call(facts: CallFacts) -> str:
    if facts.phone is not None:
        return f"{facts.call_sid}, SIMULATED by the phone of this package, webhooks included"
    return f"{facts.call_sid}, a real one, read from the service's record" + (
        " and Twilio's" if facts.twilio is not None else ""
    )


def _run_line(checkout: Path) -> RunLine:
    """Where the command runs, else beside the package."""
    for root in (checkout, Path(__file__).resolve().parents[3]):
        try:
            return RunLine(".replit", (root / ".replit").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    return RunLine(".replit", None)


def _write(folder: Path, report: Report, heard: HeardCall | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(markdown(report), encoding="utf-8")
    (folder / "report.html").write_text(html(report), encoding="utf-8")
    told = json.dumps(as_json(report), indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(told + "\n", encoding="utf-8")
    if heard is not None:
        heard.write_wav(folder / "call.wav")

"""Looks at the parts outside this process: Twilio, the sidecar, the public address, the disk.

Settings flow in, what was seen flows out. `point_number_here` changes one thing: where the
number's calls are announced; how that was before is kept. No secret is kept in what was seen.
"""

import os
import shutil
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from voiceagent.doctor.facts import (
    ClockSeen,
    DirectorySeen,
    Facts,
    NumberSeen,
    Outcome,
    TwilioSeen,
)
from voiceagent.doctor.former_setups import FormerSetups
from voiceagent.errors import ProviderError
from voiceagent.http_clients import HttpDeadlines, HttpError, http_client
from voiceagent.settings import DEFAULT_BAILEYS_URL, Settings
from voiceagent.twilio import number_setup
from voiceagent.twilio.account import Resource, TwilioAccount
from voiceagent.whatsapp.sidecar_session import SidecarSession

_DEADLINES: Final = HttpDeadlines(connect_s=3.0, send_s=3.0, receive_s=5.0)
_MAX_TOKEN_BYTES: Final = 4096


async def probe_twilio(settings: Settings, facts: Facts) -> None:
    """The account and the business's number."""
    twilio = twilio_account(settings)
    if twilio is None:
        return
    async with twilio:
        try:
            status = str((await twilio.account()).get("status"))
        except ProviderError as error:
            facts.twilio = TwilioSeen(_failed(error))
            return
        note_clock(facts, "Twilio", twilio.date)
        if status != "active":
            suspended = Outcome(works=False, said=f"it is {status}", retryable=False)
            facts.twilio = TwilioSeen(suspended)
            return
        number, fault = await _number(settings, twilio)
        facts.twilio = TwilioSeen(Outcome(works=True, said=status), number, fault)


async def point_number_here(settings: Settings) -> None:
    """Have calls to the business's number announced at PUBLIC_BASE_URL.

    Raises `ProviderError`; nothing happens where one of the two is not known.
    """
    twilio = twilio_account(settings)
    phone, public = settings.twilio_phone_number, settings.public_base_url
    if twilio is None or phone is None or public is None:
        return
    async with twilio:
        number = await twilio.number(phone)
        if number is None or number_seen(number).taken_by:
            return
        seen = number_seen(number)
        if not seen.voice.is_answered_at(public) or not seen.voice.fallback_url:
            FormerSetups(settings.data_dir).keep(seen.sid, seen.voice)
            await twilio.set_voice(seen.sid, number_setup.wanted(public, settings.agent_language))


def twilio_account(settings: Settings) -> TwilioAccount | None:
    """The account of the settings, to be closed by whoever asked; None: they name none."""
    token = settings.twilio_auth_token
    if settings.twilio_account_sid is None or token is None:
        return None
    return TwilioAccount(
        settings.twilio_account_sid, token.get_secret_value(), settings.twilio_base_url
    )


async def _number(
    settings: Settings, twilio: TwilioAccount
) -> tuple[NumberSeen | None, Outcome | None]:
    if settings.twilio_phone_number is None:
        return None, None
    try:
        found = await twilio.number(settings.twilio_phone_number)
    except ProviderError as error:
        return None, _failed(error)
    if found is None:
        return None, Outcome(works=False, said="the account has no such number")
    return number_seen(found), None


def _failed(error: ProviderError) -> Outcome:
    return Outcome(works=False, said=str(error), retryable=error.retryable)


def number_seen(number: Resource) -> NumberSeen:
    """What there is to know of a number, from an IncomingPhoneNumbers resource."""
    taken_by = ""
    for field, name in (("trunk_sid", "A SIP trunk"), ("voice_application_sid", "A TwiML app")):
        if number.get(field):
            taken_by = name
    return NumberSeen(
        sid=str(number.get("sid") or ""),
        voice=number_setup.seen(number),
        taken_by=taken_by,
    )


async def probe_public_address(settings: Settings, facts: Facts) -> None:
    """Whether the service answers where Twilio would look for it."""
    if settings.public_base_url is None:
        return
    try:
        async with http_client(_DEADLINES, connections=1) as client:
            answer = await client.get(f"{settings.public_base_url}/healthz")
    except HttpError as error:
        said = f"it cannot be reached ({type(error).__name__})"
        facts.public = Outcome(works=False, said=said)
        return
    if answer.status_code == 200 and answer.text == "ok":
        facts.public = Outcome(works=True)
        note_clock(facts, "the public address", answer.headers.get("date", ""))
    else:
        said = f"/healthz was answered {answer.status_code}, not `ok`"
        facts.public = Outcome(works=False, said=said)


async def probe_sidecar(settings: Settings, facts: Facts) -> None:
    """How the sidecar's session stands."""
    url = settings.baileys_url or DEFAULT_BAILEYS_URL
    try:
        async with SidecarSession(url, _baileys_token(settings)) as sidecar:
            facts.sidecar = await sidecar.state()
    except ProviderError as error:
        facts.sidecar = _failed(error)


def _baileys_token(settings: Settings) -> str:
    """The shared secret, if there is one yet: looking makes none."""
    if settings.baileys_token is not None:
        return settings.baileys_token.get_secret_value()
    try:
        with (settings.data_dir / "baileys_token").open() as file:
            return file.read(_MAX_TOKEN_BYTES).strip()
    except (OSError, ValueError):
        return ""


def look_at_directory(path: Path) -> DirectorySeen:
    """DATA_DIR. Blocks; makes nothing."""
    shown = path.resolve()
    nearest = next(folder for folder in (shown, *shown.parents) if folder.exists())
    if not nearest.is_dir():
        return DirectorySeen(shown, f"{nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        return DirectorySeen(shown, f"{nearest} cannot be written")
    return DirectorySeen(shown, free_bytes=shutil.disk_usage(nearest).free)


def note_clock(facts: Facts, source: str, date: str) -> None:
    """Another clock, as a `Date` header has it (whole seconds)."""
    try:
        there_s = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return
    # The header is cut to seconds: half a second later on average.
    facts.clocks.append(ClockSeen(source, time.time() - there_s - 0.5))

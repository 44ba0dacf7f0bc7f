"""`voiceagent twilio`: has a number's calls come here, and a message taken when nobody is here.

Settings flow in, an exit code flows out: 0 when the number is set up so. Each change is shown as
it was and as it is to be, and how it was is kept to be put back; a number that something else
answers is left alone, and so is one whose service does not answer.
"""

from collections.abc import Sequence
from typing import Final, TextIO

from voiceagent.doctor.facts import Facts
from voiceagent.doctor.former_setups import FormerSetups, NotKept, is_ours
from voiceagent.doctor.outside_probes import number_seen, probe_public_address, twilio_account
from voiceagent.errors import ProviderError
from voiceagent.settings import Settings
from voiceagent.twilio import number_setup
from voiceagent.twilio.account import Resource, TwilioAccount
from voiceagent.twilio.number_setup import VoiceSetup

DONE, FAILED, WRONG = 0, 1, 2

_MISSING: Final = (
    "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN: both stand on the first page of Twilio's console"
)
_WHATSAPP: Final = """\
A WhatsApp sender is set up in Twilio's console (Messaging, Senders): its webhook and its
fallback URL, both POST, are
  {base}/webhook/whatsapp/twilio#rc=5&rp=ct,rt,5xx"""


async def connect(settings: Settings, phone: str | None, stream: TextIO, *, change: bool) -> int:
    """Set the number up, or with `change` False only tell what would be done."""
    twilio, phone = twilio_account(settings), phone or settings.twilio_phone_number
    base_url = settings.public_base_url
    if twilio is None:
        return _complain(stream, _MISSING)
    async with twilio:
        if phone is None:
            return _complain(stream, "no number: twilio connect +972…, or TWILIO_PHONE_NUMBER")
        if base_url is None:
            return _complain(
                stream, "where calls are to come is not known: PUBLIC_BASE_URL=https://…"
            )
        facts = Facts()
        await probe_public_address(settings, facts)
        if facts.public is None or not facts.public.works:
            return _complain(
                stream,
                f"the service does not answer at {base_url}: start it, and see to the proxy or"
                " tunnel before it",
                FAILED,
            )
        try:
            return await _connect(twilio, settings, phone, base_url, stream, change=change)
        except NotKept as error:
            return _complain(stream, str(error), FAILED)
        except ProviderError as error:
            return _complain(stream, f"Twilio: {error}", FAILED)


async def _connect(
    twilio: TwilioAccount,
    settings: Settings,
    phone: str,
    base_url: str,
    stream: TextIO,
    *,
    change: bool,
) -> int:
    number = await twilio.number(phone)
    if number is None:
        return _complain(stream, f"the account has no number {phone}; {await _numbers(twilio)}")
    found = number_seen(number)
    if found.taken_by:
        return _complain(
            stream,
            f"{found.taken_by} answers {phone}, not a webhook: take the number away from it in"
            " Twilio's console (Phone Numbers, Voice)",
        )
    wanted = number_setup.wanted(base_url, settings.agent_language)
    changes = number_setup.changes(found.voice, wanted)
    _show(changes, stream)
    if not changes:
        print(f"{phone} is set up already.", file=stream)
    elif change:
        FormerSetups(settings.data_dir).keep(found.sid, found.voice)
        await twilio.set_voice(found.sid, wanted)
        print(f"{phone} is set up: calls come to {base_url}.", file=stream)
    else:
        print(f"{phone} was left as it is.", file=stream)
    print(_WHATSAPP.format(base=base_url), file=stream)
    return DONE


async def restore(settings: Settings, phone: str | None, stream: TextIO, *, change: bool) -> int:
    """Set the number up as it was before `connect`, or with `change` False only tell."""
    twilio, phone = twilio_account(settings), phone or settings.twilio_phone_number
    if twilio is None:
        return _complain(stream, _MISSING)
    async with twilio:
        if phone is None:
            return _complain(stream, "no number: twilio restore +972…, or TWILIO_PHONE_NUMBER")
        try:
            return await _restore(twilio, settings, phone, stream, change=change)
        except NotKept as error:
            return _complain(stream, str(error), FAILED)
        except ProviderError as error:
            return _complain(stream, f"Twilio: {error}", FAILED)


async def _restore(
    twilio: TwilioAccount, settings: Settings, phone: str, stream: TextIO, *, change: bool
) -> int:
    number = await twilio.number(phone)
    if number is None:
        return _complain(stream, f"the account has no number {phone}; {await _numbers(twilio)}")
    found, former = number_seen(number), FormerSetups(settings.data_dir)
    kept = former.of(found.sid)
    if kept is None:
        return _complain(
            stream,
            f"how {phone} was set up before is not known in {settings.data_dir}: `twilio connect`"
            " keeps it where it runs, and shows it",
        )
    if not is_ours(found.voice):
        return _complain(
            stream, f"somebody has set {phone} up since: it is left as it is, see `twilio status`"
        )
    _show(number_setup.changes(found.voice, kept), stream)
    if not change:
        print(f"{phone} was left as it is.", file=stream)
        return DONE
    await twilio.set_voice(found.sid, kept)
    former.forget(found.sid)
    print(f"{phone} is set up as it was.", file=stream)
    return DONE


async def status(settings: Settings, phone: str | None, stream: TextIO) -> int:
    """Tell of the account's numbers, or of one, who is asked about its calls."""
    twilio = twilio_account(settings)
    if twilio is None:
        return _complain(stream, _MISSING)
    async with twilio:
        try:
            numbers = [one for one in await twilio.numbers() if phone in (None, _phone(one))]
        except ProviderError as error:
            return _complain(stream, f"Twilio: {error}", FAILED)
    if not numbers:
        return _complain(stream, f"the account has no number {phone or 'at all'}")
    well = [_tell(settings, number, stream) for number in numbers]
    return DONE if all(well) else FAILED


def _show(changes: Sequence[tuple[str, str, str]], stream: TextIO) -> None:
    for name, before, after in changes:
        print(
            f"{name}\n  was       {before or '(nothing)'}\n  is to be  {after or '(nothing)'}",
            file=stream,
        )


def _tell(settings: Settings, number: Resource, stream: TextIO) -> bool:
    found = number_seen(number)
    base_url = settings.public_base_url
    here = base_url is not None and found.voice.is_answered_at(base_url) and not found.taken_by
    print(_phone(number), file=stream)
    print(f"  calls     {found.taken_by or found.voice.url or 'nowhere'}", file=stream)
    print(f"  fallback  {_fallback(found.voice)}", file=stream)
    print(f"  {'they come here' if here else 'they do not come here'}", file=stream)
    return here


def _fallback(voice: VoiceSetup) -> str:
    if voice.fallback_url.startswith(number_setup.ECHO):
        return "Twilio takes a message"
    return voice.fallback_url or "none"


async def _numbers(twilio: TwilioAccount) -> str:
    numbers = [_phone(one) for one in await twilio.numbers()]
    return f"it has {', '.join(numbers)}" if numbers else "it has none"


def _phone(number: Resource) -> str:
    return str(number.get("phone_number") or "")


def _complain(stream: TextIO, sentence: str, code: int = WRONG) -> int:
    print(f"voiceagent: {sentence}", file=stream)
    return code

"""How a number is to be set up, so that a call is answered even when the service is not there.

The public address and a language flow in, what Twilio is to be told of the number flows out, and
what differs from how it stands. Pure; the names are those of the IncomingPhoneNumbers resource.

Behind the `#` of the webhook stands how Twilio is to ask ("Webhooks: Connection Overrides"): a
caller hears silence meanwhile, so it gives up on us within ten seconds and goes to the fallback.
That is a document which Twilio's own Echo Twimlet gives back as it is in the address: it stands
whatever becomes of our machines, and the account needs nothing for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from voiceagent.twilio.twiml import INCOMING_CALL_PATH, say_and_hang_up, take_message

RETRIES: Final = "#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000&tt=10000"
"""Asked twice more: when no connection is made in 2 s, no answer comes in 4 s, or it is a 5xx; for
10 s in all."""
ECHO: Final = "https://twimlets.com/echo?Twiml="
MOST_SECONDS: Final = 120
"""Of one message."""

_AWAY: Final = {
    "he": (
        "שלום, איננו יכולים לענות כרגע. אפשר להשאיר הודעה אחרי הצפצוף, ונחזור אליכם.",
        "תודה. נחזור אליכם.",
    ),
    "en": (
        (
            "Hello, we cannot answer just now. Please leave a message after the tone,"
            " and we will call you back."
        ),
        "Thank you. We will call you back.",
    ),
}


@dataclass(frozen=True, slots=True)
class VoiceSetup:
    """Who is asked what to do with calls to a number."""

    url: str
    method: str
    fallback_url: str
    fallback_method: str

    def is_answered_at(self, base_url: str) -> bool:
        """Whether calls are announced to the service there, however Twilio asks it."""
        asked = self.url.partition("#")[0]
        return (asked, self.method) == (base_url + INCOMING_CALL_PATH, "POST")

    def form(self) -> Mapping[str, str]:
        """What Twilio is told."""
        return {
            "VoiceUrl": self.url,
            "VoiceMethod": self.method,
            "VoiceFallbackUrl": self.fallback_url,
            "VoiceFallbackMethod": self.fallback_method,
        }


def wanted(base_url: str, language: str) -> VoiceSetup:
    """For the service at `base_url` (`https://host`, no slash behind it). `language`, a BCP 47
    tag, is what the fallback speaks."""
    ask, thank = _AWAY["he" if language.startswith("he") else "en"]
    return VoiceSetup(
        url=base_url + INCOMING_CALL_PATH + RETRIES,
        method="POST",
        fallback_url=_echo(message_document(ask, thank, language)),
        fallback_method="GET",
    )


def message_document(ask: str, thank: str, language: str) -> str:
    """Ask for a message and thank for it, without any service of ours."""
    thanks_url = _echo(say_and_hang_up(thank, language))
    return take_message(ask, thank, thanks_url, language, MOST_SECONDS)


def _echo(document: str) -> str:
    return ECHO + quote(document, safe="")


def seen(number: Mapping[str, Any]) -> VoiceSetup:
    """How it stands, from an IncomingPhoneNumbers resource."""
    names = ("voice_url", "voice_method", "voice_fallback_url", "voice_fallback_method")
    url, method, fallback_url, fallback_method = (str(number.get(name) or "") for name in names)
    return VoiceSetup(url, method, fallback_url, fallback_method)


def changes(before: VoiceSetup, after: VoiceSetup) -> Sequence[tuple[str, str, str]]:
    """(name, what it is, what it is to be) of all that differs."""
    old, new = before.form(), after.form()
    return [(name, old[name], new[name]) for name in new if old[name] != new[name]]

"""Two processes of one business on one database, with an emulated Twilio and Google, for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from emulators.google import serving
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from live.dictation import DictatedSpeech
from live.visitor import KEY, Visitor
from whole_service import Service

PUBLIC = "https://voice.example.com"
PERSON = "+97239876543"
WORDS = "i want to buy a house in the old town near the sea"
AGENT = f"""
business = "Test"
language = "en-US"
greeting = "Hello, this is Test."
closing = "Thank you, goodbye."
transfer_number = "{PERSON}"

[[questions]]
id = "what"
save_as = "what"
ask = "What can we do for you?"
accept = "anything"

[[questions]]
id = "where"
save_as = "where"
ask = "Where is it?"
accept = "anything"
"""


class House:
    """Process A holds the calls, process B shows them."""

    def __init__(
        self, a: Service, b: Service, twilio: TwilioRestEmulator, speech: DictatedSpeech
    ) -> None:
        self.a, self.b, self.twilio, self.speech = a, b, twilio, speech
        self.at_a, self.at_b = Visitor(a), Visitor(b)

    def dialled(self, call_sid: str) -> str:
        """What Twilio was told to do with the call."""
        return "".join(
            request.form.get("Twiml", "")
            for request in self.twilio.requests
            if call_sid in request.path
        )


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "agent.toml").write_text(AGENT)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "api_key").write_text(KEY)
    speech = DictatedSpeech(WORDS)
    async with serving(speech) as google, AsyncExitStack() as stack:
        twilio = stack.enter_context(TwilioRestEmulator())
        environ = {
            "DATABASE_URL": database_url,
            "AGENT_FILE": str(tmp_path / "agent.toml"),
            "STT_ENGINE": "google",
            "GOOGLE_STT_ENDPOINT": google,
            "TWILIO_BASE_URL": twilio.base_url,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_PHONE_NUMBER": OWN_NUMBER,
            "TWILIO_SIGNATURE_CHECK": "0",
            "PUBLIC_BASE_URL": PUBLIC,
        }
        a = stack.enter_context(Service(tmp_path / "a", **environ))
        b = stack.enter_context(Service(tmp_path / "b", **environ))
        await asyncio.gather(a.until_ready(), b.until_ready())
        one = House(a, b, twilio, speech)
        await asyncio.gather(
            asyncio.to_thread(one.at_a.signed_in), asyncio.to_thread(one.at_b.signed_in)
        )
        yield one

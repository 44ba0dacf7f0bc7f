"""The whole service, when Google understands nothing any more: a person takes the call over."""

from pathlib import Path

import grpc

from emulators.google import serving
from emulators.google_speech import Fault, SpeechEmulator
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from voiceagent.simulator.behaviour import AwaitGoodbye
from whole_service import Service, on_the_line, until

PERSON = "+97231111111"
AGENT = f"""
business = "Corner Agency"
language = "he-IL"
greeting = "שלום, משרד הפינה."
closing = "תודה ולהתראות."
transfer_number = "{PERSON}"
transfer_when = "always"

[[questions]]
id = "what"
save_as = "what"
ask = "במה אפשר לעזור?"
accept = "anything"
"""


async def test_whoever_calls_then_is_put_through(tmp_path: Path) -> None:
    agent = tmp_path / "agent.toml"
    agent.write_text(AGENT, encoding="utf-8")
    speech = SpeechEmulator()
    async with serving(speech) as address:
        with TwilioRestEmulator() as twilio:
            environ = {
                "AGENT_FILE": str(agent),
                "STT_ENGINE": "google",
                "GOOGLE_STT_ENDPOINT": address,
                "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
                "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
                "TWILIO_SIGNATURE_CHECK": "0",
                "TWILIO_BASE_URL": twilio.base_url,
                "TWILIO_PHONE_NUMBER": OWN_NUMBER,
                "PUBLIC_BASE_URL": "https://own.example.com",
            }
            with Service(tmp_path / "data", **environ) as service:
                await service.until_ready()
                speech.always = Fault(grpc.StatusCode.PERMISSION_DENIED)
                socket = f"ws://127.0.0.1:{service.port}/ws/twilio-media"
                async with on_the_line(service, [AwaitGoodbye()], media_url=socket) as [line]:
                    twilio.admit(line.call_sid)
                    ordered = f"/Calls/{line.call_sid}.json"
                    await until(lambda: any(ordered in one.path for one in twilio.requests))
    order = next(one for one in twilio.requests if ordered in one.path)
    assert PERSON in order.form["Twiml"]
    assert "<Dial" in order.form["Twiml"]

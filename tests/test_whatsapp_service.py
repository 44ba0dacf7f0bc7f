"""The whole service and WhatsApp: who writes is answered, the owner is told, people are erased."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulators.openai_rules import Rule
from emulators.openai_server import OpenAIEmulator
from emulators.sidecar import TOKEN, SidecarEmulator
from emulators.twilio_call_log import fell_back
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye
from whole_service import Service, on_the_line, speech, talk, until

PHONE = "+972501234567"
WORDS = "i want to buy a house"
OWNER = "+972521111111"
AGENT = """
business = "Test"
language = "en-US"
greeting = "Hello, this is Test."
closing = "Thank you, goodbye."
transfer_number = "+97231234567"

[[questions]]
id = "what"
save_as = "what"
ask = "What can we do for you?"
accept = "anything"

  [[questions.answers]]
  value = "house"
  say = ["i want to buy a house"]

[[questions]]
id = "name"
save_as = "name"
ask = "What is your name?"
accept = "anything"
lead_ins = ["my name is"]
"""


class World:
    """A service, and the emulated sidecar beside it."""

    def __init__(self, service: Service, sidecar: SidecarEmulator) -> None:
        self.service = service
        self.sidecar = sidecar

    def wrote(self, text: str, phone: str = PHONE) -> None:
        chat = {"jid": f"{phone[1:]}@s.whatsapp.net", "phone": phone, "lid": None}
        message = {"message_id": uuid4().hex, "chat": chat, "kind": "text", "text": text}
        self.sidecar.event("message.received", message)

    def sent_to(self, phone: str) -> list[str]:
        return [line["text"] for line in self.sidecar.wire if line["to"] == phone]

    def call_api(self, method: str, path: str, **options: Any) -> Any:
        key = (self.service.data_dir / "api_key").read_text().strip()
        answer = self.service.client.request(
            method,
            self.service.url + path,
            headers={"Authorization": f"Bearer {key}"},
            **options,
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def contact(self, phone: str = PHONE) -> dict[str, Any]:
        [found] = self.call_api("GET", "/api/crm/contacts", params={"phone": phone})["items"]
        return dict(found)


@asynccontextmanager
async def world(tmp_path: Path, **environ: str) -> AsyncIterator[World]:
    agent = tmp_path / "agent.toml"
    agent.write_text(AGENT)
    async with SidecarEmulator(tmp_path / "sidecar") as sidecar:
        with Service(
            tmp_path / "data",
            **{
                "BENCH_ENGINES": "1",
                "BENCH_REPLY_SECONDS": "0.6",
                "AGENT_FILE": str(agent),
                "BAILEYS_URL": sidecar.url,
                "BAILEYS_TOKEN": TOKEN,
            }
            | environ,
        ) as service:
            await until(lambda: service.readyz()[0] == 200)
            sidecar.events_to = service.url
            yield World(service, sidecar)


async def test_who_writes_is_answered_until_a_person_takes_over(tmp_path: Path) -> None:
    async with world(tmp_path, OWNER_WHATSAPP=OWNER) as one:
        one.wrote("hello")
        await until(lambda: any("What can we do" in text for text in one.sent_to(PHONE)))
        one.wrote("a flat in the centre")
        await until(lambda: any("What is your name" in text for text in one.sent_to(PHONE)))
        one.wrote("my name is ada")
        await until(lambda: one.contact()["name"] == "Ada")
        assert one.contact()["fields"]["what"] == "a flat in the centre"

        one.wrote("I want to talk to a person")
        await until(lambda: any("asks for a person" in text for text in one.sent_to(OWNER)))
        agent = f"/api/crm/contacts/{one.contact()['id']}/agent"
        assert one.call_api("GET", agent)["agent"] == "person"

        await until(lambda: any("Somebody of our team" in text for text in one.sent_to(PHONE)))
        before = len(one.sent_to(PHONE))
        one.wrote("are you there")
        await until(lambda: "are you there" in str(one.call_api("GET", "/api/crm/messages")))
        # Somebody else is answered meanwhile: whoever has a person is not.
        one.wrote("hello", phone="+12025550123")
        await until(lambda: one.sent_to("+12025550123"))
        assert len(one.sent_to(PHONE)) == before


async def test_the_agent_can_be_kept_from_writing(tmp_path: Path) -> None:
    async with world(tmp_path, WHATSAPP_AGENT="0") as one:
        one.wrote("hello")
        await until(lambda: one.call_api("GET", "/api/crm/messages")["items"])
        body = {"to": PHONE, "text": "from a program"}
        # In a thread: the emulated sidecar answers in this one.
        answer = await asyncio.to_thread(one.call_api, "POST", "/api/whatsapp/send", json=body)
        assert answer is None
        assert one.sent_to(PHONE) == ["from a program"]


async def test_what_twilio_took_while_the_service_was_away_is_there_after_its_start(
    tmp_path: Path,
) -> None:
    with TwilioRestEmulator() as twilio:
        written_at = datetime.now(UTC) - timedelta(hours=2)
        twilio.receive("SM1", PHONE, "is anybody there", at=written_at)
        account = {
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_BASE_URL": twilio.base_url,
            "TWILIO_WHATSAPP_FROM": OWN_NUMBER,
        }
        async with world(tmp_path, WHATSAPP_AGENT="0", **account) as one:
            await until(lambda: one.call_api("GET", "/api/crm/messages")["items"])
            [message] = one.call_api("GET", "/api/crm/messages")["items"]
            assert (message["text"], message["provider"]) == ("is anybody there", "twilio")
            assert message["contact_id"] == one.contact()["id"]


async def test_what_was_said_to_the_fallback_meanwhile_is_there_and_the_owner_is_told(
    tmp_path: Path,
) -> None:
    base_url, call_sid = "https://own.example.com", "CA" + "1" * 32
    with TwilioRestEmulator() as twilio:
        for number in twilio.pages.numbers.values():
            number["voice_url"] = f"{base_url}/webhook/incoming_call#rc=2"
        called_at = datetime.now(UTC) - timedelta(hours=2)
        twilio.miss(call_sid, PHONE, at=called_at)
        twilio.pages.events[call_sid] = fell_back(f"{base_url}/webhook/incoming_call")
        twilio.log.record("RE" + "1" * 32, call_sid, called_at, sound=b"RIFF of nobody")
        account = {
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_BASE_URL": twilio.base_url,
            "PUBLIC_BASE_URL": base_url,
        }
        async with world(tmp_path, OWNER_WHATSAPP=OWNER, **account) as one:
            await until(lambda: one.sent_to(OWNER))
            [told] = one.sent_to(OWNER)
            assert "Message from +972 50-123-4567, left while the service was away" in told
            assert told.endswith(f"{base_url}/console/calls/{call_sid}")
            call = one.service.call_record(call_sid)
            assert (call["end_reason"], call["from"]) == ("service_away", PHONE)
            await until(lambda: one.service.call_record(call_sid)["voicemails"][0]["path"])
            path = one.service.call_record(call_sid)["voicemails"][0]["path"]
            assert one.service.api(path).content == b"RIFF of nobody"
            # Nobody answered it in writing.
            assert one.sent_to(PHONE) == []


async def test_a_person_is_found_merged_and_erased(tmp_path: Path) -> None:
    async with world(tmp_path, WHATSAPP_AGENT="0") as one:
        one.wrote("the blue bicycle")
        one.wrote("hello", phone="+12025550123")
        await until(lambda: len(one.call_api("GET", "/api/crm/conversations")["items"]) == 2)
        found = one.call_api("GET", "/api/crm/search", params={"q": "blue bicycle"})
        assert "blue bicycle" in str(found)
        contact, other = one.contact(), one.contact("+12025550123")
        one.call_api("POST", f"/api/crm/contacts/{other['id']}/merge", json={"into": contact["id"]})
        assert "blue bicycle" in str(
            one.call_api("GET", f"/api/crm/contacts/{other['id']}/timeline")
        )
        one.call_api("DELETE", f"/api/crm/contacts/{contact['id']}")
        await until(lambda: not one.call_api("GET", "/api/crm/conversations")["items"])
        assert not one.call_api("GET", "/api/crm/messages")["items"]


async def test_the_owner_is_told_of_a_missed_call_by_whatsapp(tmp_path: Path) -> None:
    async with world(tmp_path, OWNER_WHATSAPP=OWNER, MAX_CALLS="1") as one:
        async with on_the_line(one.service, talk(1)) as [line]:
            await line.answers(1)
            call = {"CallSid": "CA" + "1" * 32, "From": PHONE, "To": "+97239999999"}
            one.service.post("/webhook/incoming_call", **call)
            await line.hang_up()
        await until(lambda: one.sent_to(OWNER))
        [told] = one.sent_to(OWNER)
        assert "+972 50-123-4567" in told
        assert "busy" in told


async def test_the_agent_on_the_telephone_writes_to_the_caller(tmp_path: Path) -> None:
    text = "Our address is 1 Main Street."
    sends = {"name": "send_whatsapp", "arguments": json.dumps({"text": text})}
    rules = [
        Rule.from_dict({"says": WORDS, "after_tool": "send_whatsapp", "say": "I have sent it."}),
        Rule.from_dict({"says": WORDS, "calls": [sends]}),
    ]
    async with (
        OpenAIEmulator(rules) as model,
        world(
            tmp_path, BENCH_ENGINES="0", LLM_BASE_URL=model.base_url, LLM_MODEL="emulated"
        ) as one,
    ):
        await one.service.until_ready()
        steps = [Answer(speech(WORDS), patience_ms=20_000), AwaitGoodbye()]
        async with on_the_line(one.service, steps) as [line]:
            await line.answers(2)
            await until(lambda: one.sent_to("+972500000000"))
            await line.hang_up()
        assert one.sent_to("+972500000000") == [text]
        [message] = one.call_api("GET", "/api/crm/messages")["items"]
        assert (message["direction"], message["text"]) == ("out", text)

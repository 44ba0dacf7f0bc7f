"""The webhooks about calls that are moved, with Twilio's real library behind them."""

import asyncio
import logging
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI

from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, Fault, TwilioRestEmulator
from outside import Door, Records
from voiceagent.crm.recording.call_models import CallEnded
from voiceagent.metrics import Metrics
from voiceagent.settings import load_settings
from voiceagent.twilio.rest import TwilioRest
from voiceagent.twilio.signature import sign
from voiceagent.twilio.twiml import reconnect_stream
from voiceagent.web.call_control_webhooks import call_control_router, what_to_do
from voiceagent.web.orders import Orders
from voiceagent.web.problems import install_problem_handlers

BASE = "https://voice.example.com"
TRANSFER_ENDED = "/webhook/transfer_ended"
MACHINE = "/webhook/answering_machine"
STATUS = "/webhook/call_status"
LIVE = "CA" + "5" * 32
ACCOUNT = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID, "TWILIO_AUTH_TOKEN": AUTH_TOKEN}


class Service:
    def __init__(self, twilio: TwilioRestEmulator, *, has_account: bool = True) -> None:
        settings = load_settings({"PUBLIC_BASE_URL": BASE} | (ACCOUNT if has_account else {}))
        self.door, self.records, self.orders = Door(), Records(), Orders()
        self.rest = TwilioRest(
            ACCOUNT_SID,
            AUTH_TOKEN,
            base_url=twilio.base_url,
            caller_id=OWN_NUMBER,
            public_base_url=BASE,
        )
        app = FastAPI()
        install_problem_handlers(app)
        app.include_router(
            call_control_router(
                settings,
                self.records,
                self.door,
                Metrics(),
                orders=self.orders,
                machines=self.rest if has_account else None,
                busy_phrase=lambda: ("כל הקווים תפוסים", "he-IL"),
                voicemail_phrase=lambda: ("חיפשנו אותך", "he-IL"),
            )
        )
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=BASE)

    async def post(self, path: str, *, signed_as: str | None = None, **form: str) -> httpx.Response:
        """As Twilio posts it; `signed_as` is the path that was really signed."""
        form = {"CallSid": LIVE} | form
        signature = sign(AUTH_TOKEN, BASE + (signed_as or path), list(form.items()))
        return await self.client.post(path, data=form, headers={"X-Twilio-Signature": signature})

    async def close(self) -> None:
        await self.client.aclose()
        await self.orders.close()
        await self.rest.close()


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        emulator.admit(LIVE)
        yield emulator


@pytest.fixture
async def service(twilio: TwilioRestEmulator) -> AsyncIterator[Service]:
    service = Service(twilio)
    yield service
    await service.close()


class TestReplays:
    """Twilio's signature has no time in it: whoever has overheard a request can send it again."""

    async def test_a_machine_is_dealt_with_once(
        self, service: Service, twilio: TwilioRestEmulator
    ) -> None:
        path = f"{MACHINE}?do=hang_up"
        for _ in range(20):
            answer = await service.post(path, AnsweredBy="machine_start")
            assert answer.status_code == 204
        await service.orders.settled()
        assert len(twilio.requests) == 1
        assert len(service.records) == 1

    async def test_a_call_that_nobody_answered_ends_once(self, service: Service) -> None:
        for _ in range(20):
            assert (await service.post(STATUS, CallStatus="busy")).status_code == 204
        assert len(service.records) == 2

    async def test_a_caller_who_comes_back_is_led_to_the_same(self, service: Service) -> None:
        first = await service.post(TRANSFER_ENDED, DialCallStatus="busy")
        service.door.is_open = False
        for _ in range(20):
            again = await service.post(TRANSFER_ENDED, DialCallStatus="busy")
            assert (again.status_code, again.text) == (200, first.text)
        assert len(service.records) == 1


class TestTransferEnded:
    @pytest.mark.parametrize("outcome", ["completed", "answered"])
    async def test_after_the_conversation_the_call_ends(
        self, service: Service, outcome: str
    ) -> None:
        answer = await service.post(TRANSFER_ENDED, DialCallStatus=outcome)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/xml")
        assert [element.tag for element in ET.fromstring(answer.text)] == ["Hangup"]  # noqa: S314
        (record,) = service.records.answers
        assert (record.route, record.status, record.event) == (TRANSFER_ENDED, 200, outcome)

    @pytest.mark.parametrize("outcome", ["no-answer", "busy", "failed", "canceled", "", "new"])
    async def test_who_reached_nobody_comes_back_to_the_agent(
        self, service: Service, outcome: str
    ) -> None:
        answer = await service.post(TRANSFER_ENDED, DialCallStatus=outcome)
        assert answer.status_code == 200
        assert answer.text == reconnect_stream(BASE, LIVE)
        assert [record.detail for record in service.records.answers] == ["back to the agent"]

    async def test_without_room_it_is_said(self, service: Service) -> None:
        service.door.is_open = False
        answer = await service.post(TRANSFER_ENDED, DialCallStatus="busy")
        say, _ = ET.fromstring(answer.text)  # noqa: S314
        assert say.text == "כל הקווים תפוסים"

    async def test_a_conversation_that_is_over_needs_no_room(self, service: Service) -> None:
        service.door.is_open = False
        answer = await service.post(TRANSFER_ENDED, DialCallStatus="completed")
        assert [element.tag for element in ET.fromstring(answer.text)] == ["Hangup"]  # noqa: S314


class TestAnsweringMachine:
    @pytest.mark.parametrize("answered_by", ["human", "unknown", "", "robot"])
    async def test_what_may_be_a_person_is_left_alone(
        self, twilio: TwilioRestEmulator, service: Service, answered_by: str
    ) -> None:
        answer = await service.post(f"{MACHINE}?do=hang_up", AnsweredBy=answered_by)
        await service.orders.settled()
        assert (answer.status_code, answer.content) == (204, b"")
        assert twilio.requests == []

    @pytest.mark.parametrize(
        ("answered_by", "do"),
        [("machine_start", "hang_up"), ("machine_end_beep", "hang_up"), ("fax", "leave_message")],
    )
    async def test_the_call_is_ended(
        self, twilio: TwilioRestEmulator, service: Service, answered_by: str, do: str
    ) -> None:
        answer = await service.post(f"{MACHINE}?do={do}", AnsweredBy=answered_by)
        await service.orders.settled()
        assert (answer.status_code, answer.content) == (204, b"")
        assert twilio.calls[LIVE]["status"] == "completed"
        (record,) = service.records.answers
        assert (record.route, record.status, record.event, record.detail) == (
            MACHINE,
            204,
            answered_by,
            "hang up",
        )

    @pytest.mark.parametrize(
        "answered_by",
        ["machine_end_beep", "machine_end_silence", "machine_end_other", "machine_start"],
    )
    async def test_a_message_is_left(
        self, twilio: TwilioRestEmulator, service: Service, answered_by: str
    ) -> None:
        await service.post(f"{MACHINE}?do=leave_message", AnsweredBy=answered_by)
        await service.orders.settled()
        say, hang_up = ET.fromstring(twilio.requests[0].form["Twiml"])  # noqa: S314
        assert (say.text, say.attrib, hang_up.tag) == (
            "חיפשנו אותך",
            {"language": "he-IL"},
            "Hangup",
        )

    @pytest.mark.parametrize("query", ["", "?do=talk", "?do=", "?do=shout"])
    async def test_a_machine_that_is_to_be_talked_to(
        self, twilio: TwilioRestEmulator, service: Service, query: str
    ) -> None:
        answer = await service.post(MACHINE + query, AnsweredBy="machine_start")
        await service.orders.settled()
        assert answer.status_code == 204
        assert twilio.requests == []

    async def test_the_answer_does_not_wait_for_twilio(
        self, twilio: TwilioRestEmulator, service: Service
    ) -> None:
        twilio.fail_next(Fault.HANG)
        answer = await service.post(f"{MACHINE}?do=hang_up", AnsweredBy="machine_start")
        assert answer.status_code == 204
        await asyncio.to_thread(twilio.wait_until_hanging, 1)
        assert twilio.calls[LIVE]["status"] == "in-progress"
        twilio.release()
        await service.orders.settled()

    async def test_a_failure_is_told_to_the_log_alone(
        self, twilio: TwilioRestEmulator, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        twilio.calls.clear()
        answer = await service.post(f"{MACHINE}?do=hang_up", AnsweredBy="machine_start")
        await service.orders.settled()
        assert answer.status_code == 204
        (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
        assert "hang up on a machine" in line
        assert "20404" in line

    async def test_without_an_account_it_is_only_recorded(self, twilio: TwilioRestEmulator) -> None:
        service = Service(twilio, has_account=False)
        answer = await service.post(f"{MACHINE}?do=hang_up", AnsweredBy="machine_start")
        await service.close()
        assert answer.status_code == 204
        assert len(service.records.answers) == 1
        assert twilio.requests == []


class TestWhatToDo:
    @pytest.mark.parametrize("wanted", ["hang_up", "leave_message", "talk", ""])
    @pytest.mark.parametrize("answered_by", ["human", "unknown", "", "machine"])
    def test_in_doubt_nothing(self, answered_by: str, wanted: str) -> None:
        assert what_to_do(answered_by, wanted) == "nothing"

    @pytest.mark.parametrize("wanted", ["hang_up", "leave_message", "talk"])
    def test_nobody_talks_to_a_fax(self, wanted: str) -> None:
        assert what_to_do("fax", wanted) == "hang_up"


class TestCallStatus:
    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            ("busy", "line_busy"),
            ("no-answer", "no_answer"),
            ("failed", "not_connected"),
            ("canceled", "not_connected"),
        ],
    )
    async def test_a_call_that_nobody_took_ends_in_the_records(
        self, service: Service, status: str, reason: str
    ) -> None:
        answer = await service.post(STATUS, CallStatus=status)
        assert (answer.status_code, answer.content) == (204, b"")
        (ended,) = [record for record in service.records if isinstance(record, CallEnded)]
        assert (ended.call_sid, ended.status, ended.reason) == (LIVE, "failed", reason)
        assert [record.event for record in service.records.answers] == [status]

    @pytest.mark.parametrize("status", ["completed", "in-progress", "", "new"])
    async def test_one_that_was_taken_ends_with_its_stream(
        self, service: Service, status: str
    ) -> None:
        assert (await service.post(STATUS, CallStatus=status)).status_code == 204
        assert len(service.records) == 1


class TestSignatures:
    @pytest.mark.parametrize("path", [TRANSFER_ENDED, f"{MACHINE}?do=hang_up", STATUS])
    async def test_none_or_another_is_refused(
        self, twilio: TwilioRestEmulator, service: Service, path: str
    ) -> None:
        form = {"CallSid": LIVE, "AnsweredBy": "fax", "DialCallStatus": "completed"}
        bare = await service.client.post(path, data=form)
        other = await service.post(path, signed_as="/webhook/stream_ended", AnsweredBy="fax")
        assert (bare.status_code, other.status_code) == (403, 403)
        assert other.headers["content-type"] == "application/problem+json"
        await service.orders.settled()
        assert service.records == []
        assert twilio.requests == []

    @pytest.mark.parametrize("asked", ["?do=leave_message", "", "?do=hang_up&do=talk"])
    async def test_the_query_is_signed_as_well(
        self, twilio: TwilioRestEmulator, service: Service, asked: str
    ) -> None:
        signed = f"{MACHINE}?do=hang_up"
        answer = await service.post(MACHINE + asked, signed_as=signed, AnsweredBy="machine_start")
        assert answer.status_code == 403
        await service.orders.settled()
        assert twilio.requests == []

"""`POST /api/calls` through Twilio's real library, against an emulator of its API."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from emulators.twilio_rest import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    HOST,
    OWN_NUMBER,
    Fault,
    TwilioRestEmulator,
)
from outside import Door, Records
from voiceagent.settings import load_settings
from voiceagent.twilio.rest import TwilioRest
from voiceagent.web.calls import HourlyLimit, calls_router
from voiceagent.web.problems import install_problem_handlers
from voiceagent.web.security import api_key_required

KEY = {"Authorization": "Bearer k3y"}
MOBILE = "+972501234567"
CONFIGURED = {
    "PUBLIC_BASE_URL": "https://voice.example.com",
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "TWILIO_PHONE_NUMBER": OWN_NUMBER,
}


class Service:
    """The route, its key, and Twilio's library pointed at an address."""

    def __init__(
        self, twilio_url: str, environ: dict[str, str] | None = None, **options: Any
    ) -> None:
        settings = load_settings(CONFIGURED if environ is None else environ)
        self.door, self.records = Door(), Records()
        self.rest = TwilioRest(
            ACCOUNT_SID,
            AUTH_TOKEN,
            base_url=twilio_url,
            caller_id=OWN_NUMBER,
            public_base_url=settings.public_base_url,
        )
        dialler = self.rest if settings.twilio_account_sid and settings.twilio_auth_token else None
        self.app = FastAPI()
        install_problem_handlers(self.app)
        self.app.include_router(
            calls_router(settings, dialler, self.door, self.records, **options),
            dependencies=[Depends(api_key_required("k3y"))],
        )
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://own.example.com", headers=KEY
        )

    async def call(self, key: str | None = None, **body: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key is not None else {}
        return await self.client.post("/api/calls", json={"to": MOBILE} | body, headers=headers)

    async def close(self) -> None:
        await self.client.aclose()
        await self.rest.close()


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        yield emulator


@pytest.fixture
async def service(twilio: TwilioRestEmulator) -> AsyncIterator[Service]:
    service = Service(twilio.base_url)
    yield service
    await service.close()


class TestPlacing:
    async def test_somebody_is_called(self, twilio: TwilioRestEmulator, service: Service) -> None:
        answer = await service.call()
        assert answer.status_code == 201
        placed = answer.json()
        assert placed == {"call_sid": next(iter(twilio.calls)), "status": "queued"}
        form = twilio.requests[0].form
        assert (form["To"], form["From"], form["Timeout"]) == (MOBILE, OWN_NUMBER, "30")
        assert form["Url"] == "https://voice.example.com/webhook/incoming_call"
        assert form["AsyncAmdStatusCallback"].endswith("do=hang_up")

    async def test_it_stands_in_the_records_even_if_nobody_answers(self, service: Service) -> None:
        placed = (await service.call()).json()
        (announced,) = service.records.announced
        assert (announced.call_sid, announced.caller, announced.called, announced.direction) == (
            placed["call_sid"],
            OWN_NUMBER,
            MOBILE,
            "outbound",
        )

    async def test_every_choice_reaches_twilio(
        self, twilio: TwilioRestEmulator, service: Service
    ) -> None:
        twilio.own_numbers.add("+97235555555")
        answer = await service.call(
            **{"from": "+97235555555", "on_machine": "leave_message", "max_ring_s": 12}
        )
        assert answer.status_code == 201
        form = twilio.requests[0].form
        assert (form["From"], form["Timeout"]) == ("+97235555555", "12")
        assert form["MachineDetection"] == "DetectMessageEnd"

    async def test_the_address_is_the_requests_own_when_none_is_set(
        self, twilio: TwilioRestEmulator
    ) -> None:
        environ = {name: CONFIGURED[name] for name in CONFIGURED if name != "PUBLIC_BASE_URL"}
        service = Service(twilio.base_url, environ)
        assert (await service.call()).status_code == 201
        await service.close()
        assert twilio.requests[0].form["Url"] == "https://own.example.com/webhook/incoming_call"

    async def test_it_stands_in_the_openapi_document(self, service: Service) -> None:
        document = (await service.client.get("/openapi.json")).json()
        operation = document["paths"]["/api/calls"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema["properties"]) == {"to", "from", "on_machine", "max_ring_s"}
        assert {"201", "401", "422", "429", "501", "502", "503", "504"} <= set(
            operation["responses"]
        )


class TestRefusing:
    async def test_without_the_key_nothing_is_read(self, service: Service) -> None:
        for content in (b'{"to": "+972501234567"}', b"{broken"):
            answer = await service.client.post(
                "/api/calls", content=content, headers={"Authorization": "Bearer other"}
            )
            assert answer.status_code == 401

    @pytest.mark.parametrize(
        "body",
        [
            {"to": ""},
            {"to": "0501234567"},
            {"to": "+972 50 123 4567"},
            {"to": "+1"},
            {"to": "*2700"},
            {"to": "100"},
            {"to": 972501234567},
            {"from": "anonymous"},
            {"on_machine": "shout"},
            {"max_ring_s": 4},
            {"max_ring_s": 61},
            {"max_ring_s": 10.5},
            {"on_machin": "talk"},
        ],
        ids=str,
    )
    async def test_a_malformed_body(
        self, twilio: TwilioRestEmulator, service: Service, body: dict[str, Any]
    ) -> None:
        answer = await service.call(**body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        (field,) = body
        assert [fault["where"] for fault in answer.json()["errors"]] == [f"body.{field}"]
        assert twilio.requests == []

    @pytest.mark.parametrize(
        ("number", "why"),
        [
            ("+9721900123456", "premium"),
            ("+9721234", "no whole telephone number"),
            ("+120255501234", "no whole telephone number"),
            ("+12025550123", "(US)"),
            ("+18765550123", "(JM)"),
        ],
    )
    async def test_a_number_that_is_not_to_be_called(
        self, twilio: TwilioRestEmulator, service: Service, number: str, why: str
    ) -> None:
        answer = await service.call(to=number)
        assert answer.status_code == 422
        (fault,) = answer.json()["errors"]
        assert fault["where"] == "body.to"
        assert why in fault["what"]
        assert number not in answer.text
        assert twilio.requests == []

    async def test_other_countries_can_be_allowed(self, twilio: TwilioRestEmulator) -> None:
        service = Service(twilio.base_url, allowed_regions=("IL", "US"))
        assert (await service.call(to="+12025550123")).status_code == 201
        assert (await service.call(to="+18765550123")).status_code == 422
        await service.close()

    async def test_a_body_without_end_is_not_read_to_it(self, service: Service) -> None:
        answer = await service.client.post("/api/calls", content=b"[" * 70_000)
        assert answer.status_code == 413

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 5000])
    async def test_what_is_no_json_object(self, service: Service, content: bytes) -> None:
        answer = await service.client.post("/api/calls", content=content)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize(
        "missing",
        [
            ("TWILIO_ACCOUNT_SID",),
            ("TWILIO_AUTH_TOKEN",),
            ("TWILIO_PHONE_NUMBER",),
            ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"),
        ],
    )
    async def test_without_an_account_it_says_what_is_missing(
        self, twilio: TwilioRestEmulator, missing: tuple[str, ...]
    ) -> None:
        environ = {name: value for name, value in CONFIGURED.items() if name not in missing}
        service = Service(twilio.base_url, environ)
        answer = await service.client.post("/api/calls", content=b"")
        await service.close()
        assert answer.status_code == 501
        assert answer.headers["content-type"] == "application/problem+json"
        detail = answer.json()["detail"]
        assert [name for name in CONFIGURED if name in detail] == list(missing)

    async def test_no_room(self, twilio: TwilioRestEmulator, service: Service) -> None:
        service.door.is_open = False
        answer = await service.call()
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert twilio.requests == []

    async def test_so_many_an_hour_and_no_more(self, twilio: TwilioRestEmulator) -> None:
        service = Service(twilio.base_url, calls_per_hour=2)
        statuses = [(await service.call()).status_code for _ in range(3)]
        assert statuses == [201, 201, 429]
        answer = await service.call()
        await service.close()
        assert 3590 < int(answer.headers["retry-after"]) <= 3600
        assert len(twilio.requests) == 2


class TestFailing:
    async def test_twilios_refusal_is_told_with_its_code(
        self, twilio: TwilioRestEmulator, service: Service
    ) -> None:
        twilio.forbidden_prefixes.add("+972")
        answer = await service.call()
        assert answer.status_code == 502
        assert answer.headers["content-type"] == "application/problem+json"
        assert "21215" in answer.json()["detail"]
        assert MOBILE not in answer.text
        assert service.records == []

    async def test_what_may_ring_is_told_as_such(
        self, twilio: TwilioRestEmulator, service: Service
    ) -> None:
        twilio.fail_next(Fault.RESET_AFTERWARDS)
        answer = await service.call()
        assert answer.status_code == 504
        assert "not known" in answer.json()["detail"]
        assert "retry-after" not in answer.headers
        assert len(twilio.requests) == 1

    async def test_what_was_not_placed_takes_nothing_from_the_hour(
        self, twilio: TwilioRestEmulator
    ) -> None:
        service = Service(twilio.base_url, calls_per_hour=1)
        twilio.fail_next(Fault.TOO_MANY_REQUESTS)
        refused = await service.call()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert (await service.call()).status_code == 201
        assert (await service.call()).status_code == 429
        await service.close()

    async def test_twilio_away(self) -> None:
        service = Service(f"http://{HOST}:1")
        answer = await service.call()
        await service.close()
        assert answer.status_code == 503
        assert "not placed" in answer.json()["detail"]


class TestIdempotency:
    async def test_the_same_again_rings_once(
        self, twilio: TwilioRestEmulator, service: Service
    ) -> None:
        first, second = [await service.call("key-1") for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert len(twilio.requests) == 1
        # The same said in other words.
        third = await service.call("key-1", max_ring_s=30)
        assert third.json() == first.json()
        assert len(service.records.announced) == 1

    async def test_another_key_is_another_call(
        self, twilio: TwilioRestEmulator, service: Service
    ) -> None:
        answers = [(await service.call(key)).json()["call_sid"] for key in ("a", "b")]
        assert set(answers) == set(twilio.calls)
        assert len(twilio.requests) == 2

    async def test_another_body_is_refused(
        self, twilio: TwilioRestEmulator, service: Service
    ) -> None:
        await service.call("key-1")
        answer = await service.call("key-1", max_ring_s=20)
        assert answer.status_code == 422
        assert len(twilio.requests) == 1

    async def test_while_it_is_under_way_it_is_not_done_again(
        self, twilio: TwilioRestEmulator, service: Service
    ) -> None:
        twilio.fail_next(Fault.HANG)
        first = asyncio.create_task(service.call("key-1"))
        await asyncio.to_thread(twilio.wait_until_hanging, 1)
        assert (await service.call("key-1")).status_code == 409
        twilio.release()
        assert (await first).status_code == 201
        assert (await service.call("key-1")).json() == (await first).json()
        assert len(twilio.requests) == 1

    @pytest.mark.parametrize(
        ("fault", "status"), [(Fault.RESET_AFTERWARDS, 504), (Fault.SERVER_ERROR, 504)]
    )
    async def test_what_may_ring_already_is_not_placed_again(
        self, twilio: TwilioRestEmulator, service: Service, fault: Fault, status: int
    ) -> None:
        twilio.fail_next(fault)
        answers = [await service.call("key-1") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [status, status]
        assert len(twilio.requests) == 1

    async def test_what_was_not_placed_may_be_asked_again(
        self, twilio: TwilioRestEmulator, service: Service
    ) -> None:
        twilio.fail_next(Fault.TOO_MANY_REQUESTS)
        assert (await service.call("key-1")).status_code == 503
        service.door.is_open = False
        assert (await service.call("key-1")).status_code == 503
        service.door.is_open = True
        assert (await service.call("key-1")).status_code == 201

    @pytest.mark.parametrize("key", ["", "two words", "x" * 201])
    async def test_a_key_that_is_none(self, service: Service, key: str) -> None:
        assert (await service.call(key)).status_code == 422


class TestHourlyLimit:
    def test_it_opens_again_one_by_one(self) -> None:
        limit = HourlyLimit(2)
        for at_s in (0.0, 1000.0):
            assert limit.wait_s(at_s) == 0.0
            limit.take(at_s)
        assert limit.wait_s(1500.0) == 2100.0
        assert limit.wait_s(3600.0) == 0.0
        limit.take(3600.0)
        assert limit.wait_s(3601.0) == 999.0

    def test_what_is_given_back_counts_no_more(self) -> None:
        limit = HourlyLimit(1)
        limit.take(0.0)
        limit.give_back()
        assert limit.wait_s(1.0) == 0.0

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outside import outside
from voiceagent.crm.recording.call_models import CallEnded
from voiceagent.limits.front_door import Ringing, TurnedAway
from voiceagent.twilio.signature import sign
from voiceagent.twilio.twiml import say_and_hang_up
from voiceagent.web.forms import MAX_BODY_BYTES

INCOMING = "/webhook/incoming_call"
STATUS = "/webhook/stream_status"
ENDED = "/webhook/stream_ended"
BASE = {"PUBLIC_BASE_URL": "https://voice.example.com/"}
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
RINGING = {
    "CallSid": "CA_TEST",
    "From": "+972501234567",
    "To": "+97231234567",
    "Direction": "inbound",
    "CallStatus": "ringing",
    "CallerCity": "",
}


SIGNED = BASE | {"TWILIO_AUTH_TOKEN": "t0ken"}


async def signed_post(client: httpx.AsyncClient, path: str, form: dict[str, str]) -> httpx.Response:
    signature = sign("t0ken", f"https://voice.example.com{path}", list(form.items()))
    return await client.post(path, data=form, headers={"X-Twilio-Signature": signature})


class TestReplays:
    """Twilio's signature has no time in it: whoever has overheard a request can send it again."""

    async def test_the_same_call_rings_once(self) -> None:
        service = outside(SIGNED)
        async with service.client() as client:
            first = await signed_post(client, INCOMING, RINGING)
            kept = list(service.records)
            # A replay while there is no room would end a call that goes on.
            service.door.is_open = False
            for _ in range(100):
                again = await signed_post(client, INCOMING, RINGING)
                assert (again.status_code, again.text) == (200, first.text)
            assert service.records == kept
            other = await signed_post(client, INCOMING, RINGING | {"CallSid": "CA_OTHER"})
        assert other.text != first.text
        assert len(service.records) > len(kept)

    async def test_a_stream_ends_once(self) -> None:
        service = outside(SIGNED)
        form = {"CallSid": "CA_TEST", "CallStatus": "in-progress"}
        async with service.client() as client:
            for _ in range(100):
                assert (await signed_post(client, ENDED, form)).status_code == 204
        assert len(service.records) == 1

    async def test_what_was_refused_is_not_taken_for_an_answer(self) -> None:
        service = outside(SIGNED)
        async with service.client() as client:
            for _ in range(2):
                headers = {"X-Twilio-Signature": "wrong"}
                answer = await client.post(INCOMING, data=RINGING, headers=headers)
                assert answer.status_code == 403


class TestIncomingCall:
    async def test_the_call_is_connected(self) -> None:
        service = outside(BASE)
        async with service.client() as client:
            answer = await client.post(INCOMING, data=RINGING)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/xml")
        assert answer.text == (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            "<Response>\n"
            '  <Connect action="https://voice.example.com/webhook/stream_ended">\n'
            '    <Stream url="wss://voice.example.com/ws/twilio-media"'
            ' statusCallback="https://voice.example.com/webhook/stream_status">\n'
            '      <Parameter name="call_sid" value="CA_TEST"/>\n'
            "    </Stream>\n"
            "  </Connect>\n"
            "</Response>"
        )

    async def test_it_is_announced_and_the_answer_recorded(self) -> None:
        service = outside(BASE)
        async with service.client() as client:
            await client.post(INCOMING, data=RINGING)
            await client.post(INCOMING, data=RINGING | {"Direction": "outbound-api"})
        announced, outbound = service.records.announced
        assert (announced.call_sid, announced.caller, announced.called, announced.direction) == (
            "CA_TEST",
            "+972501234567",
            "+97231234567",
            "inbound",
        )
        assert outbound.direction == "outbound"
        answer, _ = service.records.answers
        assert (answer.route, answer.status, answer.detail) == (INCOMING, 200, "")
        assert b'voiceagent_webhook_answers_total{route="/webhook/incoming_call"' in (
            service.metrics.text()
        )

    async def test_no_page_of_another_site_places_one(self) -> None:
        service = outside(BASE)
        async with service.client() as client:
            for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
                answer = await client.post(INCOMING, data=RINGING, headers=headers)
                assert answer.status_code == 403
        assert service.records == []

    async def test_a_closed_door_is_told_to_the_caller(self) -> None:
        service = outside(BASE)
        service.door.is_open = False
        async with service.client() as client:
            answer = await client.post(INCOMING, data=RINGING)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/xml")
        say, hang_up = ET.fromstring(answer.text)  # noqa: S314 - made here
        assert (say.tag, say.attrib, say.text) == (
            "Say",
            {"language": "he-IL"},
            "כל הקווים תפוסים",
        )
        assert hang_up.tag == "Hangup"
        assert [record.detail for record in service.records.answers] == ["busy"]
        assert len(service.records.announced) == 1
        (ended,) = [record for record in service.records if isinstance(record, CallEnded)]
        assert (ended.status, ended.reason) == ("failed", "busy")

    async def test_whoever_is_turned_away_is_told_so_and_seen_in_the_records(self) -> None:
        service = outside(BASE)
        service.away = TurnedAway("caller_limit", say_and_hang_up("Too often.", "en-US"))
        async with service.client() as client:
            answer = await client.post(INCOMING, data=RINGING)
        assert answer.status_code == 200
        assert "Too often." in answer.text
        assert "<Connect" not in answer.text
        assert service.rang == [Ringing("CA_TEST", "+972501234567")]
        (announced,) = service.records.announced
        assert announced.caller == "+972501234567"
        (ended,) = [record for record in service.records if isinstance(record, CallEnded)]
        assert (ended.status, ended.reason) == ("failed", "caller_limit")
        assert [record.detail for record in service.records.answers] == ["caller_limit"]

    async def test_a_call_that_we_place_is_turned_away_by_nobody(self) -> None:
        service = outside(BASE)
        service.away = TurnedAway("budget", say_and_hang_up("Tomorrow.", "en-US"))
        async with service.client() as client:
            placed = await client.post(INCOMING, data=RINGING | {"Direction": "outbound-api"})
            nameless = await client.post(INCOMING, data={"From": "+972501234567"})
        assert "<Connect" in placed.text
        assert "<Connect" in nameless.text
        assert service.rang == []

    @pytest.mark.parametrize("options", [{}, {"data": {"CallSid": ""}}, {"json": {"CallSid": "x"}}])
    async def test_without_a_call_sid_the_twiml_is_valid(self, options: dict[str, Any]) -> None:
        service = outside(BASE)
        async with service.client() as client:
            answer = await client.post(INCOMING, **options)
        assert answer.status_code == 200
        assert '<Parameter name="call_sid" value=""/>' in answer.text
        assert service.records == []

    async def test_nothing_from_outside_breaks_out_of_its_attribute(self) -> None:
        service = outside(BASE)
        async with service.client() as client:
            answer = await client.post(INCOMING, data={"CallSid": '"/><Play>x</Play>\0'})
        tags = [element.tag for element in ET.fromstring(answer.text).iter()]  # noqa: S314
        assert tags == ["Response", "Connect", "Stream", "Parameter"]
        assert service.records == []

    async def test_the_address_is_that_of_the_request_when_none_is_set(self) -> None:
        service = outside()
        async with service.client() as client:
            answer = await client.post(INCOMING, data=RINGING, headers={"Host": "a.example:8443"})
            evil = await client.post(INCOMING, data=RINGING, headers={"Host": 'a"><Say>'})
        assert 'url="wss://a.example:8443/ws/twilio-media"' in answer.text
        assert evil.status_code == 400
        assert evil.headers["content-type"] == "application/problem+json"


class TestSignatures:
    ENVIRON = BASE | {"TWILIO_AUTH_TOKEN": "t0ken"}

    @pytest.mark.parametrize(("path", "right"), [(INCOMING, 200), (ENDED, 204)])
    async def test_a_signed_request_is_taken_and_no_other(self, path: str, right: int) -> None:
        service = outside(self.ENVIRON)
        signature = sign("t0ken", f"https://voice.example.com{path}", list(RINGING.items()))
        async with service.client() as client:
            for headers, status in [
                ({"X-Twilio-Signature": signature}, right),
                ({"X-Twilio-Signature": signature[:-2] + "x="}, 403),
                ({"X-Twilio-Signature": ""}, 403),
                ({}, 403),
            ]:
                answer = await client.post(path, data=RINGING, headers=headers)
                assert answer.status_code == status
                if status == 403:
                    assert answer.headers["content-type"] == "application/problem+json"
            changed = await client.post(
                path,
                data=RINGING | {"From": "+972500000000"},
                headers={"X-Twilio-Signature": signature},
            )
        assert changed.status_code == 403
        assert len(service.records.answers) == 1

    async def test_the_status_needs_none(self) -> None:
        service = outside(self.ENVIRON)
        async with service.client() as client:
            answer = await client.post(STATUS, data={"CallSid": "CA_TEST"})
        assert answer.status_code == 204

    async def test_the_check_can_be_switched_off(self) -> None:
        service = outside(self.ENVIRON | {"TWILIO_SIGNATURE_CHECK": "0"})
        async with service.client() as client:
            assert (await client.post(INCOMING, data=RINGING)).status_code == 200

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_derived_address_may_be_signed_with_either_scheme(self, scheme: str) -> None:
        service = outside({"TWILIO_AUTH_TOKEN": "t0ken"})
        url = f"{scheme}://voice.example.com{INCOMING}?tenant=1"
        headers = {"X-Twilio-Signature": sign("t0ken", url, list(RINGING.items()))}
        async with service.client() as client:
            answer = await client.post(INCOMING + "?tenant=1", data=RINGING, headers=headers)
            other = await client.post(INCOMING + "?tenant=2", data=RINGING, headers=headers)
        assert (answer.status_code, other.status_code) == (200, 403)


class TestSeenAt:
    async def test_only_a_signed_request_tells_where_twilio_reaches_us(self) -> None:
        service = outside({"TWILIO_AUTH_TOKEN": "t0ken"})
        url = f"https://voice.example.com{INCOMING}"
        headers = {"X-Twilio-Signature": sign("t0ken", url, list(RINGING.items()))}
        async with service.client() as client:
            await client.post(INCOMING, data=RINGING, headers={"Host": "evil.example.com"})
            assert service.seen_at == []
            await client.post(INCOMING, data=RINGING, headers=headers)
        assert service.seen_at == ["https://voice.example.com"]

    async def test_where_nothing_is_checked_nothing_is_believed(self) -> None:
        service = outside()
        async with service.client() as client:
            assert (await client.post(INCOMING, data=RINGING)).status_code == 200
        assert service.seen_at == []


class TestStreamStatus:
    async def test_twilios_report_is_recorded(self) -> None:
        service = outside(BASE)
        form = {
            "AccountSid": "AC1",
            "CallSid": "CA1",
            "StreamSid": "MZ1",
            "StreamEvent": "stream-error",
            "StreamError": "closed by +972501234567\0",
        }
        async with service.client() as client:
            answer = await client.post(STATUS, data=form)
        assert (answer.status_code, answer.content) == (204, b"")
        (record,) = service.records.answers
        assert (record.call_sid, record.route, record.status) == ("CA1", STATUS, 204)
        assert (record.event, record.detail) == ("stream-error", "closed by +97250•••4567")

    async def test_the_playbooks_own_check(self) -> None:
        service = outside(BASE)
        async with service.client() as client:
            answer = await client.post(
                STATUS,
                content="CallSid=CA_TEST&StreamSid=MZ_TEST&Status=connected",
                headers=URLENCODED,
            )
        assert (answer.status_code, answer.content) == (204, b"")
        assert [record.event for record in service.records.answers] == ["connected"]

    @pytest.mark.parametrize(
        ("content", "content_type"),
        [
            (b"", None),
            (b"", "application/x-www-form-urlencoded"),
            (b'{"CallSid": "CA1"}', "application/json"),
            (b"{broken", "application/json"),
            (b"--x\r\nContent-Disposition: broken", "multipart/form-data; boundary=x"),
            (b"anything", "multipart/form-data"),
            (b"CallSid=CA%00&\0=\0", "application/x-www-form-urlencoded"),
            (b"CallSid=%FF%FE&x=%D7", "application/x-www-form-urlencoded; charset=klingon"),
            (b"&".join(b"f%d=" % n for n in range(20_000)), "application/x-www-form-urlencoded"),
            (b"x" * 5_000_000, "application/x-www-form-urlencoded"),
            (b"\xff\xfe", ";;;"),
        ],
        ids=lambda value: repr(value)[:30],
    )
    async def test_whatever_comes_is_heard(self, content: bytes, content_type: str | None) -> None:
        service = outside(BASE)
        headers = {"Content-Type": content_type} if content_type else {}
        async with service.client() as client:
            answer = await client.post(STATUS, content=content, headers=headers)
        assert (answer.status_code, answer.content) == (204, b"")

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
    @given(st.binary(max_size=300), st.sampled_from(["urlencoded", "json", "multipart"]))
    def test_any_bytes(self, content: bytes, kind: str) -> None:
        content_type = {
            "urlencoded": "application/x-www-form-urlencoded",
            "json": "application/json",
            "multipart": "multipart/form-data; boundary=x",
        }[kind]

        async def ask() -> httpx.Response:
            async with outside(BASE).client() as client:
                return await client.post(
                    STATUS, content=content, headers={"Content-Type": content_type}
                )

        answer = asyncio.run(ask())
        assert (answer.status_code, answer.content) == (204, b"")

    async def test_an_endless_body_is_not_read_to_its_end(self) -> None:
        service = outside(BASE)
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 100 * MAX_BODY_BYTES:
                sent += 1024
                yield bytes(1024)

        async with service.client() as client:
            answer = await client.post(STATUS, content=endless(), headers=URLENCODED)
        assert answer.status_code == 204
        assert sent <= MAX_BODY_BYTES + 4096

    async def test_a_sid_that_no_call_has_is_answered_and_forgotten(self) -> None:
        service = outside(BASE)
        async with service.client() as client:
            for call_sid in ("", "a b", "C" * 65, "א"):
                answer = await client.post(STATUS, data={"CallSid": call_sid})
                assert answer.status_code == 204
        assert service.records == []


class TestStreamEnded:
    async def test_it_is_heard_and_recorded(self) -> None:
        service = outside(BASE)
        async with service.client() as client:
            answer = await client.post(ENDED, data={"CallSid": "CA1", "CallStatus": "completed"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert [(r.route, r.status, r.event) for r in service.records.answers] == [
            (ENDED, 204, "completed")
        ]

    async def test_a_form_beyond_the_limits_is_refused(self) -> None:
        service = outside(BASE)
        async with service.client() as client:
            answer = await client.post(ENDED, content=b"x" * 70_000, headers=URLENCODED)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [INCOMING, STATUS, ENDED])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_not_allowed(path: str, method: str) -> None:
    async with outside(BASE).client() as client:
        answer = await client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.headers["content-type"] == "application/problem+json"

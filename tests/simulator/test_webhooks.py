import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import pytest

from voiceagent.errors import ProtocolError, ProviderError
from voiceagent.simulator.webhooks import (
    TwilioWebhooks,
    WebhookAnswer,
    reached_at,
    read_twiml,
    signature,
)

TWIML = (
    '<Response><Connect action="https://x/webhook/stream_ended">'
    '<Stream url="wss://x/ws/twilio-media" statusCallback="https://x/webhook/stream_status">'
    '<Parameter name="call_sid" value="CA&amp;1"/></Stream></Connect></Response>'
)


@asynccontextmanager
async def http_peer(status: int, body: str) -> AsyncIterator[tuple[str, list[tuple[str, dict]]]]:
    """Answers every request the same; keeps the path and the headers with the form."""
    requests: list[tuple[str, dict]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *headers = head.strip().split("\r\n")
        named = {name.lower(): value for name, value in (h.split(": ", 1) for h in headers)}
        form = (await reader.readexactly(int(named["content-length"]))).decode()
        requests.append((line.split()[1], named | {"form": dict(parse_qsl(form))}))
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


def test_the_signature_is_twilios() -> None:
    # Example of Twilio's security page.
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    url = "https://example.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, form) == "L/OH5YylLD5NRKLltdqwSvS0BnU="


def test_the_stream_is_read_from_the_twiml() -> None:
    order = read_twiml(TWIML)
    assert order.url == "wss://x/ws/twilio-media"
    assert order.parameters == {"call_sid": "CA&1"}
    assert order.status_callback == "https://x/webhook/stream_status"
    assert order.action == "https://x/webhook/stream_ended"


@pytest.mark.parametrize(
    ("twiml", "said"),
    [
        ("<Response><Say>We are busy</Say></Response>", "We are busy"),
        ("<Response><Connect/></Response>", "no stream"),
        ("<Response>", "not XML"),
        ("<!DOCTYPE x><Response/>", "document type"),
    ],
)
def test_other_twiml_is_no_call(twiml: str, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        read_twiml(twiml)


def test_the_ordered_path_is_reached_at_another_host() -> None:
    assert reached_at("wss://x/ws/a", "http://127.0.0.1:81/") == "ws://127.0.0.1:81/ws/a"


async def test_a_whole_call_is_reported_and_signed_over_the_public_address() -> None:
    async with http_peer(200, TWIML) as (base, requests):
        public = "https://agent.example.com"
        async with TwilioWebhooks(base, public_base_url=public, auth_token="t") as webhooks:
            await webhooks.incoming_call("CA1", "+1", "+2")
            await webhooks.stream_status("CA1", "MZ1", "stream-started")
            await webhooks.stream_ended("CA1", "+1", "+2")
    paths = ["/webhook/incoming_call", "/webhook/stream_status", "/webhook/stream_ended"]
    assert [path for path, _ in requests] == paths
    for path, request in requests:
        assert request["x-twilio-signature"] == signature("t", public + path, request["form"])
        assert request["host"] == "agent.example.com"
        assert request["form"]["CallSid"] == "CA1"
    assert requests[1][1]["form"]["StreamEvent"] == "stream-started"
    assert [answer.status for answer in webhooks.answers] == [200, 200, 200]


async def test_a_refused_call_is_told() -> None:
    async with http_peer(403, "") as (base, _), TwilioWebhooks(base) as webhooks:
        with pytest.raises(ProtocolError, match="403"):
            await webhooks.incoming_call("CA1", "+1", "+2")


async def test_a_dead_service_fails_the_call_but_not_its_reports() -> None:
    async with http_peer(200, "") as (base, _):
        pass
    async with TwilioWebhooks(base) as webhooks:
        await webhooks.stream_status("CA1", "MZ1", "stream-stopped")
        with pytest.raises(ProviderError):
            await webhooks.incoming_call("CA1", "+1", "+2")
    assert webhooks.answers[0] == WebhookAnswer("/webhook/stream_status", "stream-stopped", 0, 0.0)

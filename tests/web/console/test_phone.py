"""`/console/phone` and the media socket's other way in: tickets, where signatures are checked."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from html import unescape
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from voiceagent.simulator import messages
from voiceagent.simulator.webhooks import signature
from whole_service import Service, until

TOKEN = "0123456789abcdef0123456789abcdef"
ENVIRON = {"BENCH_ENGINES": "1", "TWILIO_AUTH_TOKEN": TOKEN, "MAX_CALLS": "2"}
PHONE = "/console/phone"
OFFERED = Subprotocol("audio.twilio.com")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("data"), **ENVIRON) as running:
        asyncio.run(running.until_ready())
        yield running


class Browser:
    """One without scripts, signed in."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.client = httpx.Client(
            base_url=service.url, timeout=20, trust_env=False, headers={"accept": "text/html"}
        )
        page = self.client.get("/console/sign-in").text
        key = (service.data_dir / "api_key").read_text().strip()
        form = {"csrf": found(r'name="csrf" value="([^"]*)"', page), "key": key}
        assert self.client.post("/console/sign-in", data=form).status_code == 303
        self.page = self.client.get(PHONE)
        self.csrf = found(r'<meta name="csrf" content="([^"]*)"', self.page.text)

    def invited(self) -> dict[str, str]:
        answer = self.client.post(f"{PHONE}/calls", headers={"x-csrf-token": self.csrf})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def look(self, call_sid: str, after: int = -1) -> dict[str, Any]:
        answer = self.client.get(f"{PHONE}/calls/{call_sid}", params={"after": after})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture(scope="module")
def browser(service: Service) -> Iterator[Browser]:
    browser = Browser(service)
    yield browser
    browser.client.close()


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return unescape(match[1])


@asynccontextmanager
async def upgrade(
    service: Service, ticket: str, origin: str | None = ""
) -> AsyncIterator[ClientConnection]:
    """As a page of that origin would open it; an empty one is the service's own."""
    async with connect(
        f"ws://127.0.0.1:{service.port}/ws/twilio-media",
        proxy=None,
        subprotocols=[OFFERED, Subprotocol(f"ticket.{ticket}")],
        origin=service.url if origin == "" else origin,  # type: ignore[arg-type]
    ) as peer:
        yield peer


async def refused(service: Service, ticket: str, origin: str | None = "") -> int:
    with pytest.raises(InvalidStatus) as answer:
        async with upgrade(service, ticket, origin):
            pass
    return answer.value.response.status_code


class TestPage:
    def test_it_needs_no_script_to_say_what_it_is(self, browser: Browser) -> None:
        assert browser.page.status_code == 200
        assert "<h1>" in browser.page.text
        assert "<noscript>" in browser.page.text

    def test_its_policy_lets_no_script_in_but_our_own(self, browser: Browser) -> None:
        policy = browser.page.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        # The only script without an address is no script but words.
        inline = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", browser.page.text)
        assert inline == [' type="application/json" id="phone-words"']
        assert not re.search(r"\s(?:style|on\w+)=", browser.page.text)

    @pytest.mark.parametrize(("language", "direction"), [("he", "rtl"), ("en", "ltr")])
    def test_both_languages(self, browser: Browser, language: str, direction: str) -> None:
        page = browser.client.get(PHONE, params={"lang": language}).text
        assert f'<html lang="{language}" dir="{direction}">' in page
        words = json.loads(found(r'id="phone-words">(.*?)</script>', page))
        assert all(words.values())

    def test_modules_of_the_audio_thread_are_ours(self, browser: Browser) -> None:
        script = found(r'src="([^"]*/phone/phone\.js)"', browser.page.text)
        for name in ("call.js", "player-worklet.js", "microphone-worklet.js", "playback.js"):
            answer = browser.client.get(script.replace("phone.js", name))
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/javascript")


class TestInvitation:
    def test_nobody_is_invited_who_has_not_signed_in(self, service: Service) -> None:
        assert service.post(f"{PHONE}/calls").status_code == 401
        assert service.get(f"{PHONE}/calls/CA1").status_code == 401

    def test_nor_by_a_page_that_is_not_ours(self, browser: Browser) -> None:
        assert browser.client.post(f"{PHONE}/calls").status_code == 403
        wrong = {"x-csrf-token": browser.csrf[::-1]}
        assert browser.client.post(f"{PHONE}/calls", headers=wrong).status_code == 403

    def test_each_is_for_a_call_of_its_own(self, browser: Browser) -> None:
        first, second = browser.invited(), browser.invited()
        assert re.fullmatch("CA[0-9a-f]{32}", first["call_sid"])
        assert re.fullmatch("MZ[0-9a-f]{32}", first["stream_sid"])
        assert len({*first.values(), *second.values()}) == 6

    async def test_nobody_is_invited_when_there_is_no_room(
        self, service: Service, browser: Browser
    ) -> None:
        async with AsyncExitStack() as lines:
            for _ in range(int(ENVIRON["MAX_CALLS"])):
                invitation = browser.invited()
                peer = await lines.enter_async_context(upgrade(service, invitation["ticket"]))
                await peer.send(messages.CONNECTED)
                await peer.send(messages.start("AC0", "MZ0", invitation["call_sid"], {}))
            await until(lambda: not service.readyz()[1]["accepting_calls"])
            token = {"x-csrf-token": browser.csrf}
            assert browser.client.post(f"{PHONE}/calls", headers=token).status_code == 503
        await until(lambda: service.readyz()[1]["calls"]["live"] == 0)


class TestUpgrade:
    async def test_a_ticket_admits_without_a_signature(
        self, service: Service, browser: Browser
    ) -> None:
        async with upgrade(service, browser.invited()["ticket"]) as peer:
            assert peer.subprotocol == OFFERED

    async def test_once(self, service: Service, browser: Browser) -> None:
        ticket = browser.invited()["ticket"]
        async with upgrade(service, ticket):
            assert await refused(service, ticket) == 403
        assert await refused(service, ticket) == 403

    @pytest.mark.parametrize("ticket", ["", "guessed", "a" * 43])
    async def test_nothing_else_does(self, service: Service, ticket: str) -> None:
        assert await refused(service, ticket) == 403

    @pytest.mark.parametrize(
        "origin", [None, "null", "https://evil.example.com", "http://127.0.0.1:1"]
    )
    async def test_not_from_another_page(
        self, service: Service, browser: Browser, origin: str | None
    ) -> None:
        assert await refused(service, browser.invited()["ticket"], origin) == 403

    async def test_to_no_other_call(self, service: Service, browser: Browser) -> None:
        invitation = browser.invited()
        async with upgrade(service, invitation["ticket"]) as peer:
            await peer.send(messages.CONNECTED)
            await peer.send(messages.start("AC0", "MZ0", "CA" + "0" * 32, {}))
            with suppress(ConnectionClosed):
                await asyncio.wait_for(peer.recv(), 10)
            await peer.wait_closed()
            assert peer.close_code == 1008
        assert service.call_record("CA" + "0" * 32) == {}


class TestCall:
    async def test_it_is_a_trial_whatever_the_page_says(
        self, service: Service, browser: Browser
    ) -> None:
        invitation = browser.invited()
        call_sid = invitation["call_sid"]
        assert browser.look(call_sid)["status"] == "waiting"
        async with upgrade(service, invitation["ticket"]) as peer:
            await peer.send(messages.CONNECTED)
            await peer.send(
                messages.start("AC0", invitation["stream_sid"], call_sid, {"simulated": "0"})
            )
            await until(lambda: service.call_record(call_sid).get("stream_sid"))
            assert browser.look(call_sid)["status"] == "live"
        now = await asyncio.to_thread(self.look_until_over, browser, call_sid)
        assert now["end_reason"]
        await until(lambda: service.call_record(call_sid).get("status") in ("completed", "failed"))
        record = service.call_record(call_sid)
        assert record["simulated"] is True
        assert record["from"] == "client:browser"
        assert record["stream_sid"] == invitation["stream_sid"]

    @staticmethod
    def look_until_over(browser: Browser, call_sid: str) -> dict[str, Any]:
        version = -1
        for _ in range(20):
            now = browser.look(call_sid, version)
            if now["status"] == "over":
                return now
            version = now["version"]
        raise AssertionError(now)

    def test_a_call_that_nobody_knows_may_be_about_to_begin(self, browser: Browser) -> None:
        now = browser.look("CAnone")
        assert (now["version"], now["status"], now["turns"]) == (0, "waiting", [])

    async def test_one_of_another_process_is_read_from_the_database(
        self, service: Service, browser: Browser
    ) -> None:
        form = {"CallSid": "CAelsewhere", "From": "+972500000000", "To": "+97230000000"}
        await _announce(service, form)
        await until(lambda: service.call_record("CAelsewhere"))
        now = browser.look("CAelsewhere")
        assert (now["version"], now["status"], now["turns"]) == (0, "live", [])


async def _announce(service: Service, form: dict[str, str]) -> None:
    path = "/webhook/incoming_call"
    signed = {"X-Twilio-Signature": signature(TOKEN, service.url + path, form)}
    answer = service.client.post(service.url + path, data=form, headers=signed)
    assert answer.status_code == 200

import time
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from outside import outside
from voiceagent.settings import load_settings
from voiceagent.twilio.signature import sign
from voiceagent.web.attempts import FAILURES, Attempts
from voiceagent.web.problems import install_problem_handlers
from voiceagent.web.security import api_key_required, websocket_signature_ok

PATH = "/ws/twilio-media"


def upgrade(
    signature: str | None = None, *, path: str = PATH, host: str = "voice.example.com"
) -> dict[str, Any]:
    headers = [(b"host", host.encode())]
    if signature is not None:
        headers.append((b"x-twilio-signature", signature.encode()))
    return {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"x=1",
        "headers": headers,
        "client": ("203.0.113.9", 40_000),
        "server": ("10.0.0.1", 8000),
    }


class TestUpgrade:
    settings = load_settings(
        {"PUBLIC_BASE_URL": "https://voice.example.com/", "TWILIO_AUTH_TOKEN": "t0ken"}
    )

    @pytest.mark.parametrize("slash", ["", "/"])
    @pytest.mark.parametrize("asked", ["", "/"])
    def test_signed_with_or_without_a_trailing_slash(self, slash: str, asked: str) -> None:
        signature = sign("t0ken", f"wss://voice.example.com{PATH}{slash}")
        assert websocket_signature_ok(upgrade(signature, path=PATH + asked), self.settings)

    @pytest.mark.parametrize(
        "signature",
        [
            None,
            "",
            "wrong",
            sign("other", f"wss://voice.example.com{PATH}"),
            sign("t0ken", "wss://voice.example.com/other"),
            sign("t0ken", f"wss://evil.example.com{PATH}"),
        ],
    )
    def test_refused(self, signature: str | None) -> None:
        assert not websocket_signature_ok(upgrade(signature), self.settings)

    def test_what_is_signed_is_the_public_address_whatever_the_host_says(self) -> None:
        signature = sign("t0ken", f"wss://evil.example.com{PATH}")
        assert not websocket_signature_ok(
            upgrade(signature, host="evil.example.com"), self.settings
        )

    def test_a_derived_address(self) -> None:
        settings = load_settings({"TWILIO_AUTH_TOKEN": "t0ken"})
        signature = sign("t0ken", f"wss://voice.example.com{PATH}")
        assert websocket_signature_ok(upgrade(signature), settings)
        assert not websocket_signature_ok(upgrade(signature, host="other.example.com"), settings)
        assert not websocket_signature_ok(upgrade(signature, host='"><'), settings)

    def test_without_a_token_or_check_anybody_comes_in(self) -> None:
        off = {"TWILIO_AUTH_TOKEN": "t0ken", "TWILIO_SIGNATURE_CHECK": "0"}
        assert websocket_signature_ok(upgrade(), load_settings({}))
        assert websocket_signature_ok(upgrade(), load_settings(off))

    def test_a_refusal_says_where_to_look_and_tells_no_secret(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        websocket_signature_ok(upgrade("wrong"), self.settings)
        assert f"wss://voice.example.com{PATH}" in caplog.text
        assert "PUBLIC_BASE_URL" in caplog.text
        assert "t0ken" not in caplog.text
        assert sign("t0ken", f"wss://voice.example.com{PATH}") not in caplog.text


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class TestApiKey:
    def client(self, attempts: Attempts | None = None) -> httpx.AsyncClient:
        app = FastAPI()
        install_problem_handlers(app)

        @app.get("/api/x", dependencies=[Depends(api_key_required("s3cret", attempts))])
        async def answer() -> str:
            return "in"

        self.app = app
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x")

    @pytest.mark.parametrize("header", ["Bearer s3cret", "bearer s3cret"])
    async def test_the_right_key(self, header: str) -> None:
        async with self.client() as client:
            answer = await client.get("/api/x", headers={"Authorization": header})
        assert (answer.status_code, answer.json()) == (200, "in")

    @pytest.mark.parametrize(
        "header", [None, "", "s3cret", "Bearer", "Bearer ", "Bearer S3cret", "Basic s3cret"]
    )
    async def test_any_other(self, header: str | None) -> None:
        async with self.client() as client:
            headers = {} if header is None else {"Authorization": header}
            answer = await client.get("/api/x", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["title"] == "Unauthorized"

    async def test_bytes_that_are_no_text(self) -> None:
        async with self.client() as client:
            answer = await client.get("/api/x", headers={"Authorization": b"Bearer \xff\xfe"})
        assert answer.status_code == 401

    async def test_guessing_is_slowed_down_at_every_door(self) -> None:
        attempts = Attempts()
        async with self.client(attempts) as client:
            for number in range(FAILURES):
                assert (await client.get("/api/x", headers=bearer(f"guess{number}"))).is_error
            # The right one too: or it would be found as fast as ever.
            answer = await client.get("/api/x", headers=bearer("s3cret"))
            assert answer.status_code == 429
            assert 0 < int(answer.headers["retry-after"]) <= 60
            assert answer.headers["content-type"] == "application/problem+json"
            assert (await client.get("/api/x")).status_code == 401
        assert attempts.wait_s("127.0.0.1", time.monotonic()) > 0

    async def test_an_old_key_keeps_nobody_waiting(self) -> None:
        async with self.client() as client:
            for _ in range(10 * FAILURES):
                answer = await client.get("/api/x", headers=bearer("of last year"))
                assert answer.status_code == 401
            assert (await client.get("/api/x", headers=bearer("s3cret"))).status_code == 200

    def test_openapi_knows_the_key(self) -> None:
        self.client()
        operation = self.app.openapi()["paths"]["/api/x"]["get"]
        assert operation["security"] == [{"API key": []}]


async def test_a_signed_webhook_behind_a_path() -> None:
    service = outside(
        {"PUBLIC_BASE_URL": "https://example.com/a//b/", "TWILIO_AUTH_TOKEN": "t0ken"}
    )
    url = "https://example.com/a/b/webhook/stream_ended"
    async with service.client() as client:
        answer = await client.post(
            "/webhook/stream_ended",
            data={"CallSid": "CA1"},
            headers={"X-Twilio-Signature": sign("t0ken", url, [("CallSid", "CA1")])},
        )
    assert answer.status_code == 204

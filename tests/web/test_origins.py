"""Whose page it was: ours, another's, or no browser's."""

from typing import Any

import pytest

from voiceagent.settings import load_settings
from voiceagent.web.origins import from_own_page, from_page_elsewhere


class TestOwnPage:
    @staticmethod
    def judge(*origins: str, host: str = "voice.example.com", **env: str) -> bool:
        headers = [(b"host", host.encode()), *((b"origin", o.encode()) for o in origins)]
        scope: dict[str, Any] = {
            "type": "websocket",
            "scheme": "wss",
            "headers": headers,
            "client": ("203.0.113.9", 40_000),
            "server": ("10.0.0.1", 8000),
        }
        return from_own_page(scope, load_settings(env))

    @pytest.mark.parametrize(
        ("origin", "host"),
        [
            ("https://voice.example.com", "voice.example.com"),
            ("http://voice.example.com", "voice.example.com"),
            ("https://VOICE.example.com:443", "voice.example.com"),
            ("http://127.0.0.1:8000", "127.0.0.1:8000"),
            ("http://[::1]:8000", "[::1]:8000"),
        ],
    )
    def test_the_host_that_was_asked(self, origin: str, host: str) -> None:
        assert self.judge(origin, host=host)

    def test_or_the_public_one(self) -> None:
        env = {"PUBLIC_BASE_URL": "https://public.example.com/"}
        assert self.judge("https://public.example.com", host="10.0.0.1:8000", **env)
        assert not self.judge("https://public.example.com", host="10.0.0.1:8000")

    @pytest.mark.parametrize(
        "origins",
        [
            (),
            ("null",),
            ("https://evil.example.com",),
            ("https://voice.example.com.evil.example.com",),
            ("https://evil.example.com/voice.example.com",),
            ("https://evil.example.com@voice.example.com",),
            ("https://voice.example.com:8443",),
            ("file://voice.example.com",),
            ("https://voice.example.com", "https://evil.example.com"),
        ],
        ids=repr,
    )
    def test_no_other(self, origins: tuple[str, ...]) -> None:
        assert not self.judge(*origins)


class TestElsewhere:
    @staticmethod
    def judge(
        headers: dict[str, str],
        *,
        scheme: str = "http",
        client: str = "127.0.0.1",
        server: str = "127.0.0.1",
        **env: str,
    ) -> bool:
        scope: dict[str, Any] = {
            "type": "http",
            "scheme": scheme,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": (client, 40_000),
            "server": (server, 8000),
        }
        return from_page_elsewhere(scope, load_settings(env))

    def test_twilio_and_programs_tell_no_origin(self) -> None:
        assert not self.judge({"host": "voice.example.com"})

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example.com"},
            {"origin": "null"},
            {"origin": ""},
            {"sec-fetch-site": "cross-site"},
            {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-site"},
        ],
        ids=repr,
    )
    def test_a_page_of_others(self, headers: dict[str, str]) -> None:
        assert self.judge({"host": "127.0.0.1:8000"} | headers)

    @pytest.mark.parametrize(
        "host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "shop:8000", "shop.local"]
    )
    def test_a_page_of_ours(self, host: str) -> None:
        assert not self.judge({"host": host, "origin": f"http://{host}"})

    def test_a_name_that_was_led_to_this_machine_is_not_ours(self) -> None:
        rebound = {"host": "evil.example:8000", "origin": "http://evil.example:8000"}
        assert self.judge(rebound)
        assert self.judge(rebound, client="192.168.1.7", server="192.168.1.5")
        assert self.judge(rebound, PUBLIC_BASE_URL="https://voice.example.com")
        # Behind a proxy, with TLS, or asked from afar it is the name of the service.
        assert not self.judge(rebound | {"x-forwarded-for": "8.8.8.8"})
        assert not self.judge(rebound, scheme="https")
        assert not self.judge(rebound, client="8.8.8.8")

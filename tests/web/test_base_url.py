from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.errors import ProtocolError
from voiceagent.settings import load_settings
from voiceagent.web.base_url import public_base_url, signed_urls

DIRECT = ("203.0.113.9", 40_000)
BY_PROXY = ("127.0.0.1", 40_000)
BEHIND_PROXY = ("203.0.113.9", 0)
"""What the server makes of a trusted proxy's X-Forwarded-For."""


def scope(
    *headers: tuple[str, str],
    client: tuple[str, int] | None = DIRECT,
    path: str = "/webhook/incoming_call",
    query: str = "",
    kind: str = "http",
) -> dict[str, Any]:
    return {
        "type": kind,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": client,
        "server": ("10.0.0.1", 8000),
    }


def base(*headers: tuple[str, str], client: tuple[str, int] | None = DIRECT, **env: str) -> str:
    return public_base_url(scope(*headers, client=client), load_settings(env))


HOST = ("Host", "voice.example.com")
FORWARDED = ("X-Forwarded-Host", "public.example.com")


def test_what_is_set_stands_above_every_header() -> None:
    assert (
        base(HOST, FORWARDED, client=BY_PROXY, PUBLIC_BASE_URL="https://set.example.com/x/")
        == "https://set.example.com/x"
    )


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("voice.example.com", "https://voice.example.com"),
        ("voice.example.com:8443", "https://voice.example.com:8443"),
        ("voice.example.com:443", "https://voice.example.com"),
        ("voice.example.com:80", "https://voice.example.com"),
        ("my_host", "https://my_host"),
        ("127.0.0.1:8000", "https://127.0.0.1:8000"),
        ("[::1]:8000", "https://[::1]:8000"),
    ],
)
def test_the_host_of_the_request(host: str, told: str) -> None:
    assert base(("Host", host)) == told


@pytest.mark.parametrize(
    "host",
    ['a"><Say>', "a b", "a/b", "a//b", "a?b", "a#b", "user@a", "-a", "a:b", "a:123456", "[", "é"],
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ProtocolError):
        base(("Host", host))


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_no_header_gets_anything_else_into_the_address(host: str) -> None:
    try:
        told = base(("Host", host), ("X-Forwarded-Host", host), client=BY_PROXY)
    except ProtocolError:
        return
    assert told.startswith("https://")
    assert not set(told.removeprefix("https://")) & set("/\"'<>&?#@ \r\n\0")


def test_without_a_host_the_servers_own_address() -> None:
    assert base() == "https://10.0.0.1:8000"


@pytest.mark.parametrize(
    ("client", "trusted", "believed"),
    [
        (DIRECT, "127.0.0.1", False),
        (DIRECT, "*", True),
        (DIRECT, "10.0.0.0/8, 203.0.113.0/24", True),
        (BY_PROXY, "127.0.0.1", True),
        (BY_PROXY, "10.0.0.0/8", False),
        (BEHIND_PROXY, "127.0.0.1", True),
        (None, "127.0.0.1", False),
        (("unix-peer", 1), "unix-peer", True),
        (("unix-peer", 1), "127.0.0.1", False),
    ],
)
def test_a_forwarded_host_is_believed_from_trusted_proxies_only(
    client: tuple[str, int] | None, trusted: str, believed: bool
) -> None:
    told = base(HOST, FORWARDED, client=client, FORWARDED_ALLOW_IPS=trusted)
    assert told == ("https://public.example.com" if believed else "https://voice.example.com")


def test_the_nearest_proxys_word_counts() -> None:
    forged = ("X-Forwarded-Host", "forged.example.com, public.example.com")
    assert base(HOST, forged, client=BY_PROXY) == "https://public.example.com"


class TestSignedUrls:
    def test_of_a_request(self) -> None:
        asked = scope(HOST, path="/a%20b", query="x=1&y=")
        settings = load_settings({"PUBLIC_BASE_URL": "https://set.example.com"})
        assert signed_urls(asked, settings) == ("https://set.example.com/a%20b?x=1&y=",)
        assert signed_urls(asked, load_settings({})) == (
            "https://voice.example.com/a%20b?x=1&y=",
            "http://voice.example.com/a%20b?x=1&y=",
        )

    def test_of_an_upgrade(self) -> None:
        asked = scope(HOST, path="/ws/twilio-media", query="x=1", kind="websocket")
        settings = load_settings({"PUBLIC_BASE_URL": "https://set.example.com:8443/p"})
        assert signed_urls(asked, settings) == ("wss://set.example.com:8443/p/ws/twilio-media",)
        assert signed_urls(asked, load_settings({})) == (
            "wss://voice.example.com/ws/twilio-media",
            "ws://voice.example.com/ws/twilio-media",
        )

    def test_a_mount_point_is_no_part_of_the_path(self) -> None:
        asked = scope(HOST, path="/mounted/x") | {"root_path": "/mounted"}
        settings = load_settings({"PUBLIC_BASE_URL": "https://set.example.com/mounted"})
        assert signed_urls(asked, settings) == ("https://set.example.com/mounted/x",)

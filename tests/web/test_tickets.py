"""Tickets of the browser's phone: once, in time, for one call, from a page of ours."""

from typing import Any

import pytest

from voiceagent.settings import load_settings
from voiceagent.web.tickets import (
    _MAX_OPEN,
    SUBPROTOCOL_PREFIX,
    TICKET_S,
    Admitted,
    Tickets,
    from_own_page,
    ticket_in,
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class TestTickets:
    def test_one_admits_to_its_call_once(self) -> None:
        tickets = Tickets(Clock())
        first, second = tickets.issue("CA1"), tickets.issue("CA2")
        assert first != second
        assert tickets.spend(second) == Admitted("CA2")
        assert tickets.spend(first) == Admitted("CA1")
        assert tickets.spend(first) is None
        assert tickets.spend(second) is None

    def test_for_a_minute(self) -> None:
        clock = Clock()
        tickets = Tickets(clock)
        in_time, too_late = tickets.issue("CA1"), tickets.issue("CA2")
        clock.now_s += TICKET_S - 0.1
        assert tickets.spend(in_time) == Admitted("CA1")
        clock.now_s += 0.1
        assert tickets.spend(too_late) is None

    @pytest.mark.parametrize("guess", ["", "CA1", "\ud800", "ü", "x" * 100_000])
    def test_nothing_else_does(self, guess: str) -> None:
        tickets = Tickets(Clock())
        tickets.issue("CA1")
        assert tickets.spend(guess) is None

    def test_they_cannot_be_piled_up(self) -> None:
        tickets = Tickets(Clock())
        oldest = tickets.issue("CA0")
        for number in range(_MAX_OPEN):
            youngest = tickets.issue(f"CA{number + 1}")
        assert tickets.spend(oldest) is None
        assert tickets.spend(youngest) == Admitted(f"CA{_MAX_OPEN}")

    def test_they_are_long_enough_and_fit_into_a_subprotocol(self) -> None:
        ticket = Tickets(Clock()).issue("CA1")
        assert len(ticket) >= 43
        # RFC 6455: a token of RFC 2616.
        assert set(ticket) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        )

    def test_it_is_found_among_the_subprotocols(self) -> None:
        assert ticket_in(["audio.twilio.com", f"{SUBPROTOCOL_PREFIX}abc"]) == "abc"
        assert ticket_in(["audio.twilio.com"]) is None
        assert ticket_in([]) is None


class TestOwnPage:
    @staticmethod
    def judge(*origins: str, host: str = "voice.example.com", **env: str) -> bool:
        headers = [(b"host", host.encode()), *((b"origin", o.encode()) for o in origins)]
        scope: dict[str, Any] = {
            "type": "websocket",
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

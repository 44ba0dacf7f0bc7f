"""Tickets of the browser's phone: once, in time, for one call, from a page of ours."""

import pytest

from voiceagent.web.tickets import (
    _MAX_OPEN,
    SUBPROTOCOL_PREFIX,
    TICKET_S,
    Admitted,
    Tickets,
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

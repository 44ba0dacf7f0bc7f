"""Tokens of sessions and failures to sign in, as time goes by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.web.console.attempts import FAILURES, MOST_ADDRESSES, WINDOW_S, Attempts
from voiceagent.web.console.door import inside
from voiceagent.web.console.sessions import IDLE_S, LONGEST_S, Sessions

NOW = 1_800_000_000.0


def test_a_session_lasts_while_it_is_used_and_no_longer_than_a_week() -> None:
    sessions = Sessions("key")
    session = sessions.opened(NOW)
    assert sessions.of(sessions.token(session), NOW + IDLE_S - 1) == session
    assert sessions.of(sessions.token(session), NOW + IDLE_S) is None
    now = NOW
    while session.wants_renewal(now := now + IDLE_S / 2 + 1):
        session = sessions.renewed(session, now)
        assert sessions.of(sessions.token(session), now) == session
    assert session.ends_at == NOW + LONGEST_S
    assert sessions.of(sessions.token(session), NOW + LONGEST_S) is None


def test_a_renewed_session_keeps_its_forms_valid() -> None:
    sessions = Sessions("key")
    session = sessions.opened(NOW)
    assert sessions.is_csrf(sessions.renewed(session, NOW + 9).id, sessions.csrf(session.id))
    assert not sessions.is_csrf(sessions.opened(NOW).id, sessions.csrf(session.id))


@given(at=st.integers(0, 200), to=st.characters(codec="ascii"))
def test_no_changed_token_is_taken(at: int, to: str) -> None:
    sessions = Sessions("key")
    token = sessions.token(sessions.opened(NOW))
    changed = token[: at % len(token)] + to + token[at % len(token) + 1 :]
    if changed != token:
        assert sessions.of(changed, NOW) is None


@given(st.text())
def test_no_text_breaks_anything(text: str) -> None:
    sessions = Sessions("key")
    assert sessions.of(text, NOW) is None
    assert not sessions.is_csrf("x" * 22, text)
    assert sessions.is_key(text) == (text == "key")
    assert inside(text).startswith("/console")


def test_who_fails_too_often_waits_until_the_first_failure_is_a_minute_old() -> None:
    attempts = Attempts()
    for n in range(FAILURES):
        assert attempts.wait_s("192.0.2.1", NOW + n) == 0
        attempts.failed("192.0.2.1", NOW + n)
    assert attempts.wait_s("192.0.2.1", NOW + FAILURES) == WINDOW_S - FAILURES
    assert attempts.wait_s("192.0.2.2", NOW + FAILURES) == 0
    assert attempts.wait_s("192.0.2.1", NOW + WINDOW_S) == 0


def test_success_forgets_failures() -> None:
    attempts = Attempts()
    for _ in range(FAILURES):
        attempts.failed("192.0.2.1", NOW)
    attempts.succeeded("192.0.2.1")
    assert attempts.wait_s("192.0.2.1", NOW) == 0


@pytest.mark.parametrize(
    ("other", "waits"), [("2001:db8:0:1::2", True), ("2001:db8:0:2::1", False), ("", False)]
)
def test_a_network_of_version_6_counts_as_one(other: str, waits: bool) -> None:
    attempts = Attempts()
    for _ in range(FAILURES):
        attempts.failed("2001:db8:0:1::1", NOW)
    assert (attempts.wait_s(other, NOW) > 0) == waits


def test_only_so_many_addresses_are_kept() -> None:
    attempts = Attempts()
    for n in range(MOST_ADDRESSES + 10):
        for _ in range(FAILURES):
            attempts.failed(f"10.0.{n // 250}.{n % 250}", NOW)
    assert attempts.wait_s("10.0.0.0", NOW) == 0
    assert attempts.wait_s("10.0.4.9", NOW) > 0
    assert len(attempts._failures) == MOST_ADDRESSES

"""Tokens of sessions, as time goes by."""

from hypothesis import given
from hypothesis import strategies as st

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

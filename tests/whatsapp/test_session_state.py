"""Each state of the sidecar is told in words, with the next step for a person."""

from typing import get_args

from voiceagent.whatsapp.session_state import (
    Account,
    Reason,
    Session,
    State,
    Waiting,
    in_words,
    what_to_do,
)

STATES: tuple[State, ...] = get_args(State)


def test_every_state_has_words() -> None:
    assert all(in_words(Session(state=state))[0].endswith(".") for state in STATES)


def test_an_open_session_tells_its_number_and_asks_for_nothing() -> None:
    session = Session(state="open", account=Account(phone="+972500000001", name="The business"))
    assert in_words(session)[1] == "The number is +972500000001 (The business)."
    assert what_to_do(session) is None


def test_one_that_pairs_names_the_command_that_shows_the_code() -> None:
    session = Session(state="pairing", advice="Scan the QR code with the phone.")
    assert what_to_do(session) == "Link the phone: script/voiceagent whatsapp pair"


def test_one_that_stopped_tells_why_and_what_the_sidecar_advises() -> None:
    session = Session(
        state="stopped", reason=Reason(code=405, text="refused (405)"), advice="Set WA_VERSION."
    )
    assert "Why: refused (405)." in in_words(session)
    assert (what_to_do(session) or "").startswith("Set WA_VERSION.")


def test_events_that_nobody_takes_are_told() -> None:
    told = in_words(Session(state="open", events=Waiting(waiting=3, dead=2)))
    assert any("3 events wait" in sentence for sentence in told)
    assert any("2 events" in sentence for sentence in told)


def test_only_what_stands_still_is_started() -> None:
    standing = {state for state in STATES if Session(state=state).wants_a_start}
    assert standing == {"stopped", "failed", "logged_out"}

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.twilio.rest_faults import OutcomeUnknown, TwilioRefused, fault_of

SID = "CA" + "0a" * 16


def test_a_refusal_is_twilios_number_and_words() -> None:
    fault = fault_of(
        400, 21220, "Unable to update record: Call is not in-progress. Cannot redirect."
    )
    assert str(fault) == "Twilio refuses: 21220 Call is not in-progress. Cannot redirect."
    assert isinstance(fault, TwilioRefused)
    assert (fault.code, fault.retryable) == (21220, False)


def test_numbers_and_sids_are_hidden() -> None:
    fault = fault_of(404, 20404, f"The call {SID} to +972501234567 was not found")
    assert str(fault) == "Twilio refuses: 20404 The call CA… to +97250•••4567 was not found"


@pytest.mark.parametrize("code", [None, "21220", {}])
def test_without_a_code_the_status_stands_for_it(code: object) -> None:
    fault = fault_of(403, code, "")
    assert isinstance(fault, TwilioRefused)
    assert (fault.code, str(fault)) == (403, "Twilio refuses: 403")


def test_too_many_requests_heal() -> None:
    assert fault_of(429, 20429, "Too Many Requests").retryable


@pytest.mark.parametrize("status", [500, 502, 503, "500", None])
def test_a_failure_tells_not_what_was_done(status: object) -> None:
    assert isinstance(fault_of(status, 20500, "An internal server error occurred"), OutcomeUnknown)


@given(st.text())
def test_any_words_make_one_short_line(words: str) -> None:
    said = str(fault_of(400, 1, words))
    assert len(said) < 200
    assert len(said.splitlines()) == 1

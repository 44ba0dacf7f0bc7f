from hypothesis import given
from hypothesis import strategies as st

from voiceagent.crm.recording.message_models import RISING, higher, received_id

statuses = st.sampled_from(RISING)


@given(statuses, statuses, statuses)
def test_the_status_that_stays_does_not_depend_on_the_order(one: str, two: str, three: str) -> None:
    assert higher(one, two) == higher(two, one)
    assert higher(higher(one, two), three) == higher(one, higher(two, three))
    assert higher(one, one) == one


@given(statuses, statuses)
def test_a_status_never_falls(one: str, two: str) -> None:
    assert RISING.index(higher(one, two)) >= RISING.index(one)


def test_a_receipt_proves_a_failure_wrong_and_a_network_may_give_up() -> None:
    assert higher("failed", "delivered") == "delivered"
    assert higher("sent", "failed") == "failed"


def test_a_message_has_one_id_whoever_makes_it() -> None:
    assert received_id("twilio", "SM1") == received_id("twilio", "SM1")
    assert received_id("twilio", "SM1") != received_id("baileys", "SM1")

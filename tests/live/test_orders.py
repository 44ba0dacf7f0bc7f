"""What may be ordered for a call: in the process that holds it, whoever asks."""

import pytest

from live.held import PERSON, Call
from voiceagent.live.messages import Outcome
from voiceagent.live.orders import Orders, Telephones


def orders(call: Call, *, number: str = PERSON, works: bool = True, per_hour: int = 60) -> Orders:
    return Orders(
        lambda: [call], Telephones(number, ["IL"], works=works), lambda: 0.0, per_hour=per_hour
    )


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        ("", "done"),
        (PERSON, "done"),
        ("+972541234567", "done"),
        ("+9721900123456", "not_allowed"),
        ("+442079460000", "not_allowed"),
        ("+18765550100", "not_allowed"),
        ("12", "not_allowed"),
    ],
)
def test_nobody_is_connected_to_a_number_that_is_not_called_from_here(
    number: str, outcome: Outcome
) -> None:
    call = Call()
    assert orders(call).carry_out("CA1", "put_through", number) == outcome
    assert call.ordered == ([number or PERSON] if outcome == "done" else [])


def test_the_agents_own_number_may_be_abroad_since_its_owner_has_set_it() -> None:
    call = Call()
    assert orders(call, number="+442079460000").carry_out("CA1", "put_through", "") == "done"
    assert call.ordered == ["+442079460000"]


def test_without_an_account_or_a_number_nobody_is_connected() -> None:
    call = Call()
    assert orders(call, works=False).carry_out("CA1", "put_through", PERSON) == "no_telephone"
    assert orders(call, number="").carry_out("CA1", "put_through", "") == "no_telephone"
    assert call.ordered == []


def test_no_more_are_connected_within_an_hour_than_may_be() -> None:
    first, second = Call("CA1"), Call("CA2")
    one = Orders(
        lambda: [first, second], Telephones(PERSON, [], works=True), lambda: 0.0, per_hour=1
    )
    assert one.carry_out("CA1", "put_through", "") == "done"
    assert one.carry_out("CA2", "put_through", "") == "too_many"
    assert one.carry_out("CA2", "hang_up", "") == "done"
    assert (first.ordered, second.ordered) == ([PERSON], ["staff_hangup"])


def test_a_call_of_another_process_is_none_of_its_business() -> None:
    call = Call()
    assert orders(call).carry_out("CA9", "hang_up", "") is None
    assert call.ordered == []

"""What can become of a payment, whatever happens in whatever order."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.payments.states import (
    CHANGES,
    CLOSED,
    OPEN,
    STATUSES,
    TAKEN,
    Change,
    NotAllowed,
    Status,
    after,
)

stories = st.lists(st.sampled_from(CHANGES), max_size=30)


def told(story: list[Change], status: Status = "created") -> list[Status]:
    """The statuses on the way; what is not allowed changes nothing."""
    way = [status]
    for change in story:
        try:
            status = after(status, change)
        except NotAllowed:
            continue
        way.append(status)
    return way


@given(stories)
def test_from_paid_there_is_no_way_but_a_refund(story: list[Change]) -> None:
    way = told(story)
    for before, then in pairwise(way):
        if before == "paid":
            assert then in {"paid", "refunded"}
        if before == "refunded":
            assert then == "refunded"


@given(stories)
def test_nothing_but_proof_makes_it_paid(story: list[Change]) -> None:
    without = [change for change in story if change != "paid"]
    assert not TAKEN & set(told(without))


@given(stories, stories)
def test_proof_is_never_lost(before: list[Change], afterwards: list[Change]) -> None:
    assert told([*before, "paid", *afterwards])[-1] in TAKEN


@given(stories)
def test_it_is_settled_and_refunded_at_most_once(story: list[Change]) -> None:
    way = told(story)
    steps = [then for before, then in pairwise(way) if before != then]
    assert steps.count("paid") <= 1
    assert steps.count("refunded") <= 1


@given(stories, st.sampled_from(CHANGES))
def test_what_is_told_again_at_once_changes_nothing(story: list[Change], change: Change) -> None:
    status = told([*story, change])[-1]
    assert told([change], status)[-1] == status


@given(stories)
def test_what_is_closed_is_not_opened_again(story: list[Change]) -> None:
    way = told(story)
    for before, then in pairwise(way):
        if before in CLOSED:
            assert then in CLOSED | {"paid"}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("change", CHANGES)
def test_every_status_knows_every_change(status: Status, change: Change) -> None:
    with suppress(NotAllowed):
        assert after(status, change) in STATUSES


def test_every_status_is_open_or_taken_or_closed() -> None:
    assert set(STATUSES) == OPEN | TAKEN | CLOSED


@pytest.mark.parametrize(
    ("status", "change", "then"),
    [
        ("created", "sent", "sent"),
        ("sent", "approved", "approved"),
        ("approved", "paid", "paid"),
        ("paid", "refunded", "refunded"),
        ("sent", "declined", "failed"),
        ("failed", "opened", "sent"),
        ("sent", "expired", "expired"),
        ("approved", "expired", "approved"),
        ("expired", "paid", "paid"),
        ("cancelled", "paid", "paid"),
        ("paid", "declined", "paid"),
        ("paid", "expired", "paid"),
    ],
)
def test_steps(status: Status, change: Change, then: Status) -> None:
    assert after(status, change) == then


@pytest.mark.parametrize(
    ("status", "change"),
    [
        ("paid", "cancelled"),
        ("refunded", "cancelled"),
        ("sent", "refunded"),
        ("cancelled", "refunded"),
        ("paid", "opened"),
        ("expired", "opened"),
        ("cancelled", "sent"),
    ],
)
def test_what_cannot_happen(status: Status, change: Change) -> None:
    with pytest.raises(NotAllowed, match=f"^a payment that is {status} cannot be {change}$"):
        after(status, change)

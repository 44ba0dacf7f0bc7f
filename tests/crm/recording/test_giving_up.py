"""A record is given up when the database took others and never this one, and not before."""

import pytest

from voiceagent.crm.recording.giving_up import MOST_KNOWN, GivingUp


@pytest.fixture
def giving_up() -> GivingUp:
    return GivingUp(attempts=3, least_s=60)


def test_a_database_that_takes_nothing_proves_nothing(giving_up: GivingUp) -> None:
    assert not any(giving_up.failed("a", 7, now_s) for now_s in range(0, 10_000, 10))


def test_others_that_are_taken_meanwhile_count_but_a_short_while_does_not(
    giving_up: GivingUp,
) -> None:
    assert [giving_up.failed("a", written, written * 20) for written in range(5)] == [
        *[False] * 3,
        *[True] * 2,
    ]
    quick = GivingUp(attempts=3, least_s=60)
    assert not any(quick.failed("a", written, written) for written in range(60))
    assert quick.failed("a", 60, 60)


def test_each_record_is_for_itself_and_begins_anew_once_it_is_settled(giving_up: GivingUp) -> None:
    for written in range(3):
        giving_up.failed("a", written, written * 30)
    assert not giving_up.failed("b", 3, 90)
    giving_up.settled(["a"])
    assert not giving_up.failed("a", 4, 120)


def test_one_that_failed_by_itself_goes_by_itself(giving_up: GivingUp) -> None:
    lines = ["x", "y", "a", "z"]
    assert giving_up.together(lines) == 4
    giving_up.failed("a", 0, 0)
    assert giving_up.together(lines) == 2
    assert giving_up.together(["a", "z"]) == 1
    assert giving_up.together([]) == 0


def test_what_is_remembered_is_bounded(giving_up: GivingUp) -> None:
    for n in range(MOST_KNOWN + 1):
        giving_up.failed(str(n), 0, 0)
    assert giving_up.together(["x", "0"]) == 2
    assert giving_up.together(["x", "1"]) == 1

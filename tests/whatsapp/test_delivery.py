"""What follows from a carrier's answer, and how long a carrier rests."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.crm.messages.outbox import Letter
from voiceagent.whatsapp.delivery import (
    COMPLAIN_EVERY_S,
    GIVE_UP_S,
    JITTER,
    MOST_DELAY_S,
    REASONS,
    REST_LONGEST_S,
    Complaints,
    Gate,
    LetGo,
    Settle,
    Wait,
    step_after,
)
from voiceagent.whatsapp.ports import HandedOver, InHand, NotSent, Outcome, Settled, Unclear


def letter(*, age_s: float = 1.0, attempts: int = 1, was_begun: bool = False) -> Letter:
    return Letter(
        message_id=UUID(int=1),
        provider="baileys",
        recipient="+972501234567",
        text="hi",
        attempts=attempts,
        was_begun=was_begun,
        stopped=False,
        age_s=age_s,
        owner=UUID(int=2),
    )


def whys() -> st.SearchStrategy[str]:
    return st.text(max_size=5)


outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Settled, st.sampled_from(["unknown", "sent", "failed", "delivered", "read"])),
    st.builds(HandedOver, whys()),
    st.just(InHand()),
    st.builds(NotSent, whys(), st.none() | st.floats(0, 1e4), st.booleans()),
    st.builds(Unclear, whys(), st.booleans()),
)
letters = st.builds(
    lambda age_s, attempts: letter(age_s=age_s, attempts=attempts),
    st.floats(0, 2 * GIVE_UP_S),
    st.integers(1, 10_000),
)


@given(outcomes, letters, st.floats(0, 1))
def test_only_what_was_certainly_not_sent_is_sent_again(
    outcome: Outcome, one: Letter, chance: float
) -> None:
    step = step_after(outcome, one, chance)
    if isinstance(step, Wait) and step.state == "queued":
        assert isinstance(outcome, NotSent)
    if isinstance(outcome, Unclear | InHand):
        # Asked about, or given up as unknown: never tried again, never called failed.
        assert isinstance(step, Wait | Settle)
        assert step.state == "begun" if isinstance(step, Wait) else step.status == "unknown"


@given(outcomes, letters, st.floats(0, 1))
def test_every_letter_ends_within_a_day(outcome: Outcome, one: Letter, chance: float) -> None:
    step = step_after(outcome, one, chance)
    if one.age_s > GIVE_UP_S:
        assert isinstance(step, Settle | LetGo)
    if isinstance(step, Wait):
        longest_s = MOST_DELAY_S * (1 + JITTER)
        if isinstance(outcome, NotSent):
            longest_s = max(longest_s, outcome.retry_in_s or 0.0)
        assert 0 <= step.delay_s <= longest_s


def test_delays_grow() -> None:
    delays = []
    for attempts in range(1, 9):
        step = step_after(NotSent("busy"), letter(attempts=attempts), 0.5)
        assert isinstance(step, Wait)
        delays.append(step.delay_s)
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_fate_that_is_not_known_is_shown() -> None:
    step = step_after(Unclear("reset"), letter(), 0.5)
    assert isinstance(step, Wait)
    assert (step.state, step.shown, step.error) == ("begun", "unknown", "reset")


class TestGate:
    def test_a_carrier_that_failed_rests_longer_each_time_and_is_tried_by_one(self) -> None:
        gate, now_s, rests = Gate(), 0.0, []
        for _ in range(9):
            assert gate.room(now_s, 32, under_way=0) in {32, 1}
            assert gate.failed(now_s, None, 0.5)
            assert gate.room(now_s, 32, under_way=0) == 0
            rests.append(gate.opens_in_s(now_s))
            now_s += rests[-1]
            assert gate.room(now_s, 32, under_way=0) == 1
            assert gate.room(now_s, 32, under_way=1) == 0
        assert rests == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15]
        assert gate.worked()
        assert not gate.worked()
        assert gate.room(now_s, 32, under_way=3) == 32

    def test_letters_that_failed_together_count_once(self) -> None:
        gate = Gate()
        assert gate.failed(0.0, None, 0.5)
        assert not any(gate.failed(0.1, None, 0.5) for _ in range(30))
        assert gate.opens_in_s(0.1) < 0.2

    def test_a_rest_that_the_carrier_asks_for_is_kept_within_reason(self) -> None:
        gate = Gate()
        gate.failed(0.0, 10.0, 0.0)
        assert gate.opens_in_s(0.0) == 10.0
        gate.failed(1.0, 1e6, 0.0)
        assert gate.opens_in_s(1.0) == REST_LONGEST_S

    def test_one_that_says_it_is_back_is_tried_at_once(self) -> None:
        gate = Gate()
        gate.failed(0.0, 60.0, 0.5)
        gate.open()
        assert gate.room(1.0, 32, under_way=0) == 1


def test_a_failure_is_told_once_for_each_reason_then_rarely_with_a_count() -> None:
    complaints = Complaints()
    told = [complaints.failed(now_s, why) for now_s, why in enumerate("aabaab")]
    assert told == [1, 0, 3, 0, 0, 0]
    assert complaints.failed(COMPLAIN_EVERY_S, "a") == 7
    assert complaints.failed(COMPLAIN_EVERY_S + 1, "a") == 0
    complaints.over()
    assert complaints.failed(COMPLAIN_EVERY_S + 2, "a") == 1


def test_not_more_reasons_are_remembered_than_there_is_room_for() -> None:
    complaints = Complaints()
    for reason in range(REASONS):
        assert complaints.failed(0, str(reason))
    assert not complaints.failed(0, "1")
    assert complaints.failed(0, "one more")
    assert complaints.failed(0, "1")

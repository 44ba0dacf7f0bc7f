"""How the bench of calls per core chooses its loads."""

import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"


@pytest.fixture
def climb(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])
    import climb

    return climb


class Machine:
    """Carries so many calls, and some loads only in some of the runs."""

    def __init__(self, carries: int, moods: dict[int, list[bool]] | None = None) -> None:
        self._carries = carries
        self._moods = moods or {}
        self.runs: list[int] = []

    def __call__(self, calls: int) -> bool:
        self.runs.append(calls)
        mood = self._moods.get(calls)
        return mood.pop(0) if mood else calls <= self._carries


LADDER = (100, 140, 180, 220)


def test_one_run_a_step_on_the_way_up_and_all_of_them_at_the_limit(climb) -> None:
    machine = Machine(150)
    verdicts = climb.climb(LADDER, 20, 3, machine)
    assert climb.limit(verdicts) == 140
    assert climb.first_missed(verdicts) == 160
    assert machine.runs[:4] == [100, 140, 180, 160]
    assert sorted(machine.runs[4:]) == [140, 140, 160, 160]


def test_a_step_that_failed_by_chance_is_carried_after_all(climb) -> None:
    verdicts = climb.climb(LADDER, 20, 3, Machine(150, {140: [False]}))
    assert climb.limit(verdicts) == 140
    assert climb.first_missed(verdicts) == 160


def test_a_step_that_was_carried_by_chance_is_not(climb) -> None:
    machine = Machine(110, {140: [True]})
    verdicts = climb.climb(LADDER, 20, 3, machine)
    assert climb.limit(verdicts) < 140
    assert machine.runs.count(climb.limit(verdicts)) == 3


def test_what_carries_every_load_is_not_driven_beyond_the_ladder(climb) -> None:
    machine = Machine(10_000)
    assert climb.limit(climb.climb(LADDER, 20, 3, machine)) == 220
    assert machine.runs == [100, 140, 180, 220, 220, 220]


def test_what_carries_nothing_is_known_to_after_its_runs(climb) -> None:
    machine = Machine(0)
    assert climb.limit(climb.climb(LADDER, 20, 3, machine)) == 0
    assert machine.runs == [100, 100, 100]

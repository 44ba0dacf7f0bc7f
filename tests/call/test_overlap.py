"""A caller who speaks over the agent, with real sound: some cases of each kind.

`bench/overlap.py` holds 200 of each; docs/overlap.md tells what came of them.
"""

import asyncio

import pytest
from warped_time import WarpedLoop

from overlap_cases import KINDS, Kind, cases
from overlap_world import ActivityOnLoop, Outcome, hold

NUMBERS = range(0, 200, 43)


def held(kind: Kind) -> list[Outcome]:
    async def calls() -> list[Outcome]:
        activity = ActivityOnLoop()
        await activity.start()
        try:
            return [await hold(case, activity) for case in cases(kind, NUMBERS)]
        finally:
            await activity.close()

    with asyncio.Runner(loop_factory=WarpedLoop) as runner:
        return runner.run(calls())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_overlap(kind: Kind) -> None:
    outcomes = held(kind)
    assert len(outcomes) == len(NUMBERS)
    for outcome in outcomes:
        assert all(stop.is_settled for stop in outcome.stops), outcome
        assert outcome.violations == 0, outcome
        if kind == "interruption":
            assert outcome.stops, outcome
            assert outcome.is_answered_in_full, outcome
        if kind == "back_channel":
            assert not outcome.is_answered, outcome

"""A small variant of the table: ears and voice are away while people talk, and come back."""

import pytest

from faults.callers import Phrases
from faults.cases import REFUSED, break_ways, mend_ways
from faults.experiment import Fault, Pace, run
from faults.table import row

pytestmark = pytest.mark.alone

AWAY = Fault(
    "Google away",
    break_ways(REFUSED, "stt", "tts"),
    mend_ways("stt", "tts"),
    seconds=3.0,
)


async def test_google_is_away_for_a_moment_and_nothing_is_lost() -> None:
    outcome = await run(AWAY, Phrases(), 3, pace=Pace(0.3, 3.0, 1.0))
    assert outcome.died == []
    assert outcome.lost == []
    assert outcome.other_voice > 0
    assert outcome.understood > 0
    assert row(AWAY.name, outcome).startswith("| Google away |")

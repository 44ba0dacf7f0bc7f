"""Batches go into the database; what it will never take is buried alone."""

from collections.abc import Sequence

import pytest

from crm.records import turn
from voiceagent.crm.postgres.database import ContentRejected
from voiceagent.crm.recording.record_writer import RecordWriter
from voiceagent.crm.recording.records import Record
from voiceagent.errors import ProviderError


class Tables:
    """Takes records; those of some turns fail."""

    def __init__(self, failing: dict[int, Exception]) -> None:
        self.taken: list[int] = []
        self.buried: list[tuple[str, str]] = []
        self._failing = failing
        self.writer = RecordWriter(self._apply, self._bury)

    async def _apply(self, records: Sequence[Record], deadline_s: float) -> None:
        assert deadline_s == 5
        for record in records:
            if record.seq in self._failing:
                raise self._failing[record.seq]
        self.taken += [record.seq for record in records]

    async def _bury(self, raw: str, reason: str) -> None:
        self.buried.append((raw, reason))


async def test_poison_is_buried_by_itself_and_the_others_get_through_in_order() -> None:
    tables = Tables({3: ContentRejected("poison 22"), 9: RuntimeError("whatever it says")})
    records = [turn("CA1", seq) for seq in range(11)]
    await tables.writer.write(records, 5)
    assert tables.taken == [0, 1, 2, 4, 5, 6, 7, 8, 10]
    assert tables.buried == [
        (records[3].model_dump_json(), "poison 22"),
        (records[9].model_dump_json(), "RuntimeError"),
    ]
    assert tables.writer.written == 9


async def test_a_database_that_is_away_is_the_callers_concern() -> None:
    tables = Tables({1: ProviderError("away", retryable=True)})
    with pytest.raises(ProviderError, match="away"):
        await tables.writer.write([turn("CA1", 0), turn("CA1", 1)], 5)
    await tables.writer.write([], 5)
    assert (tables.taken, tables.buried, tables.writer.written) == ([], [], 0)

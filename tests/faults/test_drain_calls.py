"""The drain of many calls, with small numbers: one process, and two workers of uvicorn."""

from pathlib import Path

import pytest

from faults.drain_calls import drain


@pytest.mark.parametrize("workers", [1, 2])
async def test_everybody_ends_as_they_would_have(tmp_path: Path, workers: int) -> None:
    drained = await drain(tmp_path, calls=4, workers=workers, deadline_s=12.0)
    assert drained.in_order, drained
    assert drained.by_caller == 3
    assert drained.with_goodbye == 1

"""What a process leaves on the disk about the calls it holds."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voiceagent.crm.recording.live_calls import FILE_NAME, LiveCalls


def test_the_calls_are_found_with_the_time_of_the_last_sign_of_life(tmp_path: Path) -> None:
    live = LiveCalls(tmp_path)
    live.save({"CA2", "CA1"})
    os.utime(tmp_path / FILE_NAME, (1_000_000_000, 1_000_000_000))
    assert live.left() == (["CA1", "CA2"], datetime.fromtimestamp(1_000_000_000, UTC))
    live.touch()
    left = live.left()
    assert left is not None
    assert left[1] > datetime(2026, 1, 1, tzinfo=UTC)


def test_without_a_call_there_is_no_file(tmp_path: Path) -> None:
    live = LiveCalls(tmp_path)
    live.touch()
    assert live.left() is None
    live.save(["CA1"])
    live.save([])
    assert live.left() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"[", b"{}", b"\xff", b"3"])
def test_a_damaged_file_is_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(damage)
    assert LiveCalls(tmp_path).left() is None


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    LiveCalls(tmp_path).save(["CA1"])
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0

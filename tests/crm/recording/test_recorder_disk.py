"""What a recorder has on the disk: its journal, what dead processes left, who is on the line."""

import os
from pathlib import Path

import pytest

from crm.records import ended, started, turn
from voiceagent.crm.recording.dead_letters import LOCK_NAME, DeadLetters
from voiceagent.crm.recording.journal import Journal
from voiceagent.crm.recording.recorder_disk import RecorderDisk
from voiceagent.crm.recording.records import Record


async def died(folder: Path, *records: Record) -> None:
    """A process kept these, and was killed before it did more: its lock is free."""
    disk = RecorderDisk(folder)
    await disk.open()
    await disk.append(records)
    await disk.note_begun(records)
    await disk.close()


async def lines_left(disk: RecorderDisk) -> list[str]:
    lines: list[str] = []
    while disk.pending:
        entries = await disk.with_oldest(Journal.read, 1)
        lines += [entry.line for entry in entries]
        await disk.with_oldest(Journal.checkpoint, entries)
    return lines


async def test_what_dead_processes_left_comes_before_what_is_new(tmp_path: Path) -> None:
    living, disk = RecorderDisk(tmp_path), RecorderDisk(tmp_path)
    await died(tmp_path, turn("CA1", 0), turn("CA1", 1))
    await living.open()
    assert living.pending == 2
    await living.append([turn("CA1", 2)])
    # Another process finds neither the journal that has an owner nor what that has adopted.
    await disk.open()
    assert disk.pending == 0
    lines = await lines_left(living)
    assert [f'"seq":{seq}' in line for seq, line in enumerate(lines)] == [True] * 3
    await disk.close()
    await living.close()


async def test_calls_that_a_kill_cut_off_are_ended_once(tmp_path: Path) -> None:
    await died(tmp_path, started("CA1"))
    disk = RecorderDisk(tmp_path)
    await disk.open()
    _, end = await lines_left(disk)
    assert "CA1" in end
    assert "process_lost" in end
    await disk.note_begun([started("CA3")])
    await disk.note_ended([ended("CA3")])
    await disk.close()
    again = RecorderDisk(tmp_path)
    await again.open()
    assert again.pending == 0
    await again.close()


async def test_a_disk_that_refuses_says_so_and_burying_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    disk = RecorderDisk(tmp_path)
    await disk.open()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            await disk.append([turn("CA1", 0)])
        await disk.bury("what somebody said", "poison")
    assert disk.pending == 0
    await disk.bury("what somebody else said", "poison")
    assert disk.buried == 2
    assert "cannot be written" in caplog.text
    assert "somebody" not in caplog.text
    assert (tmp_path / LOCK_NAME).exists()
    assert "somebody else" in DeadLetters(tmp_path).read()[-1].record
    await disk.close()


async def test_one_that_was_never_opened_is_closed_as_well(tmp_path: Path) -> None:
    disk = RecorderDisk(tmp_path)
    assert not disk.is_open
    await disk.show_life()
    await disk.close()
    await disk.close()

"""The file of dead letters: written by several processes, cleaned while they write."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from voiceagent.crm.recording.dead_letters import FILE_NAME, DeadLetter, DeadLetters

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def letter(record: str, days: int = 0) -> DeadLetter:
    return DeadLetter(NOON + timedelta(days=days), "poison", record)


@pytest.fixture
def letters(tmp_path: Path) -> DeadLetters:
    return DeadLetters(tmp_path)


def test_letters_come_back_as_they_were(letters: DeadLetters, tmp_path: Path) -> None:
    assert letters.read() == []
    written = [letter("א\n\x00"), letter('{"a": 1}', days=2)]
    for one in written:
        letters.append(one)
    assert letters.read() == written
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_those_that_are_not_wanted_are_not_on_the_disk(
    letters: DeadLetters, tmp_path: Path
) -> None:
    for n in range(4):
        letters.append(letter(f"letter {n}"))
    assert letters.keep_only(lambda one: one.record != "letter 2") == 1
    assert [one.record for one in letters.read()] == ["letter 0", "letter 1", "letter 3"]
    assert b"letter 2" not in (tmp_path / FILE_NAME).read_bytes()
    assert letters.keep_only(lambda _: True) == 0
    assert letters.keep_only(lambda _: False) == 3
    assert not (tmp_path / FILE_NAME).exists()
    assert letters.keep_only(lambda _: False) == 0


def test_a_line_that_is_no_letter_is_one_of_unknown_age(
    letters: DeadLetters, tmp_path: Path
) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'{"at": "2026-\n\n[]\n\xff\n')
    assert [one.record for one in letters.read()] == ['{"at": "2026-', "[]", "\ufffd"]
    assert all(one.at.year == 1970 for one in letters.read())


def test_none_is_lost_that_is_written_meanwhile(letters: DeadLetters, tmp_path: Path) -> None:
    def write(kind: str) -> None:
        own = DeadLetters(tmp_path)
        for n in range(50):
            own.append(letter(f"{kind} {n}"))

    writers = [threading.Thread(target=write, args=(kind,)) for kind in ("kept", "gone")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        letters.keep_only(lambda one: one.record.startswith("kept"))
    letters.keep_only(lambda one: one.record.startswith("kept"))
    assert [one.record for one in letters.read()] == [f"kept {n}" for n in range(50)]

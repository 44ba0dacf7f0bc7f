"""What a damaged disk, or a restored archive, may have left in place of the journal's files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from voiceagent.crm.recording.dead_letters import DeadLetter, DeadLetters
from voiceagent.crm.recording.journal import Journal, encode
from voiceagent.crm.recording.live_calls import LiveCalls

DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "checkpoint",
    [
        DEEP,
        b'{"segment": -1, "offset": 0}',
        b'{"segment": 1, "offset": -1}',
        b'{"segment": 1e999, "offset": 0}',
        b'{"segment": 99999999999, "offset": 0}',
    ],
)
def test_a_checkpoint_that_is_none_has_all_done_again(checkpoint: bytes, tmp_path: Path) -> None:
    (tmp_path / "0000000001.journal").write_bytes(encode("one"))
    (tmp_path / "checkpoint").write_bytes(checkpoint)
    journal = Journal(tmp_path)
    journal.append(["two"])
    assert [entry.text for entry in journal.read(9)] == ["one", "two"]
    journal.close()


@pytest.mark.parametrize(
    "line", [DEEP, b'{"at": "2026-11-27T08:00:00", "reason": "r", "record": "x"}']
)
def test_a_line_that_is_no_letter_is_one_of_unknown_age(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "dead-letter.jsonl").write_bytes(line + b"\n")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert DeadLetters(tmp_path).read() == [DeadLetter(epoch, "no letter", line.decode())]


def test_live_calls_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    (tmp_path / "live-calls.json").write_bytes(DEEP)
    assert LiveCalls(tmp_path).left() is None

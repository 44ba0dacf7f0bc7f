"""The journal on a real disk: order, checkpoints, torn lines, owners."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.crm.recording.journal import (
    Journal,
    JournalTaken,
    abandoned_journals,
    decode,
    encode,
    free_journal,
    lines_on_disk,
)


def texts(journal: Journal, limit: int = 1000) -> list[str | None]:
    return [entry.text for entry in journal.read(limit)]


@given(st.text().filter(lambda text: "\n" not in text))
def test_a_line_comes_back_as_it_went_in(text: str) -> None:
    line = encode(text)
    assert line.endswith(b"\n")
    assert decode(line[:-1]) == text


@given(st.data())
def test_a_line_with_any_bit_changed_is_recognised(data: st.DataObject) -> None:
    line = bytearray(encode('{"text":"שלום"}')[:-1])
    position = data.draw(st.integers(9, len(line) - 1))
    line[position] ^= 1 << data.draw(st.integers(0, 7))
    assert decode(bytes(line)) is None


def test_lines_are_read_in_order_until_they_are_done(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(["one", "two"])
    journal.append(["three"])
    assert journal.pending == 3
    journal.checkpoint(journal.read(2))
    assert journal.pending == 1
    assert texts(journal) == ["three"]
    journal.append(["four"])
    journal.checkpoint(journal.read(10))
    assert journal.pending == 0
    assert journal.read(10) == []
    journal.close()


def test_a_reopened_journal_goes_on_where_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(["one", "two", "three"])
    journal.checkpoint(journal.read(1))
    journal.close()
    journal = Journal(tmp_path)
    assert (journal.pending, texts(journal)) == (2, ["two", "three"])
    journal.close()


def test_segments_are_read_across_and_deleted_when_done(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_limit_bytes=50)
    lines = [f"line number {number}" for number in range(20)]
    for line in lines:
        journal.append([line])
    assert len(list(tmp_path.glob("*.journal"))) > 5
    seen: list[str | None] = []
    while journal.pending:
        entries = journal.read(7)
        seen += [entry.text for entry in entries]
        journal.checkpoint(entries)
    assert seen == lines
    assert sum(path.stat().st_size for path in tmp_path.glob("*.journal")) == 0
    assert len(list(tmp_path.glob("*.journal"))) == 1
    journal.close()


@pytest.mark.parametrize("torn", [b"0", b"0123abcd", b'0123abcd {"kind":"turn"', b"\xff\xfe"])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    journal = Journal(tmp_path)
    journal.append(["whole"])
    journal.close()
    segment = next(tmp_path.glob("*.journal"))
    with segment.open("ab") as file:
        file.write(torn)
    journal = Journal(tmp_path)
    journal.append(["after"])
    assert texts(journal) == ["whole", "after"]
    journal.close()


def test_a_damaged_line_is_given_as_such_and_the_others_come(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(["one", "two", "three"])
    segment = next(tmp_path.glob("*.journal"))
    segment.write_bytes(segment.read_bytes().replace(b"two", b"twi"))
    assert texts(journal) == ["one", None, "three"]
    journal.close()


@pytest.mark.parametrize("damage", ["", "{", '{"segment": "x"}', '{"segment": 1, "offset": 9999}'])
def test_a_lost_checkpoint_repeats_lines_but_loses_none(tmp_path: Path, damage: str) -> None:
    journal = Journal(tmp_path)
    journal.append(["one", "two"])
    journal.checkpoint(journal.read(1))
    journal.close()
    (tmp_path / "checkpoint").write_text(damage)
    journal = Journal(tmp_path)
    journal.append(["three"])
    assert texts(journal) == ["one", "two", "three"]
    journal.close()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch) -> None:
    journal = Journal(tmp_path)
    journal.append(["one"])
    write = os.write

    def half_then_full(descriptor: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: len(data) - 5])

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(OSError, match="No space"):
        journal.append(["two, which does not fit"])
    monkeypatch.undo()
    journal.append(["three"])
    assert texts(journal) == ["one", "three"]
    assert journal.pending == 2
    journal.close()


def test_only_one_process_owns_a_journal(tmp_path: Path) -> None:
    first = free_journal(tmp_path)
    with pytest.raises(JournalTaken):
        Journal(tmp_path / "process-0")
    second = free_journal(tmp_path)
    second.append(["left behind"])
    assert abandoned_journals(tmp_path) == []
    second.close()
    [adopted] = abandoned_journals(tmp_path)
    assert texts(adopted) == ["left behind"]
    adopted.close()
    first.close()


def test_a_line_break_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line break"):
        encode("a\nb")


def test_nobody_else_may_read_what_callers_said(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "process-0")
    journal.append(["private"])
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "process-0").iterdir()} == {0}
    journal.close()


def test_lines_that_are_not_wanted_are_not_on_the_disk_any_more(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "process-0", segment_limit_bytes=40)
    journal.append(["done", "also done"])
    journal.append([f"wanted {n}" for n in range(4)])
    journal.append(["secret 1", "wanted 4"])
    journal.append(["secret 2"])
    journal.checkpoint(journal.read(2))
    assert journal.keep_only(lambda line: "secret" not in line) == 2
    assert (texts(journal), journal.pending) == ([f"wanted {n}" for n in range(5)], 5)
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "process-0").iterdir())
    assert b"secret" not in on_disk
    assert b"done" not in on_disk
    journal.append(["later"])
    journal.close()
    again = Journal(tmp_path / "process-0")
    assert (texts(again), again.pending) == ([f"wanted {n}" for n in range(5)], 6)
    assert again.keep_only(lambda _: False) == 6
    assert (texts(again), again.pending) == ([], 0)
    again.close()


def test_a_damaged_line_is_judged_by_what_can_be_read_of_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "process-0")
    journal.append(["one secret", "another one"])
    journal.close()
    [segment] = (tmp_path / "process-0").glob("*.journal")
    segment.write_bytes(segment.read_bytes().replace(b" one", b" ONE"))
    assert [line.split(" ", 1)[1] for _, line in lines_on_disk(tmp_path)] == [
        "ONE secret",
        "another ONE",
    ]
    journal = Journal(tmp_path / "process-0")
    assert journal.keep_only(lambda line: "secret" not in line) == 1
    [entry] = journal.read(9)
    assert (entry.text, entry.raw.endswith(b"another ONE")) == (None, True)
    journal.close()


def test_lines_are_shown_though_another_process_owns_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "process-0")
    journal.append(["one", "two"])
    assert list(lines_on_disk(tmp_path)) == [
        (tmp_path / "process-0", "one"),
        (tmp_path / "process-0", "two"),
    ]
    journal.close()

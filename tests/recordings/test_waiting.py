"""The folder of recordings on a real disk: names, heads, locks, and processes that are killed."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voiceagent.recordings.waiting import (
    ABANDONED_S,
    Label,
    Reel,
    Waiting,
    WaitingRecordings,
    file_name,
)
from voiceagent.speech.riff import WAVE_ULAW, RiffStripper, WaveFormat

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def label(call_sid: str = "CA1") -> Label:
    return Label(call_sid, AT, 1500)


def waiting_in(folder: Path) -> list[Waiting]:
    return list(WaitingRecordings(folder).take())


def grow_old(path: Path) -> None:
    then = path.stat().st_mtime - ABANDONED_S - 1
    os.utime(path, (then, then))


def test_what_was_written_waits_with_its_label(tmp_path: Path) -> None:
    reel = Reel(tmp_path, label())
    reel.append(b"ab" * 10)
    reel.notice_heard()
    reel.append(b"cd" * 10)
    reel.append(b"")
    reel.close()
    [waiting] = waiting_in(tmp_path)
    assert waiting.label == label()
    assert waiting.size == 40
    assert waiting.read(0, 100) == b"ab" * 10 + b"cd" * 10
    assert waiting.read(18, 4) == b"abcd"
    waiting.discard()
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_whole_at_every_moment(tmp_path: Path) -> None:
    reel = Reel(tmp_path, label())
    [path] = tmp_path.iterdir()
    for n in range(3):
        stripper = RiffStripper()
        assert stripper.feed(path.read_bytes()) + stripper.finish() == b"ab" * 100 * n
        assert stripper.wave_format == WaveFormat(WAVE_ULAW, 2, 8000, 8)
        reel.append(b"ab" * 100)
    reel.close()


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    reel = Reel(tmp_path, label())
    reel.notice_heard()
    reel.append(b"ab")
    grow_old(tmp_path / "CA1.wav")
    assert waiting_in(tmp_path) == []
    reel.close()
    [waiting] = waiting_in(tmp_path)
    # And so is one that somebody is carrying away.
    assert waiting_in(tmp_path) == []
    waiting.release()
    [waiting] = waiting_in(tmp_path)
    waiting.release()


def test_without_the_notice_heard_nothing_is_left(tmp_path: Path) -> None:
    reel = Reel(tmp_path, label())
    reel.append(b"ab")
    reel.close()
    assert list(tmp_path.iterdir()) == []
    reel = Reel(tmp_path, label())
    reel.notice_heard()
    reel.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_call_has_one_file(tmp_path: Path) -> None:
    first = Reel(tmp_path, label())
    with pytest.raises(FileExistsError):
        Reel(tmp_path, label())
    first.notice_heard()
    with pytest.raises(FileExistsError):
        Reel(tmp_path, label())
    first.close()
    with pytest.raises(FileExistsError):
        Reel(tmp_path, label())


@pytest.mark.parametrize(
    "call_sid",
    [
        *("../../etc/passwd", "/etc/passwd", "..", ".", "", "a/b", "CA1.wav", "CA 1", "CA\n1"),
        *("CA\0", "שיחה", "x" * 65, "x" * 100_000, "-rf", "\ud800", '"}data1234'),
    ],
)
def test_no_sid_leads_out_of_the_folder(tmp_path: Path, call_sid: str) -> None:
    folder = tmp_path / "recordings"
    reel = Reel(folder, label(call_sid))
    reel.append(b"ab")
    reel.notice_heard()
    reel.close()
    [path] = folder.iterdir()
    assert list(tmp_path.iterdir()) == [folder]
    assert path.suffix == ".wav"
    assert path.stat().st_mode & 0o077 == 0
    if len(call_sid) < 1000:
        [waiting] = waiting_in(folder)
        assert waiting.label.call_sid == call_sid
        waiting.release()
    WaitingRecordings(folder).erase(call_sid)
    assert list(folder.iterdir()) == []


def test_sids_that_are_no_names_have_files_of_their_own() -> None:
    sids = ["", ".", "..", "a/b", "a_b", "CA1", "ca1", "CA1 "]
    assert len({file_name(sid) for sid in sids}) == len(sids)


def test_what_is_no_recording_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "CA1.wav").write_bytes(b"")
    (tmp_path / "CA2.wav").write_bytes(b"RIFF....WAVE")
    (tmp_path / "CA3.unheard").write_bytes(b"RIFF....WAVE")
    (tmp_path / "notes.txt").write_bytes(b"mine")
    # They may have been made just now, by somebody who is about to hold them.
    assert waiting_in(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 4
    for path in tmp_path.iterdir():
        grow_old(path)
    assert waiting_in(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_without_a_folder_nothing_waits(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    assert waiting_in(folder) == []
    WaitingRecordings(folder).erase("CA1")
    assert not folder.exists()


def test_a_recording_erased_in_the_middle_is_gone(tmp_path: Path) -> None:
    reel = Reel(tmp_path, label())
    WaitingRecordings(tmp_path).erase("CA1")
    reel.append(b"ab")
    with pytest.raises(FileNotFoundError):
        reel.notice_heard()
    reel.close()
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from voiceagent.recordings.waiting import Label, Reel

at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
heard = Reel(Path(sys.argv[1]), Label("CAheard", at, 1500))
heard.notice_heard()
unheard = Reel(Path(sys.argv[1]), Label("CAunheard", at, 1500))
n = 0
while True:
    heard.append(bytes([n % 100, 200]) * 4000)
    unheard.append(bytes(8000))
    n += 1
    if n == 20:
        print("going", flush=True)
"""


def test_what_a_killed_process_recorded_is_playable(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"going\n"
        process.send_signal(signal.SIGKILL)
    grow_old(tmp_path / "CAunheard.unheard")
    [waiting] = waiting_in(tmp_path)
    # The head tells of nothing that is not there.
    assert waiting.label.call_sid == "CAheard"
    assert waiting.size >= 20 * 8000
    samples = waiting.read(0, waiting.size)
    assert len(samples) == waiting.size
    assert set(samples[1::2]) == {200}
    stripper = RiffStripper()
    file = (tmp_path / "CAheard.wav").read_bytes()
    assert (stripper.feed(file) + stripper.finish())[: waiting.size] == samples
    waiting.release()
    assert [path.name for path in tmp_path.iterdir()] == ["CAheard.wav"]


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 3000,
        b'{"call_sid": "CA1", "at": "2026-11-27T08:00:00", "offset_ms": 1}',
        b'{"call_sid": "CA1", "at": "2026-11-27T08:00:00Z", "offset_ms": 1e999}',
        b'{"call_sid": "CA1", "at": "0001-01-01T00:00:00+14:00", "offset_ms": 1}',
        b'{"call_sid": "CA1", "at": "2026-11-27T08:00:00Z", "offset_ms": -1}',
    ],
)
def test_a_label_that_no_database_takes_is_none(text: bytes) -> None:
    with pytest.raises(ValueError, match="no label"):
        Label.decoded(text)

"""Recordings written behind calls, on a real disk: whole, refused, given up, never waited for."""

import asyncio
import logging
import resource
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from voiceagent.call.audio import FRAME_BYTES, ULAW_SILENCE
from voiceagent.recordings.studio import Studio
from voiceagent.recordings.tape import CallTape
from voiceagent.recordings.waiting import WaitingRecordings

CALLER, AGENT = bytes([1]) * FRAME_BYTES, bytes([2]) * FRAME_BYTES
NEVER_S = 3600.0


@asynccontextmanager
async def studio_in(folder: Path, **more: object) -> AsyncIterator[Studio]:
    studio = Studio(folder, **{"on_recorded": lambda: None, **more})  # type: ignore[arg-type]
    try:
        yield studio
    finally:
        await studio.close()


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """The system refuses whatever makes a file larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def talk(tape: CallTape, frames: int) -> None:
    """Both sides talk, and the phone plays at once."""
    for n in range(frames):
        tape.agent(AGENT)
        tape.mark(f"{id(tape)} {n}")
        tape.caller(CALLER)
        tape.mark_came(f"{id(tape)} {n}")


def kept(folder: Path) -> dict[str, bytes]:
    """The samples of each recording that waits, by its call."""
    found = {}
    for waiting in WaitingRecordings(folder).take():
        found[waiting.label.call_sid] = waiting.read(0, waiting.size)
        waiting.release()
    return found


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_calls_are_written_beside_each_other(tmp_path: Path) -> None:
    told: list[None] = []
    async with studio_in(tmp_path, on_recorded=lambda: told.append(None)) as studio:
        tapes = [studio.tape(f"CA{n}") for n in range(3)]
        for tape in tapes:
            tape.begin(100)
            tape.notice_heard()
        for frames in (10, 20):
            for tape in tapes:
                talk(tape, frames)
            await studio.write()
        assert told == []
        assert kept(tmp_path) == {}
        for tape in tapes:
            tape.close()
        await studio.write()
        assert len(told) == 1
    assert kept(tmp_path) == {f"CA{n}": bytes([1, 2]) * FRAME_BYTES * 30 for n in range(3)}


async def test_it_is_written_by_and_by(tmp_path: Path) -> None:
    done = asyncio.Event()
    async with studio_in(tmp_path, on_recorded=done.set, write_every_s=0.01) as studio:
        running = asyncio.create_task(studio.run())
        tape = studio.tape("CA1")
        tape.begin(0)
        tape.notice_heard()
        talk(tape, 5)
        tape.close()
        async with asyncio.timeout(20):
            await done.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert len(kept(tmp_path)["CA1"]) == 2 * FRAME_BYTES * 5


async def test_a_call_that_never_begins_to_be_recorded_leaves_nothing(tmp_path: Path) -> None:
    async with studio_in(tmp_path) as studio:
        tape = studio.tape("CA1")
        talk(tape, 5)
        tape.close()
        await studio.write()
        # Its sid may ring again.
        assert studio.tape("CA1") is not tape
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("written_before", [False, True])
async def test_what_is_given_up_leaves_nothing(tmp_path: Path, *, written_before: bool) -> None:
    async with studio_in(tmp_path) as studio:
        tape = studio.tape("CA1")
        tape.begin(0)
        talk(tape, 5)
        if written_before:
            await studio.write()
        tape.give_up()
        await studio.write()
        assert names_in(tmp_path) == []
        talk(tape, 5)
        tape.close()
        await studio.write()
    assert names_in(tmp_path) == []


async def test_whose_caller_never_heard_the_notice_is_not_kept(tmp_path: Path) -> None:
    async with studio_in(tmp_path) as studio:
        tape = studio.tape("CA1")
        tape.begin(0)
        talk(tape, 5)
        await studio.write()
        tape.close()
    assert names_in(tmp_path) == []


async def test_a_disk_that_refuses_costs_one_line_and_the_rest_of_the_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with studio_in(tmp_path) as studio:
        tapes = [studio.tape("CA1"), studio.tape("CA2")]
        tapes[0].begin(0)
        tapes[0].notice_heard()
        talk(tapes[0], 10)
        await studio.write()
        with caplog.at_level(logging.WARNING), largest_file(5000):
            for _ in range(3):
                talk(tapes[0], 20)
                await studio.write()
        talk(tapes[0], 20)
        assert list(tapes[0].drain()) == []
        assert [record.getMessage() for record in caplog.records] == [
            "the recording stops here why='File too large'"
        ]
        # Another call is recorded as soon as there is room.
        tapes[1].begin(0)
        tapes[1].notice_heard()
        talk(tapes[1], 3)
        for tape in tapes:
            tape.close()
        await studio.write()
    found = kept(tmp_path)
    assert found["CA1"] == bytes([1, 2]) * FRAME_BYTES * 10
    assert found["CA2"] == bytes([1, 2]) * FRAME_BYTES * 3


async def test_the_last_of_the_disk_is_left_to_the_records(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with studio_in(tmp_path, least_free_bytes=1 << 60) as studio:
        tape = studio.tape("CA1")
        tape.begin(0)
        tape.notice_heard()
        for _ in range(3):
            talk(tape, 3)
            await studio.write()
        tape.close()
    assert [record.getMessage() for record in caplog.records] == [
        "the recording stops here why='the disk is nearly full'"
    ]
    assert kept(tmp_path) == {}


async def test_a_folder_that_cannot_be_made_stops_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "recordings").write_text("in the way")
    async with studio_in(tmp_path / "recordings") as studio:
        tape = studio.tape("CA1")
        tape.begin(0)
        talk(tape, 3)
        await studio.write()
        tape.close()
    assert len(caplog.records) == 1


async def test_a_call_that_is_erased_on_the_line_is_kept_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with studio_in(tmp_path) as studio:
        early, late = studio.tape("CAearly"), studio.tape("CAlate")
        early.begin(0)
        late.begin(0)
        late.notice_heard()
        talk(early, 3)
        talk(late, 3)
        await studio.write()
        for tape in (early, late):
            WaitingRecordings(tmp_path).erase(tape.call_sid)
        early.notice_heard()
        talk(early, 3)
        talk(late, 3)
        await studio.write()
        early.close()
        late.close()
    assert names_in(tmp_path) == []
    assert caplog.records == []


async def test_a_second_stream_of_one_call_does_not_touch_the_first(tmp_path: Path) -> None:
    async with studio_in(tmp_path) as studio:
        first, second = studio.tape("CA1"), studio.tape("CA1")
        for tape in (first, second):
            tape.begin(0)
            tape.notice_heard()
        talk(first, 3)
        talk(second, 9)
        second.close()
        await studio.write()
        talk(first, 3)
        first.close()
    assert kept(tmp_path)["CA1"] == bytes([1, 2]) * FRAME_BYTES * 6


async def test_a_disk_that_hangs_holds_up_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hangs, hung = threading.Event(), threading.Event()

    def hang() -> None:
        hung.set()
        hangs.wait(60)

    studio = Studio(tmp_path, on_recorded=lambda: None, most_tapes=3)
    studio._thread.submit(hang)
    tapes = [studio.tape(f"CA{n}") for n in range(5)]
    for tape in tapes:
        tape.begin(0)
        tape.notice_heard()
    writing = asyncio.create_task(studio.write())
    await asyncio.to_thread(hung.wait, 60)
    for tape in tapes:
        talk(tape, 3000)
    assert not writing.done()
    # What is held in memory is bounded: by the tapes, and by what each takes.
    assert [bool(tape.drain()) for tape in tapes[3:]] == [False, False]
    gaps = [one for one in caplog.records if one.getMessage().startswith("the recording has a gap")]
    assert len(gaps) == 3
    hangs.set()
    await writing
    for tape in tapes:
        tape.close()
    await studio.close()
    assert [len(samples) for samples in kept(tmp_path).values()] == [3000 * 2 * FRAME_BYTES] * 3


async def test_what_nobody_may_keep_is_silenced_also_in_what_was_written_already(
    tmp_path: Path,
) -> None:
    async with studio_in(tmp_path) as studio:
        tape = studio.tape("CA1")
        tape.begin(0)
        tape.notice_heard()
        talk(tape, 10)
        await studio.write()
        talk(tape, 5)
        tape.silence(100, 280)
        talk(tape, 5)
        tape.close()
        await studio.write()
        samples = kept(tmp_path)["CA1"]
    caller, agent = samples[0::2], samples[1::2]
    silence = bytes([ULAW_SILENCE]) * 8 * 180
    assert caller == CALLER[:1] * 800 + silence + CALLER[:1] * (3200 - 800 - len(silence))
    assert ULAW_SILENCE not in agent[800:2240]

"""Several workers, each asked in its turn; their sockets are real."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from voiceagent.metrics import Metrics
from voiceagent.observability.exposition import exposition
from voiceagent.observability.siblings import Siblings


def barge_ins(text: bytes) -> dict[str, float]:
    return {
        sample.labels.get("worker", ""): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == "voiceagent_barge_ins_total"
    }


def worker(data_dir: Path, interrupted: int, *, command: str | None = "house-1") -> Siblings:
    metrics = Metrics()
    metrics.barge_ins.inc(interrupted)
    return Siblings(partial(exposition, metrics), data_dir, command, ask_s=0.5)


@asynccontextmanager
async def running(*workers: Siblings) -> AsyncIterator[None]:
    tasks = []
    for each in workers:
        tasks.append(asyncio.create_task(each.run()))
        async with asyncio.timeout(10):
            while not each._worker and not tasks[-1].done():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_whichever_is_asked_tells_of_all(tmp_path: Path) -> None:
    workers = [worker(tmp_path, number) for number in (1, 2, 3)]
    async with running(*workers):
        for each in workers:
            assert barge_ins(await each.text()) == {"0": 1, "1": 2, "2": 3}


async def test_one_alone_has_no_label(tmp_path: Path) -> None:
    alone = worker(tmp_path, 4, command=None)
    async with running(alone):
        assert barge_ins(await alone.text()) == {"": 4}
    assert not (tmp_path / "metrics").exists()


async def test_another_command_is_none_of_its_business(tmp_path: Path) -> None:
    one, other = worker(tmp_path, 1), worker(tmp_path, 2, command="house-2")
    async with running(one, other):
        assert barge_ins(await one.text()) == {"0": 1}


async def test_one_that_has_gone_is_left_out_and_its_number_is_free(tmp_path: Path) -> None:
    one, gone, new = worker(tmp_path, 1), worker(tmp_path, 2), worker(tmp_path, 3)
    async with running(one):
        async with running(gone):
            pass
        assert barge_ins(await one.text()) == {"0": 1}
        async with running(new):
            assert barge_ins(await one.text()) == {"0": 1, "1": 3}


async def test_the_socket_of_a_killed_one_keeps_nobody_waiting(tmp_path: Path) -> None:
    one = worker(tmp_path, 1)
    async with running(one):
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(tmp_path / "metrics" / "house-1" / "7.sock"))
        left.close()
        assert barge_ins(await one.text()) == {"0": 1}


async def test_one_that_does_not_answer_is_left_out(tmp_path: Path) -> None:
    one = worker(tmp_path, 1)
    async with running(one):
        deaf = socket.socket(socket.AF_UNIX)
        deaf.bind(str(tmp_path / "metrics" / "house-1" / "7.sock"))
        deaf.listen()
        assert barge_ins(await one.text()) == {"0": 1}
        deaf.close()


async def test_a_directory_too_long_for_a_socket_leaves_each_to_itself(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    workers = [worker(deep, 1), worker(deep, 2)]
    async with running(*workers):
        assert barge_ins(await workers[0].text()) == {"": 1}
        assert barge_ins(await workers[1].text()) == {"": 2}


async def test_only_our_own_user_is_told(tmp_path: Path) -> None:
    async with running(worker(tmp_path, 1)):
        assert (tmp_path / "metrics" / "house-1").stat().st_mode & 0o077 == 0


async def test_what_a_command_of_before_has_left_is_removed(tmp_path: Path) -> None:
    metrics, long_ago = tmp_path / "metrics", time.time() - 3600
    lives = worker(tmp_path, 1, command="house-2")
    async with running(lives):
        async with running(worker(tmp_path, 2, command="house-3")):
            pass
        for command in ("house-2", "house-3"):
            os.utime(metrics / command, (long_ago, long_ago))
        async with running(worker(tmp_path, 3)):
            left = sorted(path.name for path in metrics.glob("*"))
            assert left == ["house-1", "house-2"]


async def test_where_no_socket_can_be_made_it_tells_of_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "metrics").write_text("no directory")
    alone = worker(tmp_path, 5)
    await alone.run()
    assert "/metrics tells of one worker only" in caplog.text
    assert barge_ins(await alone.text()) == {"": 5}

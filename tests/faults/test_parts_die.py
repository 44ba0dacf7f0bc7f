"""Parts of the service are killed or stopped while people talk to it.

Real processes, real signals: calls go on, webhooks answer, and in the end every record
is there.
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from voiceagent.simulator.behaviour import Answer, AwaitGoodbye, Step
from whole_service import (
    Line,
    Service,
    agent_of,
    on_the_line,
    postmaster,
    processes,
    speech,
    talk,
    until,
)

pytestmark = pytest.mark.alone

BENCH = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.6"}
QUESTIONS = 3


def answering(times: int = QUESTIONS + 3) -> list[Step]:
    """Answer every question; more often than asked, in case one is asked again."""
    answer = Answer(speech("tomorrow morning"), patience_ms=20_000)
    return [*[answer] * times, AwaitGoodbye()]


@asynccontextmanager
async def webhooks_asked(service: Service) -> AsyncIterator[None]:
    """Twilio's webhooks come all the time; each is answered as if nothing had happened."""
    statuses: list[int] = []

    async def ask_on() -> None:
        while True:
            for path in ("incoming_call", "stream_status", "stream_ended"):
                answer = await asyncio.to_thread(service.post, f"/webhook/{path}", CallSid="CAweb")
                statuses.append(answer.status_code)

    asking = asyncio.create_task(ask_on())
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    assert len(statuses) > 3
    assert set(statuses) == {200, 204}


async def all_answer(lines: Sequence[Line], count: int = 1) -> None:
    """Until the agent has spoken again on every line."""
    await asyncio.gather(*(line.answers(count) for line in lines))


async def until_recorded(service: Service, lines: Sequence[Line], reason: str) -> None:
    sids = [line.call_sid for line in lines]
    await until(lambda: all(service.call_record(sid).get("end_reason") == reason for sid in sids))


@contextmanager
def kept_from_starting(data_dir: Path) -> Iterator[None]:
    """No embedded database starts there meanwhile: its lock is taken."""
    with (data_dir / "pgdata.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def test_the_database_is_killed(tmp_path: Path) -> None:
    with Service(tmp_path, **BENCH) as service:
        await service.until_ready()
        async with on_the_line(service, talk(30), calls=3) as lines:
            async with webhooks_asked(service):
                await all_answer(lines)
                killed = postmaster(tmp_path)
                assert killed is not None
                with kept_from_starting(tmp_path):
                    os.kill(killed, signal.SIGKILL)
                    await until(lambda: service.parts()["db"] == "err")
                    # One dead part takes no instance out: calls go on.
                    assert service.readyz()[0] == 200
                    await all_answer(lines)
                await until(lambda: service.parts()["db"] == "ok")
                await all_answer(lines)
            results = await asyncio.gather(*(line.hang_up() for line in lines))
        assert [result.ended_by for result in results] == ["caller"] * 3
        await until_recorded(service, lines, "caller_hangup")
        for line, result in zip(lines, results, strict=True):
            turns = service.call_record(line.call_sid)["turns"]
            # 0 would be the greeting, and these engines have none.
            assert [turn["seq"] for turn in turns] == list(range(1, len(turns) + 1))
            said = [turn for turn in turns if turn["who"] == "caller"]
            assert len(said) == len(result.turns)


async def test_speech_workers_are_killed_and_stopped(tmp_path: Path) -> None:
    agent = tmp_path / "agent.toml"
    agent.write_text(agent_of(QUESTIONS))
    with Service(tmp_path, AGENT_FILE=str(agent)) as service:
        await service.until_ready()
        async with on_the_line(service, answering(), calls=2) as lines, webhooks_asked(service):
            await all_answer(lines)
            first = signal_workers(service, ("espeak", "sphinx"), signal.SIGKILL)
            await all_answer(lines)
            assert first.isdisjoint(workers(service, "espeak"))
            # A worker that hangs is given up at its deadline: the caller hears an apology.
            hung = signal_workers(service, ("espeak",), signal.SIGSTOP)
            await all_answer(lines, 2)
            assert hung.isdisjoint(workers(service, "espeak"))
            # Ears that hang: the utterance is lost, and the question is asked again.
            hung = signal_workers(service, ("sphinx",), signal.SIGSTOP)
            results = await asyncio.gather(*(line.over() for line in lines))
            assert hung.isdisjoint(workers(service, "sphinx"))
        assert [result.ended_by for result in results] == ["agent"] * 2
        await until_recorded(service, lines, "agent_hangup")
        for line in lines:
            record = service.call_record(line.call_sid)
            assert record["fields"] == {f"q{n}": "morning" for n in range(1, QUESTIONS + 1)}
            assert "apology" in {turn["source"] for turn in record["turns"]}
        await service.until_ready()
        left = workers(service, "espeak") | workers(service, "sphinx")
        assert left
        service.send_signal(signal.SIGKILL)
        await until(lambda: left.isdisjoint(pid for pid, _, _ in processes()))
    # The database, which outlives its service, has had no successor to stop it.
    left_over = postmaster(tmp_path)
    assert left_over is not None
    os.kill(left_over, signal.SIGINT)
    await until(lambda: postmaster(tmp_path) is None)


def workers(service: Service, engine: str) -> set[int]:
    return set(service.workers(f"voiceagent.speech.{engine}_worker"))


def signal_workers(service: Service, engines: Sequence[str], number: signal.Signals) -> set[int]:
    pids = {pid for engine in engines for pid in workers(service, engine)}
    assert len(pids) >= len(engines)
    for pid in pids:
        os.kill(pid, number)
    return pids


async def test_the_service_itself_is_killed(tmp_path: Path) -> None:
    with Service(tmp_path, **BENCH) as service:
        await service.until_ready()
        async with on_the_line(service, talk(30), calls=3) as [over, *cut]:
            await all_answer([over, *cut], 2)
            await over.hang_up()
            await until_recorded(service, [over], "caller_hangup")
            kept = {line.call_sid: service.call_record(line.call_sid) for line in (over, *cut)}
            service.send_signal(signal.SIGKILL)
            assert [(await line.over()).ended_by for line in cut] == ["lost", "lost"]
        assert await service.ended() == -signal.SIGKILL
        assert postmaster(tmp_path) is not None  # the database outlives it, and is found again
    with Service(tmp_path, **BENCH) as service:
        await service.until_ready()
        await until_recorded(service, cut, "process_lost")
        for line in cut:
            record = service.call_record(line.call_sid)
            assert record["status"] == "failed"
            assert record["ended_at"] >= record["turns"][0]["at"]
        for call_sid, before in kept.items():
            record = service.call_record(call_sid)
            assert {turn["seq"] for turn in before["turns"]} <= {
                turn["seq"] for turn in record["turns"]
            }
            known = [webhook["id"] for webhook in before["webhooks"]]
            assert known == [webhook["id"] for webhook in record["webhooks"]][: len(known)]
        assert service.call_record(over.call_sid)["end_reason"] == "caller_hangup"
    assert postmaster(tmp_path) is None

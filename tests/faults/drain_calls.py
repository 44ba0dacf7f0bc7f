"""SIGTERM comes while people talk: everybody ends as they would have, nobody is cut off.

How many callers, and how many of uvicorn's workers, flow in; how every call ended flows out, as
the phones saw it and as the database has it afterwards. A quarter of the callers never stop
talking: to them goodbye is said at the deadline. Real processes, real signals.

    PYTHONPATH=src:tests python -m faults.drain_calls --calls 20 --workers 2
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.views import CallDetailView
from voiceagent.simulator.behaviour import HangUp, Step
from voiceagent.simulator.results import CallResult, HeardTurn
from whole_service import ROOT, Service, on_the_line, run_line, talk, until

BENCH = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.6"}
TIRELESS_EVERY = 4


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of all calls of one drain."""

    calls: int
    by_caller: int
    """Ended by the caller, who had said everything and heard every answer."""
    with_goodbye: int
    """Ended by the agent at the deadline, with a goodbye that was heard out."""
    abnormal: int
    """Closed with anything but 1000, or never begun."""
    unanswered: int
    """Utterances before the deadline to which nothing was said."""
    violations: int
    whole: int
    """Whose record in the database has its end, its reason and every utterance."""
    refused: bool
    """A caller who rang during the drain was told so in words, and no socket was opened."""
    seconds: float
    """From the signal to the end of the process."""
    exit_code: int

    @property
    def in_order(self) -> bool:
        """Everybody ended as they would have."""
        return (
            self.by_caller + self.with_goodbye == self.calls == self.whole
            and self.abnormal == self.unanswered == self.violations == self.exit_code == 0
            and self.refused
        )


async def drain(data_dir: Path, calls: int, workers: int, deadline_s: float) -> Drained:
    """Let so many people talk, stop the service, and look at what became of each."""
    with _Service(data_dir, workers, deadline_s) as service:
        await until(service.listens)
        await service.until_ready()
        async with AsyncExitStack() as stack:
            lines = [
                (await stack.enter_async_context(on_the_line(service, _talk_of(index))))[0]
                for index in range(calls)
            ]
            await asyncio.gather(*(line.answers(1) for line in lines))
            began = time.monotonic()
            service.send_signal(signal.SIGTERM)
            await until(lambda: service.readyz()[0] == 503)
            answer = service.post("/webhook/incoming_call", CallSid="CAnew", From="+972500000099")
            results = await asyncio.gather(*(line.over() for line in lines))
        exit_code = await service.ended()
        seconds = time.monotonic() - began
    records = await _records(data_dir, [line.call_sid for line in lines])
    told = list(zip(results, records, strict=True))
    return Drained(
        calls=calls,
        by_caller=sum(result.ended_by == "caller" and result.completed for result in results),
        with_goodbye=sum(_heard_goodbye(*one) for one in told),
        abnormal=sum(result.ended_by not in {"caller", "agent"} for result in results),
        unanswered=sum(
            turn.answered_ms is None for result in results for turn in _before_the_end(result)
        ),
        violations=sum(len(result.violations) for result in results),
        whole=sum(_is_whole(*one) for one in told),
        refused="<Say" in answer.text and "<Stream" not in answer.text,
        seconds=round(seconds, 1),
        exit_code=exit_code,
    )


class _Service(Service):
    """The service, as one process or as uvicorn's workers under its supervisor."""

    def __init__(self, data_dir: Path, workers: int, deadline_s: float) -> None:
        super().__init__(data_dir, DRAIN_SECONDS=str(deadline_s), **BENCH)
        if workers > 1:
            self._command = [
                sys.executable, *run_line(), "--host", "127.0.0.1", "--port", "0",
                "--workers", str(workers),
            ]  # fmt: skip
            self._cwd = ROOT

    def listens(self) -> bool:
        """Workers listen later than their supervisor says that it runs."""
        try:
            return self.get("/healthz").text == "ok"
        except httpx.ConnectError:
            return False


def _talk_of(index: int) -> Sequence[Step]:
    """Two to six things to say, then hang up; every fourth caller has no end."""
    if index % TIRELESS_EVERY == TIRELESS_EVERY - 1:
        return talk(200)
    return [*talk(2 + index % 5)[:-1], HangUp(200)]


def _before_the_end(result: CallResult) -> Sequence[HeardTurn]:
    # At the deadline the agent takes its leave, whatever was said last.
    return result.turns[:-1] if result.ended_by == "agent" else result.turns


def _heard_goodbye(result: CallResult, record: CallDetailView) -> bool:
    last = record.turns[-1]
    return (
        result.ended_by == "agent"
        and record.end_reason == "drain"
        and (last.source, last.heard) == ("goodbye", last.text)
    )


def _is_whole(result: CallResult, record: CallDetailView) -> bool:
    said = sum(turn.who == "caller" for turn in record.turns)
    reason = "caller_hangup" if result.ended_by == "caller" else "drain"
    expected = len(result.turns)
    unsaid = 1 if result.ended_by == "agent" else 0
    return record.end_reason == reason and expected - unsaid <= said <= expected


async def _records(data_dir: Path, call_sids: Sequence[str]) -> list[CallDetailView]:
    database = Database(None, data_dir)
    await database.start()
    try:
        calls = CallsRepository(database)
        return [await calls.get(call_sid) for call_sid in call_sids]
    finally:
        await database.close()


def main() -> int:
    """Drain once, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--deadline", type=float, default=25.0, help="DRAIN_SECONDS")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as data_dir:
        drained = asyncio.run(drain(Path(data_dir), given.calls, given.workers, given.deadline))
    print(drained)
    print("in order" if drained.in_order else "NOT in order")
    return 0 if drained.in_order else 1


if __name__ == "__main__":
    raise SystemExit(main())

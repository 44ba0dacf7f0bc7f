"""One fault in the middle of twenty calls: what was heard, what is lost, how long it lasts.

A fault (how to strike and how to mend) flows in; an outcome flows out, read from the phones,
from the records afterwards, and from what the service tells of itself. Nothing is started
again but what the fault itself says is started by others.
"""

import asyncio
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final

import httpx

from faults.callers import ENGLISH, HEBREW, Callers, Phrases, calling
from faults.house import House, Plan, ServiceInHouse, running
from faults.listeners import HeardSpeech, heard_of, longest_silence_ms
from faults.traffic import Traffic
from voiceagent.simulator.results import CallResult
from whole_service import Line

ANSWERS: Final = HEBREW | ENGLISH
LONGEST_S: Final = 45.0
"""A recovery that takes longer than this is told as such."""
POLL_S: Final = 0.2
PARTS: Final = {"db": "database", "stt": "ears", "tts": "voice"}
"""Of `/readyz`, and how they are named here."""
WELL: Final = (*PARTS.values(), "records", "messages")
"""What is looked at all the time."""
QUEUED: Final = 200
"""More records than this are not only on their way."""
WAITING_S: Final = 3.0
"""A message that has waited for longer than this is not sent as usual."""
_SETTLED_MS: Final = 300.0
_BLURRED: Final = 3
"""So many letters of what was heard may be read wrongly from the audio."""

AS_USUAL: Final = Plan()
Act = Callable[[House, Callers], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long what goes on around a fault, in seconds."""

    ramp_s: float = 3.0
    """In which the callers ring."""
    before_s: float = 5.0
    after_s: float = 2.0
    """Once everything is well again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and how it is mended."""

    name: str
    strike: Act
    mend: Act
    plan: Plan = AS_USUAL
    seconds: float = 12.0
    disk_mb: int = 0
    """`DATA_DIR` on a disk of its own of that size."""
    why_not: Callable[[], str] = lambda: ""
    """Why it cannot be tried on this machine; empty: it can."""


USUAL_PACE: Final = Pace()


@dataclass
class Sentence:
    """Something that the agent said besides its usual answers."""

    callers: int = 0
    """Who heard it."""
    first: int = 1_000_000
    """Its earliest place in a call."""


class Stages:
    """How long each of them took, in seconds; the first one begins when this is made."""

    def __init__(self) -> None:
        self.took_s: dict[str, float] = {}
        self._since_s = time.monotonic()

    def over(self, stage: str) -> None:
        """It has ended, and the next one begins."""
        now_s = time.monotonic()
        self.took_s[stage], self._since_s = now_s - self._since_s, now_s


@dataclass
class Outcome:
    """What became of it."""

    calls: int = 0
    died: list[str] = field(default_factory=list)
    """Calls that did not end as their callers wanted, and how they ended."""
    uttered: int = 0
    understood: int = 0
    longest_silence_ms: float = 0.0
    heard: dict[str, "Sentence"] = field(default_factory=dict)
    """Other than the usual answers, by the text."""
    other_voice: int = 0
    """Callers who heard another voice than Google's."""
    lost: list[str] = field(default_factory=list)
    again: int = 0
    """Requests about messages and payments that were not taken at once."""
    bad_answers: Counter[str] = field(default_factory=Counter)
    recovery_s: dict[str, float] = field(default_factory=dict)
    """By what had to recover."""
    late: int = 0
    media: int = 0
    lag_ms: float = 0.0
    """The telephones' own worst."""
    starved_s: float = 0.0
    """How long one of the processes was kept from running by other programs of the machine, at
    worst: what is measured then is the machine, not the service."""
    stages: Stages = field(default_factory=Stages)
    """Of the trial itself."""


async def run(
    fault: Fault,
    phrases: Phrases,
    calls: int,
    keep: Path | None = None,
    pace: Pace = USUAL_PACE,
) -> Outcome:
    """Try it; `keep`: where the service's log goes."""
    outcome = Outcome(calls=calls)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        place = Path(folder)
        place.chmod(0o755)  # noqa: ASYNC240 - nothing goes on yet
        with _disk(place / "data", fault.disk_mb):
            async with running(place, fault.plan, phrases.said) as house:
                outcome.stages.over("start")
                try:
                    await _try(fault, house, phrases, pace, outcome)
                finally:
                    if keep is not None:
                        await asyncio.to_thread(keep.write_text, house.service.output)
    outcome.stages.over("stop")
    return outcome


async def _try(fault: Fault, house: House, phrases: Phrases, pace: Pace, outcome: Outcome) -> None:
    calls, stages = outcome.calls, outcome.stages
    traffic = Traffic(house)
    async with calling(house, phrases) as callers:
        going_on = asyncio.create_task(traffic.run())
        for index in range(calls):
            callers.ring(index)
            await asyncio.sleep(pace.ramp_s / calls)
        await asyncio.sleep(pace.before_s)
        callers.exchange.worst_lag_ms = 0.0
        pids = (house.service.pid, house.vendors.pid, os.getpid())
        waited_s = [_waited_s(pid) for pid in pids]
        await fault.strike(house, callers)
        await asyncio.sleep(fault.seconds)
        await fault.mend(house, callers)
        stages.over("calls and fault")
        outcome.recovery_s = await _recovery(house, callers, traffic)
        stages.over("recovery")
        await asyncio.sleep(pace.after_s)
        outcome.starved_s = max(
            _waited_s(pid) - before for pid, before in zip(pids, waited_s, strict=True)
        )
        outcome.lag_ms = callers.exchange.worst_lag_ms
        until_ms = {line.call_sid: line.call.now_ms for line in callers.lines}
        results = await callers.hang_up()
        stages.over("hang up")
        traffic.end()
        await going_on
        stages.over("last requests")
        outcome.again, outcome.bad_answers = traffic.again, traffic.bad_answers
        outcome.lost = await traffic.lost()
        stages.over("count")
        for line, result in zip(callers.lines, results, strict=True):
            end_ms = min(until_ms[line.call_sid], result.duration_ms)
            await _look(house, outcome, line, result, end_ms)
        stages.over("listen")


async def _recovery(house: House, callers: Callers, traffic: Traffic) -> dict[str, float]:
    """How long after the mending each of these was well again, for good."""
    now_s = asyncio.get_running_loop().time
    mended_s = now_s()
    last_bad_s = dict.fromkeys(WELL, mended_s)
    calling_on = asyncio.create_task(callers.ring_again_and_again())
    while now_s() - mended_s < LONGEST_S:
        states = await asyncio.to_thread(_states, house, traffic)
        for part, is_well in states.items():
            if not is_well:
                last_bad_s[part] = now_s()
        if calling_on.done() and all(states.values()):
            break
        await asyncio.sleep(POLL_S)
    calling_on.cancel()
    await asyncio.wait([calling_on])
    found = {part: at_s - mended_s for part, at_s in last_bad_s.items()}
    as_usual = [call.rang_s for call in callers.new if call.as_usual]
    found["calls"] = min(as_usual) - mended_s if as_usual else LONGEST_S
    return found


def _states(house: House, traffic: Traffic) -> dict[str, bool]:
    service = house.service
    try:
        return _told_by(service) | {"messages": traffic.waits_s() < WAITING_S}
    except httpx.HTTPError:
        return dict.fromkeys(WELL, False)


def _told_by(service: ServiceInHouse) -> dict[str, bool]:
    parts = service.parts()
    return {
        **{name: parts[part] == "ok" for part, name in PARTS.items()},
        "records": service.figure("voiceagent_records_journaled") == 0
        and service.figure("voiceagent_records_queued") < QUEUED,
    }


async def _look(
    house: House, outcome: Outcome, line: Line, result: CallResult, end_ms: float
) -> None:
    """Compare what was said and heard on the telephone with what is kept of the call."""
    call = line.call
    heard = await asyncio.to_thread(heard_of, call, end_ms)
    outcome.longest_silence_ms = max(outcome.longest_silence_ms, longest_silence_ms(call, end_ms))
    outcome.late += len(result.late_ms)
    outcome.media += result.media_messages
    outcome.other_voice += any(not one.text for one in heard)
    record = await _record(house, line.call_sid)
    if not record:
        outcome.lost.append("1 call without a whole record")
        outcome.died.append(f"{result.ended_by} {result.error}".strip())
        return
    if result.ended_by != "caller" and record["end_reason"] != "agent_hangup":
        outcome.died.append(f"{result.ended_by}: {record['end_reason']}")
    turns: list[dict[str, Any]] = record["turns"]
    said = Counter(turn["text"] for turn in turns if turn["who"] == "caller")
    uttered = Counter(one.text for one in call.uttered if one.end_ms < end_ms - 1000)
    outcome.uttered += uttered.total()
    outcome.understood += (said & uttered).total()
    for text, place in _unusual(turns).items():
        sentence = outcome.heard.setdefault(text, Sentence())
        sentence.callers += 1
        sentence.first = min(sentence.first, place)
    if wrong := list(_missing(turns, heard, said, end_ms)):
        outcome.lost += [f"{line.call_sid[:6]}: {one}" for one in wrong]


async def _record(house: House, call_sid: str) -> dict[str, Any]:
    for _ in range(50):
        record = await asyncio.to_thread(house.service.call_record, call_sid)
        if record.get("end_reason"):
            return record
        await asyncio.sleep(0.2)
    return {}


def _unusual(turns: Sequence[dict[str, Any]]) -> dict[str, int]:
    """What was heard out, with its first place in the call."""
    found: dict[str, int] = {}
    for turn in turns:
        text = turn["heard"].strip()
        heard_out = turn["status"] == "complete" and text
        by_agent = turn["who"] == "agent" and turn["source"] != "opening"
        if by_agent and heard_out and text not in ANSWERS.values():
            found.setdefault(text, turn["seq"])
    return found


def _missing(
    turns: Sequence[dict[str, Any]], heard: Sequence[HeardSpeech], said: Counter[str], end_ms: float
) -> Iterator[str]:
    numbers = [turn["turn"] for turn in turns if turn["who"] == "caller"]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"turns of the caller: {numbers}"
    # What was heard of a sentence that was cut short is known to about a word.
    by_agent = (turn for turn in turns if turn["who"] == "agent" and turn["heard"])
    kept = _letters(" ".join(turn["text"] for turn in by_agent))
    answered: Counter[str] = Counter()
    for one in heard:
        if one.end_ms > end_ms - _SETTLED_MS or not one.text:
            continue
        if not _is_in(_letters(one.text), kept):
            yield f"heard and not kept: {one.text!r}"
        answered.update(text for text, answer in ANSWERS.items() if answer == one.text)
    for text, count in (answered - said).items():
        yield f"answered and not kept: {count} times {text!r}"


def _is_in(heard: str, kept: str) -> bool:
    """A gap in the audio, or its beginning, costs a letter or two."""
    if len(heard) < 2 * _BLURRED or heard in kept:
        return True
    blocks = SequenceMatcher(None, heard, kept, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= len(heard) - _BLURRED


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _waited_s(pid: int) -> float:
    """How long the main thread of that process has waited for a processor so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


@contextmanager
def _disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A disk of its own at that folder."""
    if not megabytes:
        yield
        return
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)

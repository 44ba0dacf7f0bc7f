"""Calls to Google's recogniser over real gRPC, against the emulator in a process of its own.

    python bench/google_call.py --minutes 7 --rotate-from 60 --rotate-by 75   # words, in real time
    python bench/google_call.py --calls 20 --minutes 1                        # processor time

Callers speak words that the emulator reads from the audio it receives; what the recogniser
tells is compared with what was said. Processor time is this process's, callers included;
`--deaf` measures the callers alone. Prints one JSON object.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from difflib import SequenceMatcher
from pathlib import Path

import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from emulators.spoken_tones import VOCABULARY  # noqa: E402
from emulators.tone_caller import ToneCaller  # noqa: E402
from voiceagent.speech.google_stt import GoogleRecognizer  # noqa: E402
from voiceagent.speech.google_stt_policy import StreamPolicy  # noqa: E402
from voiceagent.speech.ports import Recognition  # noqa: E402

MONOLOGUE_EVERY_S = 100.0
MONOLOGUE_WORDS = 140


class Deaf:
    """A stream that takes audio and does nothing."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    def feed(self, ulaw: bytes) -> None: ...

    def speech_started(self, audio_ms: float) -> None: ...

    def speech_paused(self, audio_ms: float) -> None: ...

    def utterance_ended(self) -> None: ...

    def expect(self, phrases: Sequence[str]) -> None: ...

    async def __aiter__(self) -> AsyncIterator[Recognition]:
        await self._closed.wait()
        return
        yield

    async def close(self) -> None:
        self._closed.set()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--rotate-from", type=float, default=240.0, help="s")
    parser.add_argument("--rotate-by", type=float, default=290.0, help="s")
    parser.add_argument("--monologues", action="store_true", help="of half a minute, now and then")
    parser.add_argument("--deaf", action="store_true", help="the callers alone")
    parser.add_argument("--port", type=int, default=9471)
    arguments = parser.parse_args()
    report = uvloop.run(_measure(arguments))
    print(json.dumps(report, ensure_ascii=False))
    return 0 if arguments.deaf or report["word_errors"] == 0 else 1


@asynccontextmanager
async def _emulator(arguments: argparse.Namespace) -> AsyncIterator[str]:
    command = ("-m", "emulators.google", "--port", str(arguments.port))
    limit = ("--limit", str(arguments.rotate_by + 15))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, *limit, cwd=ROOT / "tests", stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is not None:
            yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def _measure(arguments: argparse.Namespace) -> dict:
    policy = StreamPolicy(
        rotate_from_ms=arguments.rotate_from * 1000, rotate_by_ms=arguments.rotate_by * 1000
    )
    async with _emulator(arguments) as endpoint:
        recognizer = GoogleRecognizer(None, endpoint=endpoint, policy=policy)
        await recognizer.warm_up()
        callers = [
            ToneCaller(Deaf() if arguments.deaf else recognizer.open("he-IL"))
            for _ in range(arguments.calls)
        ]
        cpu_before, began = _cpu_s(), time.monotonic()
        await asyncio.gather(
            *(_call(caller, seed, arguments) for seed, caller in enumerate(callers))
        )
        cpu_s, wall_s = _cpu_s() - cpu_before, time.monotonic() - began
        await recognizer.close()
    call_minutes = sum(caller.now_ms for caller in callers) / 60_000
    report = {
        "calls": arguments.calls,
        "call_minutes": round(call_minutes, 2),
        "wall_s": round(wall_s, 1),
        "cpu_s_per_call_minute": round(cpu_s / call_minutes, 4),
    }
    if arguments.deaf:
        return report
    wrong = [_errors(caller.said, caller.finals.text.split()) for caller in callers]
    counters = [caller.stream.counters for caller in callers]
    return report | {
        "words_said": sum(len(caller.said) for caller in callers),
        "word_errors": sum(map(len, wrong)),
        "wrong": [error for errors in wrong for error in errors][:20],
        "handed_over": sum(counter.handed_over for counter in counters),
        "replaced": sum(counter.replaced for counter in counters),
        "repaired": sum(counter.repaired for counter in counters),
        "dropped_ms": sum(counter.dropped_ms for counter in counters),
        "failed": [str(caller.error) for caller in callers if caller.error],
    }


async def _call(caller: ToneCaller, seed: int, arguments: argparse.Namespace) -> None:
    rng = random.Random(seed)  # noqa: S311 (repeatable)
    next_monologue_ms = MONOLOGUE_EVERY_S * 400
    async with caller:
        await caller.silence(rng.uniform(100, 1100))
        while caller.now_ms < arguments.minutes * 60_000:
            count = rng.randint(1, 9)
            if arguments.monologues and caller.now_ms >= next_monologue_ms:
                next_monologue_ms += MONOLOGUE_EVERY_S * 1000
                count = MONOLOGUE_WORDS
            await caller.say(" ".join(rng.choices(VOCABULARY, k=count)))
            await caller.silence(rng.choice([250, 400, 800, 1500, 3000]))
        await caller.silence(4000)


def _errors(said: list[str], told: list[str]) -> list[str]:
    changes = SequenceMatcher(None, said, told, autojunk=False).get_opcodes()
    return [
        f"{change} at {at}: {said[at:to]} -> {told[from_:until]}"
        for change, at, to, from_, until in changes
        if change != "equal"
    ]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())

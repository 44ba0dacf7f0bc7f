"""How soon an answer of a language model is heard, with the answer begun early and without.

    python bench/thinking.py --calls 10 --turns 8

Each call is the real session, brain and HTTP client against the emulated model in a process of
its own (300 ms to the first token); the voice takes 100 ms to its first sound; the caller's words
are told 150-200 ms late. Printed is the time from the end of the utterance to the first frame of
the answer, and how often the answer that was begun early was the right one.

A process of idle priority keeps each core from sleeping meanwhile: on a virtual machine every
wake-up costs milliseconds, which a machine with calls on it does not pay (`--let-sleep`).
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import cast

import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from voiceagent.brain.agent.file import load_agent  # noqa: E402
from voiceagent.brain.chat import ChatModel  # noqa: E402
from voiceagent.call.parking import Parking  # noqa: E402
from voiceagent.call.services import CallServices  # noqa: E402
from voiceagent.call.session import CallSession  # noqa: E402
from voiceagent.call.speaking import PhraseBook, Voice  # noqa: E402
from voiceagent.call.turn_policy import TurnPolicy  # noqa: E402
from voiceagent.call.vad import VoiceActivity  # noqa: E402
from voiceagent.evals.agent_voice import CodedVoice  # noqa: E402
from voiceagent.evals.caller_voice import said  # noqa: E402
from voiceagent.evals.ears import TextActivity, TextEars  # noqa: E402
from voiceagent.evals.evidence import Records  # noqa: E402
from voiceagent.evals.line import TextLine  # noqa: E402
from voiceagent.metrics import Metrics  # noqa: E402
from voiceagent.settings import Settings, load_settings  # noqa: E402
from voiceagent.twilio.media_stream import Start  # noqa: E402
from voiceagent.wiring.brains import House, choose_brain, choose_model  # noqa: E402

ANSWERS = {
    "how much is a flat in the centre": "Let me see.",
    "do you have something with a garden": "Yes, we do.",
    "what about parking": "Of course.",
    "when can I see it": "Any day.",
    "is there a lift in the house": "There is one.",
    "how many rooms does it have": "It has four.",
    "who lives next door": "A family.",
    "and what does the agency cost": "Two percent.",
}
"""What is asked, and with what the model begins its answer: a short sentence, as people do."""
QUESTIONS = tuple(ANSWERS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--first-token-ms", type=float, default=300.0)
    parser.add_argument("--token-ms", type=float, default=5.0)
    parser.add_argument("--port", type=int, default=9571)
    parser.add_argument("--let-sleep", action="store_true", help="let the cores sleep")
    arguments = parser.parse_args()
    with nullcontext() if arguments.let_sleep else _awake():
        report = uvloop.run(_measure(arguments))
    print(json.dumps(report, indent=2))
    early, late = report["begun_early"], report["begun_at_the_end"]
    return 0 if early["p95_ms"] <= 30 and late["p95_ms"] <= 450 else 1


@contextmanager
def _awake() -> Iterator[None]:
    """No core sleeps; whoever else wants one gets it at once."""
    idle = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    count = len(os.sched_getaffinity(0))
    spinning = [subprocess.Popen([sys.executable, "-c", idle]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def _rules() -> str:
    """Another answer to each question: who says the same again is not heard twice."""
    return "".join(
        f'[[rules]]\nsays = "{question}"\nsay = "{first} I will gladly tell you all about it."\n'
        for question, first in ANSWERS.items()
    )


@asynccontextmanager
async def _emulator(arguments: argparse.Namespace) -> AsyncIterator[str]:
    rules = Path(tempfile.mkdtemp()) / "rules.toml"
    rules.write_text(_rules())
    command = (
        "-m",
        "emulators.openai_server",
        "--rules",
        str(rules),
        "--port",
        str(arguments.port),
        "--first-token-ms",
        str(arguments.first_token_ms),
        "--token-ms",
        str(arguments.token_ms),
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT / "tests", stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is not None:
            await process.stdout.readline()
            yield f"http://127.0.0.1:{arguments.port}/v1"
    finally:
        process.terminate()
        await process.wait()


async def _measure(arguments: argparse.Namespace) -> dict[str, object]:
    async with _emulator(arguments) as url:
        settings = load_settings(
            {"LLM_BASE_URL": url, "LLM_MODEL": "emulated", "AGENT_LANGUAGE": "en-US"}
        )
        model = choose_model(settings)
        if model is None:
            raise SystemExit("the settings name no model")
        await model.warm_up()
        cpu_before = sum(os.times()[:2])
        early = await _calls(arguments, settings, model, TurnPolicy())
        late = await _calls(arguments, settings, model, TurnPolicy(max_guesses=0))
        cpu_s = sum(os.times()[:2]) - cpu_before
        await model.close()
    return {
        "calls": arguments.calls,
        "first_token_ms": arguments.first_token_ms,
        "token_ms": arguments.token_ms,
        "begun_early": early,
        "begun_at_the_end": late,
        "cpu_s": round(cpu_s, 1),
    }


async def _calls(
    arguments: argparse.Namespace, settings: Settings, model: ChatModel, policy: TurnPolicy
) -> dict[str, object]:
    calls = [_Call(number, settings, model, policy) for number in range(arguments.calls)]
    await asyncio.gather(*(call.hold(arguments.turns) for call in calls))
    waits: list[float] = []
    responses: list[float] = []
    guesses = used = turns = 0
    for call in calls:
        for turn in call.records.turns:
            if turn.who == "agent" and turn.source == "reply":
                turns += 1
                waits.append(turn.timings["first_frame_at_ms"] - turn.timings["eou_at_ms"])
                responses.append(turn.timings["response_ms"])
        guesses += call.session._turns.counters.guesses  # noqa: SLF001
        used += call.session._turns.counters.guesses_used  # noqa: SLF001
    return {
        "turns": turns,
        "p50_ms": round(statistics.median(waits), 1),
        "p95_ms": round(sorted(waits)[int(len(waits) * 0.95)], 1),
        "max_ms": round(max(waits), 1),
        "response_p50_ms": round(statistics.median(responses)),
        "response_p95_ms": round(sorted(responses)[int(len(responses) * 0.95)]),
        "guesses": guesses,
        "guesses_used": used,
    }


class _Call:
    def __init__(
        self, number: int, settings: Settings, model: ChatModel, policy: TurnPolicy
    ) -> None:
        self._sid = f"CA{number}"
        self.records = Records()
        voice = CodedVoice()
        self._line = TextLine(f"MZ{number}", self._sid, voice.word)
        profile = load_agent(None, "en-US")
        services = CallServices(
            recognizer=TextEars(self._line),
            voice=Voice(voice, PhraseBook(), profile.language),
            brain=choose_brain(settings, profile, House(), model),
            voice_activity=cast("VoiceActivity", TextActivity()),
            recorder=self.records,
            metrics=Metrics(),
            policy=policy,
            language=profile.language,
            expected=(),
            control=None,
            parking=Parking(time.monotonic),
            report_failure=lambda part, why: print(part, why, file=sys.stderr),
        )
        start = Start(f"MZ{number}", self._sid, parameters={})
        self.session = CallSession(self._line, start, services)

    async def hold(self, turns: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.session.run())
            tasks.create_task(self._line.live())
            await self._until_heard()
            for turn in range(turns):
                await self._line.utter(said(QUESTIONS[turn % len(QUESTIONS)]))
                await self._until_heard()
            self._line.put_down()

    async def _until_heard(self) -> None:
        """The agent has said something more and is silent again."""
        before = len(self._line.heard())
        while len(self._line.heard()) == before or not self._line.is_quiet:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    raise SystemExit(main())

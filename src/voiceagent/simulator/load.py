"""`voiceagent call`: one or many simulated callers against any server.

What is to be said and where flow in; the calls' results flow out, and a plain
report of them. Utterances are made once and shared by all callers. It starts no
server.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from voiceagent.simulator import sounds, voice
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye, HangUp, Interrupt, Step
from voiceagent.simulator.caller import CallPlan, Destination, Exchange, SimulatedCall
from voiceagent.simulator.results import CallResult, totals
from voiceagent.simulator.sounds import Sound

PHRASES: Final = (
    "I want to buy a house",
    "it is a private house",
    "three rooms",
    "in the city of Jerusalem",
    "two million shekels",
)
"""What callers say when nothing else is given: answers to the bundled English intake."""


def spoken(phrases: Sequence[str]) -> list[Sound]:
    """The phrases in the caller's voice. Raises `ProviderError`."""
    recordings, rate_hz = voice.speak(phrases)
    return [
        sounds.utterance(sounds.from_pcm16(pcm, rate_hz), phrase)
        for pcm, phrase in zip(recordings, phrases, strict=True)
    ]


def recorded(path: Path) -> Sound:
    """A WAV file as one utterance. Raises `ValueError` or `OSError`."""
    return sounds.utterance(sounds.read_wav(path), path.name)


def polite(utterances: Sequence[Sound], *, gap_ms: float) -> list[Step]:
    """Let the agent finish, answer, and so on; hang up after the last answer."""
    return [*(Answer(sound, gap_ms) for sound in utterances), HangUp(gap_ms)]


def eager(utterances: Sequence[Sound], *, gap_ms: float, into_ms: float) -> list[Step]:
    """Like `polite`, but the caller speaks into every second answer of the agent."""
    steps: list[Step] = [
        Interrupt(sound, into_ms) if index % 2 else Answer(sound, gap_ms)
        for index, sound in enumerate(utterances)
    ]
    return [*steps, HangUp(gap_ms)]


def patient(steps: Sequence[Step]) -> list[Step]:
    """The same, staying on the line until the agent hangs up."""
    return [*(step for step in steps if not isinstance(step, HangUp)), AwaitGoodbye()]


async def place_calls(
    plan: CallPlan,
    destination: Destination,
    *,
    calls: int,
    ramp_s: float,
    wav: Path | None = None,
    on_result: Callable[[CallResult], None] = lambda _result: None,
) -> tuple[list[CallResult], float]:
    """Place that many calls, begun evenly over `ramp_s`, and wait for all.

    With `wav`, both voices of the first call are written there (its plan keeps audio).

    The second value is the worst lag of the phone's own timer in ms: above some
    20 ms the generator, not the service, is the bottleneck.
    """
    exchange = Exchange()
    results: list[CallResult] = []

    async def place(index: int) -> None:
        await asyncio.sleep(ramp_s * index / calls)
        one = replace(plan, caller=f"+97250{index + 1:07d}")
        call = SimulatedCall(one, destination)
        result = await call.place(exchange)
        if wav is not None and index == 0:
            call.write_wav(wav)
        results.append(result)
        on_result(result)

    clock = asyncio.create_task(exchange.run(), name="exchange")
    try:
        async with asyncio.TaskGroup() as group:
            for index in range(calls):
                group.create_task(place(index))
    finally:
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)
    return results, exchange.worst_lag_ms


def call_line(result: CallResult) -> str:
    """One call on one line of the terminal."""
    answered = f"{result.answered}/{len(result.turns)} answered"
    outcome = "completed" if result.completed else "FAILED"
    responses = [f"{turn.response_ms:.0f}" for turn in result.turns if turn.response_ms is not None]
    parts = [
        f"{result.call_sid}  {outcome:<9}  {answered:<14}",
        f"response {' '.join(responses) or '-'} ms",
        f"late {len(result.late_ms)}",
    ]
    if result.violations:
        first = result.violations[0]
        parts.append(f"violations {len(result.violations)} (first: {first.kind}: {first.detail})")
    if result.error:
        parts.append(result.error)
    elif result.ended_by == "lost":
        parts.append("the server vanished")
    return "  ".join(parts)


def totals_lines(results: Sequence[CallResult], worst_lag_ms: float) -> list[str]:
    """The totals for the terminal."""
    figures = totals(results)

    def shown(name: str) -> str:
        value = figures[name]
        return "-" if value is None else f"{value:.0f}"

    return [
        f"calls      {figures['calls']}, completed {figures['completed']}",
        f"turns      {figures['turns']}, answered {figures['answered']}",
        (
            f"response   p50 {shown('response_p50_ms')} ms, p95 {shown('response_p95_ms')} ms"
            f" (end of the caller's speech to the agent's first sound)"
        ),
        f"first word p50 {shown('first_word_p50_ms')} ms",
        (
            f"barge-in   p50 {shown('barge_in_p50_ms')} ms, p95 {shown('barge_in_p95_ms')} ms"
            f" (onset to clear)"
        ),
        (
            f"late       {figures['late_frames']} of {figures['media_messages']} frames; lateness"
            f" p50 {shown('lateness_p50_ms')} ms, p99 {shown('lateness_p99_ms')} ms,"
            f" worst {shown('lateness_max_ms')} ms (below 0: in time)"
        ),
        f"violations {figures['violations']}",
        f"own timer  at worst {worst_lag_ms:.0f} ms late",
    ]

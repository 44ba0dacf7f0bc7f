"""`voiceagent demo`: one spoken call against a service of its own, and its report.

A folder flows in, an exit code flows out: 0 only if every check passed. The
service runs in a process of its own; the caller is eSpeak with another voice
than the agent's; everything that is told was heard on the wire or asked over
HTTP. The folder receives the recording, the picture, the report and the log.
"""

import asyncio
import fcntl
import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from voiceagent.errors import ProviderError
from voiceagent.simulator import load, sounds
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye, Interrupt, Step
from voiceagent.simulator.caller import CallPlan, Destination, Exchange, SimulatedCall
from voiceagent.simulator.demo_checks import demo_turns, judge
from voiceagent.simulator.demo_report import DemoReport, html_report, json_report, picture
from voiceagent.simulator.demo_service import PUBLIC_BASE_URL, DemoService
from voiceagent.simulator.evidence_log import words_of
from voiceagent.simulator.live_transcript import LiveTranscript, Terminal
from voiceagent.simulator.phone import Span
from voiceagent.simulator.results import CallResult, heard_turns, totals
from voiceagent.turn_picture.blocks import AgentBlock

_POLL_S: Final = 0.3
_RECORD_DEADLINE_S: Final = 10.0
_CALL_DEADLINE_S: Final = 180.0
_MAX_REPEATS: Final = 2
"""How often the caller repeats what was not understood; the small recogniser may miss one."""
_GAP_MS: Final = 600
"""A polite caller's pause before an answer."""


async def run(folder: Path, environ: Mapping[str, str]) -> int:
    """The whole demonstration; 0 if the call worked."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in environ
    terminal = Terminal(colour=colour)
    lock = _only_one_in(folder)
    token = secrets.token_hex(16)
    service = DemoService(folder / "data", folder / "service.log", token, environ)
    _end_on_sigterm()
    try:
        terminal.line("Starting the service")
        await service.start()
        terminal.line(f"  at {service.base_url}; its log is {service.log}", "note")
        await service.wait_ready(lambda state: terminal.line(f"  warming up: {state}", "note"))
        destination = Destination(
            base_url=service.base_url,
            public_base_url=PUBLIC_BASE_URL,
            auth_token=token,
            offer_subprotocol=True,
        )
        terminal.line("Calling; the caller is eSpeak with another voice than the agent's\n")
        call = SimulatedCall(
            CallPlan(await _caller_steps(), deadline_s=_CALL_DEADLINE_S, keep_audio=True),
            destination,
            observe=(transcript := LiveTranscript(terminal)).caller_begins,
        )
        result = await _hold(call, service, transcript)
        record = await _complete_record(service, call.call_sid, result, transcript)
        version = await service.version()
    finally:
        stopped_in_order = await asyncio.shield(service.stop())
        os.close(lock)
    words = words_of(service.log_lines(), call.call_sid)
    checks = judge(result, record, words, stopped_in_order=stopped_in_order)
    report = DemoReport(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version,
        result=result,
        record=record,
        turns=demo_turns(result, record),
        checks=checks,
        agent=_agent_blocks(call.line.spans, record),
    )
    await asyncio.to_thread(_write, folder, call, report)
    _summarise(terminal, folder, report)
    return 0 if report.passed else 1


async def _caller_steps() -> list[Step]:
    """Through the bundled English intake, with one interruption and one cough."""
    phrases = (
        "I want to buy a house",
        "it is a private house",
        "three rooms",
        "in the city of Jerusalem",
        "two million shekels",
        "tomorrow morning",
        "my name is David Cohen",
        "yes that is right",
    )
    said = await asyncio.to_thread(load.spoken, phrases)
    return [
        *(Answer(sound, _GAP_MS) for sound in said[:4]),
        Interrupt(sounds.cough(), into_ms=1000),
        *(Answer(sound, _GAP_MS) for sound in said[4:7]),
        Interrupt(said[7], into_ms=3000),
        AwaitGoodbye(),
    ]


async def _hold(
    call: SimulatedCall, service: DemoService, transcript: LiveTranscript
) -> CallResult:
    """Place the call and tell of it while it lasts."""
    exchange = Exchange()
    clock = asyncio.create_task(exchange.run(), name="exchange")
    teller = asyncio.create_task(_tell(call, service, transcript), name="transcript")
    try:
        return await call.place(exchange)
    finally:
        for task in (clock, teller):
            task.cancel()
        await asyncio.gather(clock, teller, return_exceptions=True)


async def _tell(call: SimulatedCall, service: DemoService, transcript: LiveTranscript) -> None:
    misheard: set[int] = set()
    while True:
        await asyncio.sleep(_POLL_S)
        with suppress(ProviderError):
            record = await service.call_record(call.call_sid)
            if record is not None:
                transcript.update(record, heard_turns(call.uttered, call.line))
                new = _misheard(record) - misheard
                if new and len(misheard) < _MAX_REPEATS:
                    call.say_again()
                misheard |= new


def _misheard(record: Mapping[str, Any]) -> set[int]:
    """`seq` of the turns that show that the agent waits for the caller's last words again."""
    return {
        row["seq"]
        for row in record["turns"]
        if (row["who"] == "caller" and not row["text"]) or row["source"] == "reprompt"
    }


async def _complete_record(
    service: DemoService, call_sid: str, result: CallResult, transcript: LiveTranscript
) -> dict[str, Any]:
    """The record once the call is over in it, or whatever there is after 10 s."""
    record: dict[str, Any] | None = None
    with suppress(TimeoutError):
        async with asyncio.timeout(_RECORD_DEADLINE_S):
            while record is None or record.get("ended_at") is None:
                with suppress(ProviderError):
                    record = await service.call_record(call_sid)
                await asyncio.sleep(_POLL_S)
    transcript.update(record or {}, result.turns)
    return record or {}


def _agent_blocks(spans: Sequence[Span], record: Mapping[str, Any]) -> list[AgentBlock]:
    """What was heard, each stretch with the words whose first frame began it."""
    rows = sorted(
        (row for row in record.get("turns", ()) if row["who"] == "agent"),
        key=lambda row: row["seq"],
    )
    blocks: list[AgentBlock] = []
    for span in spans:
        text = ""
        for row in rows:
            begun = row["timings"].get("first_frame_at_ms")
            if begun is not None and begun <= span.start_ms + 50:
                text = str(row["text"])
                resumed_ms = row["timings"].get("resumed_at_ms", float("inf"))
                if span.start_ms >= resumed_ms - 50:
                    text = "(goes on)"
        if blocks and text == blocks[-1].text:
            text = ""
        blocks.append(AgentBlock(text, span.start_ms, span.end_ms))
    return blocks


def _write(folder: Path, call: SimulatedCall, report: DemoReport) -> None:
    svg = picture(report)
    call.write_wav(folder / "call.wav")
    (folder / "turns.svg").write_text(svg, encoding="utf-8")
    (folder / "report.html").write_text(html_report(report, svg), encoding="utf-8")
    (folder / "report.json").write_text(
        json.dumps(json_report(report), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _summarise(terminal: Terminal, folder: Path, report: DemoReport) -> None:
    figures = totals([report.result])
    terminal.line()
    for check in report.checks:
        mark = terminal.styled(
            " ok   " if check.passed else " FAIL ", "good" if check.passed else "bad"
        )
        terminal.line(f"{mark} {check.name}: {check.figure}")
    terminal.line()
    terminal.line(
        f"Response as the caller hears it: median {figures['response_p50_ms']} ms,"
        f" slowest {figures['response_p95_ms']} ms"
    )
    terminal.line(f"Report: {(folder / 'report.html').resolve()}")
    terminal.line(
        "The call worked." if report.passed else "The call did NOT work.",
        "good" if report.passed else "bad",
    )


def _only_one_in(folder: Path) -> int:
    """Hold the folder until the descriptor is closed. Raises `ProviderError` when it is taken."""
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ProviderError(
            f"another demonstration is running in {folder}; take another folder: --out",
            retryable=True,
        ) from None
    return lock


def _end_on_sigterm() -> None:
    """A demonstration that is told to stop still stops its service."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

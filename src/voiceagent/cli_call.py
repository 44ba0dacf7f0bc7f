"""The command line of the simulated phone: `voiceagent call` and `demo`.

Arguments flow in, an exit code flows out: 0 the calls worked, 1 not. Each command imports only
what it needs; nothing here knows how a command does its work.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from voiceagent.addresses import is_address
from voiceagent.errors import SettingsError

if TYPE_CHECKING:
    from voiceagent.simulator.caller import CallPlan, Destination
    from voiceagent.simulator.results import CallResult
    from voiceagent.simulator.sounds import Sound

FAILED: Final = 1
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Offer these commands."""
    _add_call(commands)
    _add_demo(commands)


def _add_call(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    call = commands.add_parser(
        "call",
        help="call a server with the simulated Twilio phone",
        description="Calls any server that speaks Twilio Media Streams. With --base-url the"
        " webhooks are posted as Twilio does, and the TwiML tells the address of the stream."
        " Signed when TWILIO_AUTH_TOKEN is set. One call is told while it lasts, with its words"
        " where the service's API key is at hand (API_KEY, or DATA_DIR on the same machine).",
    )
    call.add_argument("--url", help="ws:// or wss:// address of the stream")
    call.add_argument("--base-url", help="http(s) address of the service: posts the webhooks, too")
    call.add_argument("--public-base-url", help="the address that Twilio signs, if another one")
    what = call.add_mutually_exclusive_group()
    what.add_argument("--say", action="append", metavar="TEXT", help="what to say; repeatable")
    what.add_argument("--audio", action="append", type=Path, metavar="WAV", help="the same, played")
    call.add_argument("--calls", type=_positive, default=1, help="how many at once")
    call.add_argument("--ramp", type=float, metavar="S", help="begin them over so many seconds")
    call.add_argument("--barge-in", type=float, metavar="MS", help="speak into every second answer")
    call.add_argument("--gap", type=float, default=400, metavar="MS", help="silence before a turn")
    call.add_argument("--stay", action="store_true", help="wait for the agent to hang up")
    call.add_argument("--deadline", type=float, default=300, metavar="S", help="longest call")
    call.add_argument("--subprotocol", action="store_true", help="offer audio.twilio.com")
    call.add_argument("--any-frame-size", action="store_true", help="allow other than 160 bytes")
    call.add_argument("--wav", type=Path, metavar="FILE", help="keep both voices of the first call")
    call.add_argument("--verbose", action="store_true", help="print the figures of one call, too")
    call.add_argument("--json", action="store_true", help="print the results as JSON")
    call.set_defaults(run=_call)


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = commands.add_parser("demo", help="start the service and place one spoken call")
    demo.add_argument(
        "--out", type=Path, default=Path("var/demo"), help="where the report goes (var/demo)"
    )
    demo.set_defaults(run=_demo)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _call(arguments: argparse.Namespace) -> int:
    from voiceagent.simulator import load, results  # noqa: PLC0415
    from voiceagent.simulator.caller import Destination  # noqa: PLC0415

    if not arguments.url and not arguments.base_url:
        raise SettingsError(["give --url wss://… or --base-url https://…"])
    if arguments.url and not is_address(arguments.url, "ws", "wss"):
        raise SettingsError(["--url must be an address such as wss://your.host/ws/twilio-media"])
    if arguments.base_url and not is_address(arguments.base_url, "http", "https"):
        raise SettingsError(["--base-url must be an address such as https://your.host"])
    destination = Destination(
        media_url=arguments.url,
        base_url=arguments.base_url,
        public_base_url=arguments.public_base_url,
        auth_token=os.environ.get("TWILIO_AUTH_TOKEN") or None,
        offer_subprotocol=arguments.subprotocol,
        frame_bytes=None if arguments.any_frame_size else 160,
    )
    plan = _plan(arguments)
    if arguments.calls == 1 and not arguments.json:
        placed, worst_lag_ms = asyncio.run(_told(plan, destination, arguments.wav))
    else:
        placed, worst_lag_ms = asyncio.run(
            load.place_calls(
                plan,
                destination,
                calls=arguments.calls,
                ramp_s=arguments.ramp
                if arguments.ramp is not None
                else min(10.0, arguments.calls * 0.05),
                wav=arguments.wav,
                on_result=lambda result: None if arguments.json else print(load.call_line(result)),
            )
        )
    if arguments.json:
        report = {
            "totals": results.totals(placed) | {"own_timer_worst_lag_ms": round(worst_lag_ms, 1)},
            "calls": [results.as_json(result) for result in placed],
        }
        print(json.dumps(report, indent=2, ensure_ascii=False))
    elif arguments.calls > 1 or arguments.verbose:
        print("\n".join(load.totals_lines(placed, worst_lag_ms)))
    fine = all(result.completed and not result.violations for result in placed)
    return 0 if fine else FAILED


def _plan(arguments: argparse.Namespace) -> "CallPlan":
    from voiceagent.simulator import load  # noqa: PLC0415
    from voiceagent.simulator.caller import CallPlan  # noqa: PLC0415

    utterances: list[Sound]
    try:
        if arguments.audio:
            utterances = [load.recorded(path) for path in arguments.audio]
        else:
            utterances = load.spoken(arguments.say or load.PHRASES)
    except (OSError, ValueError) as error:
        raise SettingsError([str(error)]) from error
    if arguments.barge_in is None:
        steps = load.polite(utterances, gap_ms=arguments.gap)
    else:
        steps = load.eager(utterances, gap_ms=arguments.gap, into_ms=arguments.barge_in)
    return CallPlan(
        steps=load.patient(steps) if arguments.stay else steps,
        deadline_s=arguments.deadline,
        keep_audio=arguments.wav is not None,
    )


async def _told(
    plan: "CallPlan", destination: "Destination", wav: Path | None
) -> "tuple[list[CallResult], float]":
    from voiceagent.simulator import told_call  # noqa: PLC0415
    from voiceagent.simulator.live_transcript import Terminal  # noqa: PLC0415

    terminal = Terminal(colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    base_url, key = destination.base_url, None
    if base_url is not None:
        key = _api_key(base_url)
    if base_url is None or key is None:
        result, worst_lag_ms = await told_call.place(plan, destination, terminal, None, wav=wav)
    else:
        async with told_call.CallRecords(base_url, key) as records:
            result, worst_lag_ms = await told_call.place(
                plan, destination, terminal, records, wav=wav
            )
    return [result], worst_lag_ms


def _api_key(base_url: str) -> str | None:
    """What the service's API asks for, where it is at hand: the environment's, else what a
    service on this machine has made. Looking makes none."""
    from voiceagent.settings import load_settings  # noqa: PLC0415

    try:
        settings = load_settings(os.environ)
    except SettingsError:
        return None  # the service's business, not the caller's
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    if urlsplit(base_url).hostname not in _THIS_MACHINE:
        return None
    try:
        return (settings.data_dir / "api_key").read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


def _demo(arguments: argparse.Namespace) -> int:
    from voiceagent.simulator import demo  # noqa: PLC0415

    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError([f"{arguments.out}: {error.strerror}"]) from error
    return asyncio.run(demo.run(arguments.out, os.environ))

"""The command line: `voiceagent serve`, `migrate`, `call`, `demo`, `eval`, `chat`, and those of
whoever runs the service (`cli_operations.py`).

Arguments flow in, an exit code flows out: 0 done, 1 it did not work, 2 it was
asked wrongly (arguments or environment). Each command imports only what it
needs; nothing here knows how a command does its work.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from voiceagent import cli_operations
from voiceagent.errors import SettingsError, VoiceAgentError

FAILED = 1
ASKED_WRONGLY = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        done: int = parsed.run(parsed)
    except SettingsError as error:
        for fault in error.faults:
            _complain(fault)
        return ASKED_WRONGLY
    except VoiceAgentError as error:
        _complain(str(error))
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    return done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="voiceagent", description="Answers a business's phone and WhatsApp."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_serve(commands)
    _add_migrate(commands)
    _add_call(commands)
    _add_demo(commands)
    _add_eval(commands)
    _add_chat(commands)
    cli_operations.add_to(commands)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = commands.add_parser("serve", help="run the service, configured by the environment")
    serve.add_argument(
        "--migrate",
        action="store_true",
        help="first bring the database of DATABASE_URL up to date (an embedded one always is)",
    )
    serve.set_defaults(run=_serve)


def _add_migrate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    migrate = commands.add_parser("migrate", help="bring the database up to date and stop")
    migrate.set_defaults(run=_migrate)


def _add_call(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    call = commands.add_parser(
        "call",
        help="call a server with the simulated Twilio phone",
        description="Calls any server that speaks Twilio Media Streams. With --base-url the"
        " webhooks are posted as Twilio does, and the TwiML tells the address of the stream."
        " Signed when TWILIO_AUTH_TOKEN is set.",
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
    call.add_argument("--json", action="store_true", help="print the results as JSON")
    call.set_defaults(run=_call)


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = commands.add_parser("demo", help="start the service and place one spoken call")
    demo.add_argument(
        "--out", type=Path, default=Path("var/demo"), help="where the report goes (var/demo)"
    )
    demo.set_defaults(run=_demo)


def _add_eval(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    evaluation = commands.add_parser(
        "eval",
        help="hold the conversations of evals/*.toml and judge them",
        description="Each scenario is a call of its own with the real session and brain; all are"
        " held at once, in real time. Exit code 0 only if every one went as its file says.",
    )
    evaluation.add_argument(
        "--dir", type=Path, default=Path("evals"), help="where the scenarios are (evals)"
    )
    evaluation.add_argument(
        "--only", action="append", metavar="NAME", help="this scenario; may hold *; repeatable"
    )
    evaluation.add_argument(
        "--brain",
        choices=("script", "emulator", "llm"),
        default="emulator",
        help="what thinks where a scenario wants a model: nothing (it is left out), the emulated"
        " one of the checkout, or the one of LLM_BASE_URL",
    )
    evaluation.add_argument("--list", action="store_true", help="only tell what there is")
    evaluation.add_argument("--json", action="store_true", help="print the results as JSON")
    evaluation.set_defaults(run=_eval)


def _add_chat(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    chat = commands.add_parser(
        "chat",
        help="write with the agent, as on WhatsApp",
        description="The agent of AGENT_FILE answers what you type as it answers a message. Nothing"
        " is kept, and no database is needed.",
    )
    chat.add_argument(
        "--brain",
        choices=("script", "llm"),
        help="what answers: the questions of the agent's file, or the model of LLM_BASE_URL (the"
        " default where it is set)",
    )
    chat.set_defaults(run=_chat)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _serve(arguments: argparse.Namespace) -> int:
    from voiceagent.settings import load_settings  # noqa: PLC0415

    settings = load_settings(os.environ)
    if arguments.migrate and settings.database_url is not None:
        _migrate(arguments)
    try:
        with socket.create_server((settings.host, settings.port)):
            pass
    except OSError as error:
        _complain(
            f"HOST and PORT: {settings.host}:{settings.port} cannot be listened on"
            f" ({error.strerror or error}); PORT=… chooses another."
        )
        return ASKED_WRONGLY
    import uvicorn  # noqa: PLC0415

    from voiceagent.app import create_app  # noqa: PLC0415

    uvicorn.run(
        create_app(settings),
        log_config=None,  # the application has configured it: one format for every line
        access_log=True,
        log_level="info",
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="voiceagent.web.websocket_protocol:TwilioWebSocketProtocol",
        ws_max_size=65536,
        ws_per_message_deflate=False,
        ws_ping_interval=10,
        ws_ping_timeout=20,
        timeout_keep_alive=75,
        forwarded_allow_ips=settings.forwarded_allow_ips,
    )
    return 0


def _migrate(_arguments: argparse.Namespace) -> int:
    from voiceagent.crm.database import Database  # noqa: PLC0415
    from voiceagent.crm.migrate import migrate  # noqa: PLC0415
    from voiceagent.settings import load_settings  # noqa: PLC0415

    settings = load_settings(os.environ)
    url = settings.database_url.get_secret_value() if settings.database_url else None

    async def bring_up_to_date() -> list[str]:
        database = Database(url, settings.data_dir)
        try:
            await database.start()
            return await migrate(database)
        finally:
            await database.close()

    applied = asyncio.run(bring_up_to_date())
    print("\n".join(f"applied {name}" for name in applied) or "the database is up to date")
    return 0


def _call(arguments: argparse.Namespace) -> int:
    from voiceagent.simulator import load, results  # noqa: PLC0415
    from voiceagent.simulator.caller import CallPlan, Destination  # noqa: PLC0415

    if not arguments.url and not arguments.base_url:
        _complain("give --url wss://… or --base-url https://…")
        return ASKED_WRONGLY
    destination = Destination(
        media_url=arguments.url,
        base_url=arguments.base_url,
        public_base_url=arguments.public_base_url,
        auth_token=os.environ.get("TWILIO_AUTH_TOKEN") or None,
        offer_subprotocol=arguments.subprotocol,
        frame_bytes=None if arguments.any_frame_size else 160,
    )
    try:
        if arguments.audio:
            utterances = [load.recorded(path) for path in arguments.audio]
        else:
            utterances = load.spoken(arguments.say or load.PHRASES)
    except (OSError, ValueError) as error:
        _complain(str(error))
        return ASKED_WRONGLY
    if arguments.barge_in is None:
        steps = load.polite(utterances, gap_ms=arguments.gap)
    else:
        steps = load.eager(utterances, gap_ms=arguments.gap, into_ms=arguments.barge_in)
    plan = CallPlan(
        steps=load.patient(steps) if arguments.stay else steps,
        deadline_s=arguments.deadline,
        keep_audio=arguments.wav is not None,
    )
    ramp_s = arguments.ramp if arguments.ramp is not None else min(10.0, arguments.calls * 0.05)
    placed, worst_lag_ms = asyncio.run(
        load.place_calls(
            plan,
            destination,
            calls=arguments.calls,
            ramp_s=ramp_s,
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
    else:
        print("\n".join(load.totals_lines(placed, worst_lag_ms)))
    fine = all(result.completed and not result.violations for result in placed)
    return 0 if fine else FAILED


def _demo(arguments: argparse.Namespace) -> int:
    from voiceagent.simulator import demo  # noqa: PLC0415

    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _complain(f"{arguments.out}: {error.strerror}")
        return ASKED_WRONGLY
    return asyncio.run(demo.run(arguments.out, os.environ))


def _eval(arguments: argparse.Namespace) -> int:
    from voiceagent.evals import command  # noqa: PLC0415
    from voiceagent.evals.scenario import ScenarioError  # noqa: PLC0415

    wanted = command.Wanted(
        arguments.dir, arguments.only or (), arguments.brain, as_json=arguments.json
    )
    try:
        if arguments.list:
            command.list_scenarios(wanted)
            return 0
        return 0 if command.run_all(wanted, os.environ) else FAILED
    except ScenarioError as error:
        _complain(str(error))
        return ASKED_WRONGLY


def _chat(arguments: argparse.Namespace) -> int:
    from voiceagent import brains  # noqa: PLC0415
    from voiceagent.settings import load_settings  # noqa: PLC0415
    from voiceagent.whatsapp.opt_out import wish_of  # noqa: PLC0415
    from voiceagent.written.minds import ScriptedMind, ThinkingMind  # noqa: PLC0415
    from voiceagent.written.script_answers import ScriptAnswers  # noqa: PLC0415
    from voiceagent.written.terminal import hold_conversation  # noqa: PLC0415

    settings = load_settings(os.environ)
    profile = brains.load_profile(settings)
    script = ScriptAnswers(profile)

    def is_wish(text: str) -> bool:
        return wish_of(text) is not None

    model = (
        None
        if arguments.brain == "script"
        else brains.choose_model(settings, brains.WRITTEN_DEADLINES)
    )
    if model is not None:
        thinker = brains.written_brain(profile, brains.House(), model)
        hold_conversation(ThinkingMind(thinker, script), script, is_wish, model.close)
    elif arguments.brain == "llm":
        _complain("LLM_BASE_URL and LLM_MODEL name no model")
        return ASKED_WRONGLY
    else:
        hold_conversation(ScriptedMind(script), script, is_wish)
    return 0


def _complain(sentence: str) -> None:
    print(f"voiceagent: {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

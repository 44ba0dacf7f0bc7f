"""The command line: `voiceagent serve`, `migrate`, `eval`, `chat`, those of the simulated phone
(`cli_call.py`), those of whoever runs the service (`cli_operations.py`, `cli_backup.py`) and
`bench` (`cli_bench.py`).

Arguments flow in, an exit code flows out: 0 done, 1 it did not work, 2 it was
asked wrongly (arguments or environment). Each command imports only what it
needs; nothing here knows how a command does its work.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from voiceagent import cli_backup, cli_bench, cli_call, cli_operations
from voiceagent.errors import SettingsError, VoiceAgentError

FAILED = 1
ASKED_WRONGLY = 2
INTERRUPTED = 130
NOBODY_READS = 141
"""As a shell tells that a program ended by SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    parsed = _parser().parse_args(arguments)
    if parsed.run is _serve:
        return _run(parsed)  # a service outlives whoever reads its log
    output = _Output(sys.stdout)
    with redirect_stdout(cast("TextIO", output)):
        done = _run(parsed)
        with suppress(KeyboardInterrupt):
            output.flush()
    return done if output.is_read else NOBODY_READS


class _Output:
    """Standard output, until its reader goes away (`| head -1`): then the command is interrupted
    as by Ctrl-C, wherever it is, and what it still says goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self.is_read = True
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._nobody_reads()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._nobody_reads()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _nobody_reads(self) -> None:
        self.is_read = False
        # What is still in the buffer would complain at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        signal.raise_signal(signal.SIGINT)


def _run(parsed: argparse.Namespace) -> int:
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
    cli_call.add_to(commands)
    _add_eval(commands)
    _add_chat(commands)
    cli_operations.add_to(commands)
    cli_backup.add_to(commands)
    cli_bench.add_to(commands)
    return parser


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = commands.add_parser("serve", help="run the service, configured by the environment")
    before = serve.add_mutually_exclusive_group()
    before.add_argument(
        "--migrate",
        action="store_true",
        help="first bring the database of DATABASE_URL up to date (an embedded one always is)",
    )
    before.add_argument(
        "--check",
        action="store_true",
        help="only tell whether the environment is right and the port is free",
    )
    serve.set_defaults(run=_serve)


def _add_migrate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    migrate = commands.add_parser("migrate", help="bring the database up to date and stop")
    migrate.set_defaults(run=_migrate)


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


def _serve(arguments: argparse.Namespace) -> int:
    from voiceagent.backup.place import finish_restore  # noqa: PLC0415
    from voiceagent.settings import load_settings  # noqa: PLC0415
    from voiceagent.wiring import heap  # noqa: PLC0415

    heap.hold()
    from voiceagent.wiring import brains  # noqa: PLC0415

    settings = load_settings(os.environ)
    brains.load_profile(settings)
    # Before a sidecar that is started next reads what is there.
    finish_restore(settings.data_dir)
    if arguments.migrate and settings.database_url is not None:
        _migrate(arguments)
    try:
        with socket.create_server((settings.host, settings.port)):
            pass
    except OSError as error:
        why = str(error.strerror or error).partition(" (while")[0]  # the address, once more
        _complain(
            f"HOST and PORT: {settings.host}:{settings.port} cannot be listened on ({why});"
            " PORT=… chooses another."
        )
        return ASKED_WRONGLY
    if arguments.check:
        return 0
    import uvicorn  # noqa: PLC0415

    from voiceagent.app import create_app  # noqa: PLC0415
    from voiceagent.telemetry import configure_logging  # noqa: PLC0415

    several = settings.web_concurrency > 1
    if several:
        # Each process makes its own application; what this one says looks as theirs does.
        configure_logging(settings.log_format)
        os.environ["DEPLOY_ID"] = settings.deploy_id
    uvicorn.run(
        "voiceagent.app:create_app" if several else create_app(settings),
        factory=several,
        workers=settings.web_concurrency,
        log_config=None,  # the application has configured it: one format for every line
        access_log=True,
        log_level="info",
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="voiceagent.web.http_protocol:BoundedHttpProtocol",
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
    from voiceagent.backup.place import finish_restore  # noqa: PLC0415
    from voiceagent.crm.postgres.database import Database  # noqa: PLC0415
    from voiceagent.crm.postgres.migrate import migrate  # noqa: PLC0415
    from voiceagent.settings import load_settings  # noqa: PLC0415

    settings = load_settings(os.environ)
    finish_restore(settings.data_dir)
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
    from voiceagent.settings import load_settings  # noqa: PLC0415
    from voiceagent.whatsapp.opt_out import confirmation, wish_of  # noqa: PLC0415
    from voiceagent.wiring import brains  # noqa: PLC0415
    from voiceagent.written.minds import ScriptedMind, ThinkingMind  # noqa: PLC0415
    from voiceagent.written.script_answers import ScriptAnswers  # noqa: PLC0415
    from voiceagent.written.terminal import Wished, hold_conversation  # noqa: PLC0415

    settings = load_settings(os.environ)
    profile = brains.load_profile(settings)
    script = ScriptAnswers(profile)

    def wished(text: str) -> Wished | None:
        wish = wish_of(text)
        return None if wish is None else Wished(wish == "stop", confirmation(text, wish))

    model = (
        None
        if arguments.brain == "script"
        else brains.choose_model(settings, brains.WRITTEN_DEADLINES)
    )
    if model is not None:
        thinker = brains.written_brain(profile, brains.House(), model)
        hold_conversation(ThinkingMind(thinker, script), script, wished, model.close)
    elif arguments.brain == "llm":
        _complain("LLM_BASE_URL and LLM_MODEL name no model")
        return ASKED_WRONGLY
    else:
        hold_conversation(ScriptedMind(script), script, wished)
    return 0


def _complain(sentence: str) -> None:
    print(f"voiceagent: {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

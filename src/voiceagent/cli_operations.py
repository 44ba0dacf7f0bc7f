"""The command line of whoever runs the service: `voiceagent whatsapp`, `twilio`, `doctor`,
`evidence`.

Arguments flow in, an exit code flows out: 0 done and well, 1 not. Each command imports only
what it needs; nothing here knows how a command does its work.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

FAILED = 1


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Offer these commands."""
    _add_whatsapp(commands)
    _add_twilio(commands)
    _add_doctor(commands)
    _add_evidence(commands)


def _add_whatsapp(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    whatsapp = commands.add_parser(
        "whatsapp",
        help="link a phone to the WhatsApp sidecar, unlink it, or tell how it stands",
        description="Talks to the sidecar at BAILEYS_URL with BAILEYS_TOKEN, or the token in"
        " DATA_DIR. Exit code 0: linked (status, pair), unlinked (logout).",
    )
    whatsapp.add_argument(
        "action", nargs="?", choices=("status", "pair", "logout"), default="status"
    )
    whatsapp.add_argument(
        "--phone",
        metavar="+972…",
        type=_number,
        help="pair: show a code to type on the phone with this number, not a QR code to scan",
    )
    whatsapp.set_defaults(run=_whatsapp)


def _add_twilio(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    twilio = commands.add_parser(
        "twilio",
        help="have a number's calls come here, and a message taken while nobody is here",
        description="Sets the voice webhook of a number of the Twilio account to PUBLIC_BASE_URL,"
        " how often Twilio asks again, and a fallback at Twilio that takes a message. Exit code"
        " 0: the number is set up (connect), is as it was before (restore), its calls come here"
        " (status).",
    )
    twilio.add_argument(
        "action", nargs="?", choices=("status", "connect", "restore"), default="status"
    )
    twilio.add_argument(
        "number", nargs="?", metavar="+972…", type=_number, help="default: TWILIO_PHONE_NUMBER"
    )
    twilio.add_argument(
        "--dry-run",
        action="store_true",
        help="connect, restore: tell what would change, change nothing",
    )
    twilio.set_defaults(run=_twilio)


def _twilio(arguments: argparse.Namespace) -> int:
    from voiceagent.doctor import twilio_command  # noqa: PLC0415
    from voiceagent.settings import load_settings  # noqa: PLC0415

    settings, number = load_settings(os.environ), arguments.number
    if arguments.action in ("connect", "restore"):
        act = twilio_command.connect if arguments.action == "connect" else twilio_command.restore
        return asyncio.run(act(settings, number, sys.stdout, change=not arguments.dry_run))
    return asyncio.run(twilio_command.status(settings, number, sys.stdout))


def _add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    doctor = commands.add_parser(
        "doctor",
        help="tell what is configured, what is missing, what does not work, and what to do",
        description="Reads the environment as the service does and tries every outside part."
        " Exit code 0: nothing is broken.",
    )
    doctor.add_argument(
        "--fix",
        action="store_true",
        help="set TWILIO_PHONE_NUMBER up as `voiceagent twilio connect` does",
    )
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from voiceagent.doctor import command  # noqa: PLC0415

    return command.run(os.environ, sys.stdout, fix=arguments.fix, machine=arguments.json)


def _add_evidence(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    evidence = commands.add_parser(
        "evidence",
        help="make the delivery checks against a running service and write the report",
        description="Asks the service as Twilio and people do, signed when TWILIO_AUTH_TOKEN is"
        " set; places one call with the simulated phone, or reads a real one; reads its record"
        " with API_KEY or the key in DATA_DIR. Exit code 0: every check passed.",
    )
    evidence.add_argument("--base-url", required=True, help="where the service is reached")
    evidence.add_argument(
        "--public-base-url",
        help="the address that Twilio signs; default: PUBLIC_BASE_URL for a service that is near,"
        " else --base-url",
    )
    evidence.add_argument(
        "--expect-deploy-id",
        metavar="ID",
        help="what /version must tell; default: DEPLOY_ID, where it is set",
    )
    evidence.add_argument(
        "--whatsapp-to", metavar="+972…", type=_number, help="who is really written to"
    )
    evidence.add_argument(
        "--no-whatsapp", action="store_true", help="the service has none: leave those checks out"
    )
    evidence.add_argument("--call-sid", metavar="CA…", help="read this call instead of placing one")
    evidence.add_argument("--language", help="what the caller speaks; default: STT_LANGUAGE")
    evidence.add_argument(
        "--say", action="append", default=[], metavar="TEXT", help="what to say; repeatable"
    )
    evidence.add_argument(
        "--out", type=Path, default=Path("var/evidence"), help="where the report goes"
    )
    evidence.set_defaults(run=_evidence)


def _evidence(arguments: argparse.Namespace) -> int:
    from voiceagent.evidence import command  # noqa: PLC0415
    from voiceagent.settings import load_settings  # noqa: PLC0415

    settings = load_settings(os.environ)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    wanted = command.wanted(
        settings,
        base_url=arguments.base_url,
        public_base_url=arguments.public_base_url,
        out=arguments.out,
        expect_deploy_id=arguments.expect_deploy_id or os.environ.get("DEPLOY_ID") or None,
        whatsapp_to=arguments.whatsapp_to,
        whatsapp=not arguments.no_whatsapp,
        call_sid=arguments.call_sid,
        language=arguments.language,
        say=arguments.say,
    )
    return asyncio.run(command.run(wanted, sys.stdout, colour=colour))


def _number(text: str) -> str:
    from voiceagent.whatsapp.numbers import e164  # noqa: PLC0415

    number = e164(text)
    if number is None:
        raise argparse.ArgumentTypeError("must be a number such as +972501234567")
    return number


def _whatsapp(arguments: argparse.Namespace) -> int:
    from voiceagent.settings import DEFAULT_BAILEYS_URL, load_settings  # noqa: PLC0415
    from voiceagent.whatsapp import pairing  # noqa: PLC0415
    from voiceagent.whatsapp.sidecar_session import SidecarSession  # noqa: PLC0415
    from voiceagent.wiring.kept_secrets import ensure_baileys_token  # noqa: PLC0415

    settings = load_settings(os.environ)
    url = settings.baileys_url or DEFAULT_BAILEYS_URL
    token = ensure_baileys_token(settings)

    async def do() -> bool:
        terminal = pairing.PairingTerminal()
        async with SidecarSession(url, token) as sidecar:
            match arguments.action:
                case "pair":
                    return await pairing.pair(sidecar, terminal, arguments.phone)
                case "logout":
                    return await pairing.log_out(sidecar, terminal)
                case _:
                    return await pairing.tell_status(sidecar, terminal)

    return 0 if asyncio.run(do()) else FAILED

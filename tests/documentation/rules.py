"""How the documents' commands are run in a test, where not as they are written.

A command is run as it stands, in bash, if all its programs are in `AS_WRITTEN`. For everything
else a rule says what is done instead, and why. `${…}` in a replacement is filled in by the
prepared world (`reader.py`). A command that has no rule, and a rule without a command, fail.
"""

import re
from dataclasses import dataclass

from documentation.blocks import programs

AS_WRITTEN = frozenset({"script/voiceagent", "curl", "cat", "cd", "cp", "export"})
"""Programs that may simply be run. `script/voiceagent` is this interpreter's `voiceagent`, and
`curl` fails when the answer is an error."""


@dataclass(frozen=True)
class Instead:
    """Where the pattern is found in a command, it is replaced; then the command is run."""

    pattern: str
    replacement: str
    why: str


@dataclass(frozen=True)
class Serves:
    """A program that runs until it is stopped: started beside the others, on a port of its own."""

    pattern: str
    port: int | None
    """As later commands of the document name it; None: none of them does."""
    environ: str = ""
    """What it needs to be told besides."""


@dataclass(frozen=True)
class LeftOut:
    """Not run. The files and options that it names must be there all the same; `proof` names the
    test that comes nearest, or says what there is not."""

    pattern: str
    why: str
    proof: str


ADDRESSES = (
    Instead(r"https://your\.host", "${public}", "the service of this test, behind TLS"),
    Instead(r"http://(localhost|127\.0\.0\.1):8000", "${service}", "the service of this test"),
    Instead(r"https://api\.openai\.com/v1", "${model}/v1", "an emulated model"),
    Instead(r"LLM_API_KEY=…", "LLM_API_KEY=a-key", "a placeholder"),
    Instead(r"TWILIO_ACCOUNT_SID=AC…", "TWILIO_ACCOUNT_SID=AC0123", "a placeholder"),
    Instead(r"TWILIO_AUTH_TOKEN=…", "TWILIO_AUTH_TOKEN=a-token", "a placeholder"),
    Instead(r"LLM_MODEL=…", "LLM_MODEL=emulated", "a placeholder"),
    Instead(r"\+972…", "+972501234567", "a placeholder"),
    Instead(r"contacts/0195…", "contacts/${contact}", "a contact that there is"),
    Instead(r"http://127\.0\.0\.1:…", "${control}", "printed by the fake WhatsApp"),
)

INSTEAD = (
    Instead(
        r"script/serve$",
        "script/voiceagent serve --check",
        "it serves until it is stopped; the same code with these variables, up to the port",
    ),
    Instead(
        r"^((?:LLM_\S+ )*)script/voiceagent chat$",
        r"printf 'I want to buy a house\\n' | \1script/voiceagent chat",
        "somebody types",
    ),
    Instead(
        r"^(LLM_\S+ )*script/voiceagent eval\b.*",
        r"script/voiceagent eval --list",
        "a conversation lasts as long as it lasts; tests/evals/test_scenarios.py holds them",
    ),
    Instead(
        r"^script/voiceagent twilio$",
        "${twilio} PUBLIC_BASE_URL=https://your.host script/voiceagent twilio || [ $? -eq 1 ]",
        "a Twilio account, emulated; it ends with 1 while one of the numbers goes elsewhere",
    ),
    Instead(
        r"^(script/voiceagent (?:doctor --fix|twilio\b.*))$",
        r"${twilio} PUBLIC_BASE_URL=https://your.host \1",
        "a Twilio account, emulated",
    ),
    Instead(
        r"^(curl .*/session/qr \| curl \$control/scan .*)$",
        r"until_code\n\1\nuntil_linked",
        "between two commands somebody waits until there is a code, and until the phone is linked",
    ),
    Instead(
        r"^(\.venv-3\.\*/bin/python bench/\w+\.py)$",
        r"\1 --help",
        "a measurement takes minutes",
    ),
)

SERVES = (
    Serves(r"-m emulators\.google\b", 9001),
    Serves(r"-m emulators\.openai_server\b", 9002),
    Serves(r"-m emulators\.twilio_rest\b", 9010),
    Serves(r"-m emulators\.sidecar\b", None),
    Serves(
        r"^node test/fake/serve\.js node \.$",
        3001,
        "BAILEYS_PORT=${port} BAILEYS_PACE_MS=0 DATA_DIR=${scratch}/sidecar PORT=${service_port}",
    ),
)

LEFT_OUT = (
    LeftOut(
        r"^script/demo$",
        "it makes an environment and holds a call of a minute",
        "tests/simulator/test_demo_service.py",
    ),
    LeftOut(
        r"^\./start_all\.sh$",
        "it fetches a Node and serves until it is stopped",
        "tests/test_entry.py",
    ),
    LeftOut(r"^ollama serve$", "a program of others", "tests/brain/llm/test_openai_chat.py"),
    LeftOut(r"^docker compose\b", "it builds images", "tests/deploy/test_images.py"),
    LeftOut(r"^kubectl\b", "it needs a cluster", "tests/deploy/test_manifests.py"),
    LeftOut(r"^npm ci\b", "it needs a package index", "tests/whatsapp/test_real_sidecar.py"),
    LeftOut(
        r"^script/voiceagent (backup|restore)\b",
        "it is of a service that has calls, and of one that stands still",
        "tests/test_backup_service.py",
    ),
    LeftOut(
        r"^script/mutate\b",
        "it makes an environment and takes minutes",
        "tests/survivors/test_kept.py",
    ),
    LeftOut(
        r"-m faults\.payment_storm\b", "it takes minutes", "tests/faults/test_payment_storm.py"
    ),
)


def left_out(command: str) -> LeftOut | None:
    return next((rule for rule in LEFT_OUT if re.search(rule.pattern, command)), None)


def served(command: str) -> Serves | None:
    return next((rule for rule in SERVES if re.search(rule.pattern, command)), None)


def instead(command: str) -> Instead | None:
    return next((rule for rule in INSTEAD if re.search(rule.pattern, command)), None)


def strangers(command: str) -> set[str]:
    """Programs of it of which nobody has said how they are run."""
    if left_out(command) or served(command) or instead(command):
        return set()
    return set(programs(command)) - AS_WRITTEN

"""Somebody who reads one document from the top to the bottom and types its commands.

Blocks flow in, what came of each flows out. The rules say what is typed instead; programs that
serve go on until the reader has finished.
"""

import os
import re
import signal
import socket
import subprocess
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Self

from documentation.blocks import Block, commands
from documentation.rules import ADDRESSES, Serves, instead, left_out, served, strangers
from documentation.world import World
from emulators.sidecar_session import TOKEN, SidecarSessionEmulator
from emulators.twilio_rest import AUTH_TOKEN

BLOCK_S: Final = 150.0
LINKED_ALREADY: Final = ("docs/operate.md",)
"""An emulated sidecar stands where the reader's would be, until the document starts the real one.
Elsewhere each block finds it without a phone, and one is linked while the reader waits."""

_LISTENING: Final = """
listening() {
  for _ in $(seq 300); do
    if (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; then return; fi
    sleep 0.1
  done
  echo "nothing listens on $1"
  cat "$2"
  return 1
}
sidecar() { curl -H "Authorization: Bearer $BAILEYS_TOKEN" "http://127.0.0.1:3001/v1$1"; }
until_code() { until sidecar /session/qr > /dev/null 2>&1; do sleep 0.2; done; }
until_linked() { until sidecar /session | grep -q '"state":"open"'; do sleep 0.2; done; }
set -eu -o pipefail
"""


@dataclass(frozen=True)
class Ran:
    """What came of a block."""

    code: int
    said: str
    script: str


class Reader:
    """Until the end of a `with` block."""

    def __init__(self, document: str, world: World) -> None:
        self._document = document
        self._world = world
        self._stack = ExitStack()
        self._ports: dict[str, int] = {}
        """By the port that the document names."""
        self._groups: list[int] = []
        self._logs: list[Path] = []

    def __enter__(self) -> Self:
        self._sidecar = self._stack.enter_context(SidecarSessionEmulator())
        self._ports["3001"] = int(self._sidecar.base_url.rpartition(":")[2])
        return self

    def __exit__(self, *failure: Any) -> None:
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)
        self._stack.close()

    def run(self, block: Block) -> Ran:
        """All commands of the block, one after the other, until one fails; of a dialogue its one
        command, and what somebody types into it."""
        if self._document not in LINKED_ALREADY:
            self._sidecar.state = "pairing"
            self._sidecar.moves.extend(["pairing", "pairing", "open"])
        if block.dialogue is not None:
            return self._bash(block.dialogue.command, block.dialogue.typed)
        if unknown := [one for one in commands(block.text) if strangers(one)]:
            return Ran(127, "not run: nobody has said how", "\n".join(unknown))
        lines = [line for command in commands(block.text) for line in self._lines(command)]
        # What is run in place of several commands is run once.
        return self._bash("\n".join(line for line, _ in groupby(lines)))

    def _bash(self, script: str, typed: str = "") -> Ran:
        process = subprocess.Popen(
            ["bash", "-c", self._filled(_LISTENING) + script],
            cwd=self._world.checkout,
            env=self._environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._groups.append(process.pid)
        try:
            said, _ = process.communicate(typed, timeout=BLOCK_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = f"{process.communicate()[0]}\nnot done after {BLOCK_S:.0f} s"
        return Ran(process.returncode, said, script)

    def _lines(self, command: str) -> list[str]:
        """A command as lines of a script; none if it is left out."""
        if left_out(command):
            return []
        if server := served(command):
            return self._in_the_background(command, server)
        if rule := instead(command):
            command = re.sub(rule.pattern, rule.replacement, command)
        return [self._filled(command)]

    def _in_the_background(self, command: str, server: Serves) -> list[str]:
        port = _free_port()
        if server.port is not None:
            self._ports[str(server.port)] = port
        told = server.environ.replace("${port}", str(port))
        command = self._filled(f"{told} {command}".lstrip())
        if "emulators." in command:
            command = re.sub(r" --port \d+", "", command) + f" --port {port}"
        log = self._world.scratch / f"{Path(self._document).stem}-{len(self._logs)}.log"
        self._logs.append(log)
        # It ends with its input, if it looks at that at all.
        return [f"sleep 600 2> {log} | {command} > {log} 2>&1 &", f"listening {port} {log}"]

    def _filled(self, text: str) -> str:
        for rule in ADDRESSES:
            text = re.sub(rule.pattern, rule.replacement, text)
        account = self._world.twilio_account
        for name, value in {
            "public": self._world.front.url,
            "service": self._world.service.url,
            "service_port": str(self._world.service.port),
            "model": self._world.model,
            "contact": self._world.contact,
            "scratch": str(self._world.scratch),
            "twilio": " ".join(f"{name}={value}" for name, value in account.items()),
        }.items():
            text = text.replace(f"${{{name}}}", value)
        if "${control}" in text:
            told = re.search(r'"control": ?"([^"]+)"', self._logs[0].read_text())
            assert told is not None, self._logs[0].read_text()
            text = text.replace("${control}", told[1])
        return re.sub(
            r"(?<=127\.0\.0\.1:)\d{4,5}\b",
            lambda named: str(self._ports.get(named[0], named[0])),
            text,
        )

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": f"{self._world.checkout / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self._world.scratch),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "PORT": "0",
            "API_KEY": self._world.api_key,
            "SSL_CERT_FILE": str(self._world.front.authority),
            "CURL_CA_BUNDLE": str(self._world.front.authority),
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "BAILEYS_TOKEN": TOKEN,
            "BAILEYS_URL": self._sidecar.base_url,
        }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])

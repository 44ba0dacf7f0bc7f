"""A machine on which the documents' commands can be typed: a checkout with the service beside it.

The service behind TLS, its sidecar, a language model and a Twilio account are real servers on the
loopback; the last three are emulators. The checkout is made of links, so that whatever a command
writes stays in the test's own folder.
"""

import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from documentation.blocks import ROOT
from documentation.tls_front import TlsFront
from emulators.sidecar_session import TOKEN
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from serving import Server
from whole_service import Service

SOMEBODY = "+972501234567"
_LINKED = (
    *("src", "tests", "bench", "evals", "docs", "node", "pyproject.toml"),
    *("asgi.py", "main app", "Procfile", ".replit", "requirements.txt", "start_all.sh"),
)


class World:
    """Until the end of a `with` block."""

    def __init__(self, place: Path) -> None:
        self.checkout = place / "checkout"
        self.scratch = place / "scratch"
        self.twilio = TwilioRestEmulator((OWN_NUMBER, SOMEBODY))
        self.api_key = ""
        self.contact = ""
        """The id of somebody whom the service knows."""

    def __enter__(self) -> Self:
        with ExitStack() as started:  # what has started ends, too, when the rest does not start
            self._start(started)
            self._stack = started.pop_all()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.close()

    async def until_ready(self) -> None:
        """The service answers calls, and knows somebody."""
        await self.service.until_ready()
        self.api_key = (self.checkout / "var/api_key").read_text().strip()
        sent = self.service.client.post(
            f"{self.service.url}/api/whatsapp/send",
            headers={"Authorization": f"Bearer {self.api_key}"},
            json={"to": SOMEBODY, "text": "Good morning"},
        )
        assert sent.is_success, sent.text
        found = self.service.api(f"/api/crm/contacts?phone=%2B{SOMEBODY[1:]}").json()
        self.contact = str(found["items"][0]["id"])

    @property
    def twilio_account(self) -> dict[str, str]:
        """The variables of the emulated account."""
        return {
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_PHONE_NUMBER": OWN_NUMBER,
            "TWILIO_BASE_URL": self.twilio.base_url,
        }

    def _start(self, stack: ExitStack) -> None:
        self._make_checkout()
        stack.enter_context(self.twilio)
        sidecar = self._started(
            stack,
            *("-m", "emulators.sidecar", "--memory", str(self.scratch / "sidecar-of-the-service")),
            *("--token", TOKEN, "--port", "0", "--events-to", "http://127.0.0.1:9"),
        )
        self.model = self._started(stack, "-m", "emulators.openai_server", "--port", "0")
        self.service = stack.enter_context(
            Service(
                self.checkout / "var",
                DEPLOY_ID="deploy-7",
                STT_ENGINE="local",
                TTS_ENGINE="local",
                BAILEYS_URL=sidecar,
                BAILEYS_TOKEN=TOKEN,
                WHATSAPP_AGENT="0",
                DRAIN_SECONDS="2",
                **self.twilio_account,
            )
        )
        self.front = stack.enter_context(TlsFront(self.scratch, self.service.port))

    def _make_checkout(self) -> None:
        curl = shutil.which("curl")
        assert curl is not None, "curl is needed: the documents use it"
        self.scratch.mkdir(parents=True)
        (self.checkout / "var").mkdir(parents=True)
        (self.checkout / "var/baileys_token").write_text(TOKEN)
        for name in _LINKED:
            (self.checkout / name).symlink_to(ROOT / name)
        shutil.copytree(ROOT / "deploy", self.checkout / "deploy")  # people write there
        python = f'exec "{sys.executable}" "$@"'
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        self._program(f".venv-{version}/bin/python", python)
        self._program("script/voiceagent", f'exec "{sys.executable}" -m voiceagent.cli "$@"')
        self._program("bin/curl", f'exec "{curl}" --fail-with-body --silent --show-error "$@"')

    def _program(self, name: str, line: str) -> None:
        path = self.checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{line}\n")
        path.chmod(0o755)

    def _started(self, stack: ExitStack, *arguments: str) -> str:
        """The address of an emulator in a process of its own."""
        server = stack.enter_context(
            Server(
                [sys.executable, *arguments],
                cwd=self.scratch,
                environ={"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT / 'src'}"},
            )
        )
        return server.wait_for(r"(http://127\.0\.0\.1:\d+)").group(1)

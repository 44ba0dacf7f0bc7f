"""The service, the real sidecar and a fake WhatsApp that speaks the real protocol, for tests.

Three processes and real encryption: what the service sends is decrypted at the other end, and
what is written there comes to the service.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from serving import Server

ROOT = Path(__file__).resolve().parents[1]
SIDECAR = ROOT / "node" / "baileys"
KEY = "the-key-of-this-test"
TOKEN = "the-token-of-this-test"
WAIT_S = 90.0


def node() -> str:
    """The Node that `script/test` found or fetched."""
    fetched = ROOT / ".venv-node" / "bin"
    found = shutil.which("node") or shutil.which("node", path=str(fetched))
    if found is None or not (SIDECAR / "node_modules" / "baileys").is_dir():
        pytest.fail("Node 20 and the sidecar's packages are needed; script/test installs them.")
    return found


def until(look: Callable[[], Any], what: str) -> Any:
    """What `look` sees, once it is something."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise AssertionError(f"waited for {what}")


class World:
    """All three, until the end of a `with` block."""

    def __init__(
        self,
        place: Path,
        database: str,
        *,
        pace_ms: str = "0",
        **environ: str,
    ) -> None:
        """`pace_ms`: the sidecar's gap between two messages. `environ`: what is set for the service
        besides, or in place of what is set here."""
        self._pace_ms = pace_ms
        self._environ = environ
        self._place = place
        self._database_url = database
        self._stack = ExitStack()
        self._http = httpx.Client(trust_env=False, timeout=15)

    def __enter__(self) -> Self:
        self._fake = subprocess.Popen(
            [node(), "test/fake/serve.js"],
            cwd=SIDECAR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._fake.stdout is not None
        said = json.loads(self._fake.stdout.readline())
        self._control, self._fake_environ = said["control"], said["environ"]
        paths = f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"
        self._sidecar_port, port = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._api = self._stack.enter_context(
            Server(
                [
                    *(sys.executable, "-m", "uvicorn", "asgi:app"),
                    *("--host", "127.0.0.1", "--port", str(port)),
                ],
                cwd=ROOT,
                environ={
                    "PYTHONPATH": paths,
                    "DATA_DIR": str(self._place / "api"),
                    "DATABASE_URL": self._database_url,
                    "API_KEY": KEY,
                    "BENCH_ENGINES": "1",
                    "WHATSAPP_AGENT": "0",
                    "BAILEYS_TOKEN": TOKEN,
                    "BAILEYS_URL": f"http://127.0.0.1:{self._sidecar_port}",
                }
                | self._environ,
            )
        )
        assert self._api.port == port
        self.start_sidecar()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._sidecar.__exit__(*failure)
        self._stack.close()
        self._http.close()
        assert self._fake.stdin is not None
        assert self._fake.stdout is not None
        self._fake.stdin.close()
        self._fake.stdout.close()
        self._fake.wait(WAIT_S)

    def start_sidecar(self) -> None:
        self._sidecar = Server(
            [node(), "."],
            cwd=SIDECAR,
            environ=self._fake_environ
            | {
                "BAILEYS_PORT": str(self._sidecar_port),
                "BAILEYS_TOKEN": TOKEN,
                "VOICEAGENT_URL": self.url,
                "DATA_DIR": str(self._place / "sidecar"),
                "BAILEYS_PACE_MS": self._pace_ms,
                "BAILEYS_HOURLY_CAP": "0",
                "BAILEYS_DAILY_CAP": "0",
                "BAILEYS_NEW_CHATS_DAILY_CAP": "0",
            },
        )
        self._sidecar.__enter__()
        self._sidecar.wait_for("The sidecar listens")

    def kill_sidecar(self) -> None:
        self._sidecar._process.send_signal(signal.SIGKILL)
        self._sidecar.__exit__(None, None, None)

    # --- who does what --------------------------------------------------------------------------

    def fake(self, command: str, **body: Any) -> dict[str, Any]:
        """Tell the fake WhatsApp."""
        answer = self._http.post(f"{self._control}/{command}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def arrived(self) -> list[dict[str, Any]]:
        """What was decrypted at the other end."""
        state = self._http.get(f"{self._control}/state").json()
        assert state["faults"] == []
        return list(state["delivered"])

    def sidecar(self, path: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self._sidecar_port}/v1{path}"
        return self._http.get(url, headers={"Authorization": f"Bearer {TOKEN}"})

    def pair(self) -> None:
        """The owner scans the code with the phone."""

        def code() -> Any:
            answer = self.sidecar("/session/qr")
            return answer.json()["qr"] if answer.status_code == 200 else None

        self.fake("scan", qr=until(code, "a QR code"))
        self.until_open()

    def until_open(self) -> None:
        until(lambda: self.sidecar("/session").json()["state"] == "open", "the session")

    def send(self, text: str, key: str, to: str = "+972521111111") -> httpx.Response:
        return self._http.post(
            f"{self.url}/api/whatsapp/send",
            json={"to": to, "text": text},
            headers={"Authorization": f"Bearer {KEY}", "Idempotency-Key": key},
        )

    def messages(self, **params: str) -> list[dict[str, Any]]:
        return list(self.api("/api/crm/messages", **params)["items"])

    def file(self, path: str) -> bytes | None:
        """What is kept there, if it is there yet."""
        answer = self._http.get(self.url + path, headers={"Authorization": f"Bearer {KEY}"})
        return answer.content if answer.status_code == 200 else None

    def api(self, path: str, **params: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = self._http.get(self.url + path, params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])

"""The real sidecar between the API and a fake WhatsApp that speaks the real protocol.

Three processes and real encryption: what the API sends is decrypted at the other end, what is
written there is in the CRM, and a sidecar that is killed loses nothing and sends nothing twice.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from fixtures_database import _server, database_url  # noqa: F401
from serving import Server
from whole_service import on_the_line, talk

ROOT = Path(__file__).resolve().parents[2]
SIDECAR = ROOT / "node" / "baileys"
KEY = "the-key-of-this-test"
TOKEN = "the-token-of-this-test"
WAIT_S = 40.0


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

    def __init__(self, place: Path, database: str) -> None:
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
        self._sidecar_port = _free_port()
        self._api = self._stack.enter_context(
            Server(
                [
                    *(sys.executable, "-m", "uvicorn", "asgi:app"),
                    *("--host", "127.0.0.1", "--port", "0"),
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
                },
            )
        )
        self.url = f"http://127.0.0.1:{self._api.port}"
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
                **dict.fromkeys(
                    (
                        *("BAILEYS_PACE_MS", "BAILEYS_HOURLY_CAP", "BAILEYS_DAILY_CAP"),
                        "BAILEYS_NEW_CHATS_DAILY_CAP",
                    ),
                    "0",
                ),
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
        answer = self._http.get(
            f"{self.url}/api/crm/messages",
            params=params,
            headers={"Authorization": f"Bearer {KEY}"},
        )
        return list(answer.json()["items"])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:  # noqa: F811
    with World(tmp_path, database_url) as world:
        world.pair()
        world.fake("people", numbers=["972521111111"])
        yield world


@pytest.mark.slow
def test_messages_go_out_and_come_in_and_a_killed_sidecar_loses_none(world: World) -> None:
    # Out, in Hebrew: acknowledged, decrypted at the other end, delivered and read.
    answer = world.send("שלום עולם", "one")
    assert answer.status_code == 204, answer.text
    [letter] = until(world.arrived, "the message")
    assert letter["text"] == "שלום עולם"
    [read] = until(lambda: world.messages(status="read"), "the receipt")
    assert (read["id"], read["direction"]) == (answer.headers["x-message-id"], "out")
    assert read["external_id"] == letter["id"]

    # A number without WhatsApp.
    answer = world.send("hello", "two", to="+972529999999")
    assert answer.status_code == 422
    assert "not_on_whatsapp" in answer.json()["detail"]

    # In, from somebody with a hidden number.
    world.fake("write", number="972521111111", text="אפשר לקבוע פגישה?")
    [written] = until(lambda: world.messages(direction="in"), "what was written")
    assert (written["text"], written["status"]) == ("אפשר לקבוע פגישה?", "received")
    assert written["contact_id"] == read["contact_id"]

    # With the sidecar gone messages wait; it comes back, and each is sent once and in order.
    world.kill_sidecar()
    answers = [world.send(f"number {n}", f"away-{n}").status_code for n in range(2)]
    assert answers == [202, 202]
    world.fake("write", number="972521111111", text="written meanwhile")
    world.start_sidecar()
    world.until_open()
    until(lambda: len(world.arrived()) >= 3, "what waited")
    assert [letter["text"] for letter in world.arrived()] == ["שלום עולם", "number 0", "number 1"]
    until(lambda: len(world.messages(direction="in")) == 2, "what was written meanwhile")
    until(lambda: not world.messages(status="queued"), "their fates")

    # STOP is confirmed, and ends it.
    world.fake("write", number="972521111111", text="הסר")
    until(lambda: len(world.arrived()) == 4, "the confirmation")
    assert "התחל" in world.arrived()[-1]["text"]
    assert world.send("more", "three").status_code == 422


@pytest.mark.slow
async def test_a_call_does_not_notice_that_the_sidecar_is_killed(world: World) -> None:
    async with on_the_line(world, talk(4)) as [line]:
        await line.answers(2)
        await asyncio.to_thread(world.kill_sidecar)
        answer = await asyncio.to_thread(world.send, "שלום", "meanwhile")
        assert answer.status_code == 202
        await line.answers(2)
        result = await line.hang_up()
    assert (result.ended_by, result.error, result.violations) == ("caller", "", ())
    world.start_sidecar()
    world.until_open()
    until(lambda: [letter["text"] for letter in world.arrived()] == ["שלום"], "what waited")

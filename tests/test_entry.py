"""The files at the root that a platform runs: `asgi.py`, `Procfile`, `.replit`, `start_all.sh`."""

import ast
import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from serving import Server

ROOT = Path(__file__).resolve().parent.parent
TOLD_TO_THE_SERVER = """
import sys
import uvicorn
from voiceagent.cli import main

uvicorn.run = lambda app, **options: print(options, file=sys.stderr)
sys.exit(main(["serve"]))
"""
SMALL_APPLICATION = """
from fastapi import FastAPI
from voiceagent.telemetry import configure_logging

configure_logging("logfmt")
app = FastAPI(title="loaded by path")

@app.get("/healthz")
async def healthz() -> str:
    return __file__
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """The files of the root beside a small `main app`, in a folder with a space in its name."""
    root = tmp_path / "a deployment"
    root.mkdir()
    for name in ("asgi.py", "Procfile", ".replit", "start_all.sh"):
        shutil.copy(ROOT / name, root / name)
    (root / "main app").write_text(SMALL_APPLICATION)
    return root


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def environ(port: int) -> dict[str, str]:
    """As a platform gives it; `python3` is the one that runs the tests."""
    return {
        "PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
    }


def web_line() -> str:
    lines = dict(
        line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line
    )
    return lines["web"]


class TestAsgi:
    def test_main_app_is_loaded_by_path_from_any_directory(
        self, deployment: Path, tmp_path: Path
    ) -> None:
        said = subprocess.run(
            [sys.executable, "-W", "error", "-c", "import asgi; print(asgi.app.title)"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(deployment)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout == "loaded by path\n"

    def test_an_error_in_main_app_is_not_hidden(self, deployment: Path) -> None:
        (deployment / "main app").write_text("raise RuntimeError('broken on purpose')\n")
        said = subprocess.run(
            [sys.executable, "-c", "import asgi"],
            cwd=deployment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode != 0
        assert "broken on purpose" in said.stderr

    def test_main_app_is_small_and_says_app(self) -> None:
        text = (ROOT / "main app").read_text()
        assert len(text.splitlines()) <= 12
        assert "\napp = create_app()" in text


class TestRunLines:
    def test_procfile_and_replit_run_the_same_api_and_nothing_else(self) -> None:
        replit = tomllib.loads((ROOT / ".replit").read_text())
        assert replit["run"] == web_line()
        for word in ("node", "npm", "baileys", "&&", ";"):
            assert word not in web_line()

    def test_the_options_that_the_platform_and_twilio_need(self) -> None:
        line = web_line()
        for option in (
            "asgi:app",
            "--host 0.0.0.0",
            "--port $PORT",
            "--timeout-keep-alive 75",
            "--access-log",
            "--log-level info",
            "--http voiceagent.web.http_protocol:BoundedHttpProtocol",
            "--ws voiceagent.web.websocket_protocol:TwilioWebSocketProtocol",
            "--ws-max-size 65536",
            "--ws-per-message-deflate false",
        ):
            assert option in line
        interval = re.search(r"--ws-ping-interval (\d+)", line)
        assert interval
        assert 5 <= int(interval.group(1)) <= 15

    def test_start_all_gives_the_same_options(self) -> None:
        script = re.sub(r"\s*\\\n\s*", " ", (ROOT / "start_all.sh").read_text())
        options = web_line().partition("--timeout-keep-alive")[2]
        assert options in script

    def test_so_does_serve(self, tmp_path: Path, free_port: int) -> None:
        told = subprocess.run(
            [sys.executable, "-c", TOLD_TO_THE_SERVER],
            env=environ(free_port) | {"DATA_DIR": str(tmp_path), "BENCH_ENGINES": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        options = ast.literal_eval(told.stderr.splitlines()[-1])
        words = web_line().partition("asgi:app")[2].split()
        for name, value in itertools.pairwise([*words, "--"]):
            if not name.startswith("--") or name in ("--host", "--port", "--"):
                continue
            ours = options[name.removeprefix("--").replace("-", "_")]
            theirs = "True" if value.startswith("--") else value.capitalize()
            assert str(ours).capitalize() == theirs, name

    def test_the_web_line_serves(self, deployment: Path, free_port: int) -> None:
        with Server(
            ["sh", "-c", f"exec env {web_line()}"], cwd=deployment, environ=environ(free_port)
        ) as server:
            assert server.port == free_port
            answer = httpx.get(f"http://127.0.0.1:{free_port}/healthz")
            assert answer.json() == str(deployment / "main app")
            server.wait_for(r'level=info logger=uvicorn\.access msg=".*GET /healthz HTTP/1\.1')


@pytest.mark.skipif(shutil.which("bash") is None, reason="start_all.sh is for bash")
class TestStartAll:
    def sidecar(self, deployment: Path, npm: str, node: str) -> dict[str, str]:
        """A sidecar's folder, and these programs in the place of npm and node."""
        (deployment / "node" / "baileys").mkdir(parents=True)
        (deployment / "node" / "baileys" / "package.json").write_text("{}")
        programs = deployment / "programs"
        programs.mkdir()
        for name, body in (("npm", npm), ("node", node)):
            (programs / name).write_text(f"#!/bin/sh\n{body}\n")
            (programs / name).chmod(0o755)
        return {"PATH": f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin"}

    def run(self, deployment: Path, port: int, more: dict[str, str]) -> Server:
        return Server(
            ["bash", str(deployment / "start_all.sh")],
            cwd=deployment.parent,
            environ=environ(port) | more,
        )

    def lives(self, port: int) -> bool:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200

    def test_without_a_sidecar(self, deployment: Path, free_port: int) -> None:
        with self.run(deployment, free_port, {}) as server:
            server.wait_for("level=warning .*no WhatsApp: there is no node/baileys")
            assert server.port == free_port
            assert self.lives(free_port)

    @pytest.mark.parametrize(
        ("npm", "node", "told"),
        [
            ("exit 1", "exit 0", "npm failed"),
            ("mkdir -p node_modules", "exit 7", "sidecar ended with 7"),
            ("mkdir -p node_modules", "kill -9 $$", "sidecar ended with 137"),
        ],
    )
    def test_a_sidecar_that_fails_is_a_line(
        self, deployment: Path, free_port: int, npm: str, node: str, told: str
    ) -> None:
        more = self.sidecar(deployment, npm, node)
        with self.run(deployment, free_port, more) as server:
            server.wait_for(f"level=warning .*{told}")
            assert server.port == free_port
            assert self.lives(free_port)
        assert "Killed" not in server.output

    def test_the_sidecar_ends_with_the_api(self, deployment: Path, free_port: int) -> None:
        node = (
            'trap "echo sidecar is down; exit 0" TERM; echo "sidecar is up";'
            " while :; do sleep 0.1; done"
        )
        more = self.sidecar(deployment, "mkdir -p node_modules", node)
        with self.run(deployment, free_port, more) as server:
            server.wait_for("sidecar is up")
            assert server.port == free_port
        assert "sidecar is down" in server.output

    def scripts(self, deployment: Path, **scripts: str) -> None:
        (deployment / "script").mkdir()
        for name, text in scripts.items():
            (deployment / "script" / f"{name}.sh").write_text(text)

    def test_a_node_that_is_too_old_is_replaced(self, deployment: Path, free_port: int) -> None:
        more = self.sidecar(deployment, "exit 0", "exit 9")
        newer = deployment / "newer"
        newer.mkdir()
        (newer / "node").write_text("#!/bin/sh\necho the newer node: $1; exit 0\n")
        (newer / "node").chmod(0o755)
        self.scripts(
            deployment,
            _node=f'find_node() {{ say "fetching with $base_python"; PATH="{newer}:$PATH"; }}',
        )
        (deployment / "node" / "baileys" / "node_modules").mkdir()
        (deployment / "node" / "baileys" / "node_modules" / ".package-lock.json").touch()
        with self.run(deployment, free_port, more) as server:
            server.wait_for("level=info .*fetching with /.*python3")
            server.wait_for(r"the newer node: \.")
            assert server.port == free_port

    def test_a_node_that_cannot_be_fetched_is_a_line(
        self, deployment: Path, free_port: int
    ) -> None:
        more = self.sidecar(deployment, "exit 0", "exit 9")
        self.scripts(deployment, _node='find_node() { fail "no index"; }')
        with self.run(deployment, free_port, more) as server:
            server.wait_for("level=warning .*no index")
            server.wait_for("level=warning .*no WhatsApp: there is no Node")
            assert server.port == free_port
            assert self.lives(free_port)

    def without_uvicorn(self, deployment: Path) -> dict[str, str]:
        programs = deployment / "programs"
        programs.mkdir()
        (programs / "python3").write_text("#!/bin/sh\nexit 1\n")
        (programs / "python3").chmod(0o755)
        return {"PATH": f"{programs}:/usr/bin:/bin"}

    def test_without_an_environment_one_is_made(self, deployment: Path, free_port: int) -> None:
        more = self.without_uvicorn(deployment)
        self.scripts(deployment, _setup=f"set -euo pipefail; echo making; python={sys.executable}")
        with self.run(deployment, free_port, more) as server:
            server.wait_for("making")
            assert server.port == free_port
            assert self.lives(free_port)

    def ends(self, deployment: Path, port: int, more: dict[str, str]) -> tuple[int, str]:
        """Exit code and what was said, of a start that comes to nothing."""
        ended = subprocess.run(
            ["bash", str(deployment / "start_all.sh")],
            env=os.environ | environ(port) | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.returncode, ended.stdout

    def test_where_none_can_be_made_it_is_said(self, deployment: Path, free_port: int) -> None:
        more = self.without_uvicorn(deployment)
        code, said = self.ends(deployment, free_port, more)
        assert code == 1
        assert "pip install -r requirements.txt" in said
        self.scripts(deployment, _setup="echo no network; exit 1")
        assert self.ends(deployment, free_port, more) == (1, "no network\n")

    def test_a_taken_port_is_told_before_anything_is_started(self, deployment: Path) -> None:
        with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - as the API does
            port = taken.getsockname()[1]
            code, said = self.ends(deployment, port, self.sidecar(deployment, "exit 1", "exit 1"))
        assert code == 2
        assert f"{port} cannot be listened on (Address already in use);" in said
        assert len(said.splitlines()) == 1


def test_no_outside_library_is_loaded_before_it_is_needed() -> None:
    program = (
        "import sys, voiceagent.telemetry, voiceagent.settings, voiceagent.metrics,"
        "voiceagent.web.health, voiceagent.web.telephony_webhooks, voiceagent.web.security,"
        "voiceagent.web.websocket_protocol, voiceagent.web.problems;"
        "print(sorted({m.partition('.')[0] for m in sys.modules} &"
        " {'twilio', 'grpc', 'google', 'openai', 'asyncpg', 'onnxruntime', 'numpy', 'aiohttp'}))"
    )
    assert printed_by(program) == "[]\n"


def test_what_the_whole_service_needs_late_is_not_loaded_with_it() -> None:
    program = (
        "import sys, voiceagent.app;"
        "print(sorted({'twilio.rest', 'grpc', 'google.cloud', 'openai', 'onnxruntime', 'aiohttp',"
        " 'icalendar'} & sys.modules.keys()))"
    )
    assert printed_by(program) == "[]\n"


def printed_by(program: str) -> str:
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return said.stdout

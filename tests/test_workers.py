"""Several processes on one port, as platforms ask for them by `WEB_CONCURRENCY`: `serve` starts
them, and what no process can start with stops all of them."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from serving import Server
from whole_service import ROOT, until

SERVE = [sys.executable, "-m", "voiceagent.cli", "serve"]
UVICORN = [sys.executable, "-m", "uvicorn", "asgi:app", "--host", "127.0.0.1", "--port", "0"]


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    paths = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
    own = {"DATA_DIR": str(tmp_path), "HOST": "127.0.0.1", "PORT": "0", "PYTHONPATH": paths}
    return {**os.environ, **own, "BENCH_ENGINES": "1", "WEB_CONCURRENCY": "2"} | more


def deploy_ids(server: Server) -> set[str]:
    """What whoever answers says; with two, both are likely to."""
    url = f"http://127.0.0.1:{server.port}/version"
    return {httpx.get(url, trust_env=False).json()["deploy_id"] for _ in range(12)}


@pytest.mark.slow
async def test_serve_starts_as_many_as_are_asked_for(tmp_path: Path) -> None:
    with Server(SERVE, cwd=ROOT, environ=environ(tmp_path)) as server:
        assert "level=info logger=uvicorn.error" in server.wait_for("Uvicorn running").string
        await until(lambda: server.output.count("Application startup complete") == 2)
        assert len(deploy_ids(server)) == 1


@pytest.mark.slow
def test_a_fault_of_the_environment_stops_them_all(tmp_path: Path) -> None:
    ended = subprocess.run(
        UVICORN,
        cwd=ROOT,
        env=environ(tmp_path, EOU_MIN_MS="100"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 1 <= ended.stderr.count("EOU_MIN_MS") <= 2  # a line of each process
    assert "Traceback" not in ended.stderr

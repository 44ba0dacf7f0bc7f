"""The service as `uvicorn --workers 2` runs it: one scrape tells of both."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving import Server
from voiceagent.metrics import CONTENT_TYPE
from whole_service import ROOT, run_line, until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    paths = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
    command = [sys.executable, *run_line(), "--host", "127.0.0.1", "--port", "0"]
    environ = {"DATA_DIR": str(tmp_path), "BENCH_ENGINES": "1", "PYTHONPATH": paths}
    with Server([*command, "--workers", "2"], cwd=ROOT, environ=environ) as server:
        yield server


def told(server: Server) -> str:
    """Empty until a worker listens."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/metrics", trust_env=False, timeout=10)
    except httpx.ConnectError:
        return ""
    assert answer.headers["content-type"] == CONTENT_TYPE
    return answer.text


def workers(text: str) -> set[str]:
    return {
        sample.labels["worker"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "voiceagent_build_info" and "worker" in sample.labels
    }


@pytest.mark.slow
async def test_one_scrape_tells_of_both_workers(server: Server) -> None:
    await until(lambda: workers(told(server)) == {"0", "1"})
    names = [family.name for family in text_string_to_metric_families(told(server))]
    assert len(set(names)) == len(names) > 50

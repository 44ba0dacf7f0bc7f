"""The Dockerfile, as far as it can be held to its word where no daemon runs: what it copies is
there, and what is copied starts."""

import json
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pytest

from deploy.manifests import ROOT, Stage, stages
from serving import Server

FINAL = ("service", "whatsapp")


def copied(stage: Stage) -> list[str]:
    """What it takes from the context, not from another stage."""
    found: list[str] = []
    for text in stage.all("COPY"):
        if not text.startswith("--from="):
            found += shlex.split(text)[:-1]
    return found


def allowed() -> set[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return {line[1:] for line in lines if line.startswith("!")}


@pytest.mark.parametrize("stage", list(stages().values()), ids=lambda stage: stage.name)
def test_what_is_copied_is_there_and_let_in(stage: Stage) -> None:
    for source in copied(stage):
        assert (ROOT / source).exists(), source
        assert source in allowed(), source


@pytest.mark.parametrize("name", FINAL)
def test_an_image_is_nobodys_root(name: str) -> None:
    stage = stages()[name]
    assert stage.last("USER") == "10001:10001"
    assert "DATA_DIR=/data" in stage.last("ENV")
    assert stage.last("HEALTHCHECK").endswith("]")
    assert json.loads(stage.last("CMD"))


def test_the_service_is_what_is_built_by_default() -> None:
    assert list(stages())[-1] == "service"


def test_the_base_images_are_versions_that_the_code_runs_on() -> None:
    assert stages()["service"].image == "python:3.13-slim"
    assert stages()["packages"].image == stages()["service"].image
    assert int(re.findall(r"node:(\d+)", stages()["whatsapp"].image)[0]) >= 20


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9][\w.-]*(?:\[[\w,-]+\])?)==([^ \\;]+)", text, re.MULTILINE))


def test_the_packages_are_those_that_are_tested_and_each_has_its_hash() -> None:
    image, tested = pinned("deploy/requirements.lock"), pinned("requirements.lock")
    assert image
    assert {name: tested.get(name) for name in image} == image
    text = (ROOT / "deploy/requirements.lock").read_text()
    assert text.count("--hash=sha256:") >= len(image)
    assert "://" not in text
    assert "pytest" not in image
    assert "ruff" not in image


def test_the_code_is_compiled_in_the_image_since_it_cannot_be_written_later() -> None:
    stage = stages()["service"]
    assert "PYTHONDONTWRITEBYTECODE=1" in stage.last("ENV")
    assert any(run.endswith("compileall -q src") for run in stage.all("RUN"))


def test_what_the_image_holds_starts_answers_and_ends_in_order(tmp_path: Path) -> None:
    """The stage's own files in a folder of their own, run by its own command."""
    stage, app = stages()["service"], tmp_path / "app"
    app.mkdir()
    for source in copied(stage):
        here = ROOT / source
        if here.is_dir():
            shutil.copytree(here, app / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(here, app / source)
    command = json.loads(stage.last("CMD"))
    assert command[0] == "python"
    environ = {
        "PYTHONPATH": str(app / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATA_DIR": str(tmp_path / "data"),
        "BENCH_ENGINES": "1",
        "HOST": "127.0.0.1",
        "PORT": "0",
    }
    before = set(app.rglob("*"))
    with Server([sys.executable, *command[1:]], cwd=app, environ=environ) as server:
        assert server.port
        server.wait_for("calls are taken from now on")
        server._process.send_signal(signal.SIGTERM)
        assert server._process.wait(30) == 0
    # A read-only root file system would have done.
    assert set(app.rglob("*")) == before

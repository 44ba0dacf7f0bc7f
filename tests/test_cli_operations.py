"""The commands of whoever runs the service, run as people run them."""

import json
from pathlib import Path

import pytest

from emulators.sidecar_session import TOKEN, SidecarSessionEmulator
from test_cli import voiceagent
from voiceagent import cli
from voiceagent.evidence import command


async def test_the_sidecar_tells_how_it_stands() -> None:
    with SidecarSessionEmulator() as sidecar:
        environ = {"BAILEYS_URL": sidecar.base_url, "BAILEYS_TOKEN": TOKEN}
        code, out, err = await voiceagent("whatsapp", **environ)
        assert (code, err) == (0, "")
        assert "linked and connected" in out
        sidecar.state = "pairing"
        code, out, _ = await voiceagent("whatsapp", "status", **environ)
        assert code == 1
        assert "voiceagent whatsapp pair" in out


async def test_a_sidecar_that_is_away_ends_with_1_and_a_sentence() -> None:
    code, _, err = await voiceagent(
        "whatsapp", BAILEYS_URL="http://127.0.0.1:9", BAILEYS_TOKEN=TOKEN
    )
    assert code == 1
    assert "start_all.sh" in err
    assert "Traceback" not in err


async def test_a_number_that_is_none_is_asked_wrongly() -> None:
    code, _, err = await voiceagent("whatsapp", "pair", "--phone", "12")
    assert code == 2
    assert "+972501234567" in err


async def test_the_doctor_speaks_json(tmp_path: Path) -> None:
    code, out, err = await voiceagent("doctor", "--json", DATA_DIR=str(tmp_path), BENCH_ENGINES="1")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["well"] is True
    assert {"settings", "database", "stt"} <= {one["area"] for one in told["findings"]}


async def test_the_doctor_ends_with_1_when_something_is_broken(tmp_path: Path) -> None:
    code, out, _ = await voiceagent(
        "doctor", DATA_DIR=str(tmp_path), BENCH_ENGINES="1", EOU_MIN_MS="5"
    )
    assert code == 1
    assert "BROKEN" in out


async def test_evidence_of_nothing_fails_and_is_written(tmp_path: Path) -> None:
    code, out, err = await voiceagent(
        *("evidence", "--base-url", "http://127.0.0.1:9", "--call-sid", "CA1", "--no-whatsapp"),
        *("--out", tmp_path / "pack"),
        DATA_DIR=str(tmp_path),
    )
    assert (code, err) == (1, "")
    assert "/healthz" in out
    report = json.loads((tmp_path / "pack" / "report.json").read_text())
    assert report["passed"] is False
    assert (tmp_path / "pack" / "report.md").exists()
    assert (tmp_path / "pack" / "report.html").exists()


async def test_evidence_without_a_proper_address_is_asked_wrongly() -> None:
    code, _, err = await voiceagent("evidence", "--base-url", "localhost:8000")
    assert code == 2
    assert "--base-url" in err


def test_evidence_expects_the_deployment_of_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected: list[str | None] = []

    async def run(wanted: command.Wanted, *_: object, **__: object) -> int:
        expected.append(wanted.expect_deploy_id)
        return 0

    monkeypatch.setattr(command, "run", run)
    asked = ["evidence", "--base-url", "http://127.0.0.1:9"]
    monkeypatch.setenv("DEPLOY_ID", "deploy-8")
    assert cli.main(asked) == 0
    assert cli.main([*asked, "--expect-deploy-id", "deploy-9"]) == 0
    monkeypatch.delenv("DEPLOY_ID")
    assert cli.main(asked) == 0
    assert expected == ["deploy-8", "deploy-9", None]

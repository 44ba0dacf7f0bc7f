"""`voiceagent bench`, as somebody types it."""

from pathlib import Path

import pytest

from test_cli import voiceagent
from voiceagent import cli, cli_bench


async def test_without_a_name_it_tells_which_there_are() -> None:
    code, out, _ = await voiceagent("bench")
    assert code == 0
    told = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert told["calls"].startswith("Many simulated calls at once")
    # Nothing can be measured with what only helps.
    assert "processes" not in told


async def test_what_follows_the_name_is_the_benchs() -> None:
    code, out, _ = await voiceagent("bench", "calls", "--help")
    assert code == 0
    assert "--engines" in out
    code, _, err = await voiceagent("bench", "calls", "--calls", "many")
    assert code == 2
    assert "--calls" in err


async def test_one_that_there_is_not_is_one_line() -> None:
    code, out, err = await voiceagent("bench", "../script/demo")
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert "calls" in line


def test_where_there_is_no_checkout_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli_bench, "BENCHES", tmp_path)
    assert cli.main(["bench"]) == 2
    assert "checkout" in capsys.readouterr().err

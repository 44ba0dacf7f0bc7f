"""The command line, run as people run it."""

import asyncio
import json
import os
import shlex
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from simulator.peer import serving
from voiceagent.simulator import sounds


async def voiceagent(*arguments: object, **environ: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "voiceagent.cli",
        *map(str, arguments),
        env={name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
        | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_calls_a_server_and_says_what_it_was_told_to_say() -> None:
    async with serving() as (url, calls):
        code, out, err = await voiceagent("call", "--url", url, "--say", "yes", "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["totals"]["completed"] == 1
    assert [turn["text"] for turn in report["calls"][0]["turns"]] == ["yes"]
    assert len(calls) == 1


async def test_several_calls_play_a_file_and_keep_what_was_heard(tmp_path: Path) -> None:
    audio, kept = tmp_path / "in.wav", tmp_path / "out.wav"
    pcm = (sounds.tone(500, 400) * 32767).astype(np.int16)
    sounds.write_stereo_wav(audio, pcm, pcm)
    async with serving() as (url, calls):
        code, out, _ = await voiceagent(
            "call", "--url", url, "--audio", audio, "--calls", 3, "--wav", kept, "--subprotocol"
        )
    assert code == 0
    assert out.count("completed") == 4
    assert "response   p50" in out
    assert len(calls) == 3
    with wave.open(str(kept)) as recording:
        assert recording.getnchannels() == 2
        assert recording.getnframes() > 8000


async def test_one_call_is_told_and_its_figures_only_when_wanted() -> None:
    async with serving() as (url, _):
        plain = await voiceagent("call", "--url", url, "--say", "yes")
        verbose = await voiceagent("call", "--url", url, "--say", "yes", "--verbose")
    for code, out, err in (plain, verbose):
        assert (code, err) == (0, "")
        assert "caller  yes" in out
        assert "agent   (speaks)" in out
        assert "1/1 answered" in out
    assert "response   p50" not in plain[1]
    assert "response   p50" in verbose[1]


@pytest.mark.parametrize("more", [(), ("--json",), ("--calls", "2")])
async def test_a_reader_that_goes_away_ends_the_command_without_a_word(
    more: tuple[str, ...],
) -> None:
    async with serving() as (url, _):
        process = await asyncio.create_subprocess_shell(
            shlex.join(
                [
                    sys.executable,
                    "-m",
                    "voiceagent.cli",
                    "call",
                    "--url",
                    url,
                    "--say",
                    "yes",
                    *more,
                ]
            )
            + "; echo $? >&2",
            stdout=(pipe := os.pipe())[1],
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(pipe[0])
        os.close(pipe[1])
        _, err = await asyncio.wait_for(process.communicate(), 60)
    assert err == b"141\n"


async def test_a_call_that_fails_ends_with_1_and_says_why() -> None:
    async with serving() as (url, _):
        pass
    code, out, _ = await voiceagent("call", "--url", url, "--say", "yes")
    assert code == 1
    assert "cannot connect" in out


async def test_the_upgrade_is_signed_when_the_token_is_set() -> None:
    async with serving() as (url, calls):
        await voiceagent("call", "--url", url, "--say", "yes", TWILIO_AUTH_TOKEN="t")
    assert "x-twilio-signature" in {name.lower() for name in calls[0].headers}


@pytest.mark.parametrize(
    "arguments",
    [
        ("call", "--url", "http://127.0.0.1:9/x"),
        ("call", "--url", "ws://127.0.0.1:99999/x"),
        ("call", "--base-url", "nowhere"),
        ("evidence", "--base-url", "https://127.0.0.1:99999"),
    ],
)
async def test_an_address_that_is_none_is_one_line_and_ends_with_2(
    arguments: tuple[str, ...],
) -> None:
    code, _, err = await voiceagent(*arguments)
    assert code == 2
    assert "must be an address such as" in err
    assert len(err.splitlines()) == 1


async def test_arguments_that_make_no_sense_end_with_2(tmp_path: Path) -> None:
    assert (await voiceagent("call"))[0] == 2
    assert (await voiceagent("call", "--url", "ws://x", "--calls", "0"))[0] == 2
    assert (await voiceagent("sing"))[0] == 2
    code, _, err = await voiceagent("call", "--url", "ws://x", "--audio", tmp_path / "no.wav")
    assert code == 2
    assert "no.wav" in err
    assert "Traceback" not in err


async def test_a_wrong_environment_is_one_line_per_fault_and_ends_with_2() -> None:
    for command in ("serve", "migrate"):
        code, _, err = await voiceagent(command, EOU_MIN_MS="100", PORT="harbour")
        assert code == 2
        lines = err.strip().splitlines()
        assert len(lines) == 2
        assert sum("EOU_MIN_MS" in line for line in lines) == 1
        assert sum("PORT" in line for line in lines) == 1


async def test_migrate_makes_the_embedded_database_once(tmp_path: Path) -> None:
    first = await voiceagent("migrate", DATA_DIR=str(tmp_path))
    second = await voiceagent("migrate", DATA_DIR=str(tmp_path))
    assert first[0] == second[0] == 0, (first, second)
    assert "applied 0001" in first[1]
    assert second[1].strip() == "the database is up to date"

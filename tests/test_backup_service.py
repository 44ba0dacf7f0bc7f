"""A service that takes calls is backed up, and restored elsewhere: everything is there."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from crm.somebody import dump
from voiceagent.backup import inventory, place
from voiceagent.backup.reach import reached
from whole_service import ROOT, Service, on_the_line, talk, until

BENCH: Final = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.6", "RECORD_CALLS": "1"}
WRITER: Final = "+972541234567"


async def command(*arguments: str | Path, data_dir: Path) -> tuple[int, str, str]:
    process = await started(*arguments, data_dir=data_dir)
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def started(*arguments: str | Path, data_dir: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voiceagent.cli", *map(str, arguments)),
        env=os.environ | {"DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def ready(service: Service) -> None:
    await asyncio.to_thread(service.wait_for, "Uvicorn running", 120.0)
    await service.until_ready()


@asynccontextmanager
async def tables_of(data_dir: Path) -> AsyncIterator[dict[str, list[str]]]:
    async with reached(None, data_dir) as found:
        yield await dump(found.database)


def files_of(data_dir: Path) -> dict[str, bytes]:
    return {file.name: b"".join(file.content()) for file in inventory.kept_files(data_dir)}


async def a_message(service: Service, text: str) -> None:
    answer = service.post(
        "/webhook/whatsapp/twilio",
        MessageSid=f"SM{len(text):032d}",
        From=f"whatsapp:{WRITER}",
        To="whatsapp:+97231234567",
        Body=text,
    )
    assert answer.status_code < 300, answer.text


@pytest.mark.alone
@pytest.mark.slow
async def test_a_service_is_backed_up_while_it_takes_calls_and_restored_elsewhere(
    tmp_path: Path,
) -> None:
    home, elsewhere, backup = tmp_path / "home", tmp_path / "elsewhere", tmp_path / "backup.tar"
    with Service(home, **BENCH) as service:
        await ready(service)
        async with on_the_line(service, talk(30)) as [over]:
            await over.answers(3)
            await over.hang_up()
        await until(lambda: service.call_record(over.call_sid).get("recording") is not None)
        recorded = service.api(f"/api/crm/calls/{over.call_sid}/recording").content
        await a_message(service, "what somebody wrote before")
        async with on_the_line(service, talk(30), calls=2) as lines:
            for line in lines:
                await line.answers(2)
            code, out, err = await command("backup", backup, data_dir=home)
            assert (code, err) == (0, ""), err
            assert f"{backup} is whole" in out
            for line in lines:
                await line.answers(1)  # nobody was cut off
            await a_message(service, "what somebody wrote after the backup")
            for line in lines:
                await line.hang_up()
        api_key = (home / "api_key").read_text()
        # Everything that is left in the house is looked at: a new file in DATA_DIR belongs to the
        # one list or the other.
        known = {*inventory.TOP_NAMES, *inventory.LEFT_OUT}
        assert {path.name for path in home.iterdir()} <= known
        code, _, err = await command("restore", backup, "--replace", data_dir=home)
        assert (code, err.count("\n")) == (1, 1)
        assert "the service runs" in err

    code, out, err = await command("restore", backup, data_dir=elsewhere)
    assert (code, err) == (0, ""), err
    assert (elsewhere / "api_key").read_text() == api_key
    with Service(elsewhere, **BENCH) as service:
        await ready(service)
        assert service.api(f"/api/crm/calls/{over.call_sid}/recording").content == recorded
        messages = service.api("/api/crm/messages").json()["items"]
        assert [m["text"] for m in messages if m["direction"] == "in"] == [
            "what somebody wrote before"
        ]
        for line in lines:
            # As after a kill at that moment.
            sid = line.call_sid
            await until(
                lambda sid=sid: service.call_record(sid).get("end_reason") == "process_lost"
            )
            assert len(service.call_record(sid)["turns"]) >= 3
            await until(lambda sid=sid: service.call_record(sid).get("recording") is not None)
        async with on_the_line(service, talk(1)) as [new]:
            await new.answers(1)
            await new.hang_up()
        await until(lambda: service.call_record(new.call_sid).get("status") == "completed")

    # Of a service that stands still every table and every file is the same.
    again = tmp_path / "again.tar"
    async with tables_of(elsewhere) as before:
        files = files_of(elsewhere)
    assert (await command("backup", again, data_dir=elsewhere))[0] == 0
    # One that is killed leaves the old state whole, wherever it was.
    async with tables_of(home) as old_tables:
        old_files = files_of(home)
    restoring = await started("restore", again, "--replace", data_dir=home)
    await until((home / place.PREPARED / "pgdata" / "PG_VERSION").exists)
    restoring.send_signal(signal.SIGKILL)
    await restoring.wait()
    async with tables_of(home) as tables:
        assert (tables, files_of(home)) == (old_tables, old_files)
    # And the next one clears away what it had begun, and comes to its end.
    code, out, err = await command("restore", again, "--replace", data_dir=home)
    assert (code, err) == (0, ""), err
    assert "the files that were there before are in" in out
    async with tables_of(home) as after:
        assert after == before
    assert files_of(home) == files

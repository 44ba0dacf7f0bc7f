"""A call's recording for whoever has signed in, and for nobody else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crm.kept_recording import keep_recording
from crm.records import whole_call
from fixtures_database import _server, database, database_url
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.recordings.two_voices import CHANNELS
from voiceagent.speech.wave_header import wave_header
from web.console.world import Console, console

__all__ = ["_server", "database", "database_url"]

PATH = "/console/calls/CA1/recording"
SAMPLES = bytes(n % 251 for n in range(4000))
WHOLE = wave_header(len(SAMPLES), channels=CHANNELS) + SAMPLES


@pytest.fixture
async def shown(database: Database, tmp_path: Path) -> AsyncIterator[Console]:
    async with console(database, tmp_path) as one:
        for call_sid in ("CA1", "CA2"):
            await CallsRepository(database).apply(whole_call(call_sid))
        await keep_recording(database, "CA1", SAMPLES)
        yield one


async def test_who_has_signed_in_listens_and_seeks(shown: Console) -> None:
    await shown.signed_in()
    answer = await shown.get(PATH)
    assert (answer.status_code, answer.content) == (200, WHOLE)
    assert answer.headers["content-type"] == "audio/wav"
    part = await shown.get(PATH, headers={"Range": "bytes=500-"})
    assert (part.status_code, part.content) == (206, WHOLE[500:])


async def test_nobody_else_does(shown: Console) -> None:
    answer = await shown.get(PATH)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/sign-in")
    assert answer.content == b""


@pytest.mark.parametrize("call_sid", ["CA2", "CAnobody", "..%2fCA1", "x" * 201])
async def test_where_there_is_none_a_page_says_so(shown: Console, call_sid: str) -> None:
    await shown.signed_in()
    answer = await shown.get(f"/console/calls/{call_sid}/recording")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")

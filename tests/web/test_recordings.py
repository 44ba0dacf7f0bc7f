"""A call's recording over HTTP, on a real database: whole, in parts, and where there is none."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from crm.kept_recording import keep_recording
from crm.records import whole_call
from fixtures_database import _server, database, database_url
from voiceagent.crm.calls.recordings import RecordingsRepository
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.recordings.two_voices import CHANNELS
from voiceagent.speech.riff import WAVE_ULAW, RiffStripper, WaveFormat
from voiceagent.speech.wave_header import wave_header
from voiceagent.web.crm import crm_router
from voiceagent.web.problems import install_problem_handlers
from voiceagent.web.recordings import recordings_router

__all__ = ["_server", "database", "database_url"]

PATH = "/api/crm/calls/CA1/recording"
SAMPLES = bytes(n % 251 for n in range(8000))
WHOLE = wave_header(len(SAMPLES), channels=CHANNELS) + SAMPLES


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    calls = CallsRepository(database)
    app.include_router(crm_router(calls, ContactsRepository(database)))
    app.include_router(recordings_router(RecordingsRepository(database)))
    install_problem_handlers(app)
    await calls.apply(whole_call("CA1"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_recording_is_a_wav_file_of_two_channels(
    client: httpx.AsyncClient, database: Database
) -> None:
    await keep_recording(database, "CA1", SAMPLES, piece_bytes=999)
    answer = await client.get(PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.content == WHOLE
    stripper = RiffStripper()
    assert stripper.feed(answer.content) + stripper.finish() == SAMPLES
    assert stripper.wave_format == WaveFormat(WAVE_ULAW, 2, 8000, 8)


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-", 0, len(WHOLE) - 1),
        ("bytes=0-1", 0, 1),
        ("bytes=10-100", 10, 100),
        ("bytes=1000-1999", 1000, 1999),
        ("bytes=3000-", 3000, len(WHOLE) - 1),
        ("bytes=-500", len(WHOLE) - 500, len(WHOLE) - 1),
        (f"bytes=7000-{10**9}", 7000, len(WHOLE) - 1),
    ],
)
async def test_a_player_seeks(
    client: httpx.AsyncClient, database: Database, wanted: str, first: int, last: int
) -> None:
    await keep_recording(database, "CA1", SAMPLES)
    answer = await client.get(PATH, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(WHOLE)}"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.content == WHOLE[first : last + 1]


async def test_a_part_behind_the_end_is_refused(
    client: httpx.AsyncClient, database: Database
) -> None:
    await keep_recording(database, "CA1", SAMPLES)
    answer = await client.get(PATH, headers={"Range": f"bytes={len(WHOLE)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(WHOLE)}"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_call_tells_whether_it_was_recorded(
    client: httpx.AsyncClient, database: Database
) -> None:
    assert (await client.get("/api/crm/calls/CA1")).json()["recording"] is None
    await keep_recording(database, "CA1", SAMPLES, offset_ms=1250)
    call = (await client.get("/api/crm/calls/CA1")).json()
    assert call["recording"] == {"seconds": 0.5, "offset_s": 1.25}


@pytest.mark.parametrize("path", [PATH, "/api/crm/calls/CAnobody/recording"])
async def test_no_recording_is_a_problem_and_nothing_else(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_is_still_coming_in_is_not_found(
    client: httpx.AsyncClient, database: Database
) -> None:
    recordings = RecordingsRepository(database)
    recording = await keep_recording(database, "CA1", SAMPLES)
    await database.pool.execute("UPDATE recordings SET kept_at = NULL")
    assert (await client.get(PATH)).status_code == 404
    assert (await client.get("/api/crm/calls/CA1")).json()["recording"] is None
    # A process that was killed over it has another one go on.
    assert await recordings.begin(recording)
    assert await recordings.put("CA1", 0, SAMPLES[:1000])
    assert await recordings.finish("CA1")
    assert (await client.get(PATH)).content == WHOLE

"""The parts behind the calls: each begins anew after a failure, and knows where it is reached."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from crm.records import NOON
from fixtures_database import _server, database, database_url
from voiceagent.back_office import BackOffice, keep_running
from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import Period
from voiceagent.crm.database import Database
from voiceagent.crm.recorder import CallRecorder
from voiceagent.settings import load_settings

__all__ = ["_server", "database", "database_url"]

ACCOUNT = {"TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_AUTH_TOKEN": "t" * 32}
SET = "https://set.example.com"
SEEN = "https://seen.example.com"


@pytest.mark.parametrize(
    ("environ", "base_url"),
    [
        (ACCOUNT, SEEN),
        (ACCOUNT | {"PUBLIC_BASE_URL": SET}, SET),
        ({}, None),
    ],
)
async def test_calendar_links_lead_to_where_twilio_reached_the_service(
    database: Database, tmp_path: Path, environ: Mapping[str, str], base_url: str | None
) -> None:
    recorder = CallRecorder(database, tmp_path, revive=database.ping)
    settings = load_settings({"DATA_DIR": str(tmp_path)} | dict(environ))
    office = BackOffice(settings, database, recorder)
    if office.rest is not None:
        office.rest.reached_at(SEEN)
    period = Period(NOON, NOON + timedelta(hours=1))
    booked = await office.desk.book(Party("CA1"), period, "a visit", "Dana", "key")
    start, _, _ = booked.calendar_url.partition("/calendar/")
    assert start == (base_url or "")


async def test_a_part_that_fails_begins_anew_and_tells_each_failure_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = 0
    works = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise LookupError("unforeseen")
        works.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        kept = tasks.create_task(keep_running("summaries", work, pause_s=0.01))
        await works.wait()
        kept.cancel()
    assert kept.cancelled()
    assert runs == 3
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert ["summaries" in record.getMessage() for record in told] == [True, True]


async def test_the_end_of_the_service_does_not_wait_for_a_part_that_pauses() -> None:
    failed = asyncio.Event()

    async def work() -> None:
        failed.set()
        raise LookupError

    kept = asyncio.create_task(keep_running("summaries", work, pause_s=3600))
    async with asyncio.timeout(20):
        await failed.wait()
        kept.cancel()
        await asyncio.wait({kept})
    assert kept.cancelled()

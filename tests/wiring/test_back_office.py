"""The parts behind the calls: each begins anew after a failure, and knows where it is reached."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from crm.records import NOON
from fixtures_database import _server, database, database_url
from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import Period
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.settings import load_settings
from voiceagent.wiring.back_office import BackOffice

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

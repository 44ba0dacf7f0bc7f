"""The parts of WhatsApp, put together."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from emulators.sidecar import SidecarEmulator
from fixtures_database import _server, database, database_url
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.settings import load_settings
from voiceagent.wiring.correspondence import Correspondence
from whatsapp.world import PHONE, house, until

__all__ = ["_server", "database", "database_url"]

ACCOUNT = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "a-token"}
SENDER = {"TWILIO_WHATSAPP_FROM": "+14155238886"}


@pytest.mark.parametrize(
    ("environ", "available", "first"),
    [
        ({}, ("baileys",), "baileys"),
        (ACCOUNT, ("baileys",), "baileys"),
        (ACCOUNT | SENDER, ("baileys", "twilio"), "twilio"),
        (
            ACCOUNT | SENDER | {"BAILEYS_TOKEN": "0123456789abcdef"},
            ("baileys", "twilio"),
            "baileys",
        ),
    ],
)
async def test_which_ways_out_there_are_and_which_is_the_first(
    tmp_path: Path, environ: dict[str, str], available: tuple[str, ...], first: str
) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path)} | environ)
    office = Correspondence(
        settings, Database("postgresql://x@127.0.0.1:1/x", tmp_path), Tombstones(b"key")
    )
    assert (tuple(office._routes.available), office._routes.first) == (available, first)
    assert (office.owner is None) == (settings.owner_whatsapp is None)
    async with AsyncExitStack() as stack:
        office.close_with(stack)


@pytest.mark.parametrize(
    ("environ", "hears"),
    [
        ({}, False),
        ({"BENCH_ENGINES": "1"}, False),
        ({"GOOGLE_STT_ENDPOINT": "insecure://127.0.0.1:9001"}, True),
    ],
)
async def test_voice_notes_are_listened_to_where_google_hears_callers(
    tmp_path: Path, environ: dict[str, str], hears: bool
) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path)} | environ)
    office = Correspondence(
        settings, Database("postgresql://x@127.0.0.1:1/x", tmp_path), Tombstones(b"key")
    )
    assert (office._fetching._transcriber is not None) == hears
    assert (office.threads._heard_within_s > 0) == hears
    async with AsyncExitStack() as stack:
        office.close_with(stack)


async def test_others_are_told_what_is_new_and_who_wrote(
    database: Database, tmp_path: Path
) -> None:
    told: list[str] = []
    wrote: list[UUID | None] = []
    parts: dict[str, Any] = {"on_message": told.append, "on_written": wrote.append}
    async with (
        SidecarEmulator(tmp_path / "sidecar") as emulator,
        house(database, tmp_path, emulator, **parts) as one,
    ):
        await until(lambda: "" in told)  # it listens from now on
        assert wrote == [None]
        wrote.clear()
        await one.written("hi")
        [message] = await one.messages()
        await until(lambda: wrote)
        assert wrote == [UUID(message["contact_id"])]
        answer = await one.send(PHONE, "hello")
        await until(lambda: told.count(answer.headers["x-message-id"]) == 2)
        assert message["id"] in told


async def test_the_agent_in_writing_knows_the_owner(database: Database, tmp_path: Path) -> None:
    environ = {"OWNER_WHATSAPP": PHONE}
    async with house(database, tmp_path, sends=False, environ=environ) as one:
        await one.written("thanks")
        [message] = await one.messages()
        assert await one.office.threads.silence(UUID(message["contact_id"])) == "owner"


async def test_its_work_ends_when_it_is_told_to(database: Database, tmp_path: Path) -> None:
    settings = load_settings({"DATA_DIR": str(tmp_path)})
    office = Correspondence(settings, database, Tombstones(b"key"))
    work = asyncio.create_task(office.run())
    await asyncio.sleep(0.05)
    work.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([work])
    assert work.cancelled()
    async with AsyncExitStack() as stack:
        office.close_with(stack)

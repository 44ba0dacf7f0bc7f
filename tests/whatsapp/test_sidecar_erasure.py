"""The sidecar erases whoever is erased here: against its emulator, and the real one."""

import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from emulators.sidecar import TOKEN, Fault, SidecarEmulator
from real_whatsapp import TOKEN as REAL_TOKEN
from real_whatsapp import World, until
from voiceagent.crm.identity import uuid7
from voiceagent.crm.messages.outbox import Letter
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.erasure import Traces
from voiceagent.crm.recording.message_models import received_id
from voiceagent.errors import ProviderError
from voiceagent.http_clients import HttpDeadlines, http_client
from voiceagent.whatsapp.ports import Settled
from voiceagent.whatsapp.sidecar import Sidecar
from voiceagent.whatsapp.sidecar_erasure import MAX_IDS, SidecarErasure, always, kept_here
from whatsapp.test_real_sidecar import world

__all__ = ["world"]

PHONE = "+972521111111"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC).isoformat()


def letter(text: str = "שלום") -> Letter:
    return Letter(
        message_id=uuid7(),
        provider="baileys",
        recipient=PHONE,
        text=text,
        attempts=1,
        was_begun=False,
        stopped=False,
        age_s=0.0,
        owner=uuid7(),
    )


def traces(*message_ids: UUID, phone: str = PHONE, at: str = AT) -> Traces:
    return Traces(
        contact_ids=["a contact"],
        call_sids=["CA1"],
        message_ids=[str(message_id) for message_id in message_ids],
        phones=[phone],
        lids=["120363@lid"],
        erased_at=at,
    )


def impatient() -> Any:
    return http_client(HttpDeadlines(connect_s=0.5, receive_s=0.3))


async def never() -> bool:
    return False


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[SidecarEmulator]:
    async with SidecarEmulator(tmp_path / "sidecar") as emulator:
        yield emulator


@pytest.fixture
async def place(emulator: SidecarEmulator) -> AsyncIterator[SidecarErasure]:
    place = SidecarErasure(f"{emulator.url}/", TOKEN, always, impatient)
    yield place
    await place.close()


async def test_it_is_told_who_and_until_when(
    emulator: SidecarEmulator, place: SidecarErasure
) -> None:
    ours = uuid7()
    await place.erase(traces(ours, received_id("baileys", "A")))
    [request] = emulator.requests
    assert (request.method, request.path) == ("POST", "/v1/people/erase")
    # What came in it knows by other ids.
    assert json.loads(request.body) == {
        "phones": [PHONE],
        "lids": ["120363@lid"],
        "message_ids": [str(ours)],
        "before": AT,
    }


async def test_a_message_under_way_is_not_sent_any_more(
    emulator: SidecarEmulator, place: SidecarErasure
) -> None:
    sidecar = Sidecar(emulator.url, TOKEN, impatient)
    sent, late = letter(), letter()
    await sidecar.send(sent)
    await place.erase(traces(sent.message_id, late.message_id))
    gone = Settled("failed", error="erased: on demand")
    assert [await sidecar.send(late), await sidecar.ask(late)] == [gone, gone]
    assert await sidecar.ask(sent) == gone
    assert len(emulator.wire) == 1
    await sidecar.close()


async def test_of_very_many_messages_the_newest_are_named(
    emulator: SidecarEmulator, place: SidecarErasure
) -> None:
    ids = [uuid7() for _ in range(MAX_IDS + 1)]
    await place.erase(traces(*reversed(ids)))
    [request] = emulator.requests
    assert json.loads(request.body)["message_ids"] == [str(one) for one in ids[1:]]


@pytest.mark.parametrize(
    "fault",
    [Fault(503, "not_connected", 10), Fault(401, "unauthorised"), Fault(404, "not_found")],
)
async def test_one_that_does_not_do_it_is_asked_again_later(
    emulator: SidecarEmulator, place: SidecarErasure, fault: Fault
) -> None:
    emulator.faults.append(fault)
    with pytest.raises(ProviderError) as failure:
        await place.erase(traces())
    assert failure.value.retryable
    assert PHONE[4:] not in str(failure.value)
    await place.erase(traces())


async def test_one_that_is_away_is_asked_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    place = SidecarErasure(f"http://127.0.0.1:{port}", TOKEN, always, impatient)
    with pytest.raises(ProviderError) as failure:
        await place.erase(traces())
    assert failure.value.retryable
    await place.close()


async def test_where_none_ever_kept_anything_and_of_nobody_known_none_is_asked(
    emulator: SidecarEmulator, place: SidecarErasure
) -> None:
    without = SidecarErasure(emulator.url, TOKEN, never, impatient)
    await without.erase(traces())
    await without.close()
    await place.erase(Traces(contact_ids=["a contact"], call_sids=["CA1"]))
    assert emulator.requests == []


async def test_whether_one_kept_anything_is_seen_in_the_folder_and_in_the_database(
    database: Database, tmp_path: Path
) -> None:
    look = kept_here(database, tmp_path)
    assert not await look()
    await database.pool.execute("CREATE SCHEMA whatsapp_sidecar")
    await database.pool.execute("CREATE TABLE whatsapp_sidecar.records (tab text)")
    assert await look()
    await database.pool.execute("DROP SCHEMA whatsapp_sidecar CASCADE")
    (tmp_path / "baileys").mkdir()
    (tmp_path / "baileys" / "store.log").touch()
    assert await look()


@pytest.mark.slow
async def test_the_real_one_has_nothing_left(world: World) -> None:
    answer = world.send("מילה אחת", "one")
    assert answer.status_code == 204, answer.text
    world.fake("write", number=PHONE[1:], text="מילה אחרת")
    until(lambda: world.messages(direction="in"), "what was written")
    until(lambda: world.messages(status="read"), "the receipt")
    store = world._place / "sidecar" / "baileys" / "store.log"
    assert PHONE[1:] in store.read_text()

    url = f"http://127.0.0.1:{world._sidecar_port}"
    place = SidecarErasure(url, REAL_TOKEN, always)
    message_id = UUID(answer.headers["x-message-id"])
    at = datetime.now(UTC)
    await place.erase(traces(message_id, at=at.isoformat()))
    assert PHONE[1:] not in store.read_text()
    assert world.sidecar(f"/messages/{message_id}").json()["code"] == "erased"
    await place.close()

    # Who writes again is somebody new, and can be answered. WhatsApp counts in seconds.
    until(lambda: datetime.now(UTC) >= at.replace(microsecond=0) + timedelta(seconds=1), "a second")
    world.fake("write", number=PHONE[1:], text="שוב אני")
    until(lambda: len(world.messages(direction="in")) == 2, "what was written again")
    assert world.send("ברוכה השבה", "two").status_code == 204
    until(lambda: len(world.arrived()) == 2, "the answer")

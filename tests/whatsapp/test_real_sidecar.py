"""The real sidecar between the service and a fake WhatsApp that speaks the real protocol.

What is sent is decrypted at the other end, what is written there is in the CRM, and a sidecar
that is killed loses nothing and sends nothing twice.
"""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures_database import _server, database_url  # noqa: F401
from real_whatsapp import World, until
from whole_service import on_the_line, talk


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:  # noqa: F811
    with World(tmp_path, database_url) as world:
        world.pair()
        world.fake("people", numbers=["972521111111"])
        yield world


@pytest.mark.slow
def test_messages_go_out_and_come_in_and_a_killed_sidecar_loses_none(world: World) -> None:
    # Out, in Hebrew: acknowledged, decrypted at the other end, delivered and read.
    answer = world.send("שלום עולם", "one")
    assert answer.status_code == 204, answer.text
    [letter] = until(world.arrived, "the message")
    assert letter["text"] == "שלום עולם"
    [read] = until(lambda: world.messages(status="read"), "the receipt")
    assert (read["id"], read["direction"]) == (answer.headers["x-message-id"], "out")
    assert read["external_id"] == letter["id"]

    # A number without WhatsApp.
    answer = world.send("hello", "two", to="+972529999999")
    assert answer.status_code == 422
    assert "not_on_whatsapp" in answer.json()["detail"]

    # In, from somebody with a hidden number.
    world.fake("write", number="972521111111", text="אפשר לקבוע פגישה?")
    [written] = until(lambda: world.messages(direction="in"), "what was written")
    assert (written["text"], written["status"]) == ("אפשר לקבוע פגישה?", "received")
    assert written["contact_id"] == read["contact_id"]

    # A picture, fetched and decrypted.
    picture = bytes(range(256)) * 40
    data = base64.b64encode(picture).decode()
    world.fake("picture", number="972521111111", data=data, caption="הסלון")
    shown = until(
        lambda: [one for one in world.messages(direction="in") if one["text"] == "הסלון"],
        "the picture",
    )
    path = f"/api/crm/messages/{shown[0]['id']}/media/0"
    kept = until(lambda: world.file(path), "its content")
    assert kept == picture

    # With the sidecar gone messages wait; it comes back, and each is sent once and in order.
    world.kill_sidecar()
    answers = [world.send(f"number {n}", f"away-{n}").status_code for n in range(2)]
    assert answers == [202, 202]
    world.fake("write", number="972521111111", text="written meanwhile")
    world.start_sidecar()
    world.until_open()
    until(lambda: len(world.arrived()) >= 3, "what waited")
    assert [letter["text"] for letter in world.arrived()] == ["שלום עולם", "number 0", "number 1"]
    until(lambda: len(world.messages(direction="in")) == 3, "what was written meanwhile")
    until(lambda: not world.messages(status="queued"), "their fates")

    # STOP is confirmed, and ends it.
    world.fake("write", number="972521111111", text="הסר")
    until(lambda: len(world.arrived()) == 4, "the confirmation")
    assert "התחל" in world.arrived()[-1]["text"]
    assert world.send("more", "three").status_code == 422


@pytest.mark.slow
async def test_a_call_does_not_notice_that_the_sidecar_is_killed(world: World) -> None:
    async with on_the_line(world, talk(4)) as [line]:
        await line.answers(2)
        await asyncio.to_thread(world.kill_sidecar)
        answer = await asyncio.to_thread(world.send, "שלום", "meanwhile")
        assert answer.status_code == 202
        await line.answers(2)
        result = await line.hang_up()
    assert (result.ended_by, result.error, result.violations) == ("caller", "", ())
    world.start_sidecar()
    world.until_open()
    until(lambda: [letter["text"] for letter in world.arrived()] == ["שלום"], "what waited")

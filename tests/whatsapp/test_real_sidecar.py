"""The real sidecar between the service and a fake WhatsApp that speaks the real protocol.

What is sent is decrypted at the other end, what is written there is in the CRM, and a sidecar
that is killed loses nothing and sends nothing twice.
"""

import asyncio
import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
def test_a_burst_with_the_gaps_of_the_default_is_never_unknown(
    tmp_path: Path,
    database_url: str,  # noqa: F811
) -> None:
    numbers = [f"97252111{n:04d}" for n in range(10)]
    with World(tmp_path, database_url, pace_ms="400-1500") as world:
        world.pair()
        world.fake("people", numbers=numbers)
        # Two to each person, who gets them in their order.
        for turn in ("first", "second"):
            with ThreadPoolExecutor(len(numbers)) as people:
                answers = list(
                    people.map(
                        lambda number, turn=turn: world.send(turn, turn + number, f"+{number}"),
                        numbers,
                    )
                )
            assert {answer.status_code for answer in answers} <= {202, 204}
        seen: set[tuple[str, str]] = set()

        def all_are_there() -> bool:
            now = [(one["status"], one["error"]) for one in world.messages(limit="100")]
            seen.update(now)
            return len(now) == 20 and {status for status, _ in now} <= {"sent", "delivered", "read"}

        until(all_are_there, "twenty messages")
        arrived = [(letter["to"], letter["text"]) for letter in world.arrived()]
    statuses = {status for status, _ in seen}
    assert "unknown" not in statuses, seen
    assert "failed" not in statuses, seen
    assert len(set(arrived)) == len(arrived) == 20
    for person in {to for to, _ in arrived}:
        assert [text for to, text in arrived if to == person] == ["first", "second"]


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

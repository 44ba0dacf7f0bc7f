"""A script that is edited in one process answers calls in all of them; a draft only its trial."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from html import unescape
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection

from fixtures_database import _server, database_url
from live.visitor import KEY, Visitor, field_of
from voiceagent.simulator import messages
from voiceagent.simulator.behaviour import AwaitGoodbye, Press
from web.console.test_phone import upgrade
from whole_service import Service, on_the_line, until

__all__ = ["_server", "database_url"]

AGENT = """
business = "Test"
language = "en-US"
greeting = "This is the file."
closing = "Goodbye."

[[questions]]
id = "first"
save_as = "first"
ask = "First question of the file?"
accept = "anything"

  [[questions.answers]]
  value = "one"
  say = ["tomorrow morning"]
  digit = "1"

[[questions]]
id = "second"
save_as = "second"
ask = "Second question of the file?"
accept = "anything"
"""


class House:
    """Two processes on one database, and somebody signed in to each."""

    def __init__(self, a: Service, b: Service) -> None:
        self.a, self.b = a, b
        self.at_a, self.at_b = Visitor(a), Visitor(b)

    def keep(self, **changes: str) -> int:
        """Write another version at A; its number."""
        page = self.at_a.page("/console/setup/script?view=text")
        script = re.search(r"<textarea class=\"script\"[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
        assert script is not None
        text = unescape(script[1])
        for old, new in changes.items():
            text = text.replace(old, new)
        form = {name: field_of(page, name) for name in ("csrf", "base", "seen")}
        answer = self.at_a.post("/console/setup/script", script=text, **form)
        assert answer.status_code == 303, answer.text
        return int(answer.headers["location"].rpartition("/")[2])

    def make_live(self, version: int) -> None:
        path = f"/console/setup/versions/{version}"
        page = self.at_a.page(path)
        form = {name: field_of(page, name) for name in ("csrf", "seen")}
        assert self.at_a.post(f"{path}/live", **form).status_code == 303

    def answering(self, at: Visitor) -> str:
        page = re.sub(r"<[^>]*>", " ", at.page("/console/setup"))
        found = re.search(r"Answers now\s+(the file|version \d+)", page)
        assert found is not None
        return found[1]


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "agent.toml").write_text(AGENT)
    environ = {"DATABASE_URL": database_url, "AGENT_FILE": str(tmp_path / "agent.toml")}
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "api_key").write_text(KEY)
    with ExitStack() as stack:
        a, b = (stack.enter_context(Service(tmp_path / name, **environ)) for name in "ab")
        await asyncio.gather(a.until_ready(), b.until_ready())
        one = House(a, b)
        await asyncio.gather(
            asyncio.to_thread(one.at_a.signed_in), asyncio.to_thread(one.at_b.signed_in)
        )
        yield one


def said(service: Service, call_sid: str) -> Callable[[], str]:
    """What the agent has said in a call, as far as it is recorded."""

    def look() -> str:
        turns = service.call_record(call_sid).get("turns", [])
        return " ".join(turn["text"] for turn in turns if turn["who"] == "agent")

    return look


async def greeted(service: Service, words: str) -> None:
    async with on_the_line(service, [AwaitGoodbye()]) as [line]:
        await line.answers(1)
        await until(lambda: words in said(service, line.call_sid)())


async def give_back_marks(peer: ClientConnection, stream_sid: str) -> None:
    async for message in peer:
        sent = json.loads(message)
        if sent["event"] == "mark":
            await peer.send(messages.mark(stream_sid, 2, sent["mark"]["name"]))


async def test_a_version_is_tried_made_live_and_answers_in_all_processes(house: House) -> None:
    await greeted(house.b, "This is the file.")
    draft = await asyncio.to_thread(lambda: house.keep(**{"is the file": "is a draft"}))

    # A trial of it, by the browser's phone.
    page = await asyncio.to_thread(house.at_a.page, f"/console/phone?version={draft}")
    assert f"You are trying version {draft}" in page
    assert f'data-version="{draft}"' in page
    answer = await asyncio.to_thread(
        lambda: house.at_a.post(
            "/console/phone/calls", csrf=field_of(page, "csrf"), version=str(draft)
        )
    )
    assert answer.status_code == 201, answer.text
    invitation = answer.json()
    async with upgrade(house.a, invitation["ticket"]) as peer:
        await peer.send(messages.CONNECTED)
        start = (invitation["stream_sid"], invitation["call_sid"], {})
        await peer.send(messages.start("AC0", *start))
        # It counts as said once it was heard: the marks come back.
        marks = asyncio.create_task(give_back_marks(peer, invitation["stream_sid"]))
        await until(lambda: "This is a draft." in said(house.a, invitation["call_sid"])())
        marks.cancel()
    # Nobody else hears it.
    await greeted(house.a, "This is the file.")

    async with on_the_line(house.b, [Press("1"), AwaitGoodbye()]) as [line]:
        await line.answers(1)
        await asyncio.to_thread(house.make_live, draft)
        await until(lambda: house.answering(house.at_b) == f"version {draft}")
        # The call that goes on keeps what it began with.
        later = await asyncio.to_thread(
            lambda: house.keep(**{"question of": "request of", '"Test"': '"Renamed"'})
        )
        await asyncio.to_thread(house.make_live, later)
        await until(lambda: house.answering(house.at_b) == f"version {later}")
        assert "· Renamed</title>" in await asyncio.to_thread(house.at_b.page, "/console")
        await until(lambda: "Second question of the file?" in said(house.b, line.call_sid)())
        assert "This is the file." in said(house.b, line.call_sid)()
    for service in (house.a, house.b):
        await greeted(service, "This is a draft. First request of the file?")

    await asyncio.to_thread(house.make_live, 0)
    await until(lambda: house.answering(house.at_b) == "the file")
    await greeted(house.b, "This is the file.")

"""Which agent answers: the file's, a version's, and what becomes of damage and outages."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from fixtures_database import _server, database, database_url
from voiceagent.brain.agent.file import AgentText, read_agent
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.call.services import CallServices
from voiceagent.crm.desk.agent_versions import AGENT_CHANNEL, AgentVersions
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.notifications import Notifications
from voiceagent.errors import AgentFileError, NotFound, ProviderError
from voiceagent.web.agents import Agent, Agents
from whatsapp.world import until

__all__ = ["_server", "database", "database_url"]

TOML = """
business = "Corner Clinic"
language = "en-GB"
greeting = "{greeting}"
prompt = "Be kind."
closing = "Goodbye."
"""
FILE = AgentText(TOML.replace("{greeting}", "From the file."), "clinic.toml", "en-GB")


def script(greeting: str) -> str:
    return TOML.replace("{greeting}", greeting)


def services(profile: AgentProfile) -> CallServices:
    """What tells agents apart is enough."""
    return cast("CallServices", profile.greeting)


def agents_on(
    database: Database, file: AgentText = FILE, tell: Any = lambda *_: None, make: Any = services
) -> Agents:
    profile = read_agent(file.toml, file.source, file.language)
    return Agents(file, profile, make, AgentVersions(database, tell))


async def make_live(agents: Agents, text: str) -> int:
    versions = agents.versions
    newest = await versions.newest()
    seen = newest.id if newest else 0
    kept = await versions.add(text, made_by="", note="", based_on=None, seen=seen)
    change = (await versions.live()).change
    await versions.make_live(kept.id, made_by="", seen=change, file_sum=agents.file.checksum)
    return kept.id


def greeting(agents: Agents) -> str:
    assert cast("Any", agents.now.services) == agents.now.profile.greeting
    return " ".join(agents.now.profile.greeting)


async def test_before_anything_was_made_live_the_file_answers(database: Database) -> None:
    agents = agents_on(database)
    assert await agents.load()
    assert greeting(agents) == "From the file."
    assert agents.in_force.version is None
    assert agents.in_force.live.change == 0


async def test_a_version_that_is_live_answers_until_the_floor_is_given_back(
    database: Database,
) -> None:
    agents, told = agents_on(database), list[int | None]()

    async def note(agent: Agent) -> None:
        told.append(agent.version)

    agents.follow(note)
    version = await make_live(agents, script("From a version."))
    await agents.load()
    await agents.load()
    assert greeting(agents) == "From a version."
    assert agents.in_force.version == version
    change = (await agents.versions.live()).change
    await agents.versions.make_live(None, made_by="", seen=change, file_sum="")
    await agents.load()
    assert greeting(agents) == "From the file."
    assert told == [version, None]


async def test_a_file_that_was_changed_since_is_told_of(database: Database) -> None:
    await make_live(agents_on(database), script("From a version."))
    same, other = agents_on(database), agents_on(database, AgentText(FILE.toml + "\n", "x", "he"))
    for agents in (same, other):
        await agents.load()
        assert greeting(agents) == "From a version."
    assert not same.in_force.file_changed
    assert other.in_force.file_changed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("greeting = ", "not TOML"),
        ("x = " + "[" * 5000, "nested too deeply"),
        (script("x") + 'nonsense = "y"', "nonsense: no such key"),
        ("at_least = " + "9" * 5000, "not TOML"),
    ],
    ids=["no toml", "deep", "unknown key", "many digits"],
)
async def test_a_damaged_version_leaves_the_file_in_force_and_says_so_once(
    database: Database, caplog: pytest.LogCaptureFixture, text: str, why: str
) -> None:
    agents = agents_on(database)
    version = await make_live(agents, text)
    with caplog.at_level(logging.WARNING):
        await agents.load()
        await agents.load()
    assert greeting(agents) == "From the file."
    [line] = caplog.messages
    assert f"version {version}" in line
    assert why in line
    assert why in agents.in_force.faults[0]
    assert agents.in_force.live.version_id == version


async def test_a_version_that_cannot_be_built_is_a_damaged_one(database: Database) -> None:
    def make(profile: AgentProfile) -> CallServices:
        if profile.greeting != ("From the file.",):
            raise ZeroDivisionError
        return services(profile)

    agents = agents_on(database, make=make)
    await make_live(agents, script("From a version."))
    await agents.load()
    assert greeting(agents) == "From the file."
    assert agents.in_force.faults == ("script: ZeroDivisionError",)


async def test_a_database_that_is_away_leaves_everything_as_it_is(tmp_path: Path) -> None:
    away = Database("postgresql://x@127.0.0.1:1/x", tmp_path)
    agents = agents_on(away)
    assert not await agents.load()
    assert greeting(agents) == "From the file."
    with pytest.raises(ProviderError):
        await agents.of(3)


async def test_a_trial_changes_nothing_for_others(database: Database) -> None:
    agents = agents_on(database)
    kept = await agents.versions.add(script("A draft."), made_by="", note="", based_on=None, seen=0)
    tried = await agents.of(kept.id)
    assert tried.profile.greeting == ("A draft.",)
    assert greeting(agents) == "From the file."
    assert await agents.of(None) is agents.now
    with pytest.raises(NotFound):
        await agents.of(kept.id + 1)


async def test_a_draft_is_checked_as_the_file_is(database: Database) -> None:
    agents = agents_on(database)
    assert (await agents.check(script("Fine."))).greeting == ("Fine.",)
    with pytest.raises(AgentFileError) as told:
        await agents.check('business = "B"\nprompt = "P"')
    assert told.value.faults == ["script: greeting: missing"]


@asynccontextmanager
async def process(database: Database) -> AsyncIterator[Agents]:
    """One of several on a database, which tell each other."""
    handlers = {AGENT_CHANNEL: lambda _: agents.look_again()}
    word = Notifications(database, handlers)
    agents = agents_on(database, tell=word.tell)
    work = [asyncio.create_task(word.run()), asyncio.create_task(agents.run())]
    try:
        yield agents
    finally:
        for task in work:
            task.cancel()
        await asyncio.wait(work)


async def test_all_processes_on_a_database_follow(database: Database) -> None:
    async with process(database) as one, process(database) as other:
        await make_live(one, script("For both."))
        await until(lambda: greeting(one) == greeting(other) == "For both.")
        await make_live(other, script("And back."))
        await until(lambda: greeting(one) == greeting(other) == "And back.")


async def test_a_part_that_fails_to_follow_holds_up_nobody(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    agents, told = agents_on(database), list[int | None]()

    async def fails(_agent: Agent) -> None:
        raise ZeroDivisionError

    async def note(agent: Agent) -> None:
        told.append(agent.version)

    agents.follow(fails)
    agents.follow(note)
    version = await make_live(agents, script("From a version."))
    assert await agents.load()
    assert greeting(agents) == "From a version."
    assert told == [version]
    assert "a part goes on as the agent of before" in caplog.text

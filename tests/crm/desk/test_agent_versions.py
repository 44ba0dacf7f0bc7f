"""Versions of the agent's script, on a real database."""

import asyncio

import pytest

from fixtures_database import _server, database, database_url
from voiceagent.crm.desk.agent_versions import (
    AGENT_CHANNEL,
    MAX_SCRIPT_BYTES,
    AgentVersions,
    Live,
    OutOfDate,
)
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import NotFound, ProviderError

__all__ = ["_server", "database", "database_url"]


class Told(list[tuple[str, str]]):
    def __call__(self, channel: str, payload: str) -> None:
        self.append((channel, payload))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def versions(database: Database, told: Told) -> AgentVersions:
    return AgentVersions(database, told)


async def test_before_anybody_wrote_there_is_nothing_and_the_file_is_live(
    versions: AgentVersions,
) -> None:
    assert await versions.newest() is None
    assert await versions.heads() == []
    assert await versions.live() == Live(0)
    with pytest.raises(NotFound):
        await versions.get(1)


async def test_a_version_is_kept_as_it_was_written(versions: AgentVersions) -> None:
    script = 'business = "קפה <b>&amp;</b>"\r\n\t# \U0001f600\n'
    kept = await versions.add(script, made_by="Dana", note="a name", based_on=None, seen=0)
    assert await versions.get(kept.id) == await versions.newest() == kept
    assert kept.script == script
    assert (kept.head.made_by, kept.head.note, kept.head.based_on) == ("Dana", "a name", None)


async def test_the_newest_is_listed_first(versions: AgentVersions) -> None:
    first = await versions.add("a = 1", made_by="", note="", based_on=None, seen=0)
    second = await versions.add("a = 2", made_by="", note="", based_on=first.id, seen=first.id)
    assert [head.id for head in await versions.heads()] == [second.id, first.id]


async def test_the_same_text_is_no_new_version(versions: AgentVersions) -> None:
    first = await versions.add("a = 1", made_by="", note="", based_on=None, seen=0)
    again = await versions.add("a = 1", made_by="x", note="y", based_on=None, seen=0)
    assert again == first


async def test_who_wrote_on_an_older_one_is_told_of_the_newest(versions: AgentVersions) -> None:
    first = await versions.add("a = 1", made_by="", note="", based_on=None, seen=0)
    with pytest.raises(OutOfDate) as told:
        await versions.add("a = 2", made_by="", note="", based_on=None, seen=0)
    assert told.value.newest == first.id
    assert len(await versions.heads()) == 1


async def test_of_many_at_once_all_but_one_are_told(versions: AgentVersions) -> None:
    # Connections that are open already do not come one after the other.
    await asyncio.gather(*(versions.newest() for _ in range(8)))
    all_of_them = await asyncio.gather(
        *(versions.add(f"a = {n}", made_by="", note="", based_on=None, seen=0) for n in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, OutOfDate) for one in all_of_them) == 7
    assert len(await versions.heads()) == 1


async def test_a_version_goes_live_and_back_to_the_file(
    versions: AgentVersions, told: Told
) -> None:
    kept = await versions.add("a = 1", made_by="", note="", based_on=None, seen=0)
    assert told == []
    await versions.make_live(kept.id, made_by="Dana", seen=0, file_sum="5u")
    live = await versions.live()
    assert (live.version_id, live.script, live.made_by) == (kept.id, "a = 1", "Dana")
    assert live.file_sum == "5u"
    await versions.make_live(None, made_by="Avi", seen=live.change, file_sum="5u")
    back = await versions.live()
    assert (back.version_id, back.script) == (None, None)
    assert back.change > live.change
    assert told == [(AGENT_CHANNEL, "")] * 2


async def test_what_is_live_already_is_not_made_so_again(
    versions: AgentVersions, told: Told
) -> None:
    kept = await versions.add("a = 1", made_by="", note="", based_on=None, seen=0)
    for _ in range(2):
        await versions.make_live(kept.id, made_by="", seen=0, file_sum="")
    assert len(told) == 1


async def test_of_two_who_make_different_ones_live_the_second_is_told(
    versions: AgentVersions, told: Told
) -> None:
    one = await versions.add("a = 1", made_by="", note="", based_on=None, seen=0)
    two = await versions.add("a = 2", made_by="", note="", based_on=one.id, seen=one.id)
    await versions.make_live(one.id, made_by="", seen=0, file_sum="")
    with pytest.raises(OutOfDate):
        await versions.make_live(two.id, made_by="", seen=0, file_sum="")
    assert (await versions.live()).version_id == one.id
    assert len(told) == 1


async def test_an_unknown_version_cannot_go_live(versions: AgentVersions, told: Told) -> None:
    with pytest.raises(NotFound):
        await versions.make_live(7, made_by="", seen=0, file_sum="")
    assert told == []


@pytest.mark.parametrize("script", ["é" * (MAX_SCRIPT_BYTES // 2 + 1), "a = '\x00'"])
async def test_what_no_database_keeps_is_refused_in_order(
    versions: AgentVersions, script: str
) -> None:
    with pytest.raises(ProviderError):
        await versions.add(script, made_by="", note="", based_on=None, seen=0)

"""Whatever dies and however many work, who wrote is answered once, and nothing is lost."""

import asyncio
from typing import Any

import pytest
from warped_time import on_warped_time

from voiceagent.written.ports import WrittenHouse
from written.agents import HELLO
from written.world import ANN, Life, SlowMind, World, fields_of

FIRST = f"{HELLO}\n\nSmall or large?"
HAND_OVER = f"{HELLO}\n\nOf course. Somebody of our team will answer you here."


async def requests_of_an_answer(text: str) -> int:
    """How often a process asks its ports from a message to its answer."""
    world = World()
    house, life = world.mortal(0, after=False)
    async with world.process(house, sweep_s=1e6) as agent:
        world.write(text, ANN, agent)
        await agent.idle()
    return life.requests


async def killed(world: World, text: str, house: WrittenHouse, life: Life) -> None:
    """A process is told of a message and is killed at one of its requests."""
    async with world.process(house, sweep_s=1e6) as agent:
        world.write(text, ANN, agent)
        await agent.idle()
    assert life.dead.is_set()


@pytest.mark.parametrize("after", [False, True], ids=["before it was done", "after"])
def test_killed_at_any_request_it_is_answered_once_by_the_next_process(after: bool) -> None:
    @on_warped_time
    async def every_request() -> None:
        requests = await requests_of_an_answer("some tea")
        assert requests > 8
        for dies_at in range(1, requests + 1):
            world = World()
            house, life = world.mortal(dies_at, after=after)
            await killed(world, "some tea", house, life)
            async with world.process(sweep_s=30) as agent:
                await asyncio.sleep(200)
                assert world.replies() == [FIRST], dies_at
                assert fields_of(world) == {"drink": "tea"}
                # The script stands where it should: nothing was counted twice.
                world.write("large", ANN, agent)
                await agent.idle()
                assert world.replies() == [FIRST, "With milk?"], dies_at
            assert world.people.told == {}

    every_request()


@pytest.mark.parametrize("after", [False, True], ids=["before it was done", "after"])
def test_so_is_a_wish_for_a_person_and_it_is_told(after: bool) -> None:
    @on_warped_time
    async def every_request() -> None:
        text = "I want to talk to a real person"
        for dies_at in range(1, await requests_of_an_answer(text) + 1):
            world = World()
            house, life = world.mortal(dies_at, after=after)
            await killed(world, text, house, life)
            async with world.process(sweep_s=30):
                await asyncio.sleep(200)
            assert world.replies() == [HAND_OVER], dies_at
            assert list(world.people.told.values()) == ["asked"], dies_at
            assert (await world.switch.of(ANN)).agent == "person", dies_at

    every_request()


@on_warped_time
async def test_a_process_that_is_stopped_leaves_the_message_to_the_next_at_once() -> None:
    world = World()
    world.mind = SlowMind(world.script, thinks_s=20)
    async with world.process() as agent:
        world.write("some tea", ANN, agent)
        await asyncio.sleep(10)
    assert world.replies() == []
    world.mind = None
    async with world.process(sweep_s=1e6) as agent:
        await asyncio.sleep(1)
        await agent.idle()
    assert world.replies() == [FIRST]


@on_warped_time
async def test_two_processes_that_are_told_of_one_message_answer_it_once() -> None:
    world = World()
    world.mind = mind = SlowMind(world.script, thinks_s=5)
    async with world.process() as one, world.process() as other:
        world.write("some tea", ANN, one, other)
        await one.idle()
        await other.idle()
    assert world.replies() == [FIRST]
    # And only one of them thought about it.
    assert mind.asked == ["some tea"]


@on_warped_time
async def test_a_burst_that_reaches_two_processes_is_answered_once() -> None:
    world = World()
    world.mind = mind = SlowMind(world.script, thinks_s=5)
    async with world.process() as one, world.process() as other:
        world.write("some tea", ANN, one)
        await asyncio.sleep(1)
        world.write("a large one", ANN, other)
        await one.idle()
        await other.idle()
    assert world.replies() == [f"{HELLO}\n\nWith milk?"]
    assert mind.effects == ["some tea\na large one"]


@on_warped_time
async def test_who_writes_to_another_process_while_one_is_sending_does_not_wait_for_a_sweep() -> (
    None
):
    world = World()

    async def takes_long(*arguments: Any) -> bool:
        await asyncio.sleep(5)
        return await world.threads.reply(*arguments)

    house = world.house_with("threads", reply=takes_long)
    async with world.process(house, sweep_s=1e6) as one, world.process(sweep_s=1e6) as other:
        world.write("some tea", ANN, one)
        await asyncio.sleep(3)
        world.write("large", ANN, other)
        await asyncio.sleep(10)
        assert world.replies() == [FIRST, "With milk?"]
        await one.idle()
        await other.idle()


@on_warped_time
async def test_a_process_that_hangs_longer_than_its_lease_does_not_answer_too() -> None:
    world = World()
    world.mind = SlowMind(world.script, thinks_s=29)
    async with world.process(lease_s=5) as slow:
        world.write("some tea", ANN, slow)
        await asyncio.sleep(10)
        world.mind = None
        async with world.process(sweep_s=1e6) as quick:
            await asyncio.sleep(1)
            await quick.idle()
            assert world.replies() == [FIRST]
            await slow.idle()
    assert world.replies() == [FIRST]

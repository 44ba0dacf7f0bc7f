"""The agent in writing: answers once, together, at once, and not when a person has taken over."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from warped_time import on_warped_time

from voiceagent.errors import NotFound, ProviderError
from voiceagent.written.answering import LONGEST_WAIT_S
from voiceagent.written.loops import MAX_QUICK
from voiceagent.written.wording import file_reply
from written.agents import HELLO, message_taker
from written.world import ANN, BEN, SlowMind, World, fields_of


@on_warped_time
async def test_a_message_is_answered_and_what_it_tells_is_saved() -> None:
    world = World()
    async with world.process() as agent:
        message = world.write("some tea", ANN, agent)
        await agent.idle()
    assert world.replies() == [f"{HELLO}\n\nSmall or large?"]
    assert world.threads.threads[ANN][-1].answers == message.id
    assert fields_of(world) == {"drink": "tea"}


@on_warped_time
async def test_messages_of_which_nobody_told_are_found_at_once_when_word_was_missed() -> None:
    world = World()
    async with world.process(sweep_s=1e6) as agent:
        world.write("some tea", ANN)
        await asyncio.sleep(60)
        assert world.replies() == []
        agent.messages_missed()
        await asyncio.sleep(1)
        await agent.idle()
        assert len(world.replies()) == 1


@on_warped_time
async def test_messages_that_come_one_upon_the_other_are_answered_together() -> None:
    world = World()
    async with world.process() as agent:
        for text in ("hi", "some tea", "a small one"):
            world.write(text, ANN, agent)
            await asyncio.sleep(2)
        await agent.idle()
        assert world.replies() == [f"{HELLO}\n\nWith milk?"]


@on_warped_time
async def test_whoever_goes_on_writing_is_answered_after_a_while() -> None:
    world = World()
    async with world.process() as agent:
        for number in range(30):
            world.write(f"and number {number}", ANN, agent)
            await asyncio.sleep(1)
            if world.replies():
                break
        assert LONGEST_WAIT_S <= number + 1 <= LONGEST_WAIT_S + 1
        await agent.idle()


@on_warped_time
async def test_a_whole_conversation() -> None:
    world = World()
    async with world.process() as agent:
        for text in ("hi", "tea", "large", "no", "I am Ann", "thank you!"):
            world.write(text, ANN, agent)
            await agent.idle()
            await asyncio.sleep(20)
    assert world.replies() == [
        f"{HELLO}\n\nTea or coffee?",
        "Small or large?",
        "With milk?",
        "What is your name?",
        "Thank you, Ann.",
    ]
    assert fields_of(world) == {"drink": "tea", "size": "large", "milk": "no", "name": "Ann"}
    assert world.people.told == {}


@on_warped_time
async def test_a_message_that_comes_while_an_answer_is_made_is_answered_with_it() -> None:
    world = World()
    world.mind = mind = SlowMind(world.script, thinks_s=5)
    async with world.process() as agent:
        world.write("some tea", ANN, agent)
        await asyncio.sleep(4)
        world.write("large", ANN, agent)
        await agent.idle()
    assert world.replies() == [f"{HELLO}\n\nWith milk?"]
    assert (mind.asked, mind.given_up) == (["some tea", "some tea\nlarge"], 1)
    # What was given up has done nothing.
    assert mind.effects == ["some tea\nlarge"]


@pytest.mark.parametrize("acts", [True, False])
def test_so_is_one_that_another_process_was_told_of(acts: bool) -> None:
    @on_warped_time
    async def is_so() -> None:
        world = World()
        world.mind = mind = SlowMind(world.script, thinks_s=5, acts=acts)
        async with world.process() as agent:
            world.write("some tea", ANN, agent)
            await asyncio.sleep(4)
            world.write("large")
            await agent.idle()
        assert world.replies() == [f"{HELLO}\n\nWith milk?"]
        assert mind.effects == (["some tea\nlarge"] if acts else [])

    is_so()


@on_warped_time
async def test_a_message_that_comes_while_an_answer_is_sent_is_answered_after_it() -> None:
    world = World()

    async def takes_long(*arguments: Any) -> bool:
        await asyncio.sleep(3)
        return await world.threads.reply(*arguments)

    house = world.house_with("threads", reply=takes_long)
    async with world.process(house, sweep_s=1e6) as agent:
        world.write("some tea", ANN, agent)
        await asyncio.sleep(4)
        world.write("large", ANN, agent)
        await agent.idle()
    assert world.replies() == [f"{HELLO}\n\nSmall or large?", "With milk?"]


@on_warped_time
async def test_who_never_stops_writing_does_not_keep_the_answer_from_being_sent() -> None:
    world = World()
    world.mind = mind = SlowMind(world.script, thinks_s=8)
    async with world.process() as agent:
        for number in range(40):
            world.write(f"number {number}", ANN, agent)
            await asyncio.sleep(3)
        assert 2 <= len(world.replies()) <= 6
        await agent.idle()
    thread = world.threads.threads[ANN]
    last = [message.id for message in thread if message.who == "contact"][-1]
    assert [message.answers for message in thread if message.answers][-1] == last
    assert mind.most_at_once == 1


@on_warped_time
async def test_a_reaction_meanwhile_changes_nothing() -> None:
    world = World()
    world.mind = mind = SlowMind(world.script, thinks_s=5)
    async with world.process() as agent:
        world.write("some tea", ANN, agent)
        await asyncio.sleep(4)
        thumb = world.write("", ANN, agent, kind="reaction")
        await agent.idle()
    assert mind.asked == ["some tea"]
    assert world.threads.threads[ANN][-1].answers == thumb.id


class TestHandOver:
    @on_warped_time
    async def test_who_asks_for_a_person_is_told_once_and_left_to_people(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        world = World()
        async with world.process() as agent:
            asked = world.write("I want to talk to a real person", ANN, agent)
            await agent.idle()
            world.write("hello?", ANN, agent)
            await agent.idle()
        assert world.replies() == [
            f"{HELLO}\n\nOf course. Somebody of our team will answer you here."
        ]
        assert world.people.told == {(ANN, asked.id): "asked"}
        assert (await world.switch.of(ANN)).agent == "person"
        assert f"a person answers from now on contact_id={ANN} reason=asked" in caplog.text

    @on_warped_time
    async def test_who_takes_over_stops_an_answer_that_is_being_made(self) -> None:
        world = World()
        world.mind = mind = SlowMind(world.script, thinks_s=5)
        async with world.process() as agent:
            world.write("some tea", ANN, agent)
            await asyncio.sleep(4)
            assert mind.at_once == 1
            await world.switch.set(ANN, "person")
            agent.switched(ANN)
            now_s = asyncio.get_running_loop().time()
            await agent.idle()
            assert (mind.given_up, asyncio.get_running_loop().time()) == (1, now_s)
        assert world.replies() == []
        assert fields_of(world) == {}

    @on_warped_time
    async def test_so_does_who_takes_over_in_another_process(self) -> None:
        world = World()
        world.mind = mind = SlowMind(world.script, thinks_s=5)
        async with world.process() as agent:
            world.write("some tea", ANN, agent)
            await asyncio.sleep(4)
            await world.switch.set(ANN, "person")
            await agent.idle()
        assert (world.replies(), mind.effects) == ([], [])

    @on_warped_time
    async def test_even_between_the_last_look_and_the_sending(self) -> None:
        world = World()
        real = world.threads.reply

        async def taken_over_first(contact_id: UUID, text: str, key: str, answers: str) -> bool:
            await world.switch.set(contact_id, "person")
            return await real(contact_id, text, key, answers)

        house = world.house_with("threads", reply=taken_over_first)
        async with world.process(house) as agent:
            world.write("some tea", ANN, agent)
            await agent.idle()
        assert world.replies() == []
        assert (await world.dialogues.unfinished(9)) == []

    @on_warped_time
    async def test_who_gives_back_lets_the_agent_answer_what_nobody_did(self) -> None:
        world = World()
        async with world.process() as agent:
            await world.switch.set(ANN, "person")
            world.write("some tea", ANN, agent)
            await asyncio.sleep(600)
            assert world.replies() == []
            await world.switch.set(ANN, "on")
            agent.switched(ANN)
            await agent.idle()
        assert world.replies() == [f"{HELLO}\n\nSmall or large?"]

    @on_warped_time
    async def test_and_nothing_that_the_person_answered(self) -> None:
        world = World()
        async with world.process() as agent:
            await world.switch.set(ANN, "person")
            world.write("some tea", ANN, agent)
            await asyncio.sleep(60)
            world.person_writes("Tea is out today, sorry. Coffee?")
            await asyncio.sleep(60)
            await world.switch.set(ANN, "on")
            agent.switched(ANN)
            await agent.idle()
            assert world.replies() == []
            world.write("a large coffee then", ANN, agent)
            await agent.idle()
        # The person has introduced everybody.
        assert world.replies() == ["Coffee. With milk?"]

    @on_warped_time
    async def test_a_conversation_given_back_elsewhere_is_found_by_the_sweep(self) -> None:
        world = World()
        async with world.process(sweep_s=30):
            await world.switch.set(ANN, "person")
            world.write("some tea")
            await asyncio.sleep(300)
            await world.switch.set(ANN, "on")
            await asyncio.sleep(40)
        assert world.replies() == [f"{HELLO}\n\nSmall or large?"]

    @on_warped_time
    async def test_nobody_talks_over_somebody_who_writes_without_taking_over(self) -> None:
        world = World()
        async with world.process(sweep_s=30) as agent:
            world.person_writes("Hello Ann, your tea is ready.")
            await asyncio.sleep(60)
            world.write("a large coffee instead", ANN, agent)
            await asyncio.sleep(3000)
            assert world.replies() == []
            # Nobody answered for an hour.
            await asyncio.sleep(600)
        assert world.replies() == ["Coffee. With milk?"]

    @on_warped_time
    async def test_who_is_off_is_not_answered(self) -> None:
        world = World()
        await world.switch.set(ANN, "off")
        async with world.process(sweep_s=30) as agent:
            world.write("some tea", ANN, agent)
            await asyncio.sleep(100)
        assert world.replies() == []


class TestWhoWantsNoMessages:
    @on_warped_time
    async def test_costs_no_answer(self) -> None:
        world = World()
        world.mind = mind = SlowMind(world.script)
        world.threads.silences[ANN] = "opted_out"
        async with world.process(sweep_s=30) as agent:
            world.write("some tea", ANN, agent)
            await asyncio.sleep(300)
        assert (world.replies(), mind.asked) == ([], [])

    @on_warped_time
    async def test_an_answer_that_was_refused_is_not_made_again_and_again(self) -> None:
        async def refuse(*_: object) -> bool:
            return False

        world = World()
        world.mind = mind = SlowMind(world.script)
        async with world.process(world.house_with("threads", reply=refuse), sweep_s=30) as agent:
            world.write("some tea", ANN, agent)
            await asyncio.sleep(300)
            assert mind.asked == ["some tea"]
            world.write("large", ANN, agent)
            await agent.idle()
        assert mind.asked == ["some tea", "some tea\nlarge"]

    @on_warped_time
    async def test_nor_is_one_that_the_channel_will_never_take(self) -> None:
        async def refuse(*_: object) -> bool:
            raise ProviderError("no such number", retryable=False)

        world = World()
        world.mind = mind = SlowMind(world.script)
        async with world.process(world.house_with("threads", reply=refuse), sweep_s=30) as agent:
            message = world.write("some tea", ANN, agent)
            await asyncio.sleep(300)
        assert mind.asked == ["some tea"]
        assert world.people.told == {(ANN, message.id): "failed"}

    @on_warped_time
    async def test_one_that_somebody_took_over_from_is_made_when_it_is_given_back(self) -> None:
        world = World()

        async def taken_over(*_: object) -> bool:
            await world.switch.set(ANN, "person")
            return False

        world.mind = mind = SlowMind(world.script)
        house = world.house_with("threads", reply=taken_over)
        async with world.process(house, sweep_s=30) as agent:
            world.write("some tea", ANN, agent)
            await asyncio.sleep(300)
            assert mind.asked == ["some tea"]
            await world.switch.set(ANN, "on")  # by another process: nobody tells this one
            await asyncio.sleep(60)
        assert len(mind.asked) > 1


class TestWhenItFails:
    @on_warped_time
    async def test_nothing_is_sent_and_a_person_is_told_once(self) -> None:
        world = World()
        failure = ProviderError("out of order", retryable=True)
        world.mind = mind = SlowMind(world.script, thinks_s=1, failure=failure)
        async with world.process(sweep_s=30) as agent:
            message = world.write("some tea", ANN, agent)
            await asyncio.sleep(300)
            assert world.replies() == []
            assert world.people.told == {(ANN, message.id): "failed"}
            # It stays unanswered, and is not tried again and again.
            assert [each.message_id for each in await world.threads.unanswered(0, 9)] == [
                message.id
            ]
            assert len(mind.asked) == 1
            # With the next message everything is answered.
            mind.failure = None
            world.write("large", ANN, agent)
            await agent.idle()
        assert world.replies() == [f"{HELLO}\n\nWith milk?"]

    @pytest.mark.parametrize("failure", [ValueError("a fault of its own"), TimeoutError()])
    def test_whatever_the_fault_is(self, failure: Exception) -> None:
        @on_warped_time
        async def fails() -> None:
            world = World()
            world.mind = SlowMind(world.script, thinks_s=1, failure=failure)
            async with world.process() as agent:
                message = world.write("some tea", ANN, agent)
                await agent.idle()
            assert world.people.told == {(ANN, message.id): "failed"}

        fails()

    @on_warped_time
    async def test_an_answer_has_a_deadline(self) -> None:
        world = World()
        world.mind = mind = SlowMind(world.script, thinks_s=1000)
        async with world.process(deadline_s=30) as agent:
            message = world.write("some tea", ANN, agent)
            await agent.idle()
            assert 132 < asyncio.get_running_loop().time() < 134
        assert world.people.told == {(ANN, message.id): "failed"}
        assert mind.given_up == 1

    @on_warped_time
    async def test_a_port_that_is_away_for_a_while_loses_nothing(self) -> None:
        world = World()
        house, life = world.mortal(4, after=False)
        async with world.process(house, sweep_s=30) as agent:
            world.write("some tea", ANN, agent)
            await asyncio.sleep(100)
            assert world.replies() == []
            life.dead.clear()
            await asyncio.sleep(100)
        assert world.replies() == [f"{HELLO}\n\nSmall or large?"]

    @on_warped_time
    async def test_a_refused_message_is_told_to_people_and_not_tried_for_ever(self) -> None:
        world = World()
        tries = 0

        async def refuse(*_: object) -> bool:
            nonlocal tries
            tries += 1
            raise ProviderError("no such number", retryable=False)

        house = world.house_with("threads", reply=refuse)
        async with world.process(house, sweep_s=1000) as agent:
            message = world.write("some tea", ANN, agent)
            await agent.idle()
        assert (tries, world.people.told) == (1, {(ANN, message.id): "failed"})
        assert await world.dialogues.unfinished(9) == []

    @on_warped_time
    async def test_fields_that_are_refused_do_not_keep_the_answer(self) -> None:
        world = World()

        async def refuse(*_: object) -> None:
            raise ProviderError("too long", retryable=False)

        async with world.process(replace(world.house, learn=refuse)) as agent:
            world.write("some tea", ANN, agent)
            await agent.idle()
        assert world.replies() == [f"{HELLO}\n\nSmall or large?"]

    @on_warped_time
    async def test_whoever_was_erased_is_nobody(self) -> None:
        world = World()

        async def nobody(contact_id: UUID, lease_s: float) -> None:
            raise NotFound("erased")

        async with world.process(world.house_with("dialogues", claim=nobody)) as agent:
            world.write("some tea", ANN, agent)
            await agent.idle()
        assert (world.replies(), world.people.told) == ([], {})


class TestMany:
    @on_warped_time
    async def test_contacts_do_not_wait_for_each_other_and_few_are_answered_at_a_time(
        self,
    ) -> None:
        world = World()
        world.mind = mind = SlowMind(world.script, thinks_s=2)
        contacts = [UUID(int=number) for number in range(50)]
        async with world.process(at_once=5) as agent:
            for contact_id in contacts:
                world.write("some tea", contact_id, agent)
            await agent.idle()
            assert mind.most_at_once == 5
        assert all(len(world.replies(contact_id)) == 1 for contact_id in contacts)

    @on_warped_time
    async def test_in_a_full_house_the_others_are_put_off_and_found_later(self) -> None:
        world = World()
        contacts = [UUID(int=number) for number in range(25)]
        async with world.process(attended=10, sweep_s=30) as agent:
            await asyncio.sleep(1)
            for contact_id in contacts:
                world.write("some tea", contact_id, agent)
            assert agent.put_off == 15
            await agent.idle()
            assert sum(bool(world.replies(contact_id)) for contact_id in contacts) == 10
            await asyncio.sleep(100)
        assert all(len(world.replies(contact_id)) == 1 for contact_id in contacts)

    @on_warped_time
    async def test_threads_that_want_no_answer_are_not_read_again_by_every_sweep(self) -> None:
        world = World()
        reads = 0

        async def count(contact_id: UUID, limit: int) -> object:
            nonlocal reads
            reads += 1
            return await world.threads.last(contact_id, limit)

        house = world.house_with("threads", last=count)
        async with world.process(house, sweep_s=30) as agent:
            world.write("STOP", ANN, agent, kind="wish")
            world.write("👍", BEN, agent)
            await agent.idle()
            before = reads
            await asyncio.sleep(300)
        assert (reads - before, world.replies(ANN), world.replies(BEN)) == (0, [], [])


class TestLoops:
    @on_warped_time
    async def test_two_agents_that_write_to_each_other_come_to_an_end(self) -> None:
        """Each is a contact of the other; both are this very agent."""
        one, other = World(), World(profile=message_taker())
        async with one.process(sweep_s=1e6) as first, other.process(sweep_s=1e6) as second:
            one.threads.on_reply = lambda text: void(other.write(text, ANN, second))
            other.threads.on_reply = lambda text: void(one.write(text, ANN, first))
            one.write("Hello, who is there?", ANN, first)
            await asyncio.sleep(3600)
            said = len(one.replies()) + len(other.replies())
            await asyncio.sleep(36_000)
            assert len(one.replies()) + len(other.replies()) == said
        assert 2 <= said <= 16

    @on_warped_time
    async def test_a_machine_is_told_to_people_once_a_day(self) -> None:
        world = World()
        async with world.process() as agent:
            world.threads.on_reply = lambda text: void(
                world.write(f"We have received this and will read it soon: {text}", ANN, agent)
            )
            world.write("Hello, who is there?", ANN, agent)
            await asyncio.sleep(600)
            assert len(world.replies()) <= MAX_QUICK + 1
            world.write("We have received this", ANN, agent)
            await asyncio.sleep(60)
        assert list(world.people.told.values()) == ["loop"]


@on_warped_time
async def test_a_file_is_acknowledged() -> None:
    world = World()
    async with world.process() as agent:
        for _ in range(3):
            world.write("", ANN, agent, kind="media")
        await agent.idle()
        await asyncio.sleep(60)
        world.write("", ANN, agent, kind="media")
        await agent.idle()
        world.write("some tea", ANN, agent)
        await agent.idle()
    assert world.replies() == [file_reply("en"), f"{HELLO}\n\nSmall or large?"]


@on_warped_time
async def test_the_introduction_comes_once_a_day() -> None:
    world = World()
    async with world.process() as agent:
        for pause_s in (3600, 90_000, 60):
            world.write("hm, what?", ANN, agent)
            await agent.idle()
            await asyncio.sleep(pause_s)
    greeted = [text.startswith(HELLO) for text in world.replies()]
    assert greeted == [True, False, True]


@on_warped_time
async def test_questions_that_were_not_finished_go_on_within_a_week() -> None:
    for days, reply in ((3, "Small or large?"), (8, "Tea or coffee?")):
        world = World()
        async with world.process() as agent:
            world.write("some tea", ANN, agent)
            await agent.idle()
            await asyncio.sleep(timedelta(days=days).total_seconds())
            world.write("hello again", ANN, agent)
            await agent.idle()
        assert world.replies()[-1] == f"{HELLO}\n\n{reply}"


def void(_message: object) -> None: ...

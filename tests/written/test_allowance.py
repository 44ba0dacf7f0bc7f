"""Whoever writes more than is answered, and a day whose budget is spent."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from warped_time import on_warped_time

from voiceagent.written.allowance import Allowance
from voiceagent.written.answering import Acknowledge, Answer, Leave
from voiceagent.written.wording import budget_reply, too_many_reply
from written.threads import NOON, at, thread, verdict
from written.world import ANN, BEN, World

THREE = Allowance(messages_an_hour=3, too_many_reply="Too many.", budget_reply="A person will.")
SPENT = Allowance(too_many_reply="Too many.", spent_since=at(-720), budget_reply="A person will.")
FOUR = [(-50.0, "contact", "one"), (-49.0, "agent", "yes"), (-48.0, "contact", "two")]


class TestAnHour:
    def test_as_many_messages_as_are_allowed_are_answered(self) -> None:
        messages = thread(*FOUR, (-1, "contact", "three"))
        assert isinstance(verdict(messages, allowance=THREE), Answer)

    def test_the_next_one_is_told_so_once(self) -> None:
        said = [*FOUR, (-2.0, "contact", "three"), (-1.0, "contact", "four")]
        assert verdict(thread(*said), allowance=THREE) == Acknowledge("m5", at(-1), "too_many")
        told = thread(*said, (0, "agent", "Too many."), (1, "contact", "hello?"))
        assert verdict(told, 2, allowance=THREE) == Leave("too_many")
        assert verdict(told, 59.9, allowance=THREE) == Leave("too_many")

    def test_an_hour_later_what_came_since_is_answered(self) -> None:
        said = [*FOUR, (-2.0, "contact", "three"), (-1.0, "contact", "four")]
        told = thread(*said, (0, "agent", "Too many."), (1, "contact", "hello?"))
        answer = verdict(told, 60, allowance=THREE)
        assert isinstance(answer, Answer)
        assert answer.text == "hello?"

    def test_or_it_is_told_again_where_it_goes_on(self) -> None:
        said = [(float(n), "contact", f"no {n}") for n in range(4)]
        more = [(float(n), "contact", f"no {n}") for n in range(10, 64, 6)]
        told = thread(*said, (4, "agent", "Too many."), *more)
        again = verdict(told, 65, allowance=THREE)
        assert isinstance(again, Acknowledge)
        assert again.why == "too_many"

    def test_somebody_who_switches_the_agent_on_again_ends_it(self) -> None:
        said = [*FOUR, (-2.0, "contact", "three"), (-1.0, "contact", "four")]
        told = thread(*said, (0, "agent", "Too many."), (1, "contact", "hello?"))
        assert isinstance(verdict(told, 2, set_at=0.5, allowance=THREE), Answer)

    def test_without_a_limit_only_machines_are_told_apart(self) -> None:
        said = [(n / 2, "contact", f"no {n}") for n in range(60)]
        assert isinstance(verdict(thread(*said), 31), Answer)


class TestASpentDay:
    def test_a_person_is_promised_once(self) -> None:
        said = [(-5.0, "contact", "hello")]
        assert verdict(thread(*said), allowance=SPENT) == Acknowledge("m1", at(-5), "budget")
        told = thread(*said, (0, "agent", "A person will."), (1, "contact", "when?"))
        assert verdict(told, 2, allowance=SPENT) == Leave("budget")

    def test_the_next_day_what_came_since_is_answered(self) -> None:
        told = thread((-5, "contact", "hello"), (0, "agent", "A person will."))
        assert verdict(told, 2) == Leave("answered")
        later = thread(
            *((-5, "contact", "hello"), (0, "agent", "A person will."), (1, "contact", "when?"))
        )
        answer = verdict(later, 800, allowance=THREE)
        assert isinstance(answer, Answer)
        assert answer.fresh, "nobody was introduced yet"

    def test_a_thumb_needs_no_promise(self) -> None:
        assert verdict(thread((-5, "contact", "<reaction>")), allowance=SPENT) == Leave("wordless")


@given(minutes=st.lists(st.integers(0, 240), max_size=60), most=st.integers(1, 6))
def test_within_any_hour_no_more_is_said_than_is_allowed(minutes: list[int], most: int) -> None:
    allowance = Allowance(most, "Too many.")
    said: list[tuple[float, str, str]] = []
    for number, minute in enumerate(sorted(minutes)):
        said.append((float(minute), "contact", f"message {number}"))
        found = verdict(thread(*said), minute + 0.1, allowance=allowance)
        if isinstance(found, Answer):
            said.append((minute + 0.1, "agent", f"answer {number}"))
        elif isinstance(found, Acknowledge):
            said.append((minute + 0.1, "agent", "Too many."))
    for minute, _, _ in said:
        within = [text for at_, who, text in said if who == "agent" and minute <= at_ < minute + 60]
        told = within.count("Too many.")
        assert told <= 1
        assert len(within) - told <= 2 * most, "two windows touch any hour"


class TestTheAgent:
    @on_warped_time
    async def test_says_it_once_has_the_owner_told_and_answers_others(self) -> None:
        world = World()
        limits = Allowance(2, too_many_reply("en"))
        async with world.process(allowance=lambda: limits) as agent:
            for text in ("some tea", "large", "no wait", "hello?", "anybody there?"):
                world.write(text, ANN, agent)
                await agent.idle()
            world.write("some tea", BEN, agent)
            await agent.idle()
        assert world.replies(ANN)[2:] == [too_many_reply("en")]
        assert len(world.replies(BEN)) == 1
        assert list(world.people.told.values()) == ["too_many"]

    @on_warped_time
    async def test_on_a_spent_day_thinks_of_nothing(self) -> None:
        world = World()
        limits = Allowance(spent_since=NOON - timedelta(hours=1), budget_reply=budget_reply("en"))
        async with world.process(allowance=lambda: limits) as agent:
            for text in ("some tea", "hello?"):
                world.write(text, ANN, agent)
                await agent.idle()
        assert world.replies(ANN) == [budget_reply("en")]


@pytest.mark.parametrize("language", ["ar", "en-US", "he-IL", "ru"])
def test_every_language_has_sentences_of_its_own(language: str) -> None:
    assert too_many_reply(language) != too_many_reply("xx") or language == "en-US"
    assert budget_reply(language) != budget_reply("xx") or language == "en-US"

"""The script in writing: the other side speaks first, and may say everything at once."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.script.brain import DialogueState
from voiceagent.written.memory import Memory
from voiceagent.written.script_answers import Draft, ScriptAnswers
from written.agents import HELLO, estate_agent, message_taker, shop, wrote

_SHOP = ScriptAnswers(shop())


def talk(script: ScriptAnswers, *texts: str, memory: Memory | None = None) -> list[Draft]:
    """All drafts of a conversation that begins with the first text."""
    drafts: list[Draft] = []
    memory = memory or Memory()
    for number, text in enumerate(texts):
        drafts.append(script.answer(wrote(text, fresh=number == 0), memory))
        memory = drafts[-1].memory
    return drafts


def messages(drafts: Sequence[Draft]) -> list[str]:
    return ["\n---\n".join(draft.messages) for draft in drafts]


class TestTheFirstMessage:
    def test_a_greeting_is_answered_with_the_introduction_and_the_question(self) -> None:
        [draft] = talk(_SHOP, "Hi!")
        assert draft.messages == (f"{HELLO}\n\nTea or coffee?",)
        assert draft.fields == {}

    def test_what_it_answers_is_not_asked(self) -> None:
        [draft] = talk(_SHOP, "I would like some tea")
        assert draft.messages == (f"{HELLO}\n\nSmall or large?",)
        assert draft.fields == {"drink": "tea"}

    def test_it_may_answer_several_questions(self) -> None:
        [draft] = talk(_SHOP, "A large black coffee please")
        assert draft.messages == (f"{HELLO}\n\nCoffee. With milk?",)
        assert draft.fields == {"drink": "coffee", "size": "large"}

    def test_a_number_counts_ahead_with_what_is_counted(self) -> None:
        agent = ScriptAnswers(estate_agent("en-US"))
        [draft] = talk(
            agent, "Hi, an apartment to rent, 3 rooms, in Haifa, for 4500 shekels a month"
        )
        assert draft.fields == {
            "intent": "rent",
            "property": "apartment",
            "rooms": "3",
            "area": "Haifa",
            "budget": "4500",
        }
        [draft] = talk(agent, "Hi, I want to buy a house for 3")
        assert draft.fields == {"intent": "buy", "property": "house"}
        agent = ScriptAnswers(estate_agent("he-IL"))
        [draft] = talk(agent, "לקנות דירה\n6 חדרים\nבירושלים")
        assert draft.fields == {
            "intent": "buy",
            "property": "apartment",
            "rooms": "6",
            "area": "ירושלים",
        }

    @pytest.mark.parametrize("text", ["a large tea, or a small one", "small tea. No, large"])
    def test_of_two_answers_none_counts_ahead(self, text: str) -> None:
        [draft] = talk(_SHOP, text)
        assert draft.fields == {"drink": "tea"}

    def test_a_letter_is_read_from_its_beginning(self) -> None:
        [draft] = talk(_SHOP, "Some tea. " + "I have so much more to say about this. " * 90)
        assert draft.fields == {"drink": "tea"}

    def test_a_yes_in_it_agrees_to_nothing_that_was_not_asked(self) -> None:
        [draft] = talk(_SHOP, "yes, a large coffee")
        assert draft.messages[0].endswith("With milk?")

    def test_what_is_not_understood_costs_nothing(self) -> None:
        drafts = talk(_SHOP, "Do you have rooms?", "hm, rooms?", "rooms!")
        assert drafts[0].messages == (f"{HELLO}\n\nTea or coffee?",)
        asked_back = "Sorry, that was not clear to us. Tea or coffee?"
        assert drafts[1].messages == (f"{asked_back} You can answer, for example: tea, coffee.",)
        assert drafts[2].messages == ("Sorry, we did not understand that. Tea or coffee?",)

    def test_a_remark_is_answered_before_the_question(self) -> None:
        [draft] = talk(_SHOP, "Are you a robot?")
        assert draft.messages == (
            f"{HELLO}\n\nThis is an automated assistant of Corner Shop. Tea or coffee?",
        )

    def test_who_asks_for_a_person_gets_one(self) -> None:
        [draft] = talk(_SHOP, "I want to talk to a real person")
        assert draft.hands_over
        assert draft.messages == (
            f"{HELLO}\n\nOf course. Somebody of our team will answer you here.",
        )

    def test_its_words_are_the_matter_where_that_is_asked(self) -> None:
        drafts = talk(ScriptAnswers(message_taker()), "My tooth hurts", "I am Dan")
        assert drafts[0].fields == {"message": "My tooth hurts"}
        assert drafts[0].messages == ("Clinic.\n\nAnd what is your name, please?",)
        assert drafts[1].fields == {"name": "Dan"}

    def test_its_words_are_nobodys_name(self) -> None:
        nameless = shop().model_copy(update={"questions": shop().questions[3:]})
        [draft] = talk(ScriptAnswers(nameless), "Where are you?")
        assert draft.fields == {}
        assert draft.messages[0].endswith("What is your name?")


class TestGoingOn:
    def test_to_the_end(self) -> None:
        drafts = talk(_SHOP, "tea", "small", "no", "my name is Ann")
        assert messages(drafts)[1:] == ["With milk?", "What is your name?", "Thank you, Ann."]
        assert drafts[-1].memory.script is not None
        assert drafts[-1].memory.script.ended

    def test_lines_are_clauses(self) -> None:
        drafts = talk(_SHOP, "no\ncoffee", "large", "yes", "I am\nAnn")
        assert drafts[0].fields == {"drink": "coffee"}
        assert drafts[-1].fields == {"name": "Ann"}

    def test_thanks_after_the_end_want_no_answer_and_begin_nothing(self) -> None:
        ended = talk(_SHOP, "tea", "small", "no", "Ann")[-1]
        for thanks in ("Thank you!", "ok", "bye"):
            draft = _SHOP.answer(wrote(thanks), ended.memory)
            assert (draft.messages, draft.memory) == ((), ended.memory)

    def test_anything_else_after_the_end_begins_anew_without_an_introduction(self) -> None:
        ended = talk(_SHOP, "tea", "small", "no", "Ann")[-1]
        draft = _SHOP.answer(wrote("And a black coffee"), ended.memory)
        assert draft.messages == ("Coffee. Small or large?",)
        assert _SHOP.answer(wrote("One more thing"), ended.memory).messages == ("Tea or coffee?",)

    def test_days_later_the_questions_go_on_where_they_stood(self) -> None:
        stopped = talk(_SHOP, "tea", "small", "no")[-1]
        draft = _SHOP.answer(wrote("Are you open tomorrow?", fresh=True), stopped.memory)
        # The words are no name: nothing was asked just now.
        assert draft.messages == (f"{HELLO}\n\nWhat is your name?",)
        assert draft.fields == {}
        stopped = talk(_SHOP, "tea", "small")[-1]
        draft = _SHOP.answer(wrote("yes, with milk", fresh=True), stopped.memory)
        assert draft.messages == (f"{HELLO}\n\nWhat is your name?",)

    def test_a_question_that_was_answered_before_with_the_same_words_is_asked(self) -> None:
        profile = shop().model_copy(
            update={
                "questions": tuple(
                    question.model_copy(
                        update={
                            "id": name,
                            "ask": (f"{name}?",),
                            "save_as": name,
                            "answers": shop().questions[1].answers,
                        }
                    )
                    for name, question in zip(("there", "back"), shop().questions[:2], strict=True)
                )
            }
        )
        [draft] = talk(ScriptAnswers(profile), "a small one")
        assert draft.fields == {"there": "small"}
        assert draft.messages[0].endswith("back?")


class TestTakingOver:
    def test_it_asks_what_the_model_has_not_learnt(self) -> None:
        memory = Memory(None, {"drink": "tea", "size": "large", "mood": "good"})
        draft = _SHOP.take_over(wrote("and milk?"), memory)
        assert draft.messages == (
            "I am having a technical difficulty. Let me take your details.\n\nWith milk?",
        )

    def test_a_new_conversation_is_simply_the_scripts(self) -> None:
        draft = _SHOP.take_over(wrote("some tea", fresh=True), Memory())
        assert draft.messages == (f"{HELLO}\n\nSmall or large?",)


class TestWholeConversations:
    @pytest.mark.parametrize(
        ("language", "texts", "saved"),
        [
            (
                "he-IL",
                ["שלום, אני רוצה לשכור דירה", "3", "בחיפה", "6000", "מחר בבוקר", "דנה כהן", "כן"],
                {
                    "intent": "rent",
                    "property": "apartment",
                    "rooms": "3",
                    "area": "חיפה",
                    "budget": "6000",
                    "when": "מחר בבוקר",
                    "name": "דנה כהן",
                    "confirmed": "yes",
                },
            ),
            (
                "en-US",
                ["hi", "buy", "a house", "5", "Haifa", "3 million", "tomorrow", "Dan Levi", "yes"],
                {
                    "intent": "buy",
                    "property": "house",
                    "rooms": "5",
                    "area": "Haifa",
                    "budget": "3000000",
                    "when": "tomorrow",
                    "name": "Dan Levi",
                    "confirmed": "yes",
                },
            ),
        ],
    )
    def test_the_bundled_agents(
        self, language: str, texts: list[str], saved: dict[str, str]
    ) -> None:
        drafts = talk(ScriptAnswers(estate_agent(language)), *texts)
        learnt: dict[str, str] = {}
        for draft in drafts:
            learnt |= draft.fields
        assert learnt == saved
        assert all(len(draft.messages) == 1 for draft in drafts)
        last = drafts[-1].memory.script
        assert last is not None
        assert last.ended
        for spoken in ("press", "calling", "להקיש", "שהתקשרתם"):
            assert spoken not in "".join(messages(drafts))


_PROFILES = {"shop": shop(), "he": estate_agent("he-IL"), "taker": message_taker("he-IL")}


@given(
    st.sampled_from(sorted(_PROFILES)),
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.sampled_from(["tea", "כן", "לא", "לשכור דירה", "4", "stop", "bye", "תודה", "נציג"]),
        ),
        min_size=1,
        max_size=25,
    ),
    st.lists(st.booleans(), min_size=25, max_size=25),
)
def test_whatever_is_written_is_answered_in_one_message_at_most_and_comes_to_an_end(
    name: str, texts: list[str], fresh: list[bool]
) -> None:
    profile: AgentProfile = _PROFILES[name]
    script = ScriptAnswers(profile)
    memory = Memory()
    for text, is_fresh in zip(texts, fresh, strict=False):
        draft = script.answer(wrote(text, fresh=is_fresh), memory)
        assert len(draft.messages) <= 1
        if not draft.messages:
            assert memory.script is not None
            assert memory.script.ended
        if is_fresh and draft.messages and not draft.hands_over:
            assert draft.messages[0].startswith(profile.greeting[0])
        memory = draft.memory
        assert isinstance(memory.script, DialogueState)

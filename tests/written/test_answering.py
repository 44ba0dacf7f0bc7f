"""What of a thread is to be answered, and what is left alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.ports import Exchange
from voiceagent.written.answering import (
    LONGEST_WAIT_S,
    MAX_CHARS,
    QUIET_S,
    THREAD,
    Acknowledge,
    Answer,
    Burst,
    Leave,
)
from voiceagent.written.ports import WrittenMessage
from written.threads import FILE_REPLY, at, thread, verdict


def answer(messages: list[WrittenMessage], minutes: float = 0, **more: object) -> Answer:
    found = verdict(messages, minutes, **more)
    assert isinstance(found, Answer), found
    return found


def why(messages: list[WrittenMessage], minutes: float = 0, **more: object) -> str:
    found = verdict(messages, minutes, **more)
    assert isinstance(found, Leave), found
    return found.why


class TestWhatWaits:
    def test_all_that_came_since_the_last_answer_is_answered_together(self) -> None:
        found = answer(
            thread(
                (-9, "contact", "hello"),
                (-8, "agent", "Hello. What is it about?"),
                (-1, "contact", "I want to rent"),
                (-1, "contact", "a flat"),
            )
        )
        assert (found.text, found.key, found.at) == ("I want to rent\na flat", "m4", at(-1))

    def test_nothing_is_answered_twice(self) -> None:
        assert why(thread((-2, "contact", "hello"), (-1, "agent", "Hello."))) == "answered"
        assert why([]) == "answered"

    def test_what_came_while_the_answer_was_on_its_way_still_waits(self) -> None:
        messages = thread((-3, "contact", "hello"), (-2, "contact", "a flat"))
        crossed = WrittenMessage("m3", "agent", "Hello.", at(-1), answers="m1")
        assert answer([*messages, crossed]).text == "a flat"

    def test_what_a_program_writes_answers_nothing(self) -> None:
        messages = thread((-2, "contact", "a flat"), (-1, "program", "See you at ten."))
        assert answer(messages).text == "a flat"

    def test_what_a_person_writes_answers_all(self) -> None:
        assert why(thread((-2, "contact", "a flat"), (-1, "person", "Hello!"))) == "answered"

    def test_an_answer_to_what_is_no_longer_known_answers_all_before_it(self) -> None:
        messages = thread((-3, "contact", "hello"), (-2, "agent", "Hello."), (-1, "contact", "a"))
        assert answer(messages[1:]).text == "a"

    def test_what_waited_for_a_day_is_left_to_people(self) -> None:
        messages = thread((-1441, "contact", "a flat"), (-1439, "contact", "hello?"))
        assert answer(messages).text == "hello?"
        assert why(messages, 2) == "answered"

    def test_a_message_sent_twice_is_read_once(self) -> None:
        messages = thread((-1, "contact", "a flat"), (-1, "contact", "a flat"), (0, "contact", "x"))
        assert answer(messages).text == "a flat\nx"

    def test_a_book_is_cut(self) -> None:
        found = answer(thread((-1, "contact", "word " * 9000)))
        assert len(found.text) <= MAX_CHARS
        assert found.history[-1] == Exchange("caller", found.text)

    def test_no_sign_that_hides_or_turns_a_line_around_reaches_a_brain(self) -> None:
        assert answer(thread((-1, "contact", "a\u202eflat\x00\ud800 now"))).text == "aflat now"


class TestWhoAnswers:
    @pytest.mark.parametrize("mode", ["off", "person"])
    def test_nobody_is_answered_while_the_switch_is_not_on(self, mode: str) -> None:
        assert why(thread((-1, "contact", "a flat")), mode=mode) == mode

    def test_who_wants_no_messages_is_not_answered(self) -> None:
        asked = thread((-90, "contact", "<wish>"), (-1, "contact", "a flat"))
        assert answer(asked).text == "a flat"
        assert why(asked, silence="opted_out") == "opted_out"

    def test_the_owner_is_no_customer(self) -> None:
        assert why(thread((-1, "contact", "thanks")), silence="owner") == "owner"

    def test_whoever_of_the_business_has_just_written_goes_on(self) -> None:
        messages = thread((-9, "contact", "a"), (-8, "person", "Hi."), (-5, "contact", "a flat"))
        assert why(messages) == "attended"
        # Nobody did, and an hour is over; or the switch was set since.
        assert answer(messages, 60).text == "a flat"
        assert answer(messages, set_at=-4).text == "a flat"
        assert why(messages, set_at=-9) == "attended"


class TestWhatIsNoQuestion:
    @pytest.mark.parametrize("text", ["<reaction>", "👍", "🙏🏽❤️", "...", "", " \n "])
    def test_a_reaction_or_nothing_is_not_answered(self, text: str) -> None:
        assert why(thread((-1, "contact", text))) == "wordless"

    @pytest.mark.parametrize("text", ["?", "4", "ok", "כן", "؟"])
    def test_little_is_something(self, text: str) -> None:
        assert answer(thread((-1, "contact", text))).text == text

    def test_whoever_wishes_no_messages_or_some_again_is_answered_by_others(self) -> None:
        assert why(thread((-1, "contact", "<wish>"))) == "opted_out"
        assert why(thread((-1, "contact", "a flat"), (-1, "contact", "<wish>"))) == "opted_out"
        assert why(thread((-1, "contact", "<wish>"), (-0.5, "contact", "please"))) == "opted_out"
        assert answer(thread((-30, "contact", "<wish>"), (-1, "contact", "hi"))).text == "hi"

    @pytest.mark.parametrize("text", ["STOP", "don't stop the cheque", "עצור"])
    def test_what_others_take_for_no_wish_is_answered(self, text: str) -> None:
        assert answer(thread((-1, "contact", text))).text == text

    def test_a_file_without_words_is_acknowledged_once(self) -> None:
        messages = thread((-9, "contact", "<file>"), (-9, "contact", "<file>"))
        assert verdict(messages) == Acknowledge("m2", at(-9))
        told = WrittenMessage("m3", "agent", FILE_REPLY, at(-8), answers="m2")
        another = WrittenMessage("m4", "contact", "", at(-1), "media")
        assert why([*messages, told, another]) == "file"
        tomorrow = replace(another, at=at(1500))
        assert verdict([*messages, told, tomorrow], 1501) == Acknowledge("m4", at(1500))

    def test_a_voice_note_is_awaited_with_all_that_came_with_it(self) -> None:
        voice = WrittenMessage("m1", "contact", "", at(-2), "voice")
        [asked] = thread((-1, "contact", "a flat"))
        asked = replace(asked, id="m2")
        assert why([voice]) == "awaited"
        assert why([voice, asked]) == "awaited"
        heard = replace(voice, kind="media", text="in Haifa")
        assert answer([heard, asked]).text == "in Haifa\na flat"
        told = WrittenMessage("m3", "person", "Hello!", at(-1))
        assert why([voice, told]) == "answered"

    def test_a_file_with_words_is_answered_for_its_words(self) -> None:
        caption = WrittenMessage("m1", "contact", "this flat", at(-1), "media")
        assert answer([caption]).text == "this flat"
        assert answer(thread((-1, "contact", "<file>"), (-1, "contact", "this flat"))).text == (
            "(a file)\nthis flat"
        )


class TestIntroduction:
    def test_the_first_answer_of_a_day_introduces_the_agent(self) -> None:
        first = thread((-1, "contact", "a flat"))
        assert answer(first).fresh
        later = thread((-90, "contact", "a"), (-90, "agent", "b"), (-1, "contact", "c"))
        assert not answer(later).fresh
        next_day = thread((-1500, "contact", "a"), (-1500, "agent", "b"), (-1, "contact", "c"))
        assert answer(next_day).fresh

    def test_a_person_has_introduced_everybody(self) -> None:
        messages = thread((-99, "contact", "a"), (-90, "person", "b"), (-1, "contact", "c"))
        assert not answer(messages).fresh

    def test_a_reminder_and_the_sentence_about_files_introduce_nobody(self) -> None:
        assert answer(thread((-9, "program", "See you!"), (-1, "contact", "who is it?"))).fresh
        told = WrittenMessage("m2", "agent", FILE_REPLY, at(-8), answers="m1")
        messages = [*thread((-9, "contact", "<file>")), told]
        messages.append(WrittenMessage("m3", "contact", "a flat", at(-1)))
        assert answer(messages).fresh


class TestHistory:
    def test_it_is_what_was_said_and_ends_with_what_is_asked(self) -> None:
        found = answer(
            thread(
                (-50, "contact", "hello"),
                (-50, "contact", "a flat"),
                (-49, "agent", "Where?"),
                (-48, "contact", "<reaction>"),
                (-40, "person", "I am Dana."),
                (-39, "contact", "<file>"),
                (-1, "contact", "Haifa"),
            ),
            set_at=-2,
        )
        assert found.history == (
            Exchange("caller", "hello\na flat"),
            Exchange("agent", "Where?"),
            Exchange("agent", "I am Dana."),
            Exchange("caller", "(a file)\nHaifa"),
        )

    def test_a_burst_stands_in_it_as_it_was_answered(self) -> None:
        """So that what was done about it is remembered at its place."""
        asked = thread(
            (-9, "contact", "hello"), (-9, "contact", "a flat"), (-9, "contact", "hello")
        )
        last = answer(asked).history[-1]
        replied = [*asked, WrittenMessage("m4", "agent", "Where?", at(-8), answers="m3")]
        again = answer([*replied, WrittenMessage("m5", "contact", "Haifa", at(-1))])
        assert again.history[0] == last

    def test_weeks_ago_is_forgotten(self) -> None:
        messages = thread((-20000, "contact", "a"), (-20000, "agent", "b"), (-1, "contact", "c"))
        assert answer(messages).history == (Exchange("caller", "c"),)


class TestBurst:
    def test_it_ends_with_quiet(self) -> None:
        burst = Burst.begun(100)
        assert burst.over_at_s == 100 + QUIET_S
        assert burst.more(102).over_at_s == 102 + QUIET_S

    def test_whoever_goes_on_writing_is_answered_all_the_same(self) -> None:
        burst = Burst.begun(100)
        for now_s in range(101, 130):
            burst = burst.more(now_s)
        assert burst.over_at_s == 100 + LONGEST_WAIT_S


_WHO = st.sampled_from(["contact", "agent", "person", "program"])
_TEXT = st.sampled_from(["a flat", "Haifa please", "👍", "<file>", "<reaction>", "", "4", "<wish>"])
_SAID = st.lists(st.tuples(st.integers(0, 3000), _WHO, _TEXT), max_size=30)


def _threads(said: list[tuple[int, str, str]]) -> list[WrittenMessage]:
    return thread(*sorted(said, key=lambda each: each[0]))


class TestWhateverTheThread:
    @given(_SAID, st.integers(3000, 3600))
    def test_an_answered_thread_is_left_alone(
        self, said: list[tuple[int, str, str]], now: int
    ) -> None:
        messages = _threads(said)
        found = verdict(messages, now)
        if isinstance(found, Leave):
            return
        text = FILE_REPLY if isinstance(found, Acknowledge) else "An answer."
        reply = WrittenMessage("reply", "agent", text, at(now), answers=found.key)
        assert isinstance(verdict([*messages, reply], now), Leave)

    @given(_SAID, st.integers(3000, 3600))
    def test_what_is_answered_was_written_by_the_contact_since_anybody_answered(
        self, said: list[tuple[int, str, str]], now: int
    ) -> None:
        messages = _threads(said)
        found = verdict(messages, now)
        if isinstance(found, Leave):
            return
        place = [message.id for message in messages].index(found.key)
        assert messages[place].who == "contact"
        assert all(
            m.who == "contact" or not (m.answers or m.who == "person") for m in messages[place:]
        )
        if isinstance(found, Answer):
            assert found.text
            assert found.history[-1] == Exchange("caller", found.text)
            assert all(exchange.text for exchange in found.history)

    @given(_SAID, st.integers(3000, 3600), st.sampled_from(["off", "person"]))
    def test_a_switch_that_is_not_on_silences_everything(
        self, said: list[tuple[int, str, str]], now: int, mode: str
    ) -> None:
        assert verdict(_threads(said), now, mode) == Leave(mode)

    def test_a_verdict_sees_a_day_of_answers(self) -> None:
        from voiceagent.written.loops import MAX_A_DAY

        assert THREAD >= 2 * MAX_A_DAY

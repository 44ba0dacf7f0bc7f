"""What was said, what was heard, and what is not said again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.ports import Exchange
from voiceagent.call.conversation import Conversation
from voiceagent.speech.ports import WordTiming

TEXT = "Great, a house. How many rooms?"


def spoken(timings: bool = True) -> Conversation:
    """One reply of two sentences: 0-1000 ms and 1000-2000 ms."""
    conversation = Conversation()
    for sentence, start_ms in (("Great, a house.", 0.0), ("How many rooms?", 1000.0)):
        conversation.admit(1, sentence)
        conversation.sentence_begins(1, sentence, start_ms)
        if timings:
            starts = [0, *(i + 1 for i, char in enumerate(sentence) if char == " ")]
            conversation.words_known(
                1, [WordTiming(start, 300.0 * n) for n, start in enumerate(starts)]
            )
        conversation.sentence_ends(1, start_ms + 1000)
    return conversation


class TestHeard:
    def test_nothing_yet(self) -> None:
        assert spoken().heard(1, 0) == ""

    def test_is_cut_at_the_word(self) -> None:
        assert spoken().heard(1, 299) == ""
        assert spoken().heard(1, 300) == "Great,"
        assert spoken().heard(1, 650) == "Great, a"
        assert spoken().heard(1, 1000) == "Great, a house."
        assert spoken().heard(1, 1400) == "Great, a house. How"

    def test_all_of_it(self) -> None:
        assert spoken().heard(1, 2000) == TEXT

    def test_without_timings_it_follows_the_length(self) -> None:
        assert spoken(timings=False).heard(1, 600) == "Great, a"

    def test_without_timings_it_follows_the_length_of_each_sentence(self) -> None:
        conversation = spoken(timings=False)
        assert conversation.heard(1, 1000 + 620) == "Great, a house. How many"
        assert conversation.first_unheard_ms(1, 1000) == 1000
        assert conversation.first_unheard_ms(1, 1000 + 620) == pytest.approx(1000 + 9000 / 15)

    def test_a_sentence_still_being_made_is_estimated(self) -> None:
        conversation = Conversation()
        conversation.sentence_begins(1, "one two three four", 0)
        assert conversation.heard(1, 65 * 8) == "one two"

    @given(st.floats(0, 2500))
    def test_is_always_a_beginning_in_whole_words(self, heard_ms: float) -> None:
        heard = spoken().heard(1, heard_ms)
        assert TEXT.startswith(heard)
        assert heard == TEXT or not heard or TEXT[len(heard)] == " "

    @given(st.floats(0, 2500))
    def test_what_is_taken_up_again_was_not_heard_and_nothing_is_left_out(
        self, heard_ms: float
    ) -> None:
        conversation = spoken()
        resumed_ms = conversation.first_unheard_ms(1, heard_ms)
        assert resumed_ms <= heard_ms or resumed_ms in (0.0, 1000.0)
        assert conversation.heard(1, resumed_ms) == conversation.heard(1, heard_ms)


class TestGoingOnWhereItWasCut:
    def test_at_the_first_word_that_was_not_heard_to_its_end(self) -> None:
        conversation = spoken()
        at = [conversation.first_unheard_ms(1, heard_ms) for heard_ms in (0, 299, 300, 999, 1000)]
        assert at == [0, 0, 300, 600, 1000]
        assert conversation.first_unheard_ms(1, 1350) == 1300

    def test_there_is_none_once_all_was_heard(self) -> None:
        assert spoken().first_unheard_ms(1, 2000) == 2000
        assert spoken().first_unheard_ms(1, 2400) == 2400
        assert Conversation().first_unheard_ms(7, 120) == 120, "nothing was to be said"

    def test_before_a_sentence_it_begins_with_it(self) -> None:
        conversation = Conversation()
        conversation.sentence_begins(1, "How many rooms?", 500)
        assert conversation.first_unheard_ms(1, 200) == 500

    def test_timings_that_come_in_parts_count_together(self) -> None:
        conversation = Conversation()
        conversation.sentence_begins(1, "Great, a house.", 100)
        conversation.words_known(1, [WordTiming(0, 0.0), WordTiming(7, 300.0)])
        conversation.words_known(1, [WordTiming(9, 600.0)])
        assert [conversation.first_unheard_ms(1, ms) for ms in (100, 400, 699, 700)] == [
            100, 400, 400, 700,
        ]  # fmt: skip


class TestASentenceThatBreaksOff:
    def test_ends_with_the_word_that_had_begun(self) -> None:
        for at_ms, text in ((0.1, "Great,"), (300, "Great,"), (301, "Great, a"), (800, None)):
            conversation = Conversation()
            conversation.sentence_begins(1, "Great, a house.", 0)
            conversation.words_known(
                1, [WordTiming(0, 0.0), WordTiming(7, 300.0), WordTiming(9, 600.0)]
            )
            conversation.sentence_breaks(1, at_ms)
            whole = text or "Great, a house."
            assert conversation.text(1) == whole
            assert conversation.heard(1, at_ms) == whole, "what there is of it was heard"
            assert conversation.first_unheard_ms(1, at_ms + 500) == at_ms + 500
            assert conversation.settle(1, at_ms) == Exchange("agent", whole)

    def test_in_its_first_word_keeps_that_word(self) -> None:
        for text, left in (("one two", "one"), ("A house", "A")):
            conversation = Conversation()
            conversation.sentence_begins(1, text, 0)
            conversation.sentence_breaks(1, 30)
            assert conversation.text(1) == left

    def test_before_its_first_word_was_none(self) -> None:
        conversation = spoken()
        conversation.sentence_begins(1, "Shall we?", 2000)
        conversation.sentence_breaks(1, 2000)
        assert conversation.text(1) == TEXT

    def test_leaves_the_one_before_it_as_it_is(self) -> None:
        conversation = spoken()
        conversation.sentence_begins(1, "one two three", 2000)
        conversation.sentence_breaks(1, 2000 + 65 * 5)
        assert conversation.text(1) == f"{TEXT} one two"

    def test_forgets_when_the_words_would_have_come_that_are_never_said(self) -> None:
        conversation = Conversation()
        conversation.sentence_begins(1, "Great, a house.", 0)
        conversation.words_known(
            1, [WordTiming(0, 0.0), WordTiming(7, 300.0), WordTiming(9, 600.0)]
        )
        conversation.sentence_breaks(1, 400)
        assert conversation.first_unheard_ms(1, 350) == 300
        assert conversation.heard(1, 399) == "Great,"


class TestMemory:
    def test_holds_what_was_heard_only(self) -> None:
        conversation = spoken()
        conversation.caller_said("a house")
        conversation.settle(1, 1400)
        assert conversation.history == (
            Exchange("caller", "a house"),
            Exchange("agent", "Great, a house. How", cut=True),
        )

    def test_holds_nothing_of_a_reply_that_nobody_heard(self) -> None:
        conversation = spoken()
        assert conversation.settle(1, 0) is None
        assert conversation.history == ()

    def test_holds_all_of_a_reply_that_was_played(self) -> None:
        conversation = spoken()
        assert conversation.settle(1, None) == Exchange("agent", TEXT)

    def test_silence_of_the_caller_is_not_remembered(self) -> None:
        conversation = Conversation()
        conversation.caller_said("")
        assert conversation.history == ()

    def test_the_oldest_of_a_call_without_end_is_forgotten(self) -> None:
        conversation = Conversation()
        for number in range(1000):
            conversation.caller_said(f"number {number}")
        kept = [exchange.text for exchange in conversation.history]
        assert kept == [f"number {number}" for number in range(1000 - len(kept), 1000)]
        assert 200 < len(kept) < 1000, "an hour's talk is kept, not everything"

    def test_tells_what_was_said_last(self) -> None:
        conversation = spoken()
        assert conversation.last is None
        conversation.caller_said("a house")
        assert conversation.last == Exchange("caller", "a house")
        conversation.settle(1, None)
        assert conversation.last == Exchange("agent", TEXT)

    def test_what_turns_out_to_be_secret_is_remembered_as_it_is_shown(self) -> None:
        conversation = Conversation()
        for text in ("4242", "4242", "thanks"):
            conversation.caller_said(text)
        conversation.caller_had_said("4242", "••••")
        assert [exchange.text for exchange in conversation.history] == ["4242", "••••", "thanks"]
        conversation.caller_had_said("4242", "••••")
        assert [exchange.text for exchange in conversation.history] == ["••••", "••••", "thanks"]
        conversation.caller_had_said("never said", "••••")
        assert [exchange.text for exchange in conversation.history] == ["••••", "••••", "thanks"]
        conversation.caller_had_said("thanks", "•••")
        assert conversation.last == Exchange("caller", "•••")

    def test_before_anything_was_said_there_is_nothing_to_hide(self) -> None:
        conversation = Conversation()
        conversation.caller_had_said("4242", "••••")
        assert conversation.history == ()

    def test_of_an_unknown_reply_nothing_was_said(self) -> None:
        assert spoken().text(2) == spoken().heard(2, 1000) == ""

    def test_a_reply_is_settled_once(self) -> None:
        conversation = spoken()
        conversation.settle(1, None)
        assert conversation.settle(1, None) is None
        assert len(conversation.history) == 1

    def test_supposes_what_will_have_been_said_and_changes_nothing(self) -> None:
        conversation = spoken()
        conversation.caller_said("a house")
        supposed = conversation.supposing("with four rooms", 1, 1400)
        assert supposed == (
            Exchange("caller", "a house"),
            Exchange("agent", "Great, a house. How", cut=True),
            Exchange("caller", "with four rooms"),
        )
        assert conversation.supposing("four", 1, 2000)[1] == Exchange("agent", TEXT)
        assert conversation.supposing("four", 1, 0)[1:] == (Exchange("caller", "four"),)
        assert conversation.supposing("four", 9, 2000)[1:] == (Exchange("caller", "four"),)
        assert conversation.history == (Exchange("caller", "a house"),)


class TestRepetition:
    def test_a_sentence_comes_once_in_a_reply(self) -> None:
        conversation = Conversation()
        assert conversation.admit(1, "One moment.")
        assert not conversation.admit(1, "one moment")

    def test_the_introduction_comes_once_in_a_call(self) -> None:
        conversation = Conversation()
        introduce(conversation, heard_ms=None)
        conversation.sentence_begins(2, "A house, good.", 0)
        conversation.settle(2, None)
        assert not conversation.admit(3, "Hello, this is Home Line!")
        assert conversation.admit(3, "How can I help?")

    def test_its_question_may_come_again_however_it_is_spaced(self) -> None:
        conversation = Conversation()
        conversation.admit(1, "How can I help? ", introduction=True)
        conversation.sentence_begins(1, "How can I help? ", 0)
        conversation.settle(1, None)
        conversation.sentence_begins(2, "A house, good.", 0)
        conversation.settle(2, None)
        assert conversation.admit(3, "How can I help?")

    def test_an_introduction_that_was_not_heard_may_be_said_again(self) -> None:
        conversation = Conversation()
        introduce(conversation, heard_ms=200)
        assert conversation.admit(2, "Hello, this is Home Line.")

    def test_the_same_answer_to_other_words_is_cut_to_its_question(self) -> None:
        conversation = spoken()
        conversation.settle(1, None)
        conversation.caller_said("is it sunny")
        assert not conversation.admit(2, "Great, a house.")
        assert conversation.admit(2, "How many rooms?")
        assert conversation.held_back(2) == []

    def test_the_same_answer_to_the_same_words_is_said_again(self) -> None:
        conversation = Conversation()
        conversation.caller_said("Are you open?")
        conversation.sentence_begins(1, "Until five.", 0)
        conversation.sentence_ends(1, 500)
        conversation.settle(1, None)
        conversation.caller_said("are you open")
        assert conversation.admit(2, "Until five.")

    def test_what_was_not_heard_to_its_end_is_said_again(self) -> None:
        conversation = spoken()
        conversation.settle(1, 700)
        conversation.caller_said("pardon")
        assert conversation.admit(2, "Great, a house.")

    def test_an_answer_that_goes_on_differently_is_said_whole(self) -> None:
        conversation = spoken()
        conversation.settle(1, None)
        conversation.caller_said("pardon")
        assert conversation.admit(2, "Of course.")
        assert conversation.admit(2, "Great, a house.")

    def test_a_sentence_without_words_is_not_said(self) -> None:
        conversation = Conversation()
        assert not conversation.admit(1, "…")
        assert conversation.held_back(1) == []

    def test_a_question_may_be_asked_again_and_one_within_a_reply_not(self) -> None:
        conversation = Conversation()
        conversation.sentence_begins(1, "How many rooms?", 0)
        conversation.settle(1, None)
        conversation.caller_said("well")
        assert conversation.admit(2, "How many rooms? ")
        assert not conversation.admit(2, "How many rooms?")

    def test_a_reply_of_nothing_else_is_cut_to_its_last_sentence(self) -> None:
        conversation = Conversation()
        for sentence, start_ms in (("We are open.", 0.0), ("Until five.", 1000.0)):
            conversation.sentence_begins(1, sentence, start_ms)
            conversation.sentence_ends(1, start_ms + 1000)
        conversation.settle(1, 2000)
        conversation.caller_said("pardon")
        assert not conversation.admit(2, "We are open.")
        assert not conversation.admit(2, "Until five.")
        assert conversation.held_back(2) == ["Until five."]
        assert conversation.held_back(2) == [], "told once"
        assert not conversation.admit(2, "Until five."), "and said once"
        assert conversation.admit(2, "On Sundays too.")
        assert conversation.held_back(3) == [], "nothing was asked of it"

    def test_a_reply_of_one_sentence_is_said_again_for_want_of_another(self) -> None:
        conversation = Conversation()
        conversation.sentence_begins(1, "Until five.", 0)
        conversation.settle(1, None)
        conversation.caller_said("pardon")
        assert not conversation.admit(2, "Until five.")
        assert conversation.held_back(2) == ["Until five."]

    def test_the_introduction_may_say_what_an_earlier_one_said(self) -> None:
        conversation = Conversation()
        introduce(conversation, heard_ms=None)
        assert conversation.admit(2, "Hello, this is Home Line.", introduction=True) is False, (
            "not as the very next reply"
        )
        conversation.sentence_begins(3, "A house, good.", 0)
        conversation.settle(3, None)
        assert conversation.admit(4, "Hello, this is Home Line.", introduction=True)

    def test_words_that_were_the_caller_s_own_before_the_last_are_no_reason(self) -> None:
        conversation = Conversation()
        for said in ("are you open", "and tomorrow", "are you open"):
            conversation.caller_said(said)
        conversation.sentence_begins(1, "Until five.", 0)
        conversation.settle(1, None)
        assert not conversation.admit(2, "Until five.")

    def test_silence_does_not_change_what_was_said_last(self) -> None:
        conversation = Conversation()
        conversation.caller_said("are you open")
        conversation.sentence_begins(1, "Until five.", 0)
        conversation.settle(1, None)
        conversation.caller_said("")
        conversation.caller_said("are you open")
        assert conversation.admit(2, "Until five.")


def introduce(conversation: Conversation, heard_ms: float | None) -> None:
    for sentence, start_ms in (("Hello, this is Home Line.", 0.0), ("How can I help?", 1000.0)):
        assert conversation.admit(1, sentence, introduction=True)
        conversation.sentence_begins(1, sentence, start_ms)
        conversation.sentence_ends(1, start_ms + 1000)
    conversation.settle(1, heard_ms)

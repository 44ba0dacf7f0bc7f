"""What was said, what was heard, and what is not said again."""

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


def introduce(conversation: Conversation, heard_ms: float | None) -> None:
    for sentence, start_ms in (("Hello, this is Home Line.", 0.0), ("How can I help?", 1000.0)):
        assert conversation.admit(1, sentence, introduction=True)
        conversation.sentence_begins(1, sentence, start_ms)
        conversation.sentence_ends(1, start_ms + 1000)
    conversation.settle(1, heard_ms)

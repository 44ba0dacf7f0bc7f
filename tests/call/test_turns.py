"""Turn-taking, by behaviour; and its promises under random events."""

from math import inf

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from turns_world import World

from voiceagent.call.activity import Heard
from voiceagent.call.floor_words import FloorWords
from voiceagent.call.glimpse import Glimpse
from voiceagent.call.turn_events import (
    AbandonReply,
    Action,
    Arrived,
    AudioReleased,
    BackFromTransfer,
    Begin,
    Closed,
    CompleteReply,
    Connect,
    DropGuess,
    EarsFailed,
    EarsLost,
    Farewell,
    FinishReply,
    Guess,
    HangUp,
    Introduce,
    LateRecognition,
    Phrase,
    PlayedOut,
    PutThrough,
    Recognised,
    ReplyFailed,
    ReplyHeard,
    ReplyKeys,
    ResumeSpeaking,
    SoundKeys,
    Speak,
    SpeakPhrase,
    StopSpeaking,
    Think,
    Tick,
    TransferFailed,
    UtteranceDropped,
    UtteranceEnded,
    UtterancePaused,
    UtteranceStarted,
    Voice,
)
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.turn_state import State
from voiceagent.call.turns import Turns
from voiceagent.speech.ports import Recognition

PERSON = "+972501234567"


def listening() -> World:
    """A call whose introduction was played."""
    world = World()
    world.begin()
    world.answer()
    world.play_out()
    assert world.turns.state is State.LISTENING
    return world


def speaking(length_ms: float = 6000.0) -> World:
    """A call in which the agent is answering and has begun to be heard."""
    world = listening()
    world.utter("I want to buy a house")
    world.answer(length_ms)
    assert world.turns.state is State.SPEAKING
    return world


def only(actions: list, kind: type):  # type: ignore[no-untyped-def, type-arg]
    (found,) = [action for action in actions if isinstance(action, kind)]
    return found


def none_of(actions: list, *kinds: type) -> bool:  # type: ignore[type-arg]
    return not any(isinstance(action, kinds) for action in actions)


class TestIntroduction:
    def test_comes_first(self) -> None:
        world = World()
        world.begin()
        assert [type(action) for action in world.actions] == [Introduce]
        assert world.turns.state is State.THINKING

    def test_comes_once(self) -> None:
        world = listening()
        world.begin()
        assert world.introductions == 1

    def test_hello_into_the_phone_does_not_stop_it(self) -> None:
        world = World()
        world.begin()
        world.answer(5000)
        actions = world.utter("hello", windows=12)
        only(actions, ResumeSpeaking)
        assert none_of(actions, Think)

    def test_words_take_its_place(self) -> None:
        world = World()
        world.begin()
        world.answer(5000)
        actions = world.utter("I want to buy a house")
        assert only(actions, Think).text == "I want to buy a house"

    def test_an_empty_one_leads_to_listening(self) -> None:
        world = World()
        world.begin()
        world.end_reply(world.reply)
        assert world.turns.state is State.LISTENING


class TestEndOfUtterance:
    def test_after_300_ms_when_the_words_are_there(self) -> None:
        actions = listening().utter("I want to buy a house")
        ended = only(actions, UtteranceEnded)
        assert (ended.text, ended.source, ended.turn) == ("I want to buy a house", "final", 1)
        assert 300 <= ended.eou_ms < 320
        assert only(actions, Think).text == "I want to buy a house"

    def test_a_stable_interim_is_enough(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.hear(4, voiced=False)
        world.recognise("two rooms", final=False, ago_ms=128)
        ended = only(world.hear(10, voiced=False), UtteranceEnded)
        assert ended.source == "interim"
        assert 300 <= ended.eou_ms < 332

    def test_what_has_arrived_counts_for_less_than_a_window(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.recognise("two rooms")
        world.hear(8, voiced=False)
        assert none_of(world.send(Arrived(world.audio_ms + 200)), UtteranceEnded)
        world.audio_ms += 32
        world.send(Voice(world.audio_ms, Heard.NOTHING))
        assert none_of(world.send(Arrived(world.audio_ms + 11)), UtteranceEnded)
        ended = only(world.send(Arrived(world.audio_ms + 200)), UtteranceEnded)
        assert ended.eou_ms == 320, "what nobody has judged may be a voice"

    def test_words_that_come_between_two_windows_find_the_silence_as_long_as_it_is(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.hear(9, voiced=False)
        world.send(Arrived(world.audio_ms + 12))
        assert only(world.recognise("two rooms", ago_ms=288), UtteranceEnded).eou_ms == 300

    def test_a_text_that_goes_on_waits_longer(self) -> None:
        ended = only(listening().utter("I want to buy a house and"), UtteranceEnded)
        assert 560 <= ended.eou_ms <= 600

    def test_words_that_end_long_before_the_voice_wait_longer(self) -> None:
        world = listening()
        world.hear(60, voiced=True)
        world.recognise("I want to", length_ms=600, ago_ms=900)
        ended = only(world.hear(45, voiced=False), UtteranceEnded)
        assert 560 <= ended.eou_ms <= 600
        assert 380 <= ended.recognition_wait_ms <= 432, "and a little more for the last words"

    def test_last_words_that_come_after_a_stalled_line_are_part_of_it(self) -> None:
        world = listening()
        world.hear(40, voiced=True)
        world.recognise("can I pay", final=False, length_ms=600, ago_ms=500)
        assert none_of(world.hear(18, voiced=False), UtteranceEnded)
        actions = world.recognise("can I pay by link", length_ms=1280, ago_ms=576)
        assert only(actions, UtteranceEnded).text == "can I pay by link"

    def test_a_pause_asks_for_the_words_once(self) -> None:
        world = listening()
        actions = world.hear(20, voiced=True) + world.hear(8, voiced=False)
        only(actions, UtteranceStarted)
        assert only(actions, UtterancePaused).audio_ms == 20 * 32

    def test_its_beginning_is_told_as_it_was(self) -> None:
        world = listening()
        world.hear(10, voiced=False)
        assert world.turns.voice_began_audio_ms == 10 * 32, "nobody speaks: the present"
        assert none_of(world.hear(2, voiced=True), UtteranceStarted)
        began = only(world.hear(1, voiced=True), UtteranceStarted)
        assert began.audio_ms == 10 * 32
        world.hear(5, voiced=True)
        assert world.turns.voice_began_audio_ms == 10 * 32
        world.hear(3, voiced=False)
        world.recognise("two rooms", length_ms=256, ago_ms=96)
        ended = only(world.hear(10, voiced=False), UtteranceEnded)
        assert (ended.started_audio_ms, ended.ended_audio_ms) == (10 * 32, 18 * 32)

    def test_last_words_are_not_awaited_for_ever_on_a_dead_line(self) -> None:
        world = listening()
        world.hear(60, voiced=True)
        world.recognise("I want to", length_ms=600, ago_ms=900)
        assert none_of(world.hear(18, voiced=False), UtteranceEnded)
        ended = only(world.wait(500), UtteranceEnded)
        assert (ended.text, ended.recognition_wait_ms) == ("I want to", 400)

    def test_a_short_pause_does_not_end_it(self) -> None:
        world = listening()
        actions = world.hear(20, voiced=True)
        actions += world.hear(6, voiced=False)
        world.recognise("three", ago_ms=192)
        actions += world.hear(20, voiced=True)
        assert none_of(actions, UtteranceEnded)
        world.hear(4, voiced=False)
        world.recognise("three rooms please", length_ms=1600, ago_ms=128)
        assert only(world.hear(8, voiced=False), UtteranceEnded).text == "three rooms please"

    def test_late_words_are_awaited_and_the_silence_told_as_it_was(self) -> None:
        world = listening()
        actions = world.hear(20, voiced=True) + world.hear(40, voiced=False)
        assert none_of(actions, UtteranceEnded)
        ended = only(world.recognise("yes please", ago_ms=1280), UtteranceEnded)
        assert 560 <= ended.eou_ms <= 600
        assert ended.recognition_wait_ms > 600

    def test_missing_media_is_not_silence(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.recognise("I want to buy")
        assert none_of(world.wait(1500), UtteranceEnded)
        assert only(world.wait(1000), UtteranceEnded).cause == "media_gap"

    def test_clicks_are_no_utterance(self) -> None:
        world = listening()
        for _ in range(20):
            world.hear(2, voiced=True)
            world.hear(3, voiced=False)
        assert none_of(world.actions, UtteranceStarted)

    def test_a_cough_is_let_pass_without_an_answer(self) -> None:
        world = listening()
        for windows in (8, 9):
            actions = world.hear(windows, voiced=True) + world.hear(90, voiced=False)
            assert only(actions, UtteranceDropped).text == ""
            assert none_of(actions, UtteranceEnded)
        only(world.hear(10, voiced=True) + world.hear(90, voiced=False), UtteranceEnded)

    def test_long_speech_without_words_deserves_a_retry(self) -> None:
        world = listening()
        actions = world.hear(40, voiced=True) + world.hear(90, voiced=False)
        ended = only(actions, UtteranceEnded)
        assert (ended.text, ended.source) == ("", "none")
        only(actions, Think)

    def test_an_endless_utterance_is_answered_as_it_stands(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.recognise("well you see", ago_ms=0)
        assert only(world.hear(1000, voiced=True), UtteranceEnded).cause == "too_long"


class TestOneAnswerPerUtterance:
    def test_a_later_final_of_the_same_words_is_not_answered(self) -> None:
        world = listening()
        world.utter("two million")
        actions = world.recognise("two million", length_ms=900, ago_ms=400)
        assert only(actions, LateRecognition).text == "two million"
        assert none_of(actions, Think)

    def test_the_overlap_of_a_later_final_is_cut(self) -> None:
        world = listening()
        world.utter("I want to buy")
        world.answer()
        world.play_out()
        world.hear(20, voiced=True)
        world.hear(4, voiced=False)
        world.recognise("to buy a house", length_ms=1800, ago_ms=128)
        assert only(world.hear(16, voiced=False), UtteranceEnded).text == "a house"

    def test_the_same_answer_to_the_next_question_counts(self) -> None:
        world = listening()
        world.utter("yes please")
        world.answer()
        world.play_out()
        assert only(world.utter("yes please"), UtteranceEnded).turn == 2

    def test_what_was_said_before_a_word_of_the_answer_was_heard_is_answered_together(self) -> None:
        world = listening()
        world.utter("I want to buy")
        actions = world.utter("a flat not a house")
        assert only(actions, Think).text == "I want to buy a flat not a house"


class TestGuessing:
    """The answer is begun while it is not yet sure that the caller has finished."""

    def pause_after(self, world: World, text: str) -> list[Action]:
        """The caller says that and has been silent for a little: too short for an end."""
        actions = world.hear(20, voiced=True) + world.hear(2, voiced=False)
        return actions + world.recognise(text, final=False, ago_ms=64)

    def test_begins_when_the_caller_pauses_and_what_they_said_is_stable(self) -> None:
        guess = only(self.pause_after(listening(), "I want to buy"), Guess)
        assert guess.text == "I want to buy"

    def test_is_gone_on_with_when_nothing_was_added(self) -> None:
        world = listening()
        guess = only(self.pause_after(world, "I want to buy"), Guess)
        think = only(world.hear(10, voiced=False), Think)
        assert think.guess == guess.guess
        assert (world.turns.counters.answers, world.turns._guesses.used) == (1, 1)

    def test_a_full_stop_makes_no_other_words(self) -> None:
        world = listening()
        guess = only(self.pause_after(world, "I want to buy"), Guess)
        world.recognise("I want to buy.", ago_ms=64)
        assert only(world.hear(10, voiced=False), Think).guess == guess.guess

    def test_is_dropped_when_more_is_said(self) -> None:
        world = listening()
        first = only(self.pause_after(world, "I want to buy"), Guess)
        world.hear(20, voiced=True)
        world.hear(3, voiced=False)
        actions = world.recognise("I want to buy a house", length_ms=1300, ago_ms=96)
        assert only(actions, DropGuess).guess == first.guess
        second = only(actions, Guess)
        assert only(world.hear(10, voiced=False), Think).guess == second.guess

    def test_an_unstable_interim_is_no_ground_for_it(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.hear(2, voiced=False)
        piece = Recognition("I want", False, 0.1, 0.0, world.audio_ms)
        assert none_of(world.send(Recognised(piece)), Guess)

    def test_what_was_made_to_other_words_is_not_taken(self) -> None:
        world = listening()
        world.guesses_are_slow = True
        self.pause_after(world, "I want to buy")
        piece = Recognition("I want to rent", False, 0.1, 0.0, world.audio_ms)
        world.send(Recognised(piece))
        think = only(world.hear(20, voiced=False), Think)
        assert (think.text, think.guess) == ("I want to rent", 0)

    def test_while_it_is_made_the_utterance_stays_open_for_its_longest(self) -> None:
        world = listening()
        world.guesses_are_slow = True
        self.pause_after(world, "I want to buy")
        ended = only(world.hear(40, voiced=False), UtteranceEnded)
        assert 560 <= ended.eou_ms <= 600

    def test_the_utterance_ends_as_soon_as_the_answer_could_be_heard(self) -> None:
        world = listening()
        world.guesses_are_slow = True
        self.pause_after(world, "I want to buy")
        assert none_of(world.hear(12, voiced=False), UtteranceEnded)
        ended = only(world.guess_ready(), UtteranceEnded)
        assert ended.eou_ms == 14 * 32

    def test_but_never_before_its_shortest_silence(self) -> None:
        world = listening()
        self.pause_after(world, "I want to buy")
        ended = only(world.hear(10, voiced=False), UtteranceEnded)
        assert 300 <= ended.eou_ms < 332

    def test_a_caller_who_pauses_at_every_word_does_not_cost_a_model_each_time(self) -> None:
        world = listening()
        words = "one two three four five six seven eight".split()
        for count in range(1, len(words) + 1):
            world.hear(6, voiced=True)
            world.hear(3, voiced=False)
            world.recognise(" ".join(words[:count]), length_ms=world.audio_ms, ago_ms=96)
        guesses = [action for action in world.actions if isinstance(action, Guess)]
        assert len(guesses) == world.turns.policy.max_guesses

    def test_one_that_grows_old_is_dropped(self) -> None:
        world = listening()
        world.guesses_are_slow = True
        guess = only(self.pause_after(world, "I want to buy"), Guess)
        actions = world.hear(200, voiced=True)
        assert only(actions, DropGuess).guess == guess.guess

    def test_over_the_agent_it_answers_all_that_is_open(self) -> None:
        world = listening()
        world.utter("I want to buy")
        guess = only(self.pause_after(world, "a flat not a house"), Guess)
        assert guess.text == "I want to buy a flat not a house"
        assert only(world.hear(16, voiced=False), Think).guess == guess.guess

    def test_it_tells_what_is_new_from_what_is_open(self) -> None:
        world = listening()
        world.utter("I want to buy")
        guess = only(self.pause_after(world, "a flat not a house"), Guess)
        assert guess.words == "a flat not a house"

    def test_a_back_channel_is_no_ground_for_it(self) -> None:
        world = speaking()
        assert none_of(world.utter("mm-hm", windows=10), Guess)

    def test_nor_are_words_beside_keys(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.other(3, 0)
        actions = world.hear(2, voiced=False)
        actions += world.recognise("I want to buy", final=False, ago_ms=64)
        assert none_of(actions, Guess)

    def test_keys_drop_it(self) -> None:
        world = listening()
        self.pause_after(world, "I want to buy")
        world.other(3, 0)
        assert only(world.wait(1300), Think).guess == 0
        assert world.guess is None


class TestTransfer:
    """The agent connects the caller to a person."""

    def connecting(self) -> World:
        world = listening()
        world.utter("I want to talk to a person")
        world.say(world.reply, "I will connect you.")
        world.end_reply(world.reply, transfer_to="+97231234567")
        world.release(world.reply, 1000)
        return world

    def test_happens_once_the_agent_was_heard(self) -> None:
        world = self.connecting()
        assert none_of(world.actions, Connect)
        assert only(world.play_out(), Connect).number == "+97231234567"

    def test_the_caller_may_change_their_mind_before(self) -> None:
        world = self.connecting()
        world.send(ReplyHeard(world.reply))
        actions = world.utter("no wait I do not want that")
        only(actions, Think)
        world.answer()
        assert none_of([*actions, *world.play_out()], Connect)

    def test_needs_no_words(self) -> None:
        world = listening()
        world.utter("I want to talk to a person")
        actions = world.end_reply(world.reply, transfer_to="+97231234567")
        assert only(actions, Connect).number == "+97231234567"

    def test_what_comes_of_another_reply_does_not_end_it(self) -> None:
        world = self.connecting()
        said = world.reply
        world.play_out()
        for event in (TransferFailed(said), ReplyFailed(world.reply), ReplyFailed(said)):
            assert not world.send(event)
        assert not world.say(world.reply)
        assert not world.end_reply(world.reply)
        assert not world.send(AudioReleased(world.reply, world.now_ms + 60_000))
        assert world.turns.glimpse.doing == "transferring"
        assert none_of(world.wait(11_999), SpeakPhrase)
        actions = world.wait(1)
        only(actions, AbandonReply)
        assert only(actions, SpeakPhrase).phrase is Phrase.TRANSFER_FAILED

    def test_a_reply_of_words_has_no_transfer_that_could_fail(self) -> None:
        world = speaking()
        assert not world.send(TransferFailed(world.reply))

    def test_words_and_keys_of_before_are_forgotten(self) -> None:
        world = self.connecting()
        world.hear(3, voiced=True)
        world.play_out()
        actions = world.recognise("hello", length_ms=90)
        assert none_of(actions + world.hear(40, voiced=False), UtteranceEnded, Think)

    def test_nothing_is_answered_meanwhile(self) -> None:
        world = self.connecting()
        world.play_out()
        assert none_of(world.utter("hello are you there"), Think, StopSpeaking)

    def test_lost_ears_meanwhile_do_not_end_it(self) -> None:
        world = self.connecting()
        world.play_out()
        assert none_of(world.send(EarsLost()), SpeakPhrase, AbandonReply)

    def test_a_failure_is_said_and_the_call_goes_on(self) -> None:
        world = self.connecting()
        connect = only(world.play_out(), Connect)
        actions = world.send(TransferFailed(connect.reply))
        assert only(actions, SpeakPhrase) == SpeakPhrase(world.reply, Phrase.TRANSFER_FAILED)
        world.release(world.reply, 1500)
        world.play_out()
        assert only(world.utter("then take a message"), Think).text == "then take a message"

    def test_one_that_nobody_hears_of_has_failed(self) -> None:
        world = self.connecting()
        world.play_out()
        actions = world.wait(world.turns.policy.transfer_ms + 1)
        assert only(actions, SpeakPhrase).phrase is Phrase.TRANSFER_FAILED

    @pytest.mark.parametrize(
        ("event", "phrase", "reason"),
        [(Farewell(), Phrase.GOODBYE, "drain"), (EarsLost(), Phrase.CANNOT_HEAR, "error")],
    )
    def test_one_that_fails_after_all_has_to_end_leaves_in_order(
        self, event: Farewell | EarsLost, phrase: Phrase, reason: str
    ) -> None:
        world = self.connecting()
        connect = only(world.play_out(), Connect)
        assert none_of(world.send(event), SpeakPhrase)
        assert only(world.send(TransferFailed(connect.reply)), SpeakPhrase).phrase is phrase
        world.release(world.reply, 1500)
        assert only(world.play_out(), HangUp).reason == reason

    def test_one_that_somebody_of_the_business_wants_is_told_first_and_not_talked_out_of(
        self,
    ) -> None:
        world = speaking()
        actions = world.send(PutThrough("+97231234567"))
        assert only(actions, SpeakPhrase) == SpeakPhrase(world.reply, Phrase.TRANSFER)
        assert world.turns.glimpse.doing == "transferring"
        # Pressed twice: once.
        assert not world.send(PutThrough("+97231234567"))
        world.release(world.reply, 1500)
        assert none_of(world.utter("no, wait"), Think, StopSpeaking)
        connect = only(world.play_out(), Connect)
        assert connect.number == "+97231234567"
        assert world.turns.glimpse.doing == "transferring"
        actions = world.send(TransferFailed(connect.reply))
        assert only(actions, SpeakPhrase).phrase is Phrase.TRANSFER_FAILED
        world.release(world.reply, 1500)
        world.play_out()
        only(world.utter("then take a message"), Think)

    def test_one_that_cannot_be_told_is_done_all_the_same(self) -> None:
        world = listening()
        world.send(PutThrough("+97231234567"))
        assert only(world.send(ReplyFailed(world.reply)), Connect).number == "+97231234567"

    def test_a_caller_who_comes_back_is_told_and_listened_to(self) -> None:
        world = World()
        world.introductions = 1
        actions = world.send(BackFromTransfer())
        assert only(actions, SpeakPhrase).phrase is Phrase.TRANSFER_FAILED
        assert not world.send(Begin()), "they know who is speaking"
        world.release(world.reply, 1500)
        world.play_out()
        only(world.utter("then take a message"), Think)


class TestKeysOnTheLine:
    def test_sound_in_their_place(self) -> None:
        world = listening()
        world.utter("press one please")
        actions = world.say(world.reply, "One moment.")
        actions += world.send(ReplyKeys(world.reply, "1#"))
        assert actions == [Speak(world.reply, "One moment."), SoundKeys(world.reply, "1#")]
        assert world.end_reply(world.reply) == [FinishReply(world.reply)]


class TestWordsWithoutAVoice:
    def test_an_echo_is_not_put_before_the_next_answer(self) -> None:
        world = listening()
        world.hear(10, voiced=False)
        world.recognise("do you want to buy or rent", length_ms=1500)
        world.hear(60, voiced=False)
        assert only(world.utter("rent"), UtteranceEnded).text == "rent"

    def test_long_after_a_cough_they_are_not_its_words(self) -> None:
        world = listening()
        world.hear(8, voiced=True)
        world.hear(300, voiced=False)
        actions = world.recognise("breaking news tonight", length_ms=1500)
        assert none_of(actions, Think)

    def test_they_do_not_pile_up(self) -> None:
        world = listening()
        for _ in range(200):
            world.hear(40, voiced=False)
            world.recognise("television", length_ms=900)
        assert len(world.turns._caller._transcript._pieces) < 5


class TestBargeIn:
    def test_voice_stops_the_agent_at_once(self) -> None:
        world = speaking()
        actions = world.hear(3, voiced=True)
        assert none_of(actions, StopSpeaking)
        actions = world.hear(1, voiced=True)
        assert [type(action) for action in actions] == [StopSpeaking, UtteranceStarted]
        assert world.turns.state is State.LISTENING

    def test_words_are_answered_and_the_rest_is_given_up(self) -> None:
        world = speaking()
        interrupted = world.reply
        actions = world.utter("no wait I mean a flat")
        assert only(actions, AbandonReply).reply == interrupted
        assert only(actions, Think).text == "no wait I mean a flat"

    def test_in_thought_it_stops_the_answer_too(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        assert world.turns.state is State.THINKING
        only(world.hear(4, voiced=True), StopSpeaking)
        assert world.turns.counters.barge_ins == 0, "nothing was being said"

    def test_a_short_noise_does_not_stop_it(self) -> None:
        world = speaking()
        actions = world.hear(3, voiced=True) + world.hear(10, voiced=False)
        assert none_of(actions, StopSpeaking)

    def test_each_is_counted(self) -> None:
        world = speaking()
        for _ in range(3):
            world.utter("no wait I mean a flat")
            world.answer()
        assert world.turns.counters.barge_ins == 3


class TestFalseInterruption:
    def test_each_is_counted(self) -> None:
        world = speaking(length_ms=60_000)
        for _ in range(3):
            world.hear(8, voiced=True)
            world.hear(70, voiced=False)
        assert world.turns.counters.false_interruptions == 3

    def test_a_cough_is_resumed_after_two_seconds(self) -> None:
        world = speaking()
        actions = world.hear(8, voiced=True) + world.hear(70, voiced=False)
        assert only(actions, StopSpeaking).reply == only(actions, ResumeSpeaking).reply
        assert none_of(actions, Think, AbandonReply)
        assert world.turns.counters.false_interruptions == 1

    def test_at_once_when_the_recogniser_says_there_was_nothing(self) -> None:
        world = speaking()
        world.hear(8, voiced=True)
        world.hear(4, voiced=False)
        world.recognise("", ago_ms=128)
        only(world.hear(16, voiced=False), ResumeSpeaking)

    def test_a_back_channel_leaves_the_floor_with_the_agent(self) -> None:
        for text in ("mm-hm", "כן כן", "okay", "אהה"):
            world = speaking()
            actions = world.utter(text, windows=10)
            only(actions, ResumeSpeaking)
            assert only(actions, UtteranceDropped).text == text
            assert world.turns.state is State.SPEAKING

    def test_the_agent_goes_on_within_300_ms_of_the_word(self) -> None:
        for text in ("mm-hm", "hmm", "אהה", "כן", "okay", "uh huh"):
            for known_after in (1, 2, 4, 6):
                world = speaking()
                world.hear(10, voiced=True)
                world.hear(known_after, voiced=False)
                told_ms = world.now_ms
                actions = world.recognise(text, length_ms=320, ago_ms=known_after * 32)
                while none_of(actions, ResumeSpeaking):
                    actions = world.hear(1, voiced=False)
                assert world.now_ms - told_ms <= 300, (text, known_after)

    def test_a_business_may_call_a_word_a_command(self) -> None:
        world = speaking()
        world.turns.words = FloorWords.with_own([], ["okay"])
        only(world.utter("okay", windows=10), Think)

    def test_a_word_of_command_takes_it(self) -> None:
        for text in ("stop", "רגע", "no"):
            world = speaking()
            only(world.utter(text, windows=10), Think)

    def test_yes_at_the_end_of_the_question_is_an_answer(self) -> None:
        stopped_after_ms = 4 * 32
        world = speaking(length_ms=1000 + stopped_after_ms)
        assert only(world.utter("yes", windows=10), UtteranceEnded).text == "yes"
        world = speaking(length_ms=1001 + stopped_after_ms)
        only(world.utter("yes", windows=10), ResumeSpeaking)

    def test_words_that_come_after_a_back_channel_are_late_once_it_was_final(self) -> None:
        for final, kind in ((True, LateRecognition), (False, Think)):
            world = speaking()
            world.hear(10, voiced=True)
            world.hear(4, voiced=False)
            world.recognise("okay", final=final, length_ms=320, ago_ms=128)
            only(world.hear(16, voiced=False), ResumeSpeaking)
            only(world.recognise("okay but no", length_ms=320, ago_ms=20 * 32), kind)

    def test_words_that_come_after_the_agent_went_on_are_answered_all_the_same(self) -> None:
        world = speaking(length_ms=20_000)
        world.hear(8, voiced=True)
        world.hear(70, voiced=False)
        assert world.turns.state is State.SPEAKING
        actions = world.recognise("no stop", length_ms=250, ago_ms=70 * 32)
        only(actions, StopSpeaking)
        assert only(actions, Think).text == "no stop"

    def coughed(self) -> World:
        """The agent was stopped by a noise and has gone on speaking."""
        world = speaking(length_ms=20_000)
        world.hear(8, voiced=True)
        world.hear(70, voiced=False)
        assert world.turns.state is State.SPEAKING
        return world

    def test_a_late_back_channel_does_not_stop_the_agent_again(self) -> None:
        world = self.coughed()
        assert not world.recognise("okay", length_ms=250, ago_ms=70 * 32)
        actions = world.recognise("okay but no", length_ms=250, ago_ms=70 * 32)
        assert [type(action) for action in actions] == [LateRecognition], "its words were final"

    def test_but_it_may_still_grow_into_an_answer(self) -> None:
        world = self.coughed()
        assert not world.recognise("okay", final=False, length_ms=250, ago_ms=70 * 32)
        actions = world.recognise("okay but no", length_ms=250, ago_ms=70 * 32)
        only(actions, StopSpeaking)
        assert only(actions, Think).text == "okay but no"

    def test_late_words_beside_keys_are_not_answered(self) -> None:
        world = self.coughed()
        world.other(3, 0)
        assert not world.recognise("no stop", length_ms=250, ago_ms=70 * 32)
        assert only(world.wait(1200), Think).digits == "1"

    def test_while_the_caller_goes_on_speaking_the_agent_stays_silent(self) -> None:
        world = speaking()
        actions = world.hear(400, voiced=True)
        assert none_of(actions, ResumeSpeaking)


class TestDeadlines:
    def test_a_brain_that_hangs_is_apologised_for(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        actions = world.wait(8000)
        assert only(actions, SpeakPhrase).phrase is Phrase.APOLOGY

    def test_a_brain_that_fails_is_apologised_for(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        actions = world.send(ReplyFailed(world.reply))
        assert actions[1:] == [
            SpeakPhrase(world.reply, Phrase.APOLOGY),
            FinishReply(world.reply),
        ]

    def test_an_answer_without_words_is_apologised_for(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        assert only(world.end_reply(world.reply), SpeakPhrase).phrase is Phrase.APOLOGY

    def test_what_was_spoken_before_the_failure_is_kept(self) -> None:
        world = speaking()
        world.turns._reply.brain_done = False  # type: ignore[union-attr]
        actions = world.send(ReplyFailed(world.reply))
        assert only(actions, SpeakPhrase).reply == world.reply
        assert none_of(actions, AbandonReply)

    def test_a_failure_while_the_caller_speaks_waits_for_the_end_of_it(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        world.say(world.reply, "One moment.")
        world.release(world.reply, 4000)
        world.hear(4, voiced=True)
        actions = world.send(ReplyFailed(world.reply))
        assert actions == [FinishReply(world.reply)], "what was made is whole"
        assert not world.send(ReplyFailed(world.reply)), "it is told once"
        world.hear(4, voiced=False)
        world.recognise("", length_ms=128, ago_ms=128)
        actions = world.hear(16, voiced=False)
        only(actions, ResumeSpeaking)
        assert none_of(actions, SpeakPhrase), "what there is of it is heard to its end"
        only(world.play_out(), CompleteReply)

    def test_if_nothing_was_made_of_it_the_apology_comes_then(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        world.hear(4, voiced=True)
        world.send(ReplyFailed(world.reply))
        world.hear(4, voiced=False)
        world.recognise("", length_ms=128, ago_ms=128)
        actions = world.hear(16, voiced=False)
        assert none_of(actions, ResumeSpeaking)
        assert only(actions, SpeakPhrase).phrase is Phrase.APOLOGY
        world.release(world.reply, 1000)
        only(world.play_out(), CompleteReply)
        assert world.turns.state is State.LISTENING

    def test_an_answer_that_is_thought_about_goes_on_after_a_noise(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        world.hear(8, voiced=True)
        only(world.hear(70, voiced=False), ResumeSpeaking)
        assert world.turns.state is State.THINKING
        assert world.turns.counters.false_interruptions == 0, "nothing was being said"
        assert none_of(world.wait(3_000), SpeakPhrase), "and has its full time again"
        assert only(world.wait(1_000), SpeakPhrase).phrase is Phrase.APOLOGY

    def test_an_apology_that_never_sounds_ends_the_call(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        only(world.send(ReplyFailed(world.reply)), SpeakPhrase)
        assert none_of(world.wait(3_999), HangUp)
        assert only(world.wait(1), HangUp).reason == "error"

    def test_an_apology_behind_words_has_its_full_time(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        world.say(world.reply, "One moment.")
        world.release(world.reply, 500)
        assert none_of(world.wait(3_499), SpeakPhrase)
        only(world.wait(1), SpeakPhrase)
        assert none_of(world.wait(3_999), HangUp, CompleteReply)
        world.release(world.reply, 1_000)
        only(world.play_out(), CompleteReply)

    def test_of_a_reply_that_is_over_nothing_is_said(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        old = world.reply
        world.utter("no a flat")
        assert not world.say(old)
        assert not world.end_reply(old)
        assert not world.send(ReplyFailed(old))
        assert not world.release(old, 60_000)
        assert world.turns.state is State.THINKING
        assert not world.send(PlayedOut(old))

    def test_a_brain_ends_its_reply_once(self) -> None:
        world = speaking()
        assert not world.say(world.reply, "And another thing.")
        assert not world.end_reply(world.reply, hang_up=True)
        assert none_of(world.play_out(), HangUp)

    def test_what_has_not_ended_is_not_over_though_all_of_it_was_played(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        world.say(world.reply, "One moment.")
        world.release(world.reply, 500)
        assert not world.play_out()
        assert world.turns.state is State.SPEAKING
        only(world.say(world.reply, "Here it is."), Speak)

    def test_what_is_held_is_not_over_though_all_of_it_was_played(self) -> None:
        world = speaking()
        only(world.hear(4, voiced=True), StopSpeaking)
        assert not world.play_out()
        only(world.hear(70, voiced=False), ResumeSpeaking)

    def test_an_apology_that_fails_ends_the_call(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        world.send(ReplyFailed(world.reply))
        assert only(world.send(ReplyFailed(world.reply)), HangUp).reason == "error"

    def test_lost_marks_do_not_leave_the_agent_speaking(self) -> None:
        world = speaking(length_ms=3000)
        assert none_of(world.wait(5999), CompleteReply)
        only(world.wait(1), CompleteReply)
        assert world.turns.state is State.LISTENING

    def test_a_mark_that_comes_before_its_time_is_no_reason_to_wait_for_less(self) -> None:
        world = listening()
        world.utter("I want to buy a house")
        world.say(world.reply)
        world.end_reply(world.reply)
        world.send(AudioReleased(world.reply, world.now_ms - 1_000))
        assert none_of(world.wait(2_999), CompleteReply)
        only(world.wait(1), CompleteReply)


class TestIdleCaller:
    def test_is_asked_twice_then_told_goodbye(self) -> None:
        world = listening()
        phrases = []
        for _ in range(3):
            phrase = only(world.wait(12_000), SpeakPhrase)
            phrases.append((phrase.phrase, phrase.index))
            world.release(world.reply, 1000)
            last = world.play_out()
        assert phrases == [(Phrase.REPROMPT, 0), (Phrase.REPROMPT, 1), (Phrase.GOODBYE, 0)]
        assert only(last, HangUp).reason == "idle"

    def test_is_counted(self) -> None:
        world = listening()
        for _ in range(2):
            assert none_of(world.wait(11_999), SpeakPhrase)
            only(world.wait(1), SpeakPhrase)
            world.release(world.reply, 1000)
            world.play_out()
        assert world.turns.counters.reprompts == 2

    def test_may_answer_before_the_question_was_heard(self) -> None:
        world = listening()
        only(world.wait(12_000), SpeakPhrase)
        assert only(world.utter("I am here"), Think).text == "I am here"

    def test_is_not_idle_while_the_phone_plays(self) -> None:
        world = speaking(length_ms=20_000)
        assert none_of(world.wait(19_000), SpeakPhrase)

    def test_an_answer_starts_the_count_again(self) -> None:
        world = listening()
        world.wait(12_000)
        world.release(world.reply, 1000)
        world.play_out()
        world.utter("I am here")
        world.answer()
        world.play_out()
        assert only(world.wait(12_000), SpeakPhrase).index == 0

    def test_noise_does_not_keep_an_idle_call_alive(self) -> None:
        world = listening()
        for _ in range(40):
            world.hear(5, voiced=True)
            world.hear(80, voiced=False)
            if world.turns.state is not State.LISTENING:
                world.release(world.reply, 1000)
                world.play_out()
        assert world.turns.state is State.ENDED


class TestKeys:
    def test_answer_after_a_pause(self) -> None:
        world = listening()
        world.other(3, 0)
        ended = only(world.wait(1200), UtteranceEnded)
        assert (ended.text, ended.source, ended.cause) == ("1", "dtmf", "keys")
        assert only(world.actions[-2:], Think).digits == "1"

    def test_hash_ends_them_at_once(self) -> None:
        world = listening()
        world.other(3, 0)
        world.other(3, 0)
        assert only(world.other(4, 0), Think).digits == "11"

    def test_stop_the_agent(self) -> None:
        world = speaking()
        only(world.other(3, 0), StopSpeaking)
        actions = world.wait(1200)
        only(actions, AbandonReply)
        assert only(actions, Think).digits == "1"

    def test_put_off_a_voice_that_goes_on(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.other(3, 0)
        world.recognise("one two", final=False, length_ms=600)
        actions = world.hear(40, voiced=True)
        assert only(actions, UtteranceDropped).text == "one two"
        ended = only(actions, UtteranceEnded)
        assert (ended.eou_ms, ended.recognition_wait_ms) == (0, 0)
        assert 37 * 32 <= ended.started_audio_ms - 20 * 32 <= 38 * 32
        assert ended.ended_audio_ms == ended.started_audio_ms
        assert only(actions, Think).text == ""

    def test_come_with_the_words_that_nobody_has_answered(self) -> None:
        world = listening()
        world.utter("my number is")
        world.other(3, 0)
        think = only(world.wait(1200), Think)
        assert (think.text, think.digits, think.guess) == ("my number is", "1", 0)
        think = only(world.utter("and that is all"), Think)
        assert (think.text, think.digits) == ("my number is and that is all", "1")
        world.answer()
        world.play_out()
        actions = world.utter("thank you")
        think = only(actions, Think)
        assert (think.text, think.digits) == ("thank you", ""), "answered and heard"
        assert only(actions, UtteranceEnded).turn == think.turn == 4, "keys are a turn as well"

    def test_a_hash_alone_stops_it_for_a_moment(self) -> None:
        world = speaking()
        stopped = only(world.other(4, 0), StopSpeaking)
        assert none_of(world.wait(1999), ResumeSpeaking)
        assert only(world.wait(1), ResumeSpeaking).reply == stopped.reply

    def test_words_that_end_beside_them_are_let_pass(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.other(3, 0)
        world.recognise("one two", length_ms=600)
        actions = world.hear(20, voiced=False)
        assert only(actions, UtteranceDropped).text == "one two"
        assert none_of(actions, UtteranceEnded)
        actions = world.wait(1200)
        assert only(actions, UtteranceEnded).text == "1"
        assert none_of(actions, UtteranceDropped)


class TestKeysInTwoParts:
    def test_are_answered_together_while_the_answer_was_not_heard(self) -> None:
        world = listening()
        for _ in range(2):
            world.other(3, 0)
            world.wait(1200)
        assert only(world.actions[-1:], Think).digits == "11"


class TestALook:
    def test_tells_what_goes_on_and_the_words_so_far(self) -> None:
        world = listening()
        assert world.turns.glimpse == Glimpse("listening")
        world.hear(20, voiced=True)
        assert world.turns.glimpse == Glimpse("hearing")
        world.recognise("I want to", final=False)
        assert world.turns.glimpse == Glimpse("hearing", "I want to")
        world.recognise("I want to buy", final=False)
        assert world.turns.glimpse == Glimpse("hearing", "I want to buy")
        world.utter("I want to buy a house")
        assert world.turns.glimpse == Glimpse("thinking")
        world.answer()
        assert world.turns.glimpse == Glimpse("speaking")
        world.send(Closed())
        assert world.turns.glimpse == Glimpse("leaving")


class TestTheEnd:
    def test_hangs_up_only_when_the_last_word_was_heard(self) -> None:
        world = listening()
        world.utter("that is all")
        world.say(world.reply, "Goodbye.")
        world.end_reply(world.reply, hang_up=True)
        world.release(world.reply, 1000)
        assert none_of(world.actions, HangUp)
        assert only(world.play_out(), HangUp).reason == "agent_hangup"

    def test_an_end_without_words_is_an_end(self) -> None:
        world = listening()
        world.utter("that is all")
        actions = world.end_reply(world.reply, hang_up=True)
        assert only(actions, HangUp).reason == "agent_hangup"
        assert world.turns.state is State.ENDED

    def test_a_goodbye_that_cannot_be_said_ends_it_all_the_same(self) -> None:
        world = speaking()
        world.send(Farewell())
        assert only(world.send(ReplyFailed(world.reply)), HangUp).reason == "error"

    def test_tells_how_many_answers_were_begun_ahead(self) -> None:
        world = listening()
        for text in ("I want to buy a house", "two rooms please", "that is all"):
            world.utter(text)
            world.answer()
            world.play_out()
        world.hear(20, voiced=True)
        world.hear(3, voiced=False)
        dropped = only(world.recognise("and", final=True, length_ms=600, ago_ms=96), Guess)
        assert only(world.send(Closed()), DropGuess).guess == dropped.guess
        counters = world.turns.counters
        assert (counters.utterances, counters.answers) == (3, 3)
        assert (counters.guesses, counters.guesses_used) == (4, 3)

    def test_a_voice_under_way_is_cut_short_by_it(self) -> None:
        world = listening()
        world.hear(20, voiced=True)
        world.recognise("but I", final=False)
        actions = world.send(Farewell())
        assert only(actions, UtteranceDropped).text == "but I"
        assert only(actions, SpeakPhrase).phrase is Phrase.GOODBYE
        assert only(world.send(Closed()), AbandonReply).reply == world.reply

    def test_nobody_is_put_through_any_more(self) -> None:
        world = speaking()
        world.send(Farewell())
        assert not world.send(PutThrough("+97231234567"))

    def test_of_two_reasons_the_first_counts(self) -> None:
        world = speaking()
        world.send(PutThrough("+97231234567"))
        world.send(Farewell("staff_hangup"))
        world.send(EarsLost())
        connect = only(world.play_out(), Connect)
        assert only(world.send(TransferFailed(connect.reply)), SpeakPhrase).phrase is Phrase.GOODBYE
        world.release(world.reply, 1500)
        assert only(world.play_out(), HangUp).reason == "staff_hangup"

    def test_a_draining_service_says_goodbye_and_cannot_be_talked_out_of_it(self) -> None:
        world = speaking()
        assert only(world.send(Farewell()), SpeakPhrase).phrase is Phrase.GOODBYE
        world.release(world.reply, 1500)
        assert none_of(world.utter("but I was not finished"), Think, StopSpeaking)
        assert only(world.play_out(), HangUp).reason == "drain"

    def test_nor_by_keys(self) -> None:
        world = speaking()
        world.other(3, 0)
        world.send(Farewell())
        world.other(3, 0)
        assert none_of(world.wait(2000), Think, StopSpeaking)

    def test_nor_out_of_one_that_somebody_of_the_business_wants(self) -> None:
        world = speaking()
        assert only(world.send(Farewell("staff_hangup")), SpeakPhrase).phrase is Phrase.GOODBYE
        assert world.turns.glimpse.doing == "leaving"
        # Pressed twice: once.
        assert not world.send(Farewell("staff_hangup"))
        world.release(world.reply, 1500)
        assert none_of(world.utter("but I was not finished"), Think, StopSpeaking)
        assert only(world.play_out(), HangUp).reason == "staff_hangup"

    def test_it_is_kept_for_a_transfer_that_a_person_wants_and_that_fails(self) -> None:
        world = speaking()
        world.send(PutThrough("+97231234567"))
        assert not world.send(Farewell())
        connect = only(world.play_out(), Connect)
        actions = world.send(TransferFailed(connect.reply))
        assert only(actions, SpeakPhrase).phrase is Phrase.GOODBYE
        world.release(world.reply, 1500)
        assert only(world.play_out(), HangUp).reason == "drain"

    def test_failed_ears_are_said_to_whoever_waits_for_an_answer(self) -> None:
        world = listening()
        world.hear(6, voiced=True)
        world.hear(20, voiced=False)
        world.wait(2_000)
        assert only(world.send(EarsFailed()), SpeakPhrase).phrase is Phrase.APOLOGY
        world.release(world.reply, 1500)
        assert none_of(world.play_out(), HangUp)
        assert none_of(world.send(EarsFailed()), SpeakPhrase)

    def test_failed_ears_are_not_said_to_whoever_has_said_nothing(self) -> None:
        world = listening()
        world.hear(30, voiced=False)
        assert not world.send(EarsFailed())

    def test_lost_ears_are_said(self) -> None:
        world = listening()
        assert only(world.send(EarsLost()), SpeakPhrase).phrase is Phrase.CANNOT_HEAR
        world.release(world.reply, 1500)
        assert only(world.play_out(), HangUp).reason == "error"

    def test_lost_ears_are_a_persons_matter_where_somebody_can_be_reached(self) -> None:
        world = speaking()
        assert only(world.send(EarsLost(PERSON)), SpeakPhrase).phrase is Phrase.TRANSFER
        world.release(world.reply, 1500)
        connect = only(world.play_out(), Connect)
        assert connect.number == PERSON
        actions = world.send(TransferFailed(connect.reply))
        assert only(actions, SpeakPhrase).phrase is Phrase.CANNOT_HEAR
        world.release(world.reply, 1500)
        assert only(world.play_out(), HangUp).reason == "error"

    def test_lost_ears_bring_nobody_twice(self) -> None:
        world = speaking()
        world.send(PutThrough("+97231234567"))
        assert not world.send(EarsLost(PERSON))
        world.release(world.reply, 1500)
        assert only(world.play_out(), Connect).number == "+97231234567"
        assert not world.send(EarsLost(PERSON))

    def test_lost_ears_bring_nobody_to_a_caller_who_is_taken_leave_of(self) -> None:
        world = speaking()
        world.send(Farewell())
        assert not world.send(EarsLost(PERSON))

    def test_nothing_happens_after_it(self) -> None:
        world = speaking()
        world.other(-1, 0)
        assert world.turns.state is State.ENDED
        assert world.turns.next_deadline_ms is None
        assert not world.utter("hello?")


class TestTheTimeOfACall:
    """Ten minutes are allowed; the caller is warned a minute before their end."""

    MINUTE = 60_000.0

    def listening_at(self, minutes: float) -> World:
        """At that time of the call; the caller has talked with the agent now and then."""
        world = World(Turns(TurnPolicy(call_max_ms=10 * self.MINUTE)))
        world.begin()
        world.answer()
        world.play_out()
        while world.now_ms < minutes * self.MINUTE - 9_000:
            world.utter("I want to buy a house")
            world.answer(1000)
            world.wait(1000)
            world.play_out()
            if self.said(world.wait(10)):
                world.send(ReplyHeard(world.reply))
                world.release(world.reply, 500)
                world.play_out()
            world.wait(2000)
        world.wait(minutes * self.MINUTE - world.now_ms)
        return world

    def said(self, actions: list[Action]) -> list[Phrase]:
        return [action.phrase for action in actions if isinstance(action, SpeakPhrase)]

    def test_the_caller_is_warned_once_and_goes_on(self) -> None:
        world = self.listening_at(8.99)
        assert self.said(world.wait(2000)) == [Phrase.NEARLY_OVER]
        world.send(ReplyHeard(world.reply))
        world.release(world.reply, 1500)
        world.play_out()
        assert only(world.utter("then quickly"), Think).text == "then quickly"
        world.answer(1000)
        world.play_out()
        assert Phrase.NEARLY_OVER not in self.said(world.wait(5000))

    def test_not_while_they_speak(self) -> None:
        world = self.listening_at(8.99)
        actions = world.hear(60, voiced=True)
        world.recognise("two rooms and a balcony", length_ms=1900)
        actions += world.hear(16, voiced=False)
        only(actions, UtteranceEnded)
        assert not self.said(actions)
        world.answer(2000)
        assert not self.said(world.wait(1900)), "nor while they are answered"
        world.play_out()
        assert self.said(world.wait(100)) == [Phrase.NEARLY_OVER]

    def test_nor_while_they_press_keys(self) -> None:
        world = self.listening_at(8.99)
        world.wait(500)
        world.other(3, 0)
        assert not self.said(world.wait(1000))

    def test_a_warning_that_nobody_heard_is_given_again(self) -> None:
        world = self.listening_at(8.99)
        assert self.said(world.wait(1000)) == [Phrase.NEARLY_OVER]
        world.utter("wait I have another question")
        world.answer(1000)
        world.play_out()
        assert self.said(world.wait(100)) == [Phrase.NEARLY_OVER]

    def test_nobody_is_warned_early_for_an_answer_that_was_cut_short(self) -> None:
        world = self.listening_at(1)
        world.utter("I want to buy a house")
        world.utter("no a flat")
        world.answer(1000)
        world.play_out()
        assert not self.said(world.wait(1000))

    def test_a_call_that_ended_before_a_late_tick_ends_once(self) -> None:
        world = self.listening_at(9.9)
        world.utter("I want to buy a house")
        only(world.send(ReplyFailed(world.reply)), SpeakPhrase)
        world.now_ms += self.MINUTE
        assert [type(action) for action in world.send(Tick())] == [AbandonReply, HangUp]

    def test_at_the_end_the_agent_says_goodbye_and_hangs_up(self) -> None:
        world = self.listening_at(9.99)
        assert self.said(world.wait(1000)) == [Phrase.GOODBYE]
        world.release(world.reply, 1500)
        assert none_of(world.utter("but I was not finished"), Think, StopSpeaking)
        assert only(world.play_out(), HangUp).reason == "time_limit"

    def test_whoever_speaks_then_may_finish(self) -> None:
        world = self.listening_at(9.99)
        actions = world.hear(60, voiced=True)
        world.recognise("two rooms and a balcony", length_ms=1900)
        actions += world.hear(16, voiced=False)
        only(actions, Think)
        world.answer(2000)
        assert not self.said([*actions, *world.wait(1900)])
        world.play_out()
        assert self.said(world.wait(100)) == [Phrase.GOODBYE]

    def test_but_not_for_ever(self) -> None:
        world = self.listening_at(9.99)
        actions = world.hear(500, voiced=True)
        assert Phrase.GOODBYE in self.said(actions)
        assert world.now_ms < 10.5 * self.MINUTE
        assert only(world.play_out(), HangUp).reason == "time_limit"

    def test_a_caller_who_comes_back_has_what_was_left(self) -> None:
        world = World(Turns(TurnPolicy(call_max_ms=10 * self.MINUTE)))
        world.send(BackFromTransfer(9.5 * self.MINUTE))
        world.release(world.reply, 1500)
        world.play_out()
        assert self.said(world.wait(100)) == [Phrase.NEARLY_OVER]

    def test_one_who_is_being_connected_needs_no_farewell(self) -> None:
        world = self.listening_at(9.99)
        world.send(PutThrough("+97231234567"))
        only(world.play_out(), Connect)
        assert Phrase.GOODBYE not in self.said(world.wait(11_000))
        actions = world.wait(2000)
        assert self.said(actions) == [Phrase.TRANSFER_FAILED]
        world.release(world.reply, 500)
        world.play_out()
        assert self.said(world.wait(100)) == [Phrase.GOODBYE]

    @pytest.mark.parametrize(("seconds", "warned_at_s"), [(60, 45), (240, 180), (3600, 3540)])
    def test_of_a_short_call_a_quarter_is_left(self, seconds: float, warned_at_s: float) -> None:
        assert TurnPolicy(call_max_ms=seconds * 1000).warns_at_ms == warned_at_s * 1000

    def test_without_a_limit_nobody_is_warned(self) -> None:
        assert TurnPolicy().warns_at_ms == float("inf")


TEXTS = st.sampled_from(
    ["yes", "I want to buy a house", "mm-hm", "", "stop", "כן", "רגע לא ככה", "two rooms and", "…"]
)
STEPS = st.one_of(
    st.tuples(st.just("speech"), st.integers(1, 30)),
    st.tuples(st.just("silence"), st.integers(1, 40)),
    st.tuples(st.just("wait"), st.integers(1, 15_000)),
    st.tuples(st.just("words"), TEXTS, st.booleans(), st.integers(0, 2500)),
    st.tuples(st.just("sentence"), st.integers(0, 2)),
    st.tuples(st.just("reply end"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("audio"), st.integers(0, 2), st.integers(20, 8000)),
    st.tuples(st.just("answer"), st.integers(100, 8000)),
    st.tuples(
        st.just("played out"),
    ),
    st.tuples(st.just("utterance"), TEXTS),
    st.tuples(st.just("other"), st.integers(0, 13), st.integers(0, 2)),
    st.tuples(st.just("slow guesses"), st.booleans()),
)


def play(world: World, step: tuple) -> None:  # type: ignore[type-arg]
    match step:
        case ("speech", windows):
            world.hear(windows, voiced=True)
        case ("silence", windows):
            world.hear(windows, voiced=False)
        case ("wait", ms):
            world.wait(ms)
        case ("words", text, final, ago_ms):
            world.recognise(text, final=final, ago_ms=ago_ms)
        case ("sentence", back):
            world.say(world.reply - back)
        case ("reply end", back, hang_up):
            world.end_reply(world.reply - back, hang_up=hang_up)
        case ("audio", back, length_ms):
            world.release(world.reply - back, length_ms)
        case ("answer", length_ms):
            world.answer(length_ms)
        case ("played out",):
            world.play_out()
        case ("utterance", text):
            world.utter(text, windows=10)
        case ("slow guesses", slow):
            world.guesses_are_slow = slow
        case ("other", kind, back):
            world.other(kind, world.reply - back)


@settings(
    max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(st.lists(STEPS, min_size=5, max_size=25), st.sampled_from([inf, 5_000.0, 60_000.0]))
def test_the_promises_hold_whatever_happens(
    steps: list,  # type: ignore[type-arg]
    call_max_ms: float,
) -> None:
    world = World(Turns(TurnPolicy(call_max_ms=call_max_ms)))
    world.begin()
    for step in steps:
        play(world, step)
    # Left alone, with a dead line and a dead brain, every call comes to its end.
    for _ in range(40):
        world.wait(10_000)
    assert world.turns.state is State.ENDED

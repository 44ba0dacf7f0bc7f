"""Where one caller's utterances begin, pause and are over, by windows and words alone."""

from dataclasses import dataclass, field
from math import inf

import pytest

from voiceagent.call.activity import WINDOW_MS, Heard
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.utterance import Onset, Signal, UtteranceTracker
from voiceagent.speech.ports import Recognition

POLICY = TurnPolicy()
BEHIND_MS = 1_000_000.0
"""The wall clock is so far ahead of audio time: whoever takes one for the other is found out."""


@dataclass
class Ears:
    """Windows one after another, and words of what they were about."""

    policy: TurnPolicy = POLICY
    onset: Onset = Onset.LISTENING
    leaves_the_floor: bool = False
    asked: list[str] = field(default_factory=list)
    """What was said when it was asked whether that leaves the floor."""
    tracker: UtteranceTracker = field(init=False)
    audio_ms: float = 0.0
    signals: list[Signal] = field(default_factory=list)
    """What the windows brought about."""

    def __post_init__(self) -> None:
        self.tracker = UtteranceTracker(self.policy)

    @property
    def now_ms(self) -> float:
        return self.audio_ms + BEHIND_MS

    def hear(self, windows: int, heard: Heard = Heard.VOICED) -> list[Signal]:
        """What those windows bring about."""
        before = len(self.signals)
        for _ in range(windows):
            self.audio_ms += WINDOW_MS
            self._note(
                self.tracker.window(
                    self.audio_ms, self.now_ms, self._asks_nothing, heard=heard, onset=self.onset
                )
            )
        return self.signals[before:]

    def silence(self, windows: int) -> list[Signal]:
        return self.hear(windows, Heard.NOTHING)

    def recognise(
        self,
        text: str,
        *,
        final: bool = True,
        stability: float = 1.0,
        behind_ms: float = 0.0,
        start_ms: float = 0.0,
    ) -> Signal | None:
        """Words that end so long before the audio of now."""
        end_ms = self.audio_ms - behind_ms
        return self.tracker.recognised(
            Recognition(text, final, stability, start_ms, end_ms), self.now_ms, self._asks_nothing
        )

    def arrive(self, ms: float) -> Signal | None:
        """So much of the next window is there."""
        return self.tracker.arrived(self.audio_ms + ms, self.now_ms, self._asks_nothing)

    def _asks_nothing(self, text: str) -> bool:
        self.asked.append(text)
        return self.leaves_the_floor

    def _note(self, signal: Signal | None) -> None:
        if signal is not None:
            self.signals.append(signal)


@pytest.fixture
def ears() -> Ears:
    return Ears()


def speaking(**settings: object) -> Ears:
    """Within an utterance of ten windows that ends now."""
    one = Ears(**settings)  # type: ignore[arg-type]
    assert one.hear(10) == [Signal.BEGAN]
    return one


def unheard() -> Ears:
    """An utterance was let pass for want of words."""
    one = speaking()
    one.silence(18)
    one.tracker.let_pass()
    return one


class TestBeginning:
    def test_three_windows_of_voice_while_listening(self, ears: Ears) -> None:
        assert ears.hear(2) == []
        assert ears.tracker.current is None
        assert ears.hear(1) == [Signal.BEGAN]
        assert ears.tracker.current is not None
        current = ears.tracker.current
        assert (current.started_ms, current.last_voiced_ms, current.voiced_ms) == (0, 96, 96)
        assert current.media_at_ms == ears.now_ms

    def test_four_over_the_agent(self) -> None:
        ears = Ears(onset=Onset.OVER_THE_AGENT)
        assert ears.hear(3) == []
        assert ears.hear(1) == [Signal.BEGAN]

    def test_or_three_after_a_soft_beginning(self) -> None:
        ears = Ears(onset=Onset.OVER_THE_AGENT)
        ears.hear(1, Heard.LOUD)
        assert ears.hear(3) == [Signal.BEGAN]
        assert ears.tracker.current is not None
        assert ears.tracker.current.started_ms == 0

    def test_none_where_none_can(self) -> None:
        ears = Ears(onset=Onset.NONE)
        assert ears.hear(50) == []
        ears.onset = Onset.LISTENING
        assert ears.hear(1) == [Signal.BEGAN], "what went on before counts"

    def test_words_of_long_before_it_are_not_its_words(self, ears: Ears) -> None:
        ears.hear(50, Heard.NOTHING)
        assert ears.recognise("the television") is None
        ears.hear(20, Heard.NOTHING)
        ears.hear(3)
        assert ears.tracker.hearing == ""

    def test_words_of_just_before_it_are(self, ears: Ears) -> None:
        """The recogniser hears an onset before the detector is sure of it."""
        ears.hear(50, Heard.NOTHING)
        ears.hear(2)
        assert ears.recognise("well", final=False) is None
        ears.hear(1)
        assert ears.tracker.hearing == "well"

    def test_words_before_any_audio_are_nobodys(self, ears: Ears) -> None:
        assert ears.recognise("hello") is None
        ears.hear(20, Heard.NOTHING)
        ears.hear(3)
        assert ears.tracker.hearing == ""

    def test_words_without_a_voice_do_not_pile_up(self, ears: Ears) -> None:
        ears.hear(50, Heard.NOTHING)
        ears.recognise("the television", behind_ms=600, start_ms=100)
        assert ears.tracker.hearing == ""


class TestPause:
    def test_is_told_once_after_four_windows(self) -> None:
        ears = speaking()
        assert ears.silence(3) == []
        assert ears.silence(1) == [Signal.PAUSED]
        assert ears.silence(4) == []

    def test_a_silence_of_just_so_long_is_one(self) -> None:
        assert speaking(policy=TurnPolicy(pause_ms=96)).silence(3) == [Signal.PAUSED]

    def test_is_told_again_after_the_voice_went_on(self) -> None:
        ears = speaking()
        ears.silence(4)
        assert ears.hear(1) == []
        assert ears.silence(4) == [Signal.PAUSED]


class TestEnd:
    def test_after_300_ms_when_the_words_are_there_and_complete(self) -> None:
        ears = speaking()
        ears.recognise("I want to buy a house")
        ears.silence(9)  # 288 ms
        assert ears.silence(1) == [Signal.OVER]
        over = ears.tracker.current and ears.tracker.current.over
        assert over
        assert (over.cause, over.silence_ms, over.at_ms) == ("silence", 320, ears.now_ms)
        assert over.words_due_ms == ears.now_ms + POLICY.recognition_grace_ms

    def test_with_the_audio_that_completes_them_not_with_the_window_known_next(self) -> None:
        ears = speaking()
        ears.recognise("I want to buy a house")
        ears.silence(9)
        assert ears.tracker.silence_due_audio_ms == 320 + 300
        assert ears.arrive(11) is None
        assert ears.arrive(12) is Signal.OVER
        over = ears.tracker.current and ears.tracker.current.over
        assert over
        assert over.silence_ms == 300
        assert ears.tracker.silence_due_audio_ms == inf, "it is over"

    def test_audio_that_arrives_ends_nothing_while_nothing_goes_on(self, ears: Ears) -> None:
        assert ears.tracker.silence_due_audio_ms == inf
        assert ears.arrive(500) is None

    def test_a_silence_that_was_counted_is_not_counted_twice(self) -> None:
        """The words come when the audio is there and the window is not: at once, then no more."""
        ears = speaking()
        ears.silence(9)
        assert ears.arrive(12) is None, "no words yet"
        assert ears.tracker.silence_due_audio_ms == inf
        assert ears.arrive(14) is None
        assert ears.recognise("I want to buy a house", behind_ms=288) is Signal.OVER

    def test_is_not_due_before_the_last_window_of_the_silence(self) -> None:
        ears = speaking()
        ears.silence(8)
        assert ears.tracker.silence_due_audio_ms == inf
        assert ears.arrive(500) is None

    def test_of_much_audio_at_once_only_a_window_is_counted(self) -> None:
        """Whoever is heard behind it may be speaking."""
        ears = speaking()
        ears.silence(9)
        ears.arrive(500)
        assert ears.recognise("I want to", behind_ms=288) is Signal.SILENT, "320 ms are no 600"

    def test_after_600_ms_whatever_was_said(self) -> None:
        ears = speaking()
        ears.recognise("I want to")
        assert Signal.OVER not in ears.silence(17)
        assert ears.silence(1) == [Signal.OVER], "the next window would be past it"

    def test_not_while_the_next_window_is_within_the_longest_silence(self) -> None:
        ears = speaking(policy=TurnPolicy(eou_max_ms=640))
        assert Signal.OVER not in ears.silence(19)
        assert ears.silence(1) == [Signal.OVER]

    def test_not_after_300_ms_of_words_that_may_change(self) -> None:
        ears = speaking()
        ears.recognise("I want to buy a house", final=False, stability=0.5)
        assert ears.silence(12) == [Signal.PAUSED]

    def test_nor_of_words_of_long_before(self) -> None:
        ears = speaking()
        ears.hear(20)
        ears.recognise("I want to buy a house", behind_ms=500)
        assert ears.silence(12) == [Signal.PAUSED]

    def test_nor_while_the_answer_is_not_ready_anyhow(self) -> None:
        ears = speaking()
        ears.tracker.patient = True
        ears.recognise("I want to buy a house")
        assert Signal.OVER not in ears.silence(17)
        assert ears.silence(1)[-1] is Signal.OVER

    def test_after_300_ms_of_words_that_ask_for_no_answer(self) -> None:
        ears = speaking(leaves_the_floor=True)
        ears.recognise("mm-hm and", final=False, stability=0.1)
        assert Signal.OVER not in ears.silence(9)
        assert ears.arrive(12) is Signal.OVER
        over = ears.tracker.current and ears.tracker.current.over
        assert over
        assert (over.cause, over.silence_ms) == ("silence", 300)
        assert ears.asked[-1] == "mm-hm and"

    def test_words_that_come_in_the_silence_end_it_at_once(self) -> None:
        ears = speaking()
        ears.silence(11)
        assert ears.recognise("I want to buy a house", behind_ms=352) is Signal.OVER

    def test_of_an_utterance_that_goes_on_and_on(self) -> None:
        ears = Ears(TurnPolicy(utterance_max_ms=3200))
        ears.hear(60, Heard.NOTHING)
        assert ears.hear(99) == [Signal.BEGAN]
        assert ears.hear(1) == [Signal.OVER]
        assert ears.tracker.current is not None
        assert ears.tracker.current.over is not None
        assert ears.tracker.current.over.cause == "too_long"
        assert ears.tracker.current.over.silence_ms == 0

    def test_once_over_it_waits_for_its_words(self) -> None:
        ears = speaking()
        ears.silence(18)
        first = ears.tracker.current and ears.tracker.current.over
        assert ears.silence(10) == []
        assert ears.recognise("I want to", behind_ms=896) is Signal.OVER
        assert (ears.tracker.current and ears.tracker.current.over) is first

    def test_or_for_being_told_that_there_are_none(self) -> None:
        ears = speaking()
        ears.silence(18)
        assert not ears.tracker.heard_nothing
        assert ears.recognise("") is Signal.OVER
        assert ears.tracker.heard_nothing

    def test_it_lacks_its_last_words_while_those_that_came_end_early(self) -> None:
        ears = speaking()
        ears.hear(20)
        assert not ears.tracker.lacks_last_words
        ears.recognise("I want", behind_ms=500)
        ears.silence(18)
        assert ears.tracker.lacks_last_words
        ears.recognise("I want a house")
        assert not ears.tracker.lacks_last_words


class TestGuessing:
    def test_words_that_are_stable_may_be_guessed_at_in_each_window_of_the_silence(self) -> None:
        ears = speaking()
        ears.recognise("I want to")
        assert ears.silence(1) == []
        assert ears.silence(4) == [Signal.SILENT] * 2 + [Signal.PAUSED] + [Signal.SILENT]

    def test_not_when_the_last_of_them_is_still_to_come(self) -> None:
        ears = speaking()
        ears.recognise("I want to", behind_ms=161)
        assert ears.silence(5) == [Signal.PAUSED]


class TestGoingOn:
    def test_before_the_words_have_come(self) -> None:
        ears = speaking()
        ears.silence(18)
        ears.hear(2)
        current = ears.tracker.current
        assert current is not None
        assert current.over is None
        assert (current.started_ms, current.last_voiced_ms) == (0, ears.audio_ms)
        assert ears.silence(4) == [Signal.PAUSED]

    def test_a_row_of_coughs_does_not_add_up_to_speech(self) -> None:
        ears = Ears()
        for _ in range(4):
            ears.hear(3)
            ears.silence(18)
        assert ears.tracker.current is not None
        assert ears.tracker.current.voiced_ms == 96

    def test_speech_does(self) -> None:
        ears = speaking()
        ears.silence(18)
        ears.hear(3)
        assert ears.tracker.current is not None
        assert ears.tracker.current.voiced_ms == 13 * WINDOW_MS


class TestDeadlines:
    def test_none_before_an_utterance(self, ears: Ears) -> None:
        assert ears.tracker.due_ms is None
        assert ears.tracker.tick(inf) is None

    def test_of_the_media(self) -> None:
        ears = speaking()
        ears.silence(2)
        due_ms = ears.now_ms + POLICY.media_gap_ms
        assert ears.tracker.due_ms == due_ms
        assert ears.tracker.tick(due_ms - 1) is None
        assert ears.tracker.tick(due_ms) is Signal.OVER
        over = ears.tracker.current and ears.tracker.current.over
        assert over
        assert (over.cause, over.at_ms, over.silence_ms) == ("media_gap", due_ms, 64)

    def test_of_the_words(self) -> None:
        ears = speaking()
        ears.silence(18)
        due_ms = ears.now_ms + POLICY.recognition_grace_ms
        ears.silence(10)
        assert ears.tracker.due_ms == due_ms
        assert ears.tracker.tick(due_ms - 1) is None
        assert ears.tracker.tick(due_ms) is Signal.OVER
        over = ears.tracker.current and ears.tracker.current.over
        assert over
        assert over.cause == "silence", "for what it ended first"


class TestSource:
    def test_of_no_words(self, ears: Ears) -> None:
        assert ears.tracker.source == "none"

    def test_of_some_that_may_change(self) -> None:
        ears = speaking()
        ears.recognise("I want", final=False)
        assert (ears.tracker.source, ears.tracker.hearing) == ("interim", "I want")

    def test_of_some_that_do_not(self) -> None:
        ears = speaking()
        ears.recognise("I want")
        assert ears.tracker.source == "final"


class TestLetPass:
    def test_its_words_may_still_come(self) -> None:
        ears = unheard()
        assert ears.tracker.current is None
        assert ears.tracker.waits_unheard(ears.now_ms)
        passed_ms = ears.now_ms
        assert ears.recognise("hello", behind_ms=576) is Signal.BELATED
        ears.tracker.take_up(passed_ms + 7)
        assert ears.tracker.current is not None
        assert ears.tracker.current.started_ms == 0
        assert ears.tracker.current.media_at_ms == passed_ms + 7
        assert not ears.tracker.waits_unheard(ears.now_ms)
        assert ears.tracker.hearing == "hello"

    def test_for_five_seconds(self) -> None:
        ears = unheard()
        deadline_ms = ears.now_ms + POLICY.belated_ms
        assert ears.tracker.waits_unheard(deadline_ms)
        assert not ears.tracker.waits_unheard(deadline_ms + 1)
        ears.hear(157, Heard.NOTHING)
        assert ears.now_ms > deadline_ms
        assert ears.recognise("hello", behind_ms=157 * 32 + 576) is None

    def test_at_the_last_moment_too(self) -> None:
        ears = speaking(policy=TurnPolicy(belated_ms=3200))
        ears.silence(18)
        ears.tracker.let_pass()
        ears.silence(100)
        assert ears.recognise("hello", behind_ms=3776) is Signal.BELATED

    def test_what_has_no_words_is_not_belated(self) -> None:
        assert unheard().recognise("…", behind_ms=576) is None

    def test_nor_is_what_was_said_before_or_after_it(self) -> None:
        ears = unheard()
        ears.hear(20, Heard.NOTHING)
        assert ears.recognise("the television", start_ms=320 + 400) is None
        assert ears.recognise("hello", start_ms=320 + 399) is Signal.BELATED
        early = Ears()
        early.hear(20, Heard.NOTHING)
        early.hear(10)
        early.silence(18)
        early.tracker.let_pass()
        assert early.recognise("the television", behind_ms=896) is None

    def test_nothing_waits_before_or_while_somebody_speaks(self, ears: Ears) -> None:
        assert not ears.tracker.waits_unheard(0)
        again = unheard()
        again.hear(3)
        assert not again.tracker.waits_unheard(again.now_ms)

    def test_a_new_one_needs_its_own_voice(self) -> None:
        ears = unheard()
        assert ears.hear(2) == []
        assert ears.hear(1) == [Signal.BEGAN]

    def test_a_new_one_ends_the_wait(self) -> None:
        ears = unheard()
        ears.hear(3)
        ears.silence(18)
        ears.tracker.settle()
        assert not ears.tracker.waits_unheard(ears.now_ms)


class TestSettled:
    def test_nothing_of_it_counts_again(self) -> None:
        ears = speaking()
        ears.recognise("hello")
        ears.silence(10)
        ears.tracker.settle()
        assert ears.tracker.current is None
        assert ears.tracker.hearing == ""
        assert ears.tracker.due_ms is None
        assert ears.recognise("hello", behind_ms=320) is Signal.LATE
        assert ears.recognise("", behind_ms=320) is None
        assert ears.hear(2) == []
        assert ears.hear(1) == [Signal.BEGAN]

    def test_nor_of_one_that_was_let_pass(self) -> None:
        ears = unheard()
        ears.tracker.settle()
        assert not ears.tracker.waits_unheard(ears.now_ms)
        assert ears.recognise("hello", behind_ms=576) is Signal.LATE

    @pytest.mark.parametrize("passes", [False, True])
    def test_what_is_said_in_the_silence_behind_it_counts(self, *, passes: bool) -> None:
        """The detector has not heard it yet."""
        ears = speaking()
        ears.silence(18)
        if passes:
            ears.tracker.let_pass()
        ears.tracker.settle()
        assert ears.recognise("and", start_ms=ears.audio_ms - 200, behind_ms=40) is None
        assert ears.tracker.hearing == "and"

    def test_nor_of_what_was_heard_when_nobody_spoke(self, ears: Ears) -> None:
        ears.hear(50, Heard.NOTHING)
        ears.tracker.settle()
        assert ears.recognise("one", start_ms=100) is Signal.LATE

"""The rule over the model's windows: what is voiced, and what makes an utterance."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voiceagent.call.activity import (
    WINDOW_MS,
    ActivityDetector,
    ActivityPolicy,
    Heard,
    SpeechRun,
    Window,
)

probabilities = st.floats(0, 1)
levels = st.floats(-100, 0)
agents = st.none() | st.floats(-60, 0)


def decisions(
    windows: list[tuple[float, float]], agent: list[float | None] | None = None
) -> list[bool]:
    """Voiced or not, for (probability, level) pairs that follow each other."""
    return [one is Heard.VOICED for one in heard(windows, agent)]


def heard(
    windows: list[tuple[float, float]], agent: list[float | None] | None = None
) -> list[Heard]:
    """What each of these windows was."""
    detector = ActivityDetector()
    loudest = agent or [None] * len(windows)
    return [
        detector.push(Window((n + 1) * WINDOW_MS, probability, level), loud)
        for n, ((probability, level), loud) in enumerate(zip(windows, loudest, strict=True))
    ]


QUIET_LINE = [(0.02, -65.0)] * 40


class TestSounding:
    def test_likely_and_loud_is_voiced(self) -> None:
        assert decisions([*QUIET_LINE, (0.4, -30)])[-1]

    def test_loud_but_unlikely_is_not(self) -> None:
        assert not decisions([*QUIET_LINE, (0.39, -30)])[-1]

    def test_a_voiced_stretch_goes_on_at_a_lower_probability(self) -> None:
        assert decisions([*QUIET_LINE, (0.9, -30), (0.31, -30), (0.29, -30), (0.31, -30)])[-4:] == [
            True,
            True,
            False,
            False,
        ]

    def test_a_voiced_stretch_goes_on_at_just_the_lower_probability(self) -> None:
        assert decisions([*QUIET_LINE, (0.9, -30), (0.3, -30)])[-1]

    def test_the_first_window_of_a_call_is_never_voiced(self) -> None:
        assert decisions([(1.0, -20)]) == [False]

    def test_what_only_stands_out_or_only_sounds_like_speech_is_told_apart(self) -> None:
        judged = heard([*QUIET_LINE, (0.1, -30), (0.35, -70), (0.1, -70)])
        assert judged[-3:] == [Heard.LOUD, Heard.FAINT, Heard.NOTHING]
        assert heard([*QUIET_LINE, (0.3, -70)])[-1] is Heard.FAINT


class TestStandingOut:
    def test_speech_is_never_quieter_than_55_dbfs(self) -> None:
        assert decisions([*[(0.0, -100.0)] * 40, (1.0, -55.1), (1.0, -54.9)])[-2:] == [False, True]

    @pytest.mark.parametrize(
        ("background", "least_dbfs"),
        [
            ((0.0, -75.0), -55.0),  # the quietest speech
            ((0.0, -40.0), -32.0),  # 8 dB above plain noise
            ((0.1, -40.0), -29.5),  # half a crowd
        ],
    )
    def test_just_loud_enough_is_enough(
        self, background: tuple[float, float], least_dbfs: float
    ) -> None:
        assert decisions([*[background] * 60, (1.0, least_dbfs)])[-1]
        assert not decisions([*[background] * 60, (1.0, least_dbfs - 0.1)])[-1]

    def test_only_the_quiet_windows_tell_whether_the_background_is_a_crowd(self) -> None:
        """The loud ones may be the caller."""
        assert decisions([*[(0.0, -50.0)] * 20, *[(0.9, -40.0)] * 40, (1.0, -41.9)])[-1]

    def test_one_odd_quiet_window_makes_no_crowd(self) -> None:
        assert decisions([*[(0.0, -40.0)] * 60, (0.9, -60.0), (1.0, -30.0)])[-1]

    def test_the_floor_is_known_after_a_second(self) -> None:
        assert not decisions([*[(0.0, -50.0)] * 30, (1.0, -41.0)])[-1]
        assert decisions([*[(0.0, -50.0)] * 31, (1.0, -41.0)])[-1]

    def test_thirteen_decibels_over_a_crowd(self) -> None:
        crowd = [(0.9, -40.0)] * 60
        assert decisions([*crowd, (1.0, -27.1)])[-1] is False
        assert decisions([*crowd, (1.0, -26.9)])[-1] is True

    def test_eight_decibels_over_plain_noise(self) -> None:
        noise = [(0.0, -40.0)] * 60
        assert decisions([*noise, (1.0, -32.1)])[-1] is False
        assert decisions([*noise, (1.0, -31.9)])[-1] is True

    def test_sixteen_decibels_while_the_floor_is_hardly_known(self) -> None:
        first = [(0.0, -50.0)] * 10
        assert decisions([*first, (1.0, -34.1)])[-1] is False
        assert decisions([*first, (1.0, -33.9)])[-1] is True

    def test_a_crowd_that_comes_up_is_the_background_within_two_and_a_half_seconds(self) -> None:
        voiced = decisions([*QUIET_LINE, *[(0.9, -30.0)] * 100])[len(QUIET_LINE) :]
        assert voiced[0]
        assert not any(voiced[round(2500 / WINDOW_MS) :])

    def test_the_floor_falls_at_once_when_the_noise_stops(self) -> None:
        assert decisions([*[(0.9, -30.0)] * 80, *[(0.0, -65.0)] * 8, (1.0, -30.0)])[-1]

    def test_a_talker_with_pauses_never_becomes_the_background(self) -> None:
        sentence = [(0.98, -22.0)] * 28 + [(0.6, -60.0)] * 4
        voiced = decisions([*QUIET_LINE, *sentence * 12])[len(QUIET_LINE) :]
        assert voiced == ([True] * 28 + [False] * 4) * 12

    def test_silence_before_the_line_opens_is_not_taken_for_a_quiet_room(self) -> None:
        assert not any(decisions([(0.0, -100.0)] * 20 + [(0.95, -30.0)] * 100))

    @pytest.mark.parametrize(
        ("level_dbfs", "floor_dbfs"),
        [(-80.1, -50.0), (-80.0, -80.0)],  # below any signal of a telephone, and not so
    )
    def test_only_a_dead_line_is_not_open_yet(self, level_dbfs: float, floor_dbfs: float) -> None:
        detector = ActivityDetector(ActivityPolicy(opening_ms=2 * WINDOW_MS))
        for n, level in enumerate((level_dbfs, level_dbfs, -50.0)):
            detector.push(Window((n + 1) * WINDOW_MS, 0.0, level), None)
        assert detector.floor_dbfs == floor_dbfs

    def test_before_anything_is_known_the_floor_is_digital_silence(self) -> None:
        assert ActivityDetector().floor_dbfs == -100

    def test_silence_later_in_the_call_is_a_quiet_room(self) -> None:
        assert all(decisions([(0.0, -100.0)] * 40 + [(0.95, -30.0)] * 20)[40:])


class TestEcho:
    def test_sixteen_decibels_under_the_agent(self) -> None:
        silent = [None] * len(QUIET_LINE)
        echo = decisions([*QUIET_LINE, (1.0, -36.1)], [*silent, -20.0])
        caller = decisions([*QUIET_LINE, (1.0, -35.9)], [*silent, -20.0])
        assert (echo[-1], caller[-1]) == (False, True)
        assert decisions([*QUIET_LINE, (1.0, -36.0)], [*silent, -20.0])[-1]

    def test_an_echo_stands_out_as_nobody(self) -> None:
        silent = [None] * len(QUIET_LINE)
        for probability, judged in ((1.0, Heard.FAINT), (0.1, Heard.NOTHING)):
            assert heard([*QUIET_LINE, (probability, -40)], [*silent, -20.0])[-1] is judged

    def test_over_a_phone_that_returns_nothing_quiet_callers_are_heard(self) -> None:
        agent = [-20.0] * 61
        assert not decisions([*[(0.0, -65.0)] * 40, (1.0, -45.0)], agent[:41])[-1]
        assert decisions([*[(0.0, -65.0)] * 60, (1.0, -45.0)], agent)[-1]

    def test_over_one_that_returns_some_callers_are_heard_who_are_louder_than_it(self) -> None:
        echo = [(0.3, -50.0), *[(0.0, -65.0)] * 3] * 20
        agent = [-20.0] * 81
        assert not decisions([*echo, (1.0, -46.1)], agent)[-1]
        assert decisions([*echo, (1.0, -45.9)], agent)[-1]

    def test_a_noise_beside_the_agent_is_not_taken_for_its_echo(self) -> None:
        hammering = [(0.0, -30.0), *[(0.0, -65.0)] * 3] * 20
        assert decisions([*hammering, (1.0, -45.0)], [-20.0] * 81)[-1]

    def test_a_caller_who_talks_over_the_agent_is_not_taken_for_its_echo(self) -> None:
        talk = [*[(0.0, -65.0)] * 60, *[(0.9, -30.0)] * 20, *[(0.0, -65.0)] * 10]
        assert decisions([*talk, (0.9, -45.0)], [-20.0] * 91)[-1]

    def test_an_echo_that_begins_later_is_learnt_from_the_windows_that_pass(self) -> None:
        pops = [(0.9, -42.0), *[(0.0, -65.0)] * 4] * 12
        voiced = decisions([*[(0.0, -65.0)] * 60, *pops], [-20.0] * 120)[60::5]
        assert voiced[0], "nothing came back before"
        assert not voiced[-1]


class TestAlways:
    @given(st.lists(st.tuples(probabilities, agents), max_size=120))
    def test_digital_silence_is_never_voiced(self, calls: list[tuple[float, float | None]]) -> None:
        assert not any(decisions([(p, -100.0) for p, _ in calls], [agent for _, agent in calls]))

    @given(st.lists(st.tuples(probabilities, levels), max_size=120), st.integers(0, 120))
    def test_a_line_at_90_dbfs_is_never_voiced_whatever_went_before(
        self, before: list[tuple[float, float]], lasting: int
    ) -> None:
        assert not any(decisions([*before, *[(1.0, -90.0)] * lasting])[len(before) :])

    @given(st.lists(st.tuples(probabilities, levels, agents), max_size=200))
    def test_the_same_windows_give_the_same_answers(
        self, calls: list[tuple[float, float, float | None]]
    ) -> None:
        windows = [(p, level) for p, level, _ in calls]
        agent = [loudest for _, _, loudest in calls]
        assert decisions(windows, agent) == decisions(windows, agent)

    @given(st.lists(st.tuples(probabilities, levels, agents), min_size=1, max_size=200))
    def test_what_is_voiced_is_likely_loud_and_above_the_echo(
        self, calls: list[tuple[float, float, float | None]]
    ) -> None:
        voiced = decisions([call[:2] for call in calls], [call[2] for call in calls])
        for (probability, level, agent), spoken in zip(calls, voiced, strict=True):
            if spoken:
                assert probability >= 0.3
                assert level >= -55
                assert agent is None or level >= agent - 100

    @given(st.lists(st.tuples(probabilities, st.floats(-40, -38.1)), max_size=200))
    def test_noise_that_stays_within_its_margin_is_never_voiced(
        self, windows: list[tuple[float, float]]
    ) -> None:
        assert not any(decisions(windows))

    @given(st.lists(st.tuples(probabilities, levels), max_size=400))
    @example([(0.0, -50.0 + n / 10) for n in range(100)])
    def test_the_floor_is_a_level_of_the_last_two_and_a_half_seconds(
        self, windows: list[tuple[float, float]]
    ) -> None:
        policy = ActivityPolicy(opening_ms=0)
        detector = ActivityDetector(policy)
        for n, (probability, level) in enumerate(windows):
            detector.push(Window((n + 1) * WINDOW_MS, probability, level), None)
            recent = sorted(level for _, level in windows[max(0, n - 78) : n + 1])
            assert detector.floor_dbfs == recent[int(0.1 * len(recent))]


class TestSpeechRun:
    @staticmethod
    def after(pattern: str) -> SpeechRun:
        """A run that took one window a sign: `#` voiced, `l` loud, `f` faint, `.` nothing."""
        signs = {"#": Heard.VOICED, "l": Heard.LOUD, "f": Heard.FAINT, ".": Heard.NOTHING}
        run = SpeechRun()
        for n, sign in enumerate(pattern):
            run.push((n + 1) * WINDOW_MS, signs[sign])
        return run

    @pytest.mark.parametrize(
        ("pattern", "voiced_ms"),
        [
            ("", 0),
            ("...", 0),
            ("##", 64),
            ("###", 96),
            ("#..#.#", 96),
            ("##...#", 32),
            ("##..", 64),
            ("##...", 0),
        ],
    )
    def test_gaps_of_two_windows_are_bridged(self, pattern: str, voiced_ms: float) -> None:
        assert self.after(pattern).voiced_ms == voiced_ms

    def test_it_starts_with_enough_voice(self) -> None:
        assert not self.after("#.#").started(96)
        assert self.after("#.##").started(96)
        assert not self.after("#.##").started(120)
        assert not self.after("").started(0)
        assert not self.after("").interrupts(0)
        assert self.after("").speech_ms == 0

    def test_it_tells_where_the_voice_began_and_ended(self) -> None:
        run = self.after("..##.#.")
        assert (run.start_ms, run.last_voiced_end_ms) == (64, 192)

    def test_the_end_of_the_last_voice_outlives_its_run(self) -> None:
        run = self.after("##.....")
        assert (run.start_ms, run.last_voiced_end_ms) == (None, 64)

    def test_lost_audio_is_a_gap(self) -> None:
        run = SpeechRun()
        for end_ms in (32, 64, 500):
            run.push(end_ms, Heard.VOICED)
        assert (run.start_ms, run.voiced_ms) == (468, 32)

    def test_what_stood_out_before_lost_audio_is_no_edge(self) -> None:
        run = SpeechRun()
        run.push(32, Heard.LOUD)
        run.push(500, Heard.VOICED)
        assert (run.start_ms, run.speech_ms) == (468, 32)

    @pytest.mark.parametrize(
        ("pattern", "speech_ms"),
        [
            ("###", 96),
            ("ll##", 128),
            ("llll##", 160),  # no consonant is longer than three windows
            ("##f", 96),
            ("##ff", 96),
            ("ff##", 64),
            ("l.##", 64),
            ("#l#", 96),
        ],
    )
    def test_speech_has_its_soft_edges(self, pattern: str, speech_ms: float) -> None:
        run = self.after(pattern)
        assert run.speech_ms == speech_ms
        assert run.interrupts(speech_ms)
        assert not run.interrupts(speech_ms + 1)

    def test_its_beginning_counts_from_the_soft_edge(self) -> None:
        assert self.after("..l##").start_ms == 64

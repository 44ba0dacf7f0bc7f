"""What is an utterance and what is not, on a real line: real model, real µ-law, made sounds.

Noise alone never is one, speech 10 dB above it always is, and the agent's own
voice coming back from a speakerphone never interrupts it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pytest

import sounds
from sounds import Sound
from voiceagent.call import activity
from voiceagent.call.activity import WINDOW_MS, ActivityDetector, SpeechRun, Window
from voiceagent.call.vad import WINDOW_BYTES, VoiceActivity

LISTENING_MS: Final = 96.0
AGENT_SPEAKS_MS: Final = 120.0

NOISES: Final[dict[str, Callable[[float, int], Sound]]] = {
    "white": sounds.white,
    "babble": sounds.babble,
    "street": sounds.street,
    "music": sounds.music,
}
LEVELS_DBFS: Final = (-45, -35, -25)
SEEDS: Final = (1, 2, 3)
PHRASES: Final = (
    ("yes", "en"),
    ("no", "en+f3"),
    ("כן", "he"),
    ("לא", "he+f2"),
    (sounds.ENGLISH_PHRASES[0], "en+m3"),
    (sounds.ENGLISH_PHRASES[1], "en+f3"),
    (sounds.HEBREW_PHRASES[0], "he"),
)
SPOKEN_AT_S: Final = 4.0


@dataclass
class Heard:
    """What the rule made of one call."""

    voiced: list[bool]
    started_ms: list[float]
    """Ends of the windows in which an utterance counted."""

    def started_between(self, begin_ms: float, end_ms: float) -> bool:
        return any(begin_ms < at <= end_ms for at in self.started_ms)

    @property
    def first_voiced_ms(self) -> float:
        """Where the first voiced window begins."""
        return self.voiced.index(True) * WINDOW_MS

    @property
    def last_voiced_ms(self) -> float:
        """Where the last voiced window ends."""
        return (len(self.voiced) - self.voiced[::-1].index(True)) * WINDOW_MS


def measure(calls: Sequence[Sound]) -> list[list[Window]]:
    """The windows of these calls, all through one detector at once."""

    async def run() -> list[list[Window]]:
        vad = VoiceActivity(max_lag_ms=60_000)
        await vad.start()
        heard: list[list[Window]] = [[] for _ in calls]
        missing = sum(len(call) // WINDOW_BYTES for call in calls)
        done = asyncio.Event()

        def taker(mine: list[Window]) -> Callable[[Sequence[Window]], None]:
            def take(windows: Sequence[Window]) -> None:
                nonlocal missing
                mine.extend(windows)
                missing -= len(windows)
                if missing == 0:
                    done.set()

            return take

        for call, mine in zip(calls, heard, strict=True):
            vad.open(taker(mine)).feed(sounds.ulaw(call))
        async with asyncio.timeout(60):
            await done.wait()
        await vad.close()
        return heard

    return asyncio.run(run())


def hear(
    windows: Sequence[Window],
    needed_ms: float = LISTENING_MS,
    agent_dbfs: Sequence[float | None] | None = None,
) -> Heard:
    detector, run = ActivityDetector(), SpeechRun()
    heard = Heard([], [])
    for n, window in enumerate(windows):
        judged = detector.push(window, agent_dbfs[n] if agent_dbfs else None)
        run.push(window.end_ms, judged)
        heard.voiced.append(judged is activity.Heard.VOICED)
        if run.interrupts(needed_ms) if agent_dbfs else run.started(needed_ms):
            heard.started_ms.append(window.end_ms)
    return heard


def hear_all(calls: Sequence[Sound]) -> list[Heard]:
    return [hear(windows) for windows in measure(calls)]


def loudest_agent(agent: Sound, windows: int) -> list[float | None]:
    """Per window: the loudest 20 ms frame that the phone played in the 500 ms before its end."""
    frame = 160
    power = np.mean(agent[: len(agent) // frame * frame].reshape(-1, frame) ** 2, axis=1)
    frames_dbfs = 10 * np.log10(power + 1e-12)
    loudest: list[float | None] = []
    for window in range(windows):
        end = int((window + 1) * WINDOW_MS / 20)
        level = float(frames_dbfs[max(0, end - 25) : end + 1].max(initial=-120))
        loudest.append(level if level > -70 else None)
    return loudest


@cache
def noise_alone() -> dict[tuple[str, int, int], Heard]:
    keys = [(kind, level, seed) for kind in NOISES for level in LEVELS_DBFS for seed in SEEDS]
    calls = [sounds.at(NOISES[kind](20, seed), level) for kind, level, seed in keys]
    return dict(zip(keys, hear_all(calls), strict=True))


@cache
def speech_in_noise() -> dict[tuple[str, int, str, int], Heard]:
    keys = [
        (kind, level, text, seed)
        for kind in NOISES
        for level in LEVELS_DBFS
        for text, _ in PHRASES
        for seed in SEEDS[:2]
    ]
    voices = dict(PHRASES)
    calls = [
        sounds.mix(
            sounds.at(NOISES[kind](9, seed), level),
            (SPOKEN_AT_S, sounds.speech_at(sounds.speech(text, voices[text]), level + 10)),
        )
        for kind, level, text, seed in keys
    ]
    return dict(zip(keys, hear_all(calls), strict=True))


@pytest.mark.parametrize("level_dbfs", LEVELS_DBFS)
@pytest.mark.parametrize("kind", NOISES)
class TestNoise:
    def test_alone_is_never_an_utterance(self, kind: str, level_dbfs: int) -> None:
        for seed in SEEDS:
            assert noise_alone()[kind, level_dbfs, seed].started_ms == [], f"seed {seed}"

    def test_speech_ten_decibels_above_it_is_one(self, kind: str, level_dbfs: int) -> None:
        for text, voice in PHRASES:
            spoken_ms = len(sounds.speech(text, voice)) / 8
            begin_ms = SPOKEN_AT_S * 1000
            for seed in SEEDS[:2]:
                heard = speech_in_noise()[kind, level_dbfs, text, seed]
                assert heard.started_between(begin_ms, begin_ms + spoken_ms + 64), (text, seed)
                assert not heard.started_between(0, begin_ms), (text, seed)
                assert not heard.started_between(begin_ms + spoken_ms + 256, 9000), (text, seed)


class TestCrowd:
    def test_that_is_there_when_the_line_opens_is_not_an_utterance(self) -> None:
        for opening_s in (0.1, 0.5, 0.9):
            for heard in hear_all(
                [
                    np.concatenate([sounds.silence(opening_s), sounds.babble(8, seed)])
                    for seed in SEEDS
                ]
            ):
                assert heard.started_ms == []

    def test_that_comes_up_during_the_call_is_the_background_after_three_seconds(self) -> None:
        quiet = sounds.at(sounds.white(4, seed=1), -65)
        for heard in hear_all([np.concatenate([quiet, sounds.babble(12, seed)]) for seed in SEEDS]):
            assert not heard.started_between(0, 4000)
            assert not heard.started_between(7000, 16_000)


class TestCleanSpeech:
    @pytest.mark.parametrize("level_dbfs", range(-45, -9, 5))
    def test_is_heard_at_every_level_from_its_beginning_to_its_end(self, level_dbfs: int) -> None:
        line = sounds.at(sounds.white(9, seed=5), -68)
        spoken = [
            sounds.speech_at(sounds.speech(text, voice), level_dbfs) for text, voice in PHRASES
        ]
        for said, heard in zip(
            spoken,
            hear_all([sounds.mix(line, (SPOKEN_AT_S, said)) for said in spoken]),
            strict=True,
        ):
            begin_ms = SPOKEN_AT_S * 1000
            assert heard.started_between(begin_ms, begin_ms + len(said) / 8 + 64)
            assert heard.last_voiced_ms <= begin_ms + len(said) / 8 + 64
            if level_dbfs >= -35:  # fainter, soft first and last syllables lie under -55 dBFS
                loud_ms = np.flatnonzero(np.abs(said) > 10 ** ((level_dbfs - 6) / 20)) / 8
                assert heard.first_voiced_ms <= begin_ms + loud_ms[0] + 64
                assert heard.last_voiced_ms >= begin_ms + loud_ms[-1] - 64

    def test_a_long_talk_does_not_become_the_background(self) -> None:
        talk = np.concatenate(
            [sounds.speech_at(sounds.speech(text, "en+m3"), -25) for text in sounds.CROWD_TEXTS[:4]]
        )
        line = sounds.at(sounds.white(22, seed=1), -60)
        (heard,) = hear_all([sounds.mix(line, (2.0, talk))])
        said = heard.voiced[63 : 63 + len(talk) // 256]
        assert sum(said) / len(said) > 0.7
        gaps = "".join("#" if voiced else "." for voiced in said).split("#")
        assert max(len(gap) for gap in gaps) * WINDOW_MS <= 350  # between two sentences


class TestOtherSounds:
    @pytest.mark.parametrize(
        ("name", "sound"),
        [
            ("digital silence", sounds.silence(5)),
            ("direct current", sounds.silence(5) + 0.1),
            ("direct current that comes and goes", np.repeat([0, 0.1, 0, 0.1, 0], 8000)),
            ("440 Hz", sounds.tone(440, 5)),
            ("440 Hz after silence", np.concatenate([sounds.silence(2), sounds.tone(440, 3)])),
            ("keys", np.concatenate([sounds.silence(2), sounds.dtmf("0123456789*#")])),
            ("clicks", sounds.clicks(8, seed=1)),
            ("a faint line", sounds.at(sounds.babble(5, seed=1), -56)),
        ],
    )
    def test_are_no_utterance(self, name: str, sound: Sound) -> None:
        (heard,) = hear_all([sound])
        assert heard.started_ms == [], name

    def test_a_cough_is_over_before_it_counts(self) -> None:
        """A burst of noise without a tone is not speech for the model; a real, voiced cough
        may count, and then the turn goes on where it was cut."""
        line = sounds.at(sounds.white(5, seed=1), -65)
        for heard in hear_all(
            [sounds.mix(line, (2.0, sounds.cough_like(0.35, seed))) for seed in SEEDS]
        ):
            assert heard.started_ms == []


class TestEcho:
    """The agent speaks a long sentence at -18 dBFS; what comes back comes back later."""

    AGENT: Final = sounds.mix(
        sounds.silence(10),
        (1.0, sounds.speech_at(sounds.speech(sounds.CROWD_TEXTS[0], "en+f2"), -18)),
    )
    LINE: Final = sounds.at(sounds.white(10, seed=3), -60)

    @pytest.mark.parametrize("delay_ms", [40, 200, 420])
    @pytest.mark.parametrize("loss_db", [20, 30])
    def test_does_not_interrupt_the_agent(self, loss_db: int, delay_ms: int) -> None:
        echo = np.roll(self.AGENT, delay_ms * 8) * 10 ** (-loss_db / 20)
        (windows,) = measure([self.LINE + echo])
        assert hear(windows).started_ms, "without the gate the echo would interrupt"
        agent = loudest_agent(self.AGENT, len(windows))
        assert hear(windows, AGENT_SPEAKS_MS, agent).started_ms == []
        assert hear(windows, LISTENING_MS, agent).started_ms == []

    @pytest.mark.parametrize("below_agent_db", [0, 6])
    @pytest.mark.parametrize("voice", ["en+m3", "he+m1"])
    def test_a_caller_who_talks_over_it_does(self, voice: str, below_agent_db: int) -> None:
        text = "wait a moment please" if voice.startswith("en") else "אני רוצה לשאול משהו"
        caller = sounds.speech_at(sounds.speech(text, voice), -18 - below_agent_db)
        echo = np.roll(self.AGENT, 200 * 8) * 10 ** (-20 / 20)
        (windows,) = measure([sounds.mix(self.LINE + echo, (2.5, caller))])
        heard = hear(windows, AGENT_SPEAKS_MS, loudest_agent(self.AGENT, len(windows)))
        assert heard.started_between(2500, 2500 + len(caller) / 8 + 64)
        assert not heard.started_between(0, 2500)

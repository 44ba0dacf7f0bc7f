from hypothesis import given
from hypothesis import strategies as st

from voiceagent.call.activity import ActivityDetector, Heard, Window
from voiceagent.call.audio import FRAME_BYTES, FRAME_MS, frame_levels_dbfs
from voiceagent.evals import caller_voice
from voiceagent.evals.ears import TextActivity

LOUD_DBFS = -50.0


def levels(uttered: caller_voice.Uttered) -> list[float]:
    return frame_levels_dbfs(b"".join(uttered.frames))


words = st.lists(st.text("abcאבג-", min_size=1, max_size=12), min_size=1, max_size=12)


@given(words)
def test_every_word_is_told_once_it_was_said_and_the_last_ones_finally(texts: list[str]) -> None:
    uttered = caller_voice.said(" ".join(texts))

    assert [told.text for told in uttered.told] == [
        " ".join(texts[: count + 1]) for count in range(len(texts))
    ]
    assert [told.is_final for told in uttered.told] == [False] * (len(texts) - 1) + [True]
    times = [told.at_ms for told in uttered.told]
    assert times == sorted(times)
    assert all(told.end_ms <= told.at_ms for told in uttered.told)
    assert uttered.told[-1].end_ms == uttered.length_ms


@given(words)
def test_the_voice_ends_with_the_last_word_and_never_pauses_long(texts: list[str]) -> None:
    loud = [level > LOUD_DBFS for level in levels(caller_voice.said(" ".join(texts)))]

    assert loud[-1]
    gaps = "".join("x" if each else "." for each in loud).strip(".").split("x")
    assert max(map(len, gaps)) * FRAME_MS < 64, "a gap that the detector would take for a pause"


def test_an_ellipsis_is_a_pause_that_nobody_is_told_of() -> None:
    plain, paused = caller_voice.said("kaf lamed"), caller_voice.said("kaf … lamed")

    assert paused.length_ms - plain.length_ms == 240
    assert paused.told[-1].text == "kaf lamed"


def test_a_long_speech_stays_a_voice_for_the_detector() -> None:
    detector, voiced = ActivityDetector(), []

    def judge(windows: object) -> None:
        for window in windows:  # type: ignore[attr-defined]
            assert isinstance(window, Window)
            voiced.append(detector.push(window, None) is Heard.VOICED)

    stream = TextActivity().open(judge)
    for frame in caller_voice.LINE_NOISE:
        stream.feed(frame)
    quiet = len(voiced)
    for frame in caller_voice.said("a long sentence about many different things " * 6).frames:
        stream.feed(frame)

    assert not any(voiced[:quiet])
    assert sum(voiced[quiet:]) > 0.6 * len(voiced[quiet:])
    assert any(voiced[-20:])


def test_what_is_overheard_is_far_quieter() -> None:
    assert (
        max(levels(caller_voice.said("hello"))) - max(levels(caller_voice.overheard("hello"))) > 30
    )


def test_a_cough_is_loud_and_has_no_words() -> None:
    coughed = caller_voice.cough(280)

    assert coughed.told == ()
    assert max(levels(coughed)) > LOUD_DBFS
    assert all(len(frame) == FRAME_BYTES for frame in coughed.frames)

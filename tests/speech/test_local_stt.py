"""The local recogniser with real speech over a real telephone line (µ-law, 8000 Hz, noise)."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest

import sounds
from voiceagent.call.audio import bytes_of
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.local_stt import KEPT_MS, LocalRecognitionStream, LocalRecognizer

VOICES = ("en-us", "en-us+f3", "en-us+m3")
ANSWERS = (
    "i want to buy a house", "i want to rent an apartment", "i need to sell an apartment",
    "an apartment", "a private house", "an office space", "two bedrooms", "three bedrooms",
    "three rooms", "five rooms", "in ramat gan", "in jerusalem", "in the city of tel aviv",
    "around two million", "three million shekels", "up to five thousand",
    "i am not sure yet", "tomorrow morning", "tomorrow afternoon", "some time next week",
    "as soon as possible", "my name is david", "my name is rachel", "yes please",
    "yes that is right", "no thank you", "call me back",
)  # fmt: skip
UNEXPECTED = (
    "what is the weather like in paris today", "the washing machine is broken again",
    "the quick brown fox jumps over the lazy dog", "turn left at the next corner",
    "did you see the football game last night", "my cat has eaten all of the fish",
    "he said that it was not his fault", "give me the red one over there",
    "we are going to the beach with the children", "where did i put my glasses",
)  # fmt: skip
BACK_CHANNELS = {"mm-hm": "um-hum", "uh-huh": "uh-huh", "okay": "okay"}
"""And how to make eSpeak say them: it spells "mm-hm"."""
HISS_DBFS = -40
"""White noise on the line: 20 dB below speech at -20 dBFS."""


@pytest.fixture
async def recognizer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalRecognizer]:
    # Half a minute is decoded in a second, unless other tests have the cores.
    monkeypatch.setattr("voiceagent.speech.local_stt.DEADLINE_S", 60.0)
    recognizer = LocalRecognizer()
    await recognizer.warm_up()
    yield recognizer
    await recognizer.close()


def on_the_line(sound: sounds.Sound) -> bytes:
    line = sounds.white(0.3 + len(sound) / 8000 + 0.3, seed=len(sound))
    return sounds.ulaw(sounds.mix(sounds.at(line, HISS_DBFS), (0.3, sound)))


async def heard(
    recognizer: LocalRecognizer, sound: sounds.Sound, expected: Sequence[str] = ANSWERS
) -> str:
    """What is recognised of one utterance."""
    stream = recognizer.open("en-US")
    stream.expect(expected)
    audio = on_the_line(sound)
    stream.feed(audio)
    stream.speech_started(300)
    stream.speech_paused(len(audio) / 8 - 300)
    try:
        return (await anext(aiter(stream))).text
    finally:
        await stream.close()


async def all_heard(recognizer: LocalRecognizer, said: Sequence[sounds.Sound]) -> list[str]:
    texts: list[str] = []
    for start in range(0, len(said), 10):  # ten callers at a time
        some = said[start : start + 10]
        texts += await asyncio.gather(*(heard(recognizer, sound) for sound in some))
    return texts


@pytest.mark.slow
async def test_nine_answers_of_ten_are_understood(recognizer: LocalRecognizer) -> None:
    said = [(text, voice) for text in ANSWERS for voice in VOICES]
    texts = await all_heard(recognizer, [sounds.speech(text, voice) for text, voice in said])
    right = sum(text == wanted for text, (wanted, _) in zip(texts, said, strict=True))
    wrong = [(w, t) for t, w in zip(texts, said, strict=True) if t not in {"", w[0]}]
    assert right / len(said) >= 0.9
    assert len(wrong) / len(said) <= 0.03, wrong


@pytest.mark.slow
async def test_other_sentences_are_no_answer(recognizer: LocalRecognizer) -> None:
    said = [sounds.speech(text, voice) for text in UNEXPECTED for voice in VOICES]
    texts = await all_heard(recognizer, said)
    assert texts.count("") / len(texts) >= 0.9


def noises() -> list[sounds.Sound]:
    made: list[Callable[[int], sounds.Sound]] = [
        lambda seed: sounds.cough_like(0.4, seed),
        lambda seed: sounds.white(0.8, seed),
        lambda seed: sounds.clicks(1.0, seed),
        lambda seed: sounds.street(1.5, seed),
        lambda seed: sounds.babble(1.5, seed),
        lambda seed: sounds.music(1.0, seed),
    ]
    return [sounds.at(make(seed), -22) for make in made for seed in range(5)]


async def test_noises_are_no_answer(recognizer: LocalRecognizer) -> None:
    texts = await all_heard(recognizer, noises())
    assert texts.count("") / len(texts) >= 0.9


async def test_a_back_channel_is_never_an_answer(recognizer: LocalRecognizer) -> None:
    said = [sounds.speech(text, voice) for text in BACK_CHANNELS.values() for voice in VOICES]
    assert set(await all_heard(recognizer, said)) <= {*BACK_CHANNELS, ""}


async def test_a_line_without_any_noise_is_understood_as_well(
    recognizer: LocalRecognizer,
) -> None:
    quiet = [sounds.speech(text, voice) for text in ANSWERS[:9] for voice in VOICES]
    stream = recognizer.open("en-US")
    stream.expect(ANSWERS)
    texts = []
    silent = sounds.ulaw(sounds.silence(0.4))
    now_ms = 0.0
    for sound in quiet:
        audio = silent + sounds.ulaw(sound) + silent
        stream.feed(audio)
        stream.speech_started(now_ms + 400)
        now_ms += len(audio) / 8
        stream.speech_paused(now_ms - 300)
        texts.append((await anext(aiter(stream))).text)
        stream.utterance_ended()
    wanted = [text for text in ANSWERS[:9] for _ in VOICES]
    assert sum(t == w for t, w in zip(texts, wanted, strict=True)) / len(wanted) >= 0.85
    await stream.close()


@pytest.mark.parametrize("text", ["wait", "hold on", "repeat that", "hello", "thank you"])
async def test_commands_need_not_be_expected(recognizer: LocalRecognizer, text: str) -> None:
    texts = [await heard(recognizer, sounds.speech(text, voice), ()) for voice in VOICES]
    assert texts.count(text) >= 2


async def test_the_phrase_comes_back_as_it_was_expected(recognizer: LocalRecognizer) -> None:
    sound = sounds.speech("three rooms please")
    assert await heard(recognizer, sound, ["3 Rooms, please!", "דירה"]) == "3 Rooms, please!"


async def test_a_name_that_is_in_no_dictionary_can_be_expected(
    recognizer: LocalRecognizer,
) -> None:
    sound = sounds.speech("somewhere in kfar sabah")
    expected = ["somewhere in kfar sabah", "somewhere in petach tikva"]
    assert await heard(recognizer, sound, expected) == expected[0]


async def test_grammars_come_and_go_without_end(recognizer: LocalRecognizer) -> None:
    sound = sounds.speech("tomorrow morning")
    for number in range(40):
        word = "".join(chr(ord("a") + int(digit)) for digit in f"{number:03}")
        assert await heard(recognizer, sound, ["tomorrow morning", f"zz{word} street"])


@pytest.mark.parametrize("language", ["he-IL", "iw-IL", "fr-FR"])
def test_another_language_is_refused_with_advice(language: str) -> None:
    with pytest.raises(ProviderError, match="STT_ENGINE=google") as caught:
        LocalRecognizer().open(language)
    assert not caught.value.retryable


async def test_an_utterance_without_end_keeps_its_last_half_minute(
    recognizer: LocalRecognizer,
) -> None:
    stream = recognizer.open("en-US")
    stream.expect(ANSWERS)
    frame = b"\xff" * 800
    stream.feed(frame)
    stream.speech_started(100)
    for _ in range(600):
        stream.feed(frame)
    assert stream.dropped_ms == pytest.approx(60_000 - KEPT_MS, abs=0.11 * KEPT_MS)
    stream.feed(on_the_line(sounds.speech("tomorrow morning")))
    stream.speech_paused(61_000)
    recognition = await anext(aiter(stream))
    assert (recognition.start_ms, recognition.end_ms) == (100, 61_000)
    await stream.close()


async def test_ears_that_were_opened_late_hear_the_right_stretch(
    recognizer: LocalRecognizer,
) -> None:
    stream = recognizer.open("en-US")
    stream.expect(ANSWERS)
    audio = on_the_line(sounds.speech("tomorrow morning"))
    heard_late = bytes_of(400)
    stream.feed(audio[:heard_late])
    stream.speech_started(90_300)
    stream.feed(audio[heard_late:])
    now_ms = 90_000 + len(audio) / 8
    stream.speech_paused(now_ms)
    recognition = await anext(aiter(stream))
    assert recognition.text == "tomorrow morning"
    assert (recognition.start_ms, recognition.end_ms) == (90_300, now_ms)
    await stream.close()


async def test_what_a_stalled_line_delivers_at_once_is_understood(
    recognizer: LocalRecognizer,
) -> None:
    stream = recognizer.open("en-US")
    stream.expect(ANSWERS)
    answer = on_the_line(sounds.speech("tomorrow morning"))
    stream.feed(answer + sounds.ulaw(sounds.silence(4.0)))
    stream.speech_started(300)
    stream.speech_paused(len(answer) / 8)
    assert (await anext(aiter(stream))).text == "tomorrow morning"
    await stream.close()


async def test_what_was_said_before_the_utterance_is_not_part_of_it(
    recognizer: LocalRecognizer,
) -> None:
    stream = recognizer.open("en-US")
    stream.expect(ANSWERS)
    before = on_the_line(sounds.speech("the washing machine"))
    audio = on_the_line(sounds.speech("tomorrow morning"))
    stream.feed(before + audio)
    stream.speech_started(len(before) / 8 + 300)
    stream.speech_paused(len(before + audio) / 8 - 200)
    assert (await anext(aiter(stream))).text == "tomorrow morning"
    await stream.close()


def pause_after(stream: LocalRecognitionStream, text: str) -> None:
    audio = on_the_line(sounds.speech(text))
    stream.expect(ANSWERS)
    stream.feed(audio)
    stream.speech_started(300)
    stream.speech_paused(len(audio) / 8)


@pytest.fixture
async def one_worker() -> AsyncIterator[LocalRecognizer]:
    recognizer = LocalRecognizer(workers=1)
    await recognizer.warm_up()
    yield recognizer
    await recognizer.close()


async def test_a_worker_that_is_killed_in_the_middle_costs_no_answer(
    one_worker: LocalRecognizer,
) -> None:
    stream = one_worker.open("en-US")
    [pid] = one_worker.pool.pids
    os.kill(pid, signal.SIGSTOP)
    pause_after(stream, "tomorrow morning")
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    assert (await anext(aiter(stream))).text == "tomorrow morning"
    assert one_worker.pool.restarts == 1
    await stream.close()


async def test_a_worker_that_hangs_is_an_error_and_the_next_utterance_is_heard(
    one_worker: LocalRecognizer,
) -> None:
    stream = one_worker.open("en-US")
    [pid] = one_worker.pool.pids
    os.kill(pid, signal.SIGSTOP)
    pause_after(stream, "tomorrow morning")
    with pytest.raises(EngineTimeout):
        await anext(aiter(stream))
    stream.utterance_ended()
    assert await heard(one_worker, sounds.speech("tomorrow morning")) == "tomorrow morning"
    await stream.close()


async def test_a_pause_that_is_overtaken_by_a_later_one_is_not_decoded(
    recognizer: LocalRecognizer,
) -> None:
    stream = recognizer.open("en-US")
    stream.expect(ANSWERS)
    audio = np.frombuffer(on_the_line(sounds.speech("tomorrow morning")), np.uint8)
    stream.feed(audio.tobytes())
    stream.speech_started(300)
    for pause_ms in (500, 700, 900, len(audio) / 8):
        stream.speech_paused(pause_ms)
    recognition = await anext(aiter(stream))
    assert (recognition.text, recognition.end_ms) == ("tomorrow morning", len(audio) / 8)
    await stream.close()

"""The ears at Google over real gRPC, against the emulator on this machine."""

import asyncio
import logging
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest

from emulators.google import serving, until_no_stream_opens
from emulators.google_speech import Fault, SpeechEmulator
from emulators.spoken_tones import VOCABULARY
from emulators.tone_caller import ToneCaller
from emulators.way import OPEN, Condition, Way
from voiceagent.errors import ProviderError
from voiceagent.speech.google_stt import GoogleRecognizer
from voiceagent.speech.google_stt_policy import StreamPolicy
from voiceagent.speech.google_stt_wire import google_language, usable_hints

SPEED = 8.0
FAST = replace(StreamPolicy(), catch_up_speed=100.0)
"""Callers speak eight times as fast as people; what is sent again comes at once."""
HEBREW = "שלום אני רוצה לקנות דירה"
STATUSES = [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK]
FATAL = {
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "FAILED_PRECONDITION",
    "UNIMPLEMENTED",
    "UNAUTHENTICATED",
}


@pytest.fixture
async def google() -> AsyncIterator[tuple[SpeechEmulator, str]]:
    emulator = SpeechEmulator()
    async with serving(emulator) as endpoint:
        yield emulator, endpoint


@asynccontextmanager
async def recognizing(endpoint: str, **wishes: Any) -> AsyncIterator[GoogleRecognizer]:
    wishes.setdefault("policy", FAST)
    recognizer = GoogleRecognizer(None, endpoint=endpoint, **wishes)
    try:
        yield recognizer
    finally:
        await recognizer.close()


@asynccontextmanager
async def calling(
    endpoint: str, *, speed: float = SPEED, language: str = "he-IL", **wishes: Any
) -> AsyncIterator[ToneCaller]:
    async with (
        recognizing(endpoint, **wishes) as recognizer,
        ToneCaller(recognizer.open(language), speed) as caller,
    ):
        yield caller


def repeatable(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - not a secret


def sentence(rng: random.Random, longest: int = 7) -> str:
    return " ".join(rng.choices(VOCABULARY, k=rng.randint(1, longest)))


# --- what Google is asked for -------------------------------------------------------------------


async def test_a_stream_that_is_given_up_while_it_opens_does_not_stay_open(
    google: tuple[SpeechEmulator, str],
) -> None:
    async with recognizing(google[1]) as recognizer:
        await recognizer.warm_up()

        async def hold() -> None:
            async with recognizer.connections.stream():
                await asyncio.Event().wait()

        for turns_of_the_loop in range(20):
            opening = asyncio.create_task(hold())
            for _ in range(turns_of_the_loop):
                await asyncio.sleep(0)
            opening.cancel()
            await asyncio.wait([opening])
        await until_no_stream_opens()


async def test_hebrew_is_asked_for_in_mulaw_with_interims_and_no_model(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    async with calling(endpoint) as caller:
        await caller.say(HEBREW)
        await caller.until_heard()
    (stream,) = emulator.streams
    config = stream.config.config
    assert config.encoding.name == "MULAW"
    assert (config.sample_rate_hertz, config.audio_channel_count) == (8000, 1)
    assert (config.language_code, config.model) == ("iw-IL", "")
    assert stream.config.interim_results
    assert stream.config.enable_voice_activity_events
    assert not stream.config.single_utterance
    assert set(stream.request_bytes) == {800}


async def test_interims_grow_into_a_final_at_the_time_of_the_words(
    google: tuple[SpeechEmulator, str],
) -> None:
    _, endpoint = google
    async with calling(endpoint) as caller:
        await caller.silence(1000)
        await caller.say(HEBREW)
        spoken_to_ms = caller.now_ms
        await caller.until_heard()
    *interims, final = caller.recognitions
    assert interims
    assert all(HEBREW.startswith(interim.text) for interim in interims)
    assert all(interim.stability < 1 and not interim.is_final for interim in interims)
    assert max(interim.stability for interim in interims) >= 0.8
    assert (final.text, final.is_final, final.stability) == (HEBREW, True, 1.0)
    assert 0 <= final.start_ms <= 1000
    assert final.end_ms == pytest.approx(spoken_to_ms + 150, abs=40)


async def test_hints_of_the_agent_and_of_the_moment_go_along(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    async with recognizing(endpoint, hints=["רחוב הרצל", " דיזנגוף  12 ", "כן"]) as recognizer:
        stream = recognizer.open("he-IL")
        stream.expect(["כן", "לא"])
        async with ToneCaller(stream, SPEED) as caller:
            await caller.say("כן")
            await caller.until_heard()
    (contexts,) = emulator.streams[0].config.config.speech_contexts
    assert list(contexts.phrases) == ["כן", "לא", "רחוב הרצל", "דיזנגוף 12"]


async def test_v2_has_its_recognizer_its_model_and_the_short_endpointing(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    async with calling(
        endpoint,
        api="v2",
        model="chirp_3",
        recognizer="projects/shop/locations/eu/recognizers/_",
        endpointing="short",
        hints=["רחוב הרצל"],
    ) as caller:
        await caller.say(HEBREW)
        await caller.until_heard()
    (stream,) = emulator.streams
    config, features = stream.config.config, stream.config.streaming_features
    assert stream.recognizer == "projects/shop/locations/eu/recognizers/_"
    assert (list(config.language_codes), config.model) == (["iw-IL"], "chirp_3")
    assert config.explicit_decoding_config.encoding.name == "MULAW"
    assert config.explicit_decoding_config.sample_rate_hertz == 8000
    assert features.interim_results
    assert features.enable_voice_activity_events
    assert features.endpointing_sensitivity.name == "ENDPOINTING_SENSITIVITY_SHORT"
    (phrases,) = config.adaptation.phrase_sets
    assert [phrase.value for phrase in phrases.inline_phrase_set.phrases] == ["רחוב הרצל"]


def test_the_region_is_that_of_the_recognizer() -> None:
    recognizer = GoogleRecognizer(
        None, api="v2", recognizer="projects/shop/locations/eu/recognizers/_"
    )
    assert recognizer.connections._host.address == "eu-speech.googleapis.com:443"
    assert GoogleRecognizer(None).connections._host.address == "speech.googleapis.com:443"


@pytest.mark.parametrize(
    ("ours", "googles"),
    [("he-IL", "iw-IL"), ("he", "iw"), ("he_IL", "iw-IL"), ("en-US", "en-US"), ("HE-il", "iw-il")],
)
def test_hebrew_has_its_old_code_there(ours: str, googles: str) -> None:
    assert google_language(ours) == googles


def test_hints_are_few_short_and_each_once() -> None:
    hints = usable_hints(["a b", "a  b", "", "x" * 101], [f"name {n}" for n in range(1000)])
    assert hints[:2] == ("a b", "name 0")
    assert len(hints) == 500


# --- what Google refuses ------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_a_model_that_does_not_know_the_language_is_left_out_with_one_line(
    google: tuple[SpeechEmulator, str], api: str, caplog: pytest.LogCaptureFixture
) -> None:
    emulator, endpoint = google
    async with recognizing(endpoint, model="latest_short", api=api) as recognizer:
        for _ in range(2):
            async with ToneCaller(recognizer.open("he-IL"), SPEED) as caller:
                await caller.say(HEBREW)
                await caller.until_heard()
    models = [stream.config.config.model for stream in emulator.streams]
    assert models == ["latest_short", "", ""]
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "model 'latest_short'" in line.getMessage()
    assert "iw-IL" in line.getMessage()


async def test_the_warm_up_finds_that_out_before_any_call(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    async with recognizing(endpoint, model="latest_short") as recognizer:
        await recognizer.warm_up()
        async with ToneCaller(recognizer.open("he-IL"), SPEED) as caller:
            await caller.say(HEBREW)
            await caller.until_heard()
    assert [stream.config.config.model for stream in emulator.streams] == ["latest_short", "", ""]


async def test_hints_that_are_refused_are_left_out_and_the_model_is_kept(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    emulator.takes_hints = False
    async with calling(endpoint, hints=["דניאל"], model="latest_long") as caller:
        await caller.say(HEBREW)
        await caller.until_heard()
    assert [
        (stream.config.config.model, len(stream.config.config.speech_contexts))
        for stream in emulator.streams
    ] == [("latest_long", 1), ("latest_long", 0)]


async def test_a_language_that_google_does_not_know_is_no_use_to_try_again(
    google: tuple[SpeechEmulator, str],
) -> None:
    _, endpoint = google
    async with recognizing(endpoint, language="xx-XX") as recognizer:
        with pytest.raises(ProviderError, match="bad language code") as raised:
            await recognizer.warm_up()
        assert not raised.value.retryable
        async with ToneCaller(recognizer.open("xx-XX"), SPEED) as caller:
            await caller.until(lambda: caller.error)
        assert caller.error is not None
        assert not caller.error.retryable


# --- warm-up ------------------------------------------------------------------------------------


async def test_the_warm_up_is_a_real_exchange(google: tuple[SpeechEmulator, str]) -> None:
    emulator, endpoint = google
    async with recognizing(endpoint) as recognizer:
        await recognizer.warm_up()
    (stream,) = emulator.streams
    assert (stream.half_closed, stream.ended, stream.audio_ms) == (True, "OK", 300)


async def test_a_server_that_is_not_there_fails_the_warm_up(
    google: tuple[SpeechEmulator, str],
) -> None:
    async with recognizing("insecure://127.0.0.1:9") as recognizer:
        with pytest.raises(ProviderError, match="UNAVAILABLE") as raised:
            await recognizer.warm_up()
    assert raised.value.retryable


def test_the_vendor_library_is_not_imported_by_importing_the_adapter() -> None:
    code = "import sys, voiceagent.speech.google_stt; print('grpc' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"False"


# --- a stream that breaks -----------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
async def test_no_word_is_lost_when_a_stream_ends_amid_speech(
    google: tuple[SpeechEmulator, str], status: grpc.StatusCode
) -> None:
    emulator, endpoint = google
    emulator.faults.append(Fault(status, after_ms=1000))
    async with calling(endpoint) as caller:
        await caller.say("שלום אני רוצה לקנות דירה בית חדרים")
        await caller.until_heard()
        await caller.say("כן")
        await caller.until_heard()
    assert caller.page.text == " ".join(caller.said)
    assert caller.error is None


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
async def test_a_stream_that_is_refused_at_the_start(
    google: tuple[SpeechEmulator, str], status: grpc.StatusCode
) -> None:
    emulator, endpoint = google
    if status.name in FATAL:
        emulator.always = Fault(status)
    else:
        emulator.faults.append(Fault(status))
    async with calling(endpoint) as caller:
        await caller.say(HEBREW)
        if status.name in FATAL:
            await caller.until(lambda: caller.error)
            assert caller.error is not None
            assert not caller.error.retryable
            assert status.name in str(caller.error)
        else:
            await caller.until_heard()
            assert caller.error is None


async def test_an_error_may_come_as_a_message(google: tuple[SpeechEmulator, str]) -> None:
    emulator, endpoint = google
    emulator.faults.append(
        Fault(grpc.StatusCode.OUT_OF_RANGE, after_ms=1000, in_message=True, message="too long")
    )
    async with calling(endpoint) as caller:
        await caller.say(HEBREW)
        await caller.until_heard()
    assert len(emulator.streams) == 2


async def test_google_that_stays_away_is_told_as_retryable(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    emulator.always = Fault(grpc.StatusCode.UNAVAILABLE)
    policy = replace(FAST, give_up_ms=500)
    async with calling(endpoint, policy=policy) as caller:
        await caller.say(HEBREW)
        await caller.until(lambda: caller.error)
    assert caller.error is not None
    assert caller.error.retryable
    assert "UNAVAILABLE" in str(caller.error)


@pytest.mark.parametrize("after_ms", [1, 900])
async def test_a_stream_that_hangs_is_replaced(
    google: tuple[SpeechEmulator, str], after_ms: float
) -> None:
    emulator, endpoint = google
    emulator.faults.append(Fault(hangs=True, after_ms=after_ms))
    policy = replace(FAST, words_due_ms=300, final_due_ms=500, drain_ms=800)
    async with calling(endpoint, policy=policy) as caller:
        await caller.say(HEBREW)
        await caller.until_heard()
        await caller.say("כן")
        await caller.until_heard()
    assert caller.page.text == " ".join(caller.said)
    assert caller.error is None


async def test_a_stream_that_hangs_amid_a_long_speech_is_replaced(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    emulator.faults.append(Fault(hangs=True, after_ms=500))
    policy = replace(FAST, hang_ms=500)
    rng = repeatable(3)
    async with calling(endpoint, policy=policy) as caller:
        await caller.say(" ".join(rng.choices(VOCABULARY, k=40)))
        await caller.until_heard()
    assert caller.page.text == " ".join(caller.said)


async def test_google_that_hangs_for_ever_is_given_up(google: tuple[SpeechEmulator, str]) -> None:
    emulator, endpoint = google
    emulator.always = Fault(hangs=True, after_ms=1)
    policy = replace(FAST, words_due_ms=300, drain_ms=500)
    async with calling(endpoint, policy=policy) as caller:
        await caller.say("כן")
        await caller.until(lambda: caller.error, within_ms=20_000)
    assert caller.error is not None
    assert "answers nothing" in str(caller.error)


async def test_a_connection_that_died_without_a_word_is_left(
    google: tuple[SpeechEmulator, str],
) -> None:
    _, endpoint = google
    policy = replace(FAST, words_due_ms=300, drain_ms=500)
    async with Way(endpoint.removeprefix("insecure://")) as way:
        there = f"insecure://127.0.0.1:{way.port}"
        async with recognizing(there, policy=policy) as recognizer:
            await recognizer.warm_up()
            await way.become(Condition("silent"))
            await way.become(OPEN)  # new connections work, the old one never will
            async with ToneCaller(recognizer.open("he-IL"), SPEED) as caller:
                await caller.say(HEBREW)
                await caller.until(lambda: caller.error, within_ms=40_000)
            async with ToneCaller(recognizer.open("he-IL"), SPEED) as caller:
                await caller.say(HEBREW)
                await caller.until_heard()
            assert way.connections == 2


async def test_a_slow_server_is_waited_for_and_not_asked_twice(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    emulator.response_delay_s = 0.6
    policy = replace(FAST, words_due_ms=300)
    async with calling(endpoint, policy=policy) as caller:
        for text in (HEBREW, "כן", "לא תודה"):
            await caller.say(text)
            await caller.until_heard()
    assert caller.page.text == " ".join(caller.said)


async def test_a_tenth_of_the_answers_lost_does_not_end_the_call(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    emulator.drop_share = 0.1
    rng = repeatable(4)
    async with calling(endpoint) as caller:
        for _ in range(8):
            await caller.say(sentence(rng))
            await caller.silence(1500)
        await caller.silence(8000)
    assert caller.error is None
    told = caller.page.text.split()
    assert len(told) >= 0.7 * len(caller.said)


async def test_a_tenth_of_the_frames_lost_moves_no_time(
    google: tuple[SpeechEmulator, str],
) -> None:
    _emulator, endpoint = google
    async with calling(endpoint) as caller:
        rng = repeatable(5)
        caller.loses = lambda _frame: rng.random() < 0.1
        await caller.say(HEBREW)
        await caller.silence(3000)
    assert caller.error is None
    assert all(0 <= told.start_ms <= told.end_ms <= caller.now_ms for told in caller.recognitions)


async def test_a_server_that_dies_and_comes_back_is_found_again() -> None:
    async with AsyncExitStack() as stack:
        first = SpeechEmulator()
        async with serving(first) as endpoint:
            caller = await stack.enter_async_context(calling(endpoint))
            await caller.say(HEBREW)
            await caller.until_heard()
            await caller.say("שלום אני")
        await caller.say("רוצה לקנות")
        port = int(endpoint.rpartition(":")[2])
        second = SpeechEmulator()
        await stack.enter_async_context(serving(second, port=port))
        await caller.say("דירה")
        await caller.until_heard(within_ms=40_000)
    assert caller.page.text == " ".join(caller.said)


# --- rotation -----------------------------------------------------------------------------------

ROTATING = replace(FAST, rotate_from_ms=6_000, rotate_by_ms=9_000, replay_ms=3_000)


@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_words_across_many_rotations(google: tuple[SpeechEmulator, str], api: str) -> None:
    emulator, endpoint = google
    emulator.limit_ms = 12_000
    emulator.final_delay_s = 0.05
    rng = repeatable(6)
    async with calling(endpoint, policy=ROTATING, api=api, speed=10) as caller:
        while caller.now_ms < 60_000:
            await caller.say(sentence(rng, longest=25))
            await caller.silence(rng.choice([200, 400, 800, 1500]))
        await caller.until_heard()
        counters = caller.stream.counters  # type: ignore[attr-defined]
    assert caller.page.text == " ".join(caller.said)
    assert counters.handed_over >= 3
    assert counters.dropped_ms == 0
    assert all(stream.ended in {"OK", None} for stream in emulator.streams)


async def test_the_limit_of_a_stream_amid_speech(google: tuple[SpeechEmulator, str]) -> None:
    emulator, endpoint = google
    emulator.limit_ms = 4_000
    rng = repeatable(7)
    async with calling(endpoint) as caller:
        for _ in range(6):
            await caller.say(sentence(rng))
            await caller.silence(1000)
        await caller.until_heard()
    assert caller.page.text == " ".join(caller.said)
    assert [stream.ended for stream in emulator.streams].count("OUT_OF_RANGE") >= 2


@pytest.mark.alone
@pytest.mark.slow
async def test_sixteen_minutes(google: tuple[SpeechEmulator, str]) -> None:
    """The product's own times of rotation; only the clock of the audio runs faster."""
    _emulator, endpoint = google
    rng = repeatable(8)
    async with calling(endpoint, policy=FAST, speed=60) as caller:
        while caller.now_ms < 16 * 60_000:
            near_its_time = caller.now_ms % 240_000 > 225_000
            await caller.say(sentence(rng, longest=40 if near_its_time else 8))
            await caller.silence(rng.choice([200, 400, 800, 1500, 4000]))
        await caller.until_heard(within_ms=60_000)
        counters = caller.stream.counters  # type: ignore[attr-defined]
    assert caller.page.text == " ".join(caller.said)
    assert counters.handed_over >= 3
    assert counters.dropped_ms == 0


# --- media that does not come -------------------------------------------------------------------


async def test_a_stream_without_media_is_kept_awake_and_times_stay_the_calls(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    emulator.audio_timeout_s = 0.6
    policy = replace(FAST, starve_ms=200)
    async with calling(endpoint, policy=policy, speed=1) as caller:
        await caller.say("שלום אני")
        await caller.missing(2000)
        await caller.say("רוצה לקנות")
        spoken_to_ms = caller.now_ms
        await caller.until_heard()
    (stream,) = emulator.streams
    assert stream.audio_ms > caller.now_ms + 1000
    assert caller.page.text == " ".join(caller.said)
    assert caller.finals.pieces[-1].end_ms <= spoken_to_ms + 200


async def test_google_that_gave_up_for_want_of_audio_is_asked_again(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    emulator.audio_timeout_s = 0.3
    async with calling(endpoint, speed=1) as caller:
        await caller.say("שלום אני")
        await caller.missing(600)
        await caller.say("רוצה לקנות")
        await caller.until_heard()
    assert emulator.streams[0].ended == "OUT_OF_RANGE"
    assert caller.error is None


# --- many calls ---------------------------------------------------------------------------------


async def test_one_call_hears_nothing_of_another(google: tuple[SpeechEmulator, str]) -> None:
    _emulator, endpoint = google
    texts = [" ".join(VOCABULARY[3 * n : 3 * n + 3]) for n in range(8)]
    async with recognizing(endpoint) as recognizer, AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(ToneCaller(recognizer.open("he-IL"), SPEED))
            for _ in texts
        ]

        async def call(caller: ToneCaller, text: str) -> None:
            await caller.say(text)
            await caller.until_heard()

        await asyncio.gather(*map(call, callers, texts))
        assert [caller.finals.text for caller in callers] == texts


async def test_more_calls_than_a_connection_carries_get_another_one(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    async with recognizing(endpoint) as recognizer:
        streams = [recognizer.open("he-IL") for _ in range(60)]
        for stream in streams:
            stream.feed(b"\xff" * 800)
        async with asyncio.timeout(20):
            while len(emulator.streams) < 60:  # noqa: ASYNC110 - the emulator has no bell
                await asyncio.sleep(0.02)
        assert recognizer.connections.count == 2
        await asyncio.gather(*(stream.close() for stream in streams))


# --- the end ------------------------------------------------------------------------------------


async def test_closing_ends_the_iteration_and_can_be_repeated(
    google: tuple[SpeechEmulator, str],
) -> None:
    _, endpoint = google
    async with recognizing(endpoint) as recognizer:
        stream = recognizer.open("he-IL")
        stream.feed(b"\xff" * 1600)
        reading = asyncio.create_task(anext(aiter(stream), None))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await stream.close()
            await stream.close()
            assert await reading is None
        stream.feed(b"\xff" * 160)
        stream.speech_started(0)
        stream.speech_paused(20)
        stream.utterance_ended()
        assert [told async for told in stream] == []
        await recognizer.close()
        await recognizer.close()


async def test_nothing_is_left_running_after_a_call(google: tuple[SpeechEmulator, str]) -> None:
    _, endpoint = google
    before = asyncio.all_tasks()
    async with calling(endpoint) as caller:
        await caller.say(HEBREW)
        await caller.silence(100)
    names = {task.get_name() for task in asyncio.all_tasks() - before}
    assert not any(name.startswith("google leg") for name in names)


async def test_a_stream_that_was_never_fed_asks_for_nothing(
    google: tuple[SpeechEmulator, str],
) -> None:
    emulator, endpoint = google
    async with recognizing(endpoint) as recognizer:
        stream = recognizer.open("he-IL")
        await stream.close()
    assert emulator.streams == []

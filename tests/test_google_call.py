"""Calls in Hebrew from the phone to the brain, with Google's recogniser on the emulator."""

import asyncio
import logging
import re

import grpc
import pytest

from emulators.google_speech import Fault, SpeechEmulator
from emulators.hebrew_call import SCRIPT, Outcome, hebrew_call, hebrew_ears

LONGEST_SILENCE_MS = 3_000.0
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
DENIED = grpc.StatusCode.PERMISSION_DENIED


async def call_on(emulator: SpeechEmulator, fault: Fault | None = None, *, once: bool) -> Outcome:
    """A call whose streams break; the warm-up's do not."""
    async with hebrew_ears(emulator) as recognizer:
        if once:
            emulator.faults.append(fault)
        else:
            emulator.always = fault
        return await hebrew_call(recognizer)


async def test_a_hebrew_call(caplog: pytest.LogCaptureFixture) -> None:
    emulator = SpeechEmulator()
    with caplog.at_level(logging.INFO):
        async with hebrew_ears(emulator) as recognizer:
            outcome = await hebrew_call(recognizer)
    assert outcome.asked == list(SCRIPT)
    assert outcome.reason == "caller_hangup"
    assert outcome.close == (1000, "")
    assert outcome.failures == []
    assert outcome.longest_wait_ms < LONGEST_SILENCE_MS
    _, stream = emulator.streams  # the warm-up's, and the call's
    assert stream.config.config.language_code == "iw-IL"
    assert set(stream.request_bytes[:-1]) == {800}
    words = re.findall(
        r"\b(WS_START|STT_PARTIAL|STT_FINAL|EoU_ms|TTS_LEN_ms|MEDIA_TX|WS_STOP)\b",
        " ".join(record.getMessage() for record in caplog.records),
    )
    turn = ["STT_FINAL", "EoU_ms", "TTS_LEN_ms", "MEDIA_TX"]
    assert "STT_PARTIAL" in words
    without_partials = [word for word in words if word != "STT_PARTIAL"]
    greeting = ["WS_START", "TTS_LEN_ms", "MEDIA_TX"]
    assert without_partials == [*greeting, *turn * len(SCRIPT), "WS_STOP"]


async def test_streams_that_break_once_are_not_noticed() -> None:
    faults = [
        Fault(UNAVAILABLE),
        Fault(grpc.StatusCode.INTERNAL),
        Fault(UNAVAILABLE, after_ms=1900),
        Fault(grpc.StatusCode.OUT_OF_RANGE, after_ms=1900),
        Fault(DENIED, after_ms=1900),
    ]
    outcomes = await asyncio.gather(
        *(call_on(SpeechEmulator(), fault, once=True) for fault in faults)
    )
    for outcome in outcomes:
        assert outcome.asked == list(SCRIPT)
        assert outcome.reason == "caller_hangup"
        assert outcome.longest_wait_ms < LONGEST_SILENCE_MS


async def test_google_that_is_lost_ends_the_call_with_an_apology() -> None:
    outcome = await call_on(SpeechEmulator(), Fault(DENIED), once=False)
    assert outcome.played[-4:] == ["nobody", "can", "hear", "you"]
    assert outcome.reason == "error"
    assert outcome.close is not None
    assert ("stt", "Google: PERMISSION_DENIED: on demand") in outcome.failures


async def test_a_slow_or_silent_google_leaves_no_dead_air() -> None:
    slow, dropping = SpeechEmulator(response_delay_s=1.5), SpeechEmulator(drop_share=0.1)
    slow_call, dropping_call, hanging_call, away_call = await asyncio.gather(
        call_on(slow, once=False),
        call_on(dropping, once=False),
        call_on(SpeechEmulator(), Fault(hangs=True, after_ms=1), once=False),
        call_on(SpeechEmulator(), Fault(UNAVAILABLE, after_ms=1900), once=False),
    )
    for outcome in (slow_call, dropping_call, hanging_call, away_call):
        assert outcome.longest_wait_ms < LONGEST_SILENCE_MS
    assert slow_call.reason == dropping_call.reason == "caller_hangup"
    assert "".join(slow_call.asked)

"""The program of the speaking worker process: eSpeak NG, by ctypes.

Requests to speak a text flow in, µ-law at 8000 Hz with the times of its words flows
out, piece by piece for a long text. eSpeak NG is GPL and keeps global state, so it is
loaded in this process only and speaks one text at a time.
"""

import ctypes
import re
from collections.abc import Iterator
from typing import Any, Final

import espeakng_loader
import numpy as np
import numpy.typing as npt
import soxr

from voiceagent.call.audio import SAMPLE_RATE_HZ, pcm16_to_ulaw
from voiceagent.errors import ProviderError
from voiceagent.speech.loudness import levelled, voiced_span
from voiceagent.speech.word_timings import word_timings
from voiceagent.speech.worker_program import Cancelled, Handler, Job, run

LEAD_MS: Final = 40.0
TRAIL_MS: Final = 80.0
_PIECE_TRAIL_MS: Final = 250.0
_PIECE_CHARS: Final = 300
_DEFAULT_WORDS_PER_MINUTE: Final = 165

# speak_lib.h of eSpeak NG 1.52
_AUDIO_OUTPUT_SYNCHRONOUS: Final = 2
_BUFFER_MS: Final = 100
_DONT_EXIT: Final = 0x8000
_POS_CHARACTER: Final = 1
_CHARS_UTF8: Final = 1
_RATE_PARAMETER: Final = 1
_EVENT_LIST_TERMINATED: Final = 0
_EVENT_WORD: Final = 1

_UNSPEAKABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff]")
"""Control characters, direction marks and halves of surrogate pairs."""
_PIECE_END: Final = re.compile(r"[.!?…:;]+[\"')\]]*\s+|\n+|,\s+|\s+")


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_uint64),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Engine:
    """eSpeak NG; one per process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Synth.argtypes = (
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
            ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        )  # fmt: skip
        data = str(espeakng_loader.get_data_path()).encode()
        self._rate_hz: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data, _DONT_EXIT
        )
        if self._rate_hz <= 0:
            raise ProviderError("eSpeak NG has not found its data", retryable=False)
        self._samples: list[npt.NDArray[np.int16]] = []
        self._events: list[tuple[int, int]] = []
        self._job: Job | None = None
        self._callback = _Callback(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice = ""

    def speak(self, job: Job) -> None:
        """Answer one request: `text`, `voice`, and optionally `rate` in words a minute."""
        self._use(job.header["voice"], job.header.get("rate") or _DEFAULT_WORDS_PER_MINUTE)
        text: str = job.header["text"]
        pieces = list(_pieces(text))
        for number, (offset, piece) in enumerate(pieces):
            samples, events = self._synthesize(piece, job)
            last = number == len(pieces) - 1
            ulaw, words = _telephone_speech(
                samples, self._rate_hz, events, piece, TRAIL_MS if last else _PIECE_TRAIL_MS
            )
            if ulaw:
                job.reply({"words": [[offset + start, ms] for start, ms in words]}, ulaw)

    def _use(self, voice: str, words_per_minute: int) -> None:
        if voice != self._voice:
            if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
                self._voice = ""
                raise ProviderError(f"eSpeak NG has no voice {voice!r}", retryable=False)
            self._voice = voice
        self._library.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0)

    def _synthesize(
        self, text: str, job: Job
    ) -> tuple[npt.NDArray[np.float32], list[tuple[int, int]]]:
        """Samples at the engine's rate and (character, sample) of each word event."""
        self._samples, self._events, self._job = [], [], job
        encoded = _UNSPEAKABLE.sub(" ", text).encode()
        self._library.espeak_Synth(
            encoded, len(encoded) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if job.cancelled:
            raise Cancelled
        spoken = np.concatenate(self._samples) if self._samples else np.zeros(0, np.int16)
        return spoken.astype(np.float32) / np.float32(32768), self._events

    def _collect(self, wave: Any, count: int, events: Any) -> int:
        """What eSpeak calls with each buffer; 1 stops it."""
        if wave and count:
            self._samples.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_LIST_TERMINATED:
            if events[index].type == _EVENT_WORD:
                self._events.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return int(self._job is None or self._job.cancelled)


def _telephone_speech(
    samples: npt.NDArray[np.float32],
    rate_hz: int,
    events: list[tuple[int, int]],
    text: str,
    trail_ms: float,
) -> tuple[bytes, list[tuple[int, float]]]:
    """µ-law of the spoken piece without the silence around it, and (character, ms) of words."""
    narrow = soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ)
    loud = levelled(narrow, SAMPLE_RATE_HZ)
    first, end = voiced_span(loud, SAMPLE_RATE_HZ, lead_ms=LEAD_MS, trail_ms=trail_ms)
    pcm = np.rint(loud[first:end] * 32767).astype(np.int16)
    cut_ms = first * 1000 / SAMPLE_RATE_HZ
    long_ms = (end - first) * 1000 / SAMPLE_RATE_HZ
    times = [
        (position, min(max(0.0, sample * 1000 / rate_hz - cut_ms), long_ms))
        for position, sample in events
    ]
    words = [(word.char_start, round(word.start_ms, 1)) for word in word_timings(text, times)]
    return pcm16_to_ulaw(pcm), words


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """(index, text) of pieces of at most 300 characters, cut at sentences if possible, else
    at clauses, else at blanks."""
    start = 0
    while len(text) - start > _PIECE_CHARS:
        window = text[start : start + _PIECE_CHARS]
        ends: dict[int, int] = {}
        for match in _PIECE_END.finditer(window):
            mark = match.group()[0]
            ends[0 if mark in ".!?…:;\n" else 1 if mark == "," else 2] = match.end()
        length = ends[min(ends)] if ends else _PIECE_CHARS
        yield start, text[start : start + length]
        start += length
    yield start, text[start:]


def _open() -> Handler:
    return Engine().speak


if __name__ == "__main__":
    run(_open)

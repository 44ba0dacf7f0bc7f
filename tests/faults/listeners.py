"""What callers heard, read from the audio that reached their phones.

A phone's line flows in; stretches of speech flow out, with their words where Google's voice
(the emulator's, whose tones carry the text) spoke, and without where another voice did. Silence
is measured here, too: from the end of what a caller said to the next sound.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from emulators.google_texttospeech import CHARACTER_BYTES, text_of
from voiceagent.call.audio import BYTES_PER_MS, ulaw_to_pcm16
from voiceagent.simulator.caller import SimulatedCall
from voiceagent.simulator.phone import QUIET_CODES

_WORD_GAP_MS: Final = 20
"""Less quiet than this is within a word; a blank between two is 60 ms."""
_MARKED: Final = bytes(code not in QUIET_CODES for code in range(256))
_SOUND: Final = re.compile(
    rb"\x01(?:\x00{0,%d}\x01)*" % (_WORD_GAP_MS * BYTES_PER_MS - 1), re.DOTALL
)
_PURE: Final = 0.5
"""Share of a character's power that is in its tone, at least."""


@dataclass(frozen=True, slots=True)
class HeardSpeech:
    """One stretch in which the agent was heard."""

    start_ms: float
    end_ms: float
    text: str
    """Empty: it was not Google's voice."""


def heard_of(call: SimulatedCall, until_ms: float) -> list[HeardSpeech]:
    """All that was heard until then; the call must have kept its audio."""
    audio = call.line.audio(until_ms)
    return [
        HeardSpeech(span.start_ms, span.end_ms, _words(audio, span.start_ms, span.end_ms))
        for span in call.line.spans
        if span.start_ms < until_ms
    ]


def _words(audio: bytes, start_ms: float, end_ms: float) -> str:
    piece = audio[round(start_ms * BYTES_PER_MS) : round(end_ms * BYTES_PER_MS)]
    words = []
    for sound in _sounds(piece):
        cells = max(1, round(len(sound) / CHARACTER_BYTES))
        whole = sound[: cells * CHARACTER_BYTES].ljust(cells * CHARACTER_BYTES, b"\xff")
        if not _is_tones(whole):
            return ""
        try:
            words.append(text_of(whole))
        except IndexError:
            return ""  # tones, but none of that voice
    return " ".join(words)


def _sounds(ulaw: bytes) -> list[bytes]:
    """Stretches between blanks."""
    quiet_or_not = ulaw.translate(_MARKED)
    return [ulaw[found.start() : found.end()] for found in _SOUND.finditer(quiet_or_not)]


def _is_tones(ulaw: bytes) -> bool:
    cells = ulaw_to_pcm16(ulaw).astype(np.float64).reshape(-1, CHARACTER_BYTES)
    power = np.abs(np.fft.rfft(cells, axis=1)) ** 2
    share = power.max(axis=1) / np.maximum(power.sum(axis=1), 1.0)
    return bool(np.median(share) >= _PURE)


def longest_silence_ms(call: SimulatedCall, until_ms: float) -> float:
    """The longest that this caller waited for a sound: after ringing, and after what they said."""
    waits = [call.line.spans[0].start_ms if call.line.spans else until_ms]
    for index, one in enumerate(call.uttered):
        later = call.uttered[index + 1 :]
        until = min(later[0].start_ms, until_ms) if later else until_ms
        answers = [s.start_ms for s in call.line.spans if one.end_ms <= s.start_ms < until]
        waits.append((answers[0] if answers else until) - one.end_ms)
    return max(waits)

"""Google's speech services on this machine, with answers that were prepared before.

    python bench/google_prepared.py          # says its address, e.g. insecure://127.0.0.1:40123

The emulators of the tests over real gRPC, made so cheap that they are not what limits a
measurement: every sound that the caller makes is the word "bench", every sentence is three
seconds of the same tone.
"""

import asyncio
import gc
import os
import sys
from pathlib import Path

import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from emulators.google import serving  # noqa: E402 - found by the line above
from emulators.google_speech import Reader, SpeechEmulator  # noqa: E402
from emulators.google_texttospeech import TextToSpeechEmulator  # noqa: E402
from emulators.spoken_tones import SpokenWord  # noqa: E402
from voiceagent.call.audio import BYTES_PER_MS, ulaw_to_pcm16  # noqa: E402

REPLY_MS = 3000
QUIET = 600
"""Samples up to here are the line's own noise."""
GAP_MS = 150.0
"""So much quiet ends a word."""
_QUIET_CODES = bytes(
    code for code in range(256) if abs(int(ulaw_to_pcm16(bytes([code]))[0])) <= QUIET
)
_TONE = bytes((0x9A, 0x8B, 0x9A, 0xD0, 0x1A, 0x0B, 0x1A, 0x50)) * REPLY_MS


class LoudnessReader:
    """A `Reader` that reads a word wherever it was loud."""

    def __init__(self) -> None:
        self.read_ms = 0.0
        self.loud = False
        self._began_ms = 0.0
        self._loud_until_ms = 0.0

    def feed(self, ulaw: bytes) -> list[SpokenWord]:
        """The word that ended, once it was quiet for long enough."""
        began_ms = self.read_ms
        self.read_ms += len(ulaw) / BYTES_PER_MS
        if len(ulaw.translate(None, _QUIET_CODES)) > len(ulaw) // 16:
            if not self.loud:
                self.loud, self._began_ms = True, began_ms
            self._loud_until_ms = self.read_ms
        elif self.loud and self.read_ms - self._loud_until_ms >= GAP_MS:
            return self.finish()
        return []

    def finish(self) -> list[SpokenWord]:
        """The audio is over."""
        if not self.loud:
            return []
        self.loud = False
        return [SpokenWord("bench", self._began_ms, self._loud_until_ms)]


class PreparedSpeech(SpeechEmulator):
    """Hears loudness only."""

    def reader(self) -> Reader:
        return LoudnessReader()


def prepared_voice() -> TextToSpeechEmulator:
    """Says the same of any text."""
    return TextToSpeechEmulator(sound=lambda _text: _TONE, stream_message_bytes=4800)


async def _main() -> None:
    async with serving(PreparedSpeech(), prepared_voice()) as endpoint:
        print(endpoint, flush=True)
        gc.freeze()
        await asyncio.Event().wait()


if __name__ == "__main__":
    os.nice(-5) if os.geteuid() == 0 else None
    uvloop.run(_main())

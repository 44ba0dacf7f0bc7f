"""The simulated caller's voice: eSpeak NG in a short-lived process of its own.

Sentences flow in, samples at the phone's rate flow out. The engine is GPL and
keeps global state, so it is never loaded into this process; run as a module,
this file is that other process: JSON lines in, length-prefixed PCM out.
"""

import ctypes
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from voiceagent.errors import EngineTimeout, ProviderError

CALLER_VOICE: Final = "en-us+f2"
CALLER_WORDS_PER_MINUTE: Final = 165
_DEADLINE_S: Final = 60.0

_AUDIO_OUTPUT_SYNCHRONOUS: Final = 2
_CHARS_UTF8: Final = 1
_RATE_PARAMETER: Final = 1


def speak(
    sentences: Sequence[str],
    *,
    voice: str = CALLER_VOICE,
    words_per_minute: int = CALLER_WORDS_PER_MINUTE,
) -> tuple[list[bytes], int]:
    """16-bit mono PCM of each sentence, and the rate of all in Hz; waits up to 60 s.

    Raises `ProviderError` when the engine is not installed or fails.
    """
    request = {"voice": voice, "rate": words_per_minute, "sentences": list(sentences)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "voiceagent.simulator.voice"],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineTimeout(f"the caller's voice took more than {_DEADLINE_S:.0f} s") from None
    if done.returncode != 0:
        last_line = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ProviderError(
            f"the caller's voice failed: {last_line or f'exit {done.returncode}'}",
            retryable=False,
        )
    numbers, pcm = done.stdout.split(b"\n", 1)
    rate_hz, *lengths = json.loads(numbers)
    spoken = []
    for length in lengths:
        spoken.append(pcm[:length])
        pcm = pcm[length:]
    return spoken, rate_hz


def _main() -> None:
    """The other process."""
    try:
        import espeakng_loader  # noqa: PLC0415 - only in the process that may load it
    except ImportError:
        sys.exit("eSpeak NG is not installed; from a checkout: pip install -e '.[local]'")
    request = json.load(sys.stdin)
    engine = ctypes.CDLL(espeakng_loader.get_library_path())
    collected = bytearray()

    def collect(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count:
            collected.extend(ctypes.string_at(samples, 2 * count))
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    collector = callback(collect)

    data = str(espeakng_loader.get_data_path()).encode()
    rate_hz = engine.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, 0)
    if rate_hz <= 0:
        sys.exit("eSpeak NG does not start")
    engine.espeak_SetSynthCallback(collector)
    if engine.espeak_SetVoiceByName(request["voice"].encode()) != 0:
        sys.exit(f"eSpeak NG has no voice {request['voice']}")
    engine.espeak_SetParameter(_RATE_PARAMETER, request["rate"], 0)
    spoken = []
    for sentence in request["sentences"]:
        text = sentence.encode() + b"\0"
        engine.espeak_Synth(text, len(text), 0, 0, 0, _CHARS_UTF8, None, None)
        engine.espeak_Synchronize()
        spoken.append(bytes(collected))
        collected.clear()
    sys.stdout.buffer.write(json.dumps([rate_hz, *map(len, spoken)]).encode() + b"\n")
    for pcm in spoken:
        sys.stdout.buffer.write(pcm)


if __name__ == "__main__":
    _main()

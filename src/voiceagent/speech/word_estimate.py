"""Where the words of a sentence begin, when the engine does not tell.

A text and the length of its sound flow in, estimated timings flow out: words take the time
that their letters, as they are read aloud, take on average, and a comma or a full stop is a
pause. Pure.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from voiceagent.speech.ports import WordTiming

LETTER_MS: Final = 65.0
"""Of a voice not yet heard: about 160 words a minute."""
_TOKEN: Final = re.compile(r"\S+")
_BLANK_LETTERS: Final = 1.0
_PAUSE_LETTERS: Final = {",": 3.0, ";": 4.0, ":": 4.0, ".": 6.0, "!": 6.0, "?": 6.0}
"""What a sign at a word's end takes, in letters."""


def word_weights(text: str, read: Callable[[str], str]) -> list[tuple[int, float]]:
    """Each word's first character and its length in letters, pause after it included.

    `read` turns one word into what is read aloud: "2,500" is longer than its five signs.
    Tokens without a letter or digit count towards the word before them.
    """
    words: list[tuple[int, float]] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        aloud = sum(character.isalnum() for character in read(token))
        pause = _PAUSE_LETTERS.get(token[-1], 0.0)
        if any(character.isalnum() for character in token):
            words.append((match.start(), aloud + _BLANK_LETTERS + pause))
        elif words:
            start, weight = words[-1]
            words[-1] = (start, weight + aloud + pause)
    return words


def spread(words: Sequence[tuple[int, float]], start_ms: float, end_ms: float) -> list[WordTiming]:
    """Timings of the weighted words over the voiced stretch from `start_ms` to `end_ms`."""
    whole = sum(weight for _, weight in words)
    if words:
        # The last word's pause is not in the voiced stretch, or hardly.
        whole = max(1.0, whole - _BLANK_LETTERS)
    timings: list[WordTiming] = []
    passed = 0.0
    for char_start, weight in words:
        timings.append(WordTiming(char_start, start_ms + (end_ms - start_ms) * passed / whole))
        passed += weight
    return timings


def voiced_stretch_ms(levels_dbfs: Sequence[float], frame_ms: float) -> tuple[float, float]:
    """From the first frame that can be heard to the end of the last one."""
    heard = [at for at, level in enumerate(levels_dbfs) if level > -50.0]
    if not heard:
        return 0.0, len(levels_dbfs) * frame_ms
    return heard[0] * frame_ms, (heard[-1] + 1) * frame_ms

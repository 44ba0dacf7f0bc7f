"""Where the words of a text begin to sound, made of an engine's word events.

Events of eSpeak NG flow in (a position in the text and one in the audio), timings of
the text's own words flow out, in order and once a word. eSpeak reports a number as
several words and some names ("Tel Aviv") at odd places; both are put right here. Pure.
"""

import re
from collections.abc import Sequence
from typing import Final

from voiceagent.speech.ports import WordTiming

_WORD: Final = re.compile(r"\S*\w\S*")
"""What stands between blanks and holds a letter or a digit."""


def word_timings(text: str, events: Sequence[tuple[int, float]]) -> tuple[WordTiming, ...]:
    """Timings of the words of `text`.

    `events` are (index of a character in `text`, ms from the first sample), in the order
    of the audio. A word that no event names gets the surplus events of the word before
    it, or else no timing.
    """
    starts: list[int] = []
    ends: list[int] = []
    for match in _WORD.finditer(text):
        starts.append(match.start())
        ends.append(match.end())
    reached = -1
    pending: list[float] = []  # further events of the word `reached`
    timings: list[WordTiming] = []
    for position, start_ms in events:
        word = _word_at(position, ends, reached)
        if word is None:
            continue
        if word == reached:
            pending.append(start_ms)
            continue
        skipped = range(reached + 1, word)
        if skipped and len(pending) >= len(skipped):
            for missed, missed_ms in zip(skipped, pending[-len(skipped) :], strict=True):
                timings.append(WordTiming(starts[missed], missed_ms))
        timings.append(WordTiming(starts[word], start_ms))
        reached, pending = word, []
    missed_at_end = range(reached + 1, len(starts))
    if missed_at_end and len(pending) >= len(missed_at_end):
        timings.extend(
            WordTiming(starts[missed], missed_ms)
            for missed, missed_ms in zip(missed_at_end, pending[-len(missed_at_end) :], strict=True)
        )
    return tuple(timings)


def _word_at(position: int, ends: Sequence[int], reached: int) -> int | None:
    """The word that holds the position, or the next one; never one before `reached`."""
    word = max(reached, 0)
    while word < len(ends) and ends[word] <= position:
        word += 1
    return word if word < len(ends) else None

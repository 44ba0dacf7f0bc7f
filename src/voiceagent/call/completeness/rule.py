"""Does what a caller has said so far read as finished? Hebrew and English.

The interim text of a recogniser flows in; out comes whether its end leaves nothing open, so that
the caller may be answered after the shortest silence. Judges words alone: no sound, no time, no
dialogue; what follows from the answer is `call/utterance.py`'s affair. The grammar is in
`docs/completeness.md`.
"""

import re
import unicodedata
from typing import Final

from voiceagent.call.completeness import dictation, english, hebrew

_LOOK_BACK: Final = 240
_WORDS: Final = 30
"""Characters and words from the end that are read, more than any clause has. Bounds the cost
of an utterance that goes on and on."""

_UNWRITTEN: Final = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u200b-\u200f]")
"""Niqqud, cantillation and marks of direction; not the maqaf, which parts words."""
_APOSTROPHES: Final = re.compile("[\u2018\u2019\u02bc\u00b4`]")
_GERESH: Final = re.compile("(?<=[א-ת])['\"׳״]+")
"""Inside or behind a Hebrew word: ג'ימייל, ד"ר, כיתה ד'."""
_THOUSANDS: Final = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[+*](?=[0-9])")


def reads_complete(text: str) -> bool:
    """Whether the text could be all that was meant: nothing at its end asks for more.

    An empty text is not complete; one in another script than Hebrew or Latin is, since nothing is
    known of its grammar.
    """
    words = words_of(text)
    if not words or dictation.breaks_off(words):
        return False
    for word in reversed(words):
        if "א" <= word[-1] <= "ת":
            return not hebrew.asks_for_more(words)
        if word.isascii() and word[-1].isalpha():
            return not english.asks_for_more(words)
        if word[-1].isalpha():
            break
    return True


def words_of(text: str) -> list[str]:
    """The last words of the text: lower case, without niqqud or punctuation.

    >>> words_of("I'd like שִׁשָּׁה, please...")
    ["i'd", 'like', 'ששה', 'please']
    """
    # Before the normal form, which makes a blank and an accent of "´".
    plain = _APOSTROPHES.sub("'", text[-_LOOK_BACK:])
    plain = _UNWRITTEN.sub("", unicodedata.normalize("NFKC", plain).lower())
    return _WORD.findall(_THOUSANDS.sub("", _GERESH.sub("", plain)))[-_WORDS:]

"""The grammar of what a caller is likely to say next.

Expected phrases flow in, a JSGF grammar for the small recogniser flows out, and what it
recognised flows back into the phrase as it was given. A handful of command words and
back-channels is always in it. Words that the dictionary lacks get a pronunciation by
simple letter-to-sound rules; a phrase that is not Latin letters cannot be said in
English and is left out. Pure.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ALWAYS: Final = (
    "yes",
    "no",
    "stop",
    "wait",
    "hold on",
    "mm-hm",
    "uh-huh",
    "okay",
    "repeat that",
    "say that again",
    "hello",
    "thank you",
    "goodbye",
)
"""What may be said at any time of a call."""

PRONUNCIATIONS: Final = {
    "mm-hm": ("M HH M", "AH M HH AH M", "M M HH M", "M AH M"),
    "uh-huh": ("AH HH AH", "AA HH AA", "AH HH AA"),
    "stop": ("F T AO F",),
}
"""Words that the dictionary lacks or knows too few ways to say."""

MAX_PHRASES: Final = 200
_MAX_WORDS: Final = 12
_WORD: Final = re.compile(r"[a-z]+(?:['’-][a-z]+)*['’]?")
_ENGLISH_PHRASE: Final = re.compile(r"[a-z0-9'’ -]+")
_DIGITS: Final = "zero one two three four five six seven eight nine ten eleven twelve".split()


@dataclass(frozen=True, slots=True)
class Grammar:
    """Phrases in the spelling of the dictionary, and as they were given."""

    phrases: dict[str, str]
    """Normalised phrase to the phrase as given; the given ones first, then `ALWAYS`."""
    skipped: tuple[str, ...]
    """Given phrases that cannot be in an English grammar."""

    @property
    def words(self) -> frozenset[str]:
        return frozenset(word for phrase in self.phrases for word in phrase.split())

    @property
    def jsgf(self) -> str:
        alternatives = " | ".join(self.phrases)
        return f"#JSGF V1.0; grammar expected; public <phrase> = {alternatives} ;"


def grammar_of(phrases: Sequence[str]) -> Grammar:
    """The grammar of the given phrases and `ALWAYS`; at most 200 phrases of 12 words count."""
    by_words: dict[str, str] = {}
    skipped: list[str] = []
    for given in phrases:
        normalised = _normalised(given)
        if normalised and len(by_words) < MAX_PHRASES:
            by_words.setdefault(normalised, given)
        else:
            skipped.append(given)
    for phrase in ALWAYS:
        by_words.setdefault(phrase, phrase)
    return Grammar(by_words, tuple(skipped))


def _normalised(phrase: str) -> str:
    """Lower-case words with blanks between; empty when it is not English."""
    plain = unicodedata.normalize("NFKD", phrase.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"[.,;:!?\"()…]", " ", plain).replace("’", "'")
    if not _ENGLISH_PHRASE.fullmatch(plain):
        return ""
    words: list[str] = []
    for token in plain.split():
        if token.isdigit() and int(token) < len(_DIGITS):
            words.append(_DIGITS[int(token)])
        elif token in PRONUNCIATIONS:
            words.append(token)
        elif all(_WORD.fullmatch(part) for part in token.split("-")):
            words.extend(token.split("-"))
        else:
            return ""
    return " ".join(words) if len(words) <= _MAX_WORDS else ""


# --- letter to sound -----------------------------------------------------------------------------

_SOUNDS: Final = (
    # Longest first. Rough, but names ("Kfar Saba", "Cohen") come out close enough for a grammar.
    ("tsch", "CH"), ("eigh", "EY"), ("ough", "AO"), ("tion", "SH AH N"),
    ("sch", "SH"), ("tch", "CH"), ("dge", "JH"), ("igh", "AY"), ("eau", "OW"),
    ("ai", "EY"), ("ay", "EY"), ("au", "AO"), ("aw", "AO"), ("ah", "AA"), ("aa", "AA"),
    ("ee", "IY"), ("ea", "IY"), ("ei", "EY"), ("ey", "IY"), ("eh", "EH"), ("eu", "UW"),
    ("er", "ER"), ("ie", "IY"), ("oa", "OW"), ("oe", "OW"), ("oh", "OW"), ("oi", "OY"),
    ("oo", "UW"), ("ou", "AW"), ("ow", "OW"), ("oy", "OY"), ("ue", "UW"), ("uh", "AH"),
    ("ur", "ER"), ("ch", "CH"), ("ck", "K"), ("gh", "G"), ("kh", "HH"), ("kn", "N"),
    ("ll", "L"), ("mm", "M"), ("ng", "NG"), ("nn", "N"), ("ph", "F"), ("pp", "P"),
    ("qu", "K W"), ("rr", "R"), ("sh", "SH"), ("ss", "S"), ("th", "TH"), ("tt", "T"),
    ("ts", "T S"), ("tz", "T S"), ("wh", "W"), ("wr", "R"), ("zh", "ZH"), ("zz", "Z"),
    ("bb", "B"), ("cc", "K"), ("dd", "D"), ("ff", "F"), ("gg", "G"),
    ("a", "AA"), ("b", "B"), ("c", "K"), ("d", "D"), ("e", "EH"), ("f", "F"), ("g", "G"),
    ("h", "HH"), ("i", "IH"), ("j", "JH"), ("k", "K"), ("l", "L"), ("m", "M"), ("n", "N"),
    ("o", "OW"), ("p", "P"), ("q", "K"), ("r", "R"), ("s", "S"), ("t", "T"), ("u", "UW"),
    ("v", "V"), ("w", "W"), ("x", "K S"), ("y", "Y"), ("z", "Z"),
)  # fmt: skip
_NARROW: Final = {"S": "F", "Z": "V"}
_VOWELS: Final = frozenset("aeiou")


def pronunciations_of(word: str, known: Sequence[str]) -> tuple[str, ...]:
    """Further ways to say a word on the telephone, beside those that the dictionary knows.

    Phones of the CMU set, blanks between. A telephone carries nothing above 3.4 kHz: what
    is left of an "s" sounds like an "f", of a "z" like a "v".
    """
    ways = [*known, *PRONUNCIATIONS.get(word, ())] or [_by_letters(word)]
    narrow = [" ".join(_NARROW.get(phone, phone) for phone in way.split()) for way in ways]
    return tuple(way for way in dict.fromkeys((*ways, *narrow)) if way not in known)


def _by_letters(word: str) -> str:
    letters = re.sub(r"[^a-z]", "", word)
    phones: list[str] = []
    at = 0
    while at < len(letters):
        rest = letters[at:]
        if rest == "y" and phones:
            phones.append("IY")
            break
        if rest == "e" and len(phones) > 1 and not _VOWELS.isdisjoint(letters[:at]):
            break  # silent at the end
        if rest == "i" and phones:
            phones.append("IY")
            break
        spelling, sound = next(pair for pair in _SOUNDS if rest.startswith(pair[0]))
        if spelling == "c" and rest[1:2] in {"e", "i", "y"}:
            sound = "S"
        phones.extend(sound.split())
        at += len(spelling)
    return " ".join(phones)

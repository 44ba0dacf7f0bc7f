"""The form in which words are compared.

In goes a word as somebody wrote it; out comes the same word without what makes
no difference to its meaning: case, niqqud, quotes, final letters, endings,
Hebrew prefixes. It knows no language by name and keeps no state.
"""

import re
from typing import Final

_NIQQUD: Final = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u200e\u200f]")
_QUOTES: Final = re.compile("['\"`\u2018\u2019\u201c\u201d\u05f3\u05f4]")
_FINAL_LETTERS: Final = str.maketrans("ךםןףץ", "כמנפצ")


def spell(text: str) -> str:
    """Lower case, without niqqud, quotes, direction marks or final letters."""
    return _QUOTES.sub("", _NIQQUD.sub("", text)).lower().translate(_FINAL_LETTERS)


def stem_of(word: str, endings: tuple[str, ...]) -> str:
    """A spelled word without its endings, in their order, while three letters remain."""
    for ending in endings:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
    return word


def without_prefixes(word: str, prefixes: str) -> frozenset[str]:
    """A spelled word, and what is left of it without one or two letters of `prefixes` before
    it, while two letters remain."""
    forms = {word}
    for cut in (1, 2):
        if len(word) - cut < 2 or word[cut - 1] not in prefixes:
            break
        forms.add(word[cut:])
    return frozenset(forms)

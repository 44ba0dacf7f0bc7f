"""A text cut into pieces that an engine takes.

A text and a limit flow in, pieces flow out, in order and without a word lost: cut after a
sentence if possible, else after a clause, else between words, else anywhere. Pure.
"""

import re
import unicodedata
from typing import Final

_SENTENCE: Final = re.compile(r".*[.!?׃…\n][\"'”’)\]]*\s", re.DOTALL)
_CLAUSE: Final = re.compile(r".*[,;:–—]\s", re.DOTALL)
_WORD: Final = re.compile(r".*\s", re.DOTALL)
_LEAST_SHARE: Final = 0.3
"""A cut that uses less of the limit than this makes way for a coarser one."""


def plain_text(text: str) -> str:
    """`text` without what no engine can read: control and formatting signs, halves of pairs."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in text
        if unicodedata.category(character) not in ("Cf", "Cs", "Co", "Cn")
    ).strip()


def has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def text_pieces(text: str, limit_bytes: int) -> list[str]:
    """Pieces of at most `limit_bytes` in UTF-8, each with a word. `limit_bytes` is at least 4."""
    pieces: list[str] = []
    rest = text.strip()
    while rest:
        if len(rest.encode()) <= limit_bytes:
            piece, rest = rest, ""
        else:
            cut = _cut(rest.encode()[:limit_bytes].decode(errors="ignore"), rest)
            piece, rest = rest[:cut].rstrip(), rest[cut:].lstrip()
        if has_word(piece):
            pieces.append(piece)
    return pieces


def _cut(window: str, text: str) -> int:
    """After how many characters of `text` to cut; `window` is the most that fits."""
    # A blank right behind the window ends a word, and maybe a sentence, in it.
    seen = text[: len(window) + 1] if text[len(window)].isspace() else window
    for pattern in (_SENTENCE, _CLAUSE, _WORD):
        match = pattern.match(seen)
        if match and match.end() >= len(window) * _LEAST_SHARE:
            return min(match.end(), len(window))
    match = _WORD.match(seen)
    return min(match.end(), len(window)) if match and match.group().strip() else len(window)

"""Text of unknown origin made harmless and short enough to be passed on.

In goes what a caller, a model or a card brought; out comes text without control, direction
and private characters, with single spaces, cut at a bound. Pure.
"""

import unicodedata
from typing import Final

_DROPPED: Final = frozenset({"Cf", "Cs", "Co", "Cn"})
"""Unicode categories that print nothing: they hide orders, turn lines around or break encoders."""
_SPACED: Final = frozenset({"Cc", "Zl", "Zp"})
"""Those that keep words apart."""


def one_line(text: str, limit: int) -> str:
    """The text as one line of at most `limit` characters; a cut is shown by "…"."""
    words = " ".join(_printed(text).split())
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def lines(text: str) -> str:
    """The same with its line breaks, two in a row at most, and of any length."""
    kept: list[str] = []
    for line in text.splitlines():
        plain = " ".join(_printed(line).split())
        if plain or (kept and kept[-1]):
            kept.append(plain)
    return "\n".join(kept).strip()


def _printed(text: str) -> str:
    kept: list[str] = []
    for sign in text:
        category = unicodedata.category(sign)
        if category in _SPACED:
            kept.append(" ")
        elif category not in _DROPPED:
            kept.append(sign)
    return "".join(kept)

"""Written text made fit to be spoken: markup, emoji and stage directions taken out.

A sentence flows in as a model wrote it, the words that a voice is to read flow out. Numbers,
dates and addresses stay as they are: `speech/spoken.py` reads them. Pure.
"""

import re
from typing import Final

_FENCE: Final = re.compile(r"```[\w+-]*")
_IMAGE_OR_LINK: Final = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)")
_ASIDE: Final = re.compile(r"\[[^\[\]\n]{0,200}\]")
"""`[pause]`, `[pressed 1]`: a note, never something to say."""
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>\n]{0,60}>")
_TABLE_RULE: Final = re.compile(r"^[\s|:+=-]*-{3,}[\s|:+=-]*$", re.MULTILINE)
_LINE_LEAD: Final = re.compile(
    r"^[ \t]*(?:>[ \t]*)*(?:#{1,6}[ \t]+|[-*+•–▪◦·][ \t]+(?:\[[ xX]\][ \t]+)?)*", re.MULTILINE
)
_EMPHASIS: Final = re.compile(r"\*{2,}|_{2,}|~{2,}|`+")
_STAR: Final = re.compile(r"\*(?!\s)|(?<!\s)\*")
_STAR_BETWEEN: Final = re.compile(r"(?<=\d)\*(?=\d)")
_UNDERSCORE: Final = re.compile(r"(?<!\w)_+|_+(?!\w)")
_EMOJI: Final = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\u231a-\u23ff\u25a0-\u25ff"
    "\U000e0020-\U000e007f\ufe00-\ufe0f\u200d\u20e3\u3030\u303d]+"
)
_DIRECTIONS: Final = re.compile("[\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_BLANK_BEFORE: Final = re.compile(r"\s+([.,!?;:…])(?=\s|$)")
_LAST_DASH: Final = re.compile(r"\s[-–—]+$")
_CELL: Final = re.compile(r"\s*\|\s*")
_ENDS: Final = ".!?…:;,׃؟"
CLOSERS: Final = "\"'”’״׳)]}»"


def speakable(text: str) -> str:
    """The words of a sentence, or of a few lines, on one line; empty when none are left.

    >>> speakable("## **Opening hours** 🕘")
    'Opening hours'
    """
    text = _DIRECTIONS.sub("", text)
    text = _FENCE.sub(" ", text)
    text = _TABLE_RULE.sub("", text)
    text = _IMAGE_OR_LINK.sub(r"\1", text)
    text = _LINE_LEAD.sub("", text)
    text = _ASIDE.sub(" ", text)
    text = _TAG.sub(" ", text)
    text = _EMOJI.sub(" ", text)
    text = _EMPHASIS.sub("", text)
    text = _STAR_BETWEEN.sub("×", text)
    text = _STAR.sub("", text)
    text = _UNDERSCORE.sub("", text)
    lines = [_without_cells(line) for line in text.splitlines()]
    text = " ".join(" ".join(lines).split())
    text = _BLANK_BEFORE.sub(r"\1", _LAST_DASH.sub("", text))
    return text if any(character.isalnum() for character in text) else ""


def closed(sentence: str) -> str:
    """The sentence of a line of its own, with a full stop if it has no end: a voice falls there."""
    bare = sentence.rstrip(CLOSERS)
    return sentence if not bare or bare[-1] in _ENDS else f"{sentence}."


def _without_cells(line: str) -> str:
    """A table's row as a list."""
    if "|" not in line:
        return line
    return ", ".join(cell for cell in _CELL.split(line.strip().strip("|").strip()) if cell)

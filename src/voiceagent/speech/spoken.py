"""What a voice reads for a text: figures, signs and abbreviations as words.

A text with its language flows in, the words to be synthesised flow out, with the way back
to the text's own characters for word timings. Pure; never raises; knows Hebrew and
English and leaves any other language as it is.
"""

from typing import Final

from voiceagent.speech import english, hebrew
from voiceagent.speech.spoken_edits import Rules, rewritten, word_origins

_MONTH_FIRST: Final = frozenset({"en", "en-us"})


def spoken(text: str, language: str) -> str:
    """The text as a voice should read it; the same again for what was said already."""
    rules = _rules(language)
    return rewritten(text, rules)[0] if rules else text


def spoken_with_offsets(text: str, language: str) -> tuple[str, tuple[int, ...]]:
    """As `spoken`, and for each word of it (what stands between blanks and holds a letter
    or a figure) the index in `text` where it comes from. Indices never descend; the words of
    one figure share its index."""
    rules = _rules(language)
    changed, origins = rewritten(text, rules) if rules else (text, list(range(len(text))))
    return changed, word_origins(changed, origins)


def _rules(language: str) -> Rules | None:
    tag = language.replace("_", "-").lower()
    code = tag.partition("-")[0]
    if code in {"he", "iw"}:
        return hebrew.RULES
    if code == "en":
        return english.RULES if tag in _MONTH_FIRST else english.DAY_FIRST_RULES
    return None

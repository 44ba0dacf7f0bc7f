"""Which language is meant: BCP 47 tags compared, and what an agent may speak.

In go tags as files, engines and models write them; out comes the tag to use, or
nothing. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

ENGLISH_NAMES: Final[Mapping[str, str]] = {
    "am": "Amharic",
    "ar": "Arabic",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "he": "Hebrew",
    "it": "Italian",
    "pt": "Portuguese",
    "ru": "Russian",
    "uk": "Ukrainian",
    "yi": "Yiddish",
}
"""Of the languages that are likely to be heard; the others go by their tag."""


def primary_of(language: str) -> str:
    """The language without its region: `he` of `he-IL`, and of Google's old `iw-IL` too."""
    subtag = language.strip().lower().replace("_", "-").split("-")[0]
    return "he" if subtag == "iw" else subtag


def english_name(language: str) -> str:
    """What English calls it: `Hebrew` of `he-IL`."""
    return ENGLISH_NAMES.get(primary_of(language), language)


def matching(wanted: str, languages: Iterable[str]) -> str | None:
    """The one that is meant: the same tag, else the same language elsewhere, else None.

    Its English name is understood as well as its tag.
    """
    names = {name.lower(): code for code, name in ENGLISH_NAMES.items()}
    wanted = names.get(wanted.strip().lower(), wanted)
    offered = list(languages)
    for language in offered:
        if language.lower() == wanted.lower():
            return language
    for language in offered:
        if primary_of(language) == primary_of(wanted):
            return language
    return None


def speakable(own: str, others: Sequence[str], engines: Sequence[str]) -> tuple[str, ...]:
    """What an agent may speak: its own language, and those others that the engines have,
    each by the engines' tag."""
    spoken = {primary_of(own): own}
    for other in others:
        tag = matching(other, engines)
        if tag is not None:
            spoken.setdefault(primary_of(tag), tag)
    return tuple(spoken.values())

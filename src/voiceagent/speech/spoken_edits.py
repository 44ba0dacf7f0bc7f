"""How a text becomes what is spoken: stretches of it are replaced by words.

A text and a language's rules flow in; the new text flows out, with the place in the old one
where each of its characters comes from. Knows no language. Pure; never raises.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_CHUNK: Final = re.compile(r"\S+")
_WORD: Final = re.compile(r"\S*\w\S*")
"""What `word_timings` takes for a word, too."""
_PASSES: Final = 8
"""A replacement may bring two pieces together that are a sign only side by side."""


@dataclass(frozen=True, slots=True)
class Edit:
    """`text[start:end]` is spoken as `words`."""

    start: int
    end: int
    words: str


Rule = Callable[[str, int], Edit | None]
"""Looks at a text at an index; answers what is to be replaced from there on, if anything."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A language's rules; the first that answers wins."""

    trigger: re.Pattern[str]
    """Found in each chunk (what stands between blanks) where a rule may apply."""
    rules: tuple[Rule, ...]


def rewritten(text: str, rules: Rules) -> tuple[str, list[int]]:
    """The text as it is spoken, and for each of its characters an index in `text`."""
    origins = list(range(len(text)))
    for _ in range(_PASSES):
        edits = _edits(text, rules)
        if not edits:
            break
        changed, steps = _applied(text, edits)
        if changed == text:
            break
        text, origins = changed, [origins[step] for step in steps]
    return text, origins


def word_starts(text: str) -> list[int]:
    """Where the words begin: what stands between blanks and holds a letter or a figure."""
    return [match.start() for match in _WORD.finditer(text)]


def word_origins(spoken: str, origins: Sequence[int]) -> tuple[int, ...]:
    """For each word of the spoken text, where it comes from; never descending."""
    found: list[int] = []
    for begin in word_starts(spoken):
        start = origins[begin]
        found.append(max(start, found[-1]) if found else start)
    return tuple(found)


def _edits(text: str, rules: Rules) -> list[Edit]:
    edits: list[Edit] = []
    done = 0
    for chunk in _CHUNK.finditer(text):
        if chunk.end() <= done or not rules.trigger.search(chunk.group()):
            continue
        position = max(chunk.start(), done)
        while position < chunk.end():
            edit = _first(text, position, rules.rules) if _is_start(text, position) else None
            if edit is None:
                position += 1
                continue
            edits.append(edit)
            position = done = edit.end
    return edits


def _first(text: str, position: int, rules: Sequence[Rule]) -> Edit | None:
    for rule in rules:
        edit = rule(text, position)
        if edit is not None and edit.end > position:
            return edit
    return None


def _is_start(text: str, position: int) -> bool:
    """Rules begin at a word's start, at a sign, or where figures follow letters."""
    if position == 0:
        return True
    here, before = text[position], text[position - 1]
    if here.isalpha():
        return not before.isalpha()
    return not (here.isdecimal() and before.isdecimal())


def _applied(text: str, edits: Sequence[Edit]) -> tuple[str, list[int]]:
    spoken = ""
    origins: list[int] = []
    done = 0
    for edit in (*edits, Edit(len(text), len(text), "")):
        kept = range(done, edit.start)
        for words, places in (
            (text[done : edit.start], list(kept)),
            (edit.words, _spread(text, edit)),
        ):
            if words and spoken and spoken[-1].isalnum() and words[0].isalnum():
                spoken += " "
                origins.append(places[0])
            spoken += words
            origins.extend(places)
        done = edit.end
    return spoken, origins


def _spread(text: str, edit: Edit) -> list[int]:
    """The words of a replacement over the words that they replace, evenly."""
    old = [edit.start + m.start() for m in _CHUNK.finditer(text[edit.start : edit.end])]
    old = old or [edit.start]
    new = [m.start() for m in _CHUNK.finditer(edit.words)]
    origins: list[int] = []
    number = 0
    for index in range(len(edit.words)):
        while number + 1 < len(new) and new[number + 1] <= index:
            number += 1
        origins.append(old[number * len(old) // max(1, len(new))])
    return origins

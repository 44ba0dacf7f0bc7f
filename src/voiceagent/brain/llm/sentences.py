"""An answer that is still being written, cut into sentences that can be spoken.

A model's text deltas flow in with the time, whole sentences flow out as soon as they are
sure: Hebrew and English, abbreviations, numbers, quotes, lists. Where the cuts are depends
on the text alone, however it was dealt out, unless the model dawdles. Pure.
"""

import re
from collections.abc import Iterator
from typing import Final, Protocol

from voiceagent.brain.llm.speakable import CLOSERS, closed, speakable

FLUSH_AFTER_MS: Final = 300.0
"""Without a token for so long, what is there is spoken: a dribbling model never reaches the end
of a sentence."""
MAX_CHARS: Final = 250
"""About fifteen seconds of speech; nobody listens to a longer sentence."""
EARLY_CHARS: Final = 40
"""The first sentence of an answer may end at a comma behind so much: two and a half seconds of
speech, enough to make the rest of it meanwhile."""
_FEW_WORDS: Final = 4
"""Less is not worth an utterance of its own."""
_AHEAD: Final = 8
"""How far to look for what follows; so many blanks and no word: nothing does."""
_BRACKET_CHARS: Final = 120
"""A bracket that was opened longer ago than this will not be closed."""

_AFTER: Final = f"[{re.escape(CLOSERS)}*_~`]*"
_END: Final = rf"(?P<end>[.!?…׃؟;]+){_AFTER}"
_CLAUSE: Final = re.compile(rf"(?P<clause>,{_AFTER}(?=\s)|\s[-–—]+(?=\s)|—(?=\w))")
_STOP: Final = re.compile(rf"(?P<line>\n)|{_END}(?=\s)|{_CLAUSE.pattern}")
"""Where a cut may be: at the end of a line, of a sentence, of a clause."""
_COMPLETE: Final = re.compile(rf"{_END}\s*$")
_LAST_TOKEN: Final = re.compile(r"\S*$")
_OPENERS: Final = "\"'“‘״׳([{«*_~`"
_INITIALS: Final = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
"""J, U.S, ת.ז: what stands before the last of its full stops."""
_ITEM: Final = re.compile(r"(?:^|[\s:;,])(\d{1,2})\.(?=\s)")
"""A number that leads an item of a list."""
_ITEM_LEAD: Final = re.compile(r"(?:^|[:;,])[\s>#*+•–▪-]*$")
_TITLES: Final = frozenset(
    "mr mrs ms dr prof st mt jr sr gen rep sen rev hon capt lt sgt vs e.g i.e cf".split()
)
"""Abbreviations that something always follows."""
_SHORT_FORMS: Final = frozenset(
    "a.m p.m etc approx inc ltd co corp tel ext apt dept est fig min max hr hrs ave rd blvd "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri sat sun "
    "no nos nr pp vol art sec".split()
)
"""Abbreviations, some of them words as well: the sentence ends there only before a capital."""


class Splitter(Protocol):
    """Cuts one answer into what is said, one `Say` each."""

    def feed(self, delta: str, now_ms: float) -> list[str]:
        """Take the next characters; what is complete now."""

    def due_ms(self) -> float | None:
        """When `tick` is to be called if no text comes before; None: not at all."""

    def tick(self, now_ms: float) -> list[str]:
        """What is to be said now although more of it may come."""

    def finish(self) -> list[str]:
        """The answer is over: all that is left."""

    def break_off(self) -> list[str]:
        """The answer was cut off: what is complete of all that is left; all of it, if nothing
        else was said of the answer."""


class SpokenSentences:
    """Cuts one answer for a voice. Implements `Splitter`."""

    def __init__(self) -> None:
        self._text = ""
        self._fed_ms: float | None = None
        """When the last text came; None: it has been looked at since."""
        self._first = True

    def feed(self, delta: str, now_ms: float) -> list[str]:
        self._text += delta
        self._fed_ms = now_ms
        return list(self._cut())

    def due_ms(self) -> float | None:
        if self._fed_ms is None or not self._text.strip():
            return None
        return self._fed_ms + FLUSH_AFTER_MS

    def tick(self, now_ms: float) -> list[str]:
        due_ms = self.due_ms()
        if due_ms is None or now_ms < due_ms:
            return []
        self._fed_ms = None
        return self._release(len(self._text) if _complete(self._text) else _lull_cut(self._text))

    def finish(self) -> list[str]:
        # An end of the line, and enough behind it to see that nothing follows.
        self._text += "\n" * (_AHEAD + 1)
        said = list(self._cut())
        self._text = ""
        return said

    def break_off(self) -> list[str]:
        said = list(self._cut())
        if _complete(self._text) or self._first:
            return said + self.finish()
        self._text = ""
        return said

    def _cut(self) -> Iterator[str]:
        while (at := _next_cut(self._text, first=self._first)) is not None:
            yield from self._release(at)

    def _release(self, at: int) -> list[str]:
        raw, self._text = self._text[:at], self._text[at:]
        sentence = speakable(raw)
        if not sentence:
            return []
        self._first = False
        return [closed(sentence) if raw.endswith("\n") else sentence]


def _next_cut(text: str, *, first: bool) -> int | None:
    """After how many characters the next sentence surely ends; None: that is not known yet.

    `first`: nothing of this answer was said before.
    """
    for stop in _STOP.finditer(text):
        at = stop.end()
        if at > MAX_CHARS:
            break
        if stop["line"]:
            if text[:at].strip():
                return at
        elif _in_brackets(text[: stop.start()]):
            continue
        elif stop["clause"]:
            if first and at >= EARLY_CHARS:
                return at
        else:
            ahead = text[at : at + _AHEAD]
            if ahead.isspace() and len(ahead) < _AHEAD:
                return None
            end = _sentence_end(text, stop, ahead.lstrip()[:1])
            if end is not None:
                return end
    return _long_cut(text) if len(text) >= MAX_CHARS + _AHEAD else None


def _sentence_end(text: str, stop: re.Match[str], follows: str) -> int | None:
    """Where the sentence ends that may end with this stop. `follows`: the next character that is
    no blank; empty when there is none."""
    before, mark, at = text[: stop.start()], stop["end"], stop.end()
    goes_on = follows.islower()
    if mark == "…" or mark.startswith(".."):
        return None if goes_on or len(before.split()) < _FEW_WORDS - 1 else at
    if mark != ".":
        return None if goes_on and at > stop.end("end") else at
    token = _token(before)
    if token.isdecimal() and len(token) <= 2:
        lead = before[: len(before) - len(token)]
        if _ITEM_LEAD.search(lead):
            return None
        items = _ITEM.findall(lead)
        if items and int(items[-1]) + 1 == int(token):
            return len(lead)
    if _is_abbreviation(token, follows):
        return None
    # Without a capital, only a longer word surely is no abbreviation.
    return None if goes_on and token.isalpha() and len(token) <= 3 else at


def _is_abbreviation(token: str, follows: str) -> bool:
    """Does the full stop behind `token` belong to it, and not to the sentence?"""
    plain = token.lower()
    if plain in _SHORT_FORMS:
        return follows.islower() or follows.isdecimal()
    return plain in _TITLES or _INITIALS.fullmatch(token) is not None


def _token(before: str) -> str:
    found = _LAST_TOKEN.search(before)
    return found.group().lstrip(_OPENERS) if found else ""


def _complete(text: str) -> bool:
    """Does the text end with a sentence, as far as can be seen?"""
    stop = _COMPLETE.search(text)
    if stop is None:
        return False
    token = _token(text[: stop.start()])
    return stop["end"] != "." or not (token[-1:].isdecimal() or _is_abbreviation(token, "a"))


def _lull_cut(text: str) -> int:
    """Where to cut a text that waits for its next token: behind a few words, or not at all (0)."""
    last_word = max(text.rfind(" "), text.rfind("\n")) + 1
    for cut in (_last_end(_CLAUSE, text[:last_word]), last_word):
        before = text[:cut]
        if len(before.split()) >= _FEW_WORDS and not _in_brackets(before):
            return cut
    return 0


def _long_cut(text: str) -> int:
    """Where to cut a text that has no end within what a sentence may have."""
    window = text[:MAX_CHARS]
    stop = _last_end(_STOP, window)
    if stop >= EARLY_CHARS:
        return stop
    blank = max(window.rfind(" "), window.rfind("\n"))
    return blank + 1 if blank > 0 and window[:blank].strip() else MAX_CHARS


def _last_end(pattern: re.Pattern[str], text: str) -> int:
    """Where the last match ends; 0: there is none."""
    ends = [match.end() for match in pattern.finditer(text)]
    return ends[-1] if ends else 0


def _in_brackets(text: str) -> bool:
    """Has a bracket been opened, not long ago, that is still to be closed?"""
    depth = 0
    for character in text[-_BRACKET_CHARS:]:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(0, depth - 1)
    return depth > 0

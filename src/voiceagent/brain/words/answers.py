"""Which of the expected answers did the caller give?

In goes what was said and the answers that a question expects; out comes the key
of one of them, or numbers, or nothing. When two answers fit, or the one that
fits was negated, it says nothing rather than guess. Pure: it knows no dialogue
and keeps no state.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from voiceagent.brain.words.lexicon import Lexicon, lexicon_of
from voiceagent.brain.words.numerals import as_number
from voiceagent.brain.words.spelling import stem_of, without_prefixes
from voiceagent.brain.words.utterance import Word, texts_of, words_of

OVERLAP_THRESHOLD: Final = 0.6
"""Share of a phrase's meaningful words that must have been said when the phrase itself was not."""

NEGATION_REACH: Final = 6
"""How many words before an answer a negation may stand: "I don't think I want to buy"."""

_NUMERAL_WEIGHT: Final = 2
"""A number says more than the noun beside it: "four" is "four rooms"."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One expected answer."""

    key: str
    phrases: tuple[str, ...]
    means: Literal["yes", "no"] | None = None
    """Every common way of saying yes or no counts as this answer."""


@dataclass(frozen=True, slots=True)
class _Form:
    """A word without its ending, and the same without its prefixes."""

    stem: str
    forms: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Phrase:
    choice: Choice | None
    """None: a phrase that only hides what lies inside it, such as "I don't know"."""
    texts: tuple[str, ...]
    words: tuple[_Form, ...]
    polar: bool
    """A way of saying yes, no or "I don't know"."""


@dataclass(frozen=True, slots=True)
class _Hit:
    """Where the words of a phrase stand side by side in an utterance."""

    choice: Choice | None
    start: int
    end: int
    literal: bool


class AnswerMatcher:
    """The expected answers of one question, ready to be compared."""

    def __init__(self, choices: Sequence[Choice], language: str) -> None:
        self._lexicon = lexicon_of(language)
        self._phrases: list[_Phrase] = []
        for choice in choices:
            built_in = {"yes": self._lexicon.yes, "no": self._lexicon.no}
            self._add(choice, choice.phrases)
            self._add(choice, built_in.get(choice.means or "", ()))
        self._polar = {choice.means: choice for choice in choices if choice.means}
        if self._polar:
            self._add(None, self._lexicon.unsure)

    def match(self, said: str, *, loosely: bool = True) -> str | None:
        """The key of the answer that was given; None when none or more than one was.

        Not `loosely`: only when one of its phrases was said as it stands.
        """
        words = words_of(said, self._lexicon)
        texts = tuple(word.text for word in words)
        for phrase in self._phrases:
            if phrase.choice is not None and phrase.texts == texts:
                return phrase.choice.key
        hits = _outermost(self._hits(texts))
        if hits:
            return self._decide(words, hits)
        return self._overlap(texts) if loosely else None

    def _add(self, choice: Choice | None, phrases: Iterable[str]) -> None:
        polar = choice is None or choice.means is not None
        for phrase in phrases:
            if texts := texts_of(phrase, self._lexicon):
                wanted = tuple(_wanted(text, self._lexicon, polar=polar) for text in texts)
                self._phrases.append(_Phrase(choice, texts, wanted, polar))

    def _hits(self, texts: Sequence[str]) -> list[_Hit]:
        heard = {
            polar: [_heard(text, self._lexicon, polar=polar) for text in texts]
            for polar in (True, False)
        }
        forms = {
            polar: frozenset[str]().union(*(word.forms for word in words))
            for polar, words in heard.items()
        }
        hits = []
        for phrase in self._phrases:
            if any(word.forms.isdisjoint(forms[phrase.polar]) for word in phrase.words):
                continue  # most phrases lack a word: nothing to look for
            length = len(phrase.texts)
            for start in range(len(texts) - length + 1):
                end = start + length
                if all(map(_fits, phrase.words, heard[phrase.polar][start:end])):
                    literal = tuple(texts[start:end]) == phrase.texts
                    hits.append(_Hit(phrase.choice, start, end, literal))
        return hits

    def _decide(self, words: Sequence[Word], hits: Sequence[_Hit]) -> str | None:
        meant: list[tuple[str, _Hit]] = []
        for hit in hits:
            others = [other for other in hits if other.choice is not hit.choice]
            choice = hit.choice
            if choice is not None and _negated(words, hit.start, others, self._lexicon):
                choice = self._polar.get("no") if choice.means == "yes" else None
            if choice is not None:
                meant.append((choice.key, hit))
        if not meant:
            return None
        last, _ = meant[-1]
        others = [hit for key, hit in meant if key != last]
        if not others:
            return None if self._other_number(words, [hit for _, hit in meant]) else last
        begin = others[-1].end
        end = next(hit.start for key, hit in meant if key == last and hit.start >= begin)
        between = [word.text for word in words[begin:end]]
        if any(text in self._lexicon.corrections for text in between):
            return last
        if self._polar and any(text in self._lexicon.but for text in between):
            return meant[0][0]
        return None

    def _other_number(self, words: Sequence[Word], hits: Sequence[_Hit]) -> bool:
        """Was another number said beside the one that fits: "two or three rooms"?"""
        inside = {index for hit in hits for index in range(hit.start, hit.end)}
        if not any(as_number(words[index].text) is not None for index in inside):
            return False
        return any(
            as_number(word.text) is not None
            and index not in inside
            and all(word.text != words[known].text for known in inside)
            and not _negated(words, index, hits, self._lexicon)
            and not _corrected(words, index, hits[-1].start, self._lexicon)
            for index, word in enumerate(words)
        )

    def _overlap(self, texts: Sequence[str]) -> str | None:
        """The answer most of whose meaningful words were said, in whatever order."""
        lexicon = self._lexicon
        if any(_is_negation(text, lexicon) for text in texts):
            return None
        heard = [_heard(text, lexicon, polar=False) for text in texts]
        best: dict[str, float] = {}
        for phrase in self._phrases:
            if phrase.choice is not None and not phrase.choice.means:
                share = _share(phrase, heard, lexicon)
                best[phrase.choice.key] = max(share, best.get(phrase.choice.key, 0.0))
        ranked = sorted(best, key=lambda key: best[key], reverse=True)
        if not ranked or best[ranked[0]] < OVERLAP_THRESHOLD:
            return None
        if len(ranked) > 1 and best[ranked[1]] == best[ranked[0]]:
            return None
        return ranked[0]


def numbers_in(said: str, language: str) -> tuple[Decimal, ...]:
    """The number that was said, or both ends of a range, the smaller first.

    Empty when there was none, or more than can be one answer. A scale said only
    once counts for both ends: "one to two million".
    """
    lexicon = lexicon_of(language)
    words = words_of(said, lexicon)
    spots = [index for index, word in enumerate(words) if as_number(word.text) is not None]
    hits = [_Hit(None, index, index + 1, literal=True) for index in spots]
    kept: list[int] = []
    for hit in hits:
        others = [other for other in hits if other is not hit]
        if _negated(words, hit.start, others, lexicon):
            continue
        if kept and _corrected(words, kept[-1], hit.start, lexicon):
            kept.clear()
        kept.append(hit.start)
    values = sorted({Decimal(words[index].text) for index in kept})
    if len(values) == 1:
        return (values[0],)
    if len(values) == 2 and len(kept) == 2 and _joined(words, kept[0], kept[1], lexicon):
        low, high = values
        scale = 1_000_000 if high >= 1_000_000 else 1000
        return (low * scale if low < 1000 <= high and low * scale < high else low, high)
    return ()


def _wanted(text: str, lexicon: Lexicon, *, polar: bool) -> _Form:
    """A word of an expected phrase: callers may leave its preposition away."""
    if polar:
        return _Form(text, frozenset([text]))
    stem = stem_of(text, lexicon.endings)
    return _Form(stem, without_prefixes(stem, lexicon.prepositions))


def _heard(text: str, lexicon: Lexicon, *, polar: bool) -> _Form:
    """A word that was said: callers may put prefixes before it.

    A yes or a no is two letters in Hebrew: only a conjunction may stand there.
    """
    if polar:
        return _Form(text, without_prefixes(text, lexicon.conjunctions))
    stem = stem_of(text, lexicon.endings)
    return _Form(stem, without_prefixes(stem, lexicon.prefixes))


def _fits(wanted: _Form, heard: _Form) -> bool:
    """The same word, with prefixes on one side at most: "ביום" is not "היום"."""
    return wanted.stem in heard.forms or heard.stem in wanted.forms


def _is_negation(text: str, lexicon: Lexicon) -> bool:
    return not without_prefixes(text, lexicon.conjunctions).isdisjoint(lexicon.negations)


def _outermost(hits: Sequence[_Hit]) -> list[_Hit]:
    """Without those that lie inside a longer one, or where another phrase stands literally."""

    def hidden(hit: _Hit) -> bool:
        return any(
            other.start <= hit.start
            and hit.end <= other.end
            and (other.end - other.start, other.literal) > (hit.end - hit.start, hit.literal)
            for other in hits
        )

    return sorted((hit for hit in hits if not hidden(hit)), key=lambda hit: (hit.start, hit.end))


def _negated(words: Sequence[Word], start: int, others: Sequence[_Hit], lexicon: Lexicon) -> bool:
    """Does a negation in the same clause reach what begins at `start`?

    Another answer on the way takes the negation for itself ("not buy, rent"),
    unless the two are alternatives ("not buy or rent").
    """
    inside_others = {index for hit in others for index in range(hit.start, hit.end)}
    alternatives = False
    for index in range(start - 1, max(-1, start - 1 - NEGATION_REACH), -1):
        text = words[index].text
        before = words[index - 1].text if index else ""
        if words[index].clause != words[start].clause:
            return False
        if _is_negation(text, lexicon):
            return words[index + 1].text not in lexicon.comparatives
        if text in lexicon.but:
            return before in lexicon.exceptions
        if text in lexicon.pronouns and before not in lexicon.opinions:
            return False
        if index in inside_others and not alternatives:
            return False
        alternatives = alternatives or text in lexicon.either
    return False


def _corrected(words: Sequence[Word], earlier: int, later: int, lexicon: Lexicon) -> bool:
    """Was what stands at `earlier` taken back on the way to `later`?"""
    return any(word.text in lexicon.corrections for word in words[earlier + 1 : later])


def _joined(words: Sequence[Word], first: int, second: int, lexicon: Lexicon) -> bool:
    """Are two numbers the ends of one range: side by side, or joined by "or" or "to"?"""
    between = [word.text for word in words[first + 1 : second]]
    return all(text in lexicon.either | lexicon.until for text in between)


def _share(phrase: _Phrase, heard: Sequence[_Form], lexicon: Lexicon) -> float:
    total = matched = 0
    for text, wanted in zip(phrase.texts, phrase.words, strict=True):
        if text in lexicon.unimportant:
            continue
        weight = 1 if as_number(text) is None else _NUMERAL_WEIGHT
        total += weight
        matched += weight * any(_fits(wanted, word) for word in heard)
    return matched / total if total else 0.0

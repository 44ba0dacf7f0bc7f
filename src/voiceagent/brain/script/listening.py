"""Hears the answer to one question.

In goes what the caller said or pressed; out comes an `Outcome`: what is saved,
how the agent says it back, and which of the expected answers it was. Pure; it
does not know which question is being asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Final

from voiceagent.brain.agent.profile import AgentProfile, Answer, Question
from voiceagent.brain.words.answers import AnswerMatcher, Choice, numbers_in
from voiceagent.brain.words.lexicon import lexicon_of
from voiceagent.brain.words.numerals import aloud, plain
from voiceagent.brain.words.spelling import spell

MAX_FREE_ANSWER: Final = 300
"""Characters of a free answer that are kept: a long sentence, not a monologue."""
_BRACES: Final = dict.fromkeys(map(ord, "{}"))
"""They mark what is filled into a sentence; nobody speaks them."""
_NAME: Final = "name"
"""The field that is the contact's name."""

_PUNCTUATION: Final = " \t\n.,;:!?\u2013\u2014-"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a question ended."""

    answer: str | None
    """Key of the expected answer that was given; None for a number, a free answer or none."""
    value: str
    """What is saved; empty for nothing."""
    spoken: str
    """How the agent says it back; empty when there is nothing to say back."""
    failed: bool = False


class QuestionListener:
    """The expected answers of one question, ready to be heard."""

    def __init__(self, question: Question, profile: AgentProfile) -> None:
        self._question = question
        self._language = profile.language
        choices = [
            Choice(answer.key, (*answer.say, *answer.also), answer.means)
            for answer in question.answers
        ]
        self._matcher = AnswerMatcher(choices, profile.language)
        self._has_polar = any(answer.means for answer in question.answers)
        lexicon = lexicon_of(profile.language)
        built_in = {"yes": lexicon.yes[:2], "no": lexicon.no[:2]}
        phrases = chain.from_iterable(
            answer.say or built_in.get(answer.means or "", ()) for answer in question.answers
        )
        self.phrases = tuple(dict.fromkeys([*phrases, *question.expect, *profile.words.repeat]))
        """What is likely to be said, for the recogniser."""

    def hear(self, said: str) -> Outcome | None:
        """One of the answers, or a number where one is asked for."""
        key = self._matcher.match(said)
        if key is not None:
            return self._outcome(self._question.answer(key))
        if self._question.accept == "number":
            return self._number(numbers_in(said, self._language))
        return None

    def hear_keys(self, digits: str) -> Outcome | None:
        """The answer of a key, or a number that was typed; `#` ends it."""
        for answer in self._question.answers:
            if answer.digit and answer.digit == digits:
                return self._outcome(answer)
        typed = digits.rstrip("#")
        if self._question.accept == "number" and typed.isdecimal():
            return self._number((Decimal(typed),))
        return None

    def hear_freely(self, said: str) -> Outcome | None:
        """Whatever was said, where anything counts; without its lead-in."""
        if self._question.accept != "anything":
            return None
        words = said.translate(_BRACES).split()
        for lead_in in sorted(self._question.lead_ins, key=len, reverse=True):
            begin = _behind(words, lead_in.split())
            if begin is not None and begin < len(words):
                words = words[begin:]
                break
        value = " ".join(words).strip(_PUNCTUATION)[:MAX_FREE_ANSWER]
        if self._question.save_as == _NAME and value.islower():
            # A recogniser that knows no capitals; Hebrew has none and stays.
            value = value.title()
        return self._free(value, value) if value else None

    def hear_correction(self, said: str) -> Outcome | None:
        """Another of the answers, said as it stands; never a yes or a no."""
        if self._has_polar:
            return None
        key = self._matcher.match(said, loosely=False)
        return None if key is None else self._outcome(self._question.answer(key))

    def take(self, value: str) -> Outcome:
        """An answer that is known from elsewhere, as it was saved."""
        for answer in self._question.answers:
            if answer.value == value:
                return self._outcome(answer)
        value = value[:MAX_FREE_ANSWER]
        return self.hear(value) or self._free(value, value)

    def give_up(self) -> Outcome:
        """What is saved when no answer was understood."""
        return Outcome(None, self._question.failure_value, "", failed=True)

    def _outcome(self, answer: Answer) -> Outcome:
        return Outcome(answer.key, answer.value, answer.spoken or answer.value)

    def _free(self, value: str, spoken: str) -> Outcome:
        said_again = spoken.translate(_BRACES)
        return Outcome(None, value, self._question.spoken.replace("{value}", said_again))

    def _number(self, numbers: Sequence[Decimal]) -> Outcome | None:
        scaled = [self._scaled(number) for number in numbers]
        inside = [number for number in scaled if number is not None]
        if not inside or len(inside) < len(scaled):
            return None
        value = "-".join(map(plain, inside))
        return self._free(value, aloud(inside, lexicon_of(self._language)))

    def _scaled(self, number: Decimal) -> Decimal | None:
        """The number within its bounds, counted in the question's unit when that alone fits."""
        for factor in (Decimal(1), self._question.unit):
            if factor is not None and self._within(number * factor):
                return number * factor
        return None

    def _within(self, number: Decimal) -> bool:
        low, high = self._question.at_least, self._question.at_most
        return (low is None or number >= low) and (high is None or number <= high)


def _behind(words: Sequence[str], lead_in: Sequence[str]) -> int | None:
    """Index of the first word behind a lead-in near the beginning ("well, my name is …")."""
    wanted = [spell(word) for word in lead_in]
    bare = [spell(word.strip(_PUNCTUATION)) for word in words]
    for start in range(min(3, len(words))):
        if bare[start : start + len(wanted)] == wanted:
            return start + len(wanted)
    return None

"""An agent, as its file describes it.

In goes the data of an agent file; out come frozen records whose every field has
a possible value. Whether the questions fit together (targets, cycles, blanks)
is `agent_checks.py`'s concern.
"""

import re
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from voiceagent.brain.lexicon import lexicon_of
from voiceagent.brain.ports import FixedPhrases

CLOSING: Final = "closing"
"""The target that ends the questions."""

NEXT: Final = "next"
"""The `on_failure` that goes on as if the question had been answered."""

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+")


def _split_sentences(value: object) -> object:
    """One string is cut into its sentences; a list is taken as it stands."""
    return _SENTENCE_END.split(value.strip()) if isinstance(value, str) else value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _not_reserved(name: str) -> str:
    if name in {CLOSING, NEXT}:
        raise ValueError(f'"{name}" is a reserved name')
    return name


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Target = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sentences = Annotated[tuple[Text, ...], BeforeValidator(_split_sentences)]
OneOrMore = Annotated[Sentences, Field(min_length=1)]
Phrases = Annotated[tuple[Text, ...], BeforeValidator(_listed)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(_Table):
    """One answer that a question expects."""

    value: Text
    """What is saved."""
    say: Phrases = ()
    """How callers say it; offered to the recogniser."""
    also: Phrases = ()
    """More ways to say it, understood but not offered: short words that sound like others."""
    means: Literal["yes", "no"] | None = None
    """Every common way of saying yes or no is this answer."""
    digit: Annotated[str, StringConstraints(pattern=r"^[0-9*#]?$")] = ""
    """The key that gives it."""
    spoken: str = ""
    """How the agent says it back; the value, unless given."""
    confirm: Sentences = ()
    next: Target | None = None

    @property
    def key(self) -> str:
        """What tells it from the other answers of its question."""
        return self.value


class Question(_Table):
    """One question of the intake."""

    id: Annotated[Name, AfterValidator(_not_reserved)]
    ask: OneOrMore
    only_if: dict[Name, Phrases] = {}
    """Asked only when each of these fields was saved with one of these values."""
    save_as: Name | None = None
    accept: Literal["answers", "number", "anything"] = "answers"
    """What counts as an answer beside `answers`."""
    answers: tuple[Answer, ...] = ()
    expect: Phrases = ()
    """More of what callers are likely to say: hints for the recogniser."""
    lead_ins: Phrases = ()
    """Words before a free answer that are not part of it: "my name is"."""
    at_least: Decimal | None = None
    at_most: Decimal | None = None
    unit: Decimal | None = None
    """A number too small by itself is counted in these: "two and a half" of 1000000."""
    spoken: str = "{value}"
    """How the agent says a number or a free answer back."""
    confirm: Sentences = ()
    retry: Phrases = ()
    max_retries: Annotated[int, Field(ge=0, le=5)] = 2
    on_failure: Target = NEXT
    failure_value: str = "unknown"
    next: Target | None = None

    def answer(self, key: str) -> Answer:
        """The answer with that key; raises `KeyError`."""
        for answer in self.answers:
            if answer.key == key:
                return answer
        raise KeyError(key)


class PhraseTable(_Table):
    """What the agent says besides its questions."""

    reprompts: Annotated[Phrases, Field(min_length=2)]
    goodbye: Text
    apology: Text
    busy: Text
    not_understood: Annotated[Phrases, Field(min_length=2)]
    again: Annotated[Phrases, Field(min_length=2)]
    """Before a question that the caller asked to hear again."""
    wait: Text
    skip: Text
    """When the caller cannot tell."""
    move_on: Text
    """When a question is given up."""
    noted: Text
    """When an earlier answer was corrected."""


class WordTable(_Table):
    """Words of this business or language, added to the built-in ones."""

    back_channel: Phrases = ()
    command: Phrases = ()
    repeat: Phrases = ()
    """Ask for the question again; offered to the recogniser with every question."""


class AgentProfile(_Table):
    """A business's agent, checked: every target exists, every path ends."""

    business: Text
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
    """BCP 47."""
    greeting: OneOrMore
    questions: Annotated[tuple[Question, ...], Field(min_length=1)]
    closing: OneOrMore
    phrases: PhraseTable
    words: WordTable = WordTable()
    transfer_number: Annotated[str, StringConstraints(pattern=r"^(\+[1-9]\d{6,14})?$")] = ""
    """E.164; where a caller who asks for a person is to be sent. Not used by the script."""

    def question(self, question_id: str) -> Question:
        """The question with that id; raises `KeyError`."""
        for question in self.questions:
            if question.id == question_id:
                return question
        raise KeyError(question_id)

    def target(self, question: Question, answer: Answer | None) -> str:
        """Where an answer leads: a question's id or `closing`. Without `next`: the one below."""
        chosen = (answer.next if answer else None) or question.next
        if chosen:
            return chosen
        below = self.questions.index(question) + 1
        return self.questions[below].id if below < len(self.questions) else CLOSING

    def failure_target(self, question: Question) -> str:
        """Where giving a question up leads."""
        if question.on_failure == NEXT:
            return self.target(question, None)
        return question.on_failure

    @property
    def fixed_phrases(self) -> FixedPhrases:
        """What the call itself says, whatever the brain."""
        phrases = self.phrases
        return FixedPhrases(phrases.reprompts, phrases.goodbye, phrases.apology, phrases.busy)

    @property
    def back_channel_words(self) -> tuple[str, ...]:
        """Said while the agent speaks, these are no interruption."""
        return (*lexicon_of(self.language).back_channel, *self.words.back_channel)

    @property
    def command_words(self) -> tuple[str, ...]:
        """These always interrupt the agent."""
        return (*lexicon_of(self.language).command, *self.words.command)

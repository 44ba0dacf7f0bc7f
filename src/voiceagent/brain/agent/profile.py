"""An agent, as its file describes it.

In goes the data of an agent file; out come frozen records whose every field has
a possible value. Whether the questions fit together (targets, cycles, blanks)
is `checks.py`'s concern.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from voiceagent.brain.agent.opening_hours import OpeningHours, Span
from voiceagent.brain.agent.wording import default_phrases, with_business
from voiceagent.brain.languages import primary_of
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


def _spans(value: object) -> object:
    """`"09:00-13:00, 16:00-19:00"`, a list of such, or `"closed"`, as spans of one day."""
    if value == "closed":
        return ()
    texts = value.split(",") if isinstance(value, str) else value
    if not (isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts)):
        raise ValueError('must be "closed" or spans of time such as "09:00-18:00"')
    return tuple(sorted(Span.parse(text) for text in texts))


def _date(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            value = None
    if type(value) is not date:
        raise ValueError("must be a date such as 2026-09-12")
    return value


def _zone_name(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'"{name}" is not a time zone such as Asia/Jerusalem') from None
    return name


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Target = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sentences = Annotated[tuple[Text, ...], BeforeValidator(_split_sentences)]
OneOrMore = Annotated[Sentences, Field(min_length=1)]
Phrases = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
LongText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8000)]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
DaySpans = Annotated[tuple[Span, ...], BeforeValidator(_spans)]


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
    cannot_hear: Text
    """When nothing that callers say has been understood for long: the call ends with it."""
    busy: Text
    too_many_calls: Text
    """To a number that has called too often; spoken by Twilio itself."""
    nearly_over: Text
    """Some time before the longest that a call may last."""
    leave_message: Text
    """When the day's budget is spent, before the tone; spoken by Twilio itself."""
    not_today: Text
    """When it is spent and no message can be taken; spoken by Twilio itself."""
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
    one_moment: Text
    """While something takes long."""
    still_working: Text
    """When it takes longer still."""
    takeover: Text
    """When the model fails and the questions take over."""
    only_languages: Text
    """When a language is wanted that is not spoken here."""
    voicemail: Text
    """Left on an answering machine that was reached."""
    transfer: Text
    """Before the caller is connected to a person."""
    transfer_failed: Text
    """When that person cannot be reached."""
    no_person: Text
    """When a person is wanted and there is no number to connect the caller to."""
    robot: Text
    """When the caller asks whether this is a machine."""
    recording: Text
    """Before the greeting, where calls are recorded."""


class WordTable(_Table):
    """Words of this business or language, added to the built-in ones."""

    back_channel: Phrases = ()
    command: Phrases = ()
    repeat: Phrases = ()
    """Ask for the question again; offered to the recogniser with every question."""


class HoursTable(_Table):
    """When the business is open, each day by its local times; a day left out is closed."""

    timezone: Annotated[str, AfterValidator(_zone_name)] = "Asia/Jerusalem"
    sunday: DaySpans | None = None
    monday: DaySpans | None = None
    tuesday: DaySpans | None = None
    wednesday: DaySpans | None = None
    thursday: DaySpans | None = None
    friday: DaySpans | None = None
    saturday: DaySpans | None = None
    closed_dates: tuple[Annotated[date, BeforeValidator(_date)], ...] = ()

    @property
    def week(self) -> tuple[tuple[Span, ...] | None, ...]:
        """Monday first; None for a day that was left out."""
        return (
            self.monday,
            self.tuesday,
            self.wednesday,
            self.thursday,
            self.friday,
            self.saturday,
            self.sunday,
        )


class AppointmentTable(_Table):
    """Appointments that callers may book, within the opening hours."""

    minutes: Annotated[int, Field(ge=5, le=480)] = 30
    """How long one takes."""
    notice_hours: Annotated[int, Field(ge=0, le=720)] = 2
    """None begins sooner than this."""
    days_ahead: Annotated[int, Field(ge=1, le=365)] = 30
    """None is later than this."""
    about: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""
    """What they are for, and where."""


class AgentProfile(_Table):
    """A business's agent, checked: every target exists, every path ends."""

    business: Text
    language: Language
    """BCP 47."""
    languages: Annotated[tuple[Language, ...], BeforeValidator(_listed)] = ()
    """Others that a caller may ask for, where the engines have them."""
    persona: LongText = ""
    """Who the agent is and how it talks. Not used by the script, like all down to `prompt`."""
    facts: Annotated[Phrases, Field(max_length=100)] = ()
    """What it may tell of the business."""
    prompt: LongText = ""
    """The business's own instructions."""
    greeting: OneOrMore
    questions: Annotated[tuple[Question, ...], Field(min_length=1)]
    """Those of the file, or the built-in ones that take a message."""
    closing: OneOrMore
    phrases: PhraseTable
    words: WordTable = WordTable()
    hours: HoursTable = HoursTable()
    appointments: AppointmentTable | None = None
    """None: none can be booked."""
    transfer_number: Annotated[str, StringConstraints(pattern=r"^(\+[1-9]\d{6,14})?$")] = ""
    """E.164; where a caller who asks for a person is to be sent."""
    transfer_when: Literal["open", "always"] = "open"
    """Whether callers are sent there while the business is closed."""

    @property
    def zone(self) -> ZoneInfo:
        """Where the business's clock hangs."""
        return ZoneInfo(self.hours.timezone)

    @property
    def opening_hours(self) -> OpeningHours | None:
        """None when the file tells no day's hours: then nobody knows them."""
        week = self.hours.week
        if all(day is None for day in week):
            return None
        spans = tuple(day or () for day in week)
        return OpeningHours(spans, self.zone, frozenset(self.hours.closed_dates))

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

    def phrases_in(self, language: str) -> PhraseTable:
        """What it says besides its questions in another language, from the defaults of that; its
        own where there are none."""
        defaults = default_phrases(language)
        if not defaults or primary_of(language) == primary_of(self.language):
            return self.phrases
        return PhraseTable.model_validate(with_business(defaults, self.business))

    @property
    def fixed_phrases(self) -> FixedPhrases:
        """What the call itself says, whatever the brain."""
        return self.fixed_phrases_in(self.language)

    def fixed_phrases_in(self, language: str) -> FixedPhrases:
        """The same in another language; its own where there are none."""
        phrases = self.phrases_in(language)
        return FixedPhrases(
            reprompts=phrases.reprompts,
            nearly_over=phrases.nearly_over,
            goodbye=phrases.goodbye,
            apology=phrases.apology,
            cannot_hear=phrases.cannot_hear,
            busy=phrases.busy,
            transfer=phrases.transfer,
            transfer_failed=phrases.transfer_failed,
            recording=phrases.recording,
        )

"""Do the questions of an agent fit together?

In goes an agent whose every field is possible by itself; out comes one sentence
per fault, each beginning with its key: targets that do not exist, questions
that no caller reaches or that lead in a circle, answers that cannot be told
apart, blanks that nothing fills. Pure.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from voiceagent.brain.agent.profile import CLOSING, AgentProfile, Answer, Question
from voiceagent.brain.words.lexicon import lexicon_of
from voiceagent.brain.words.utterance import texts_of

BLANK: Final = re.compile(r"\{([a-z0-9_]*)\}")
"""A place in a sentence that is filled with what the caller said."""

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""Keys of an agent's hours, as `HoursTable.week` has them."""


def faults_of(profile: AgentProfile) -> list[str]:
    """Every fault of an agent, one sentence each; empty when it is sound."""
    faults = [*_double_ids(profile), *_wrong_targets(profile)]
    if not faults:
        faults += _wrong_ways(profile)
    for question in profile.questions:
        faults += _wrong_answers(question, profile.language)
        faults += _wrong_kind(question)
    faults += _wrong_conditions(profile)
    faults += _wrong_blanks(profile)
    faults += _wrong_hours(profile)
    return faults


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _double_ids(profile: AgentProfile) -> Iterator[str]:
    for name in _repeated(question.id for question in profile.questions):
        yield f'questions.{name}.id: two questions are called "{name}"'


def _wrong_targets(profile: AgentProfile) -> Iterator[str]:
    known = {CLOSING, *(question.id for question in profile.questions)}
    for question in profile.questions:
        targets = {"next": question.next, "on_failure": question.on_failure}
        if question.on_failure == "next":
            del targets["on_failure"]
        targets |= {f"answers.{answer.value}.next": answer.next for answer in question.answers}
        for key, target in targets.items():
            if target is not None and target not in known:
                yield f'questions.{question.id}.{key}: no such question: "{target}"'


def _ways(profile: AgentProfile, question: Question) -> dict[str, str]:
    """Where a question can lead to, each with the key that leads there."""
    ways = {
        profile.target(question, answer): f"answers.{answer.value}.next"
        for answer in question.answers
    }
    if question.accept != "answers" or not question.answers or question.only_if:
        ways[profile.target(question, None)] = "next"
    ways.setdefault(profile.failure_target(question), "on_failure")
    ways.pop(CLOSING, None)
    return ways


def _wrong_ways(profile: AgentProfile) -> Iterator[str]:
    """Questions that are never reached, and ways that lead back."""
    finished: set[str] = set()
    open_path: list[str] = []
    circles: list[str] = []

    def visit(question_id: str) -> None:
        open_path.append(question_id)
        for target, key in _ways(profile, profile.question(question_id)).items():
            if target in open_path:
                circles.append(
                    f'questions.{question_id}.{key}: leads back to "{target}":'
                    " a caller would go in a circle"
                )
            elif target not in finished:
                visit(target)
        open_path.pop()
        finished.add(question_id)

    visit(profile.questions[0].id)
    yield from circles
    for question in profile.questions:
        if question.id not in finished:
            yield f"questions.{question.id}: no answer leads to this question"


def _wrong_answers(question: Question, language: str) -> Iterator[str]:
    where = f"questions.{question.id}.answers"
    for value in _repeated(answer.value for answer in question.answers):
        yield f'{where}.{value}.value: two answers have the value "{value}"'
    for digit in _repeated(answer.digit for answer in question.answers if answer.digit):
        yield f"{where}: two answers have the digit {digit}"
    for meaning in _repeated(answer.means for answer in question.answers if answer.means):
        yield f'{where}: two answers mean "{meaning}"'
    owners: dict[tuple[str, ...], Answer] = {}
    for answer in question.answers:
        if not (answer.say or answer.also or answer.means):
            yield f"{where}.{answer.value}.say: missing"
        for phrase in (*answer.say, *answer.also):
            texts = texts_of(phrase, lexicon_of(language))
            if not texts:
                yield f'{where}.{answer.value}.say: "{phrase}" has no word to listen for'
            elif (other := owners.setdefault(texts, answer)) is not answer:
                yield f'{where}.{answer.value}.say: "{phrase}" is said for "{other.value}" as well'


def _wrong_kind(question: Question) -> Iterator[str]:
    where = f"questions.{question.id}"
    if question.accept == "answers" and not question.answers:
        yield f'{where}.answers: missing (or say accept = "number" or "anything")'
    if question.accept != "number":
        for key in ("at_least", "at_most", "unit"):
            if getattr(question, key) is not None:
                yield f'{where}.{key}: only for accept = "number"'
    if question.lead_ins and question.accept != "anything":
        yield f'{where}.lead_ins: only for accept = "anything"'
    low, high = question.at_least, question.at_most
    if low is not None and high is not None and low > high:
        yield f"{where}.at_least: larger than at_most"
    for first, second in zip(question.retry, question.retry[1:], strict=False):
        if first == second:
            yield f'{where}.retry: says "{first}" twice in a row'


def _wrong_conditions(profile: AgentProfile) -> Iterator[str]:
    possible: dict[str, set[str]] = {}
    anything: set[str] = set()
    for question in profile.questions:
        if question.save_as:
            values = {answer.value for answer in question.answers} | {question.failure_value}
            possible.setdefault(question.save_as, set()).update(values)
            if question.accept != "answers":
                anything.add(question.save_as)
    for question in profile.questions:
        for name, wanted in question.only_if.items():
            where = f"questions.{question.id}.only_if.{name}"
            if name not in possible:
                yield f'{where}: nothing is saved as "{name}"'
            elif name not in anything:
                for value in (value for value in wanted if value not in possible[name]):
                    yield f'{where}: no answer has the value "{value}"'


def _wrong_blanks(profile: AgentProfile) -> Iterator[str]:
    fields = {question.save_as for question in profile.questions if question.save_as}

    def unknown(key: str, sentences: Sequence[str], allowed: set[str]) -> Iterator[str]:
        for sentence in sentences:
            for name in BLANK.findall(sentence):
                if name not in allowed:
                    yield f'{key}: nothing is saved as "{name}"'

    def only_blanks(key: str, sentences: Sequence[str]) -> Iterator[str]:
        if all(BLANK.search(sentence) for sentence in sentences):
            yield f"{key}: needs a sentence without blanks: an answer may be missing"

    yield from unknown("greeting", profile.greeting, set())
    yield from unknown("closing", profile.closing, fields)
    yield from only_blanks("closing", profile.closing)
    for name, phrase in profile.phrases:
        listed = [phrase] if isinstance(phrase, str) else phrase
        yield from unknown(f"phrases.{name}", listed, set())
    for question in profile.questions:
        where = f"questions.{question.id}"
        yield from unknown(f"{where}.ask", question.ask, fields)
        yield from only_blanks(f"{where}.ask", question.ask)
        yield from unknown(f"{where}.retry", question.retry, set())
        yield from unknown(f"{where}.spoken", [question.spoken], {"value"})
        yield from unknown(f"{where}.confirm", question.confirm, fields)
        for answer in question.answers:
            confirm = f"{where}.answers.{answer.value}.confirm"
            yield from unknown(confirm, answer.confirm, fields)


def _wrong_hours(profile: AgentProfile) -> Iterator[str]:
    week = profile.hours.week
    for name, spans in zip(WEEKDAYS, week, strict=True):
        for before, after in pairwise(spans or ()):
            if after.opens < before.closes:
                yield f"hours.{name}: {before} and {after} overlap"
    if not any(week) and any(spans is not None for spans in week):
        yield "hours: no day has opening hours"
    if profile.appointments is not None and not any(week):
        yield "appointments: only within opening hours: [hours] has none"

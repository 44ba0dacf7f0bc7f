"""What a business wants to know of its callers, for a brain that asks in its own words.

In goes an agent's profile; out comes each question that leads to something new, without
the script's own way of asking back. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from voiceagent.brain.agent.checks import BLANK
from voiceagent.brain.agent.profile import CLOSING, AgentProfile, Question


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing to learn."""

    field: str
    """What it is saved as."""
    question: str
    condition: str
    """When it matters: `intent is buy or rent`; empty for always."""
    kind: str
    """What an answer looks like: `one of: buy, rent`, `a number`; empty for anything."""


def wanted_of(profile: AgentProfile) -> tuple[Wanted, ...]:
    """In the order of the file; nothing that only confirms what was said, nor what follows
    from that alone."""
    reached = set(_reached(profile))
    return tuple(
        Wanted(question.save_as, text, _condition(question), _kind(question))
        for question in profile.questions
        if question.id in reached and question.save_as and (text := _asked(question))
    )


def _reached(profile: AgentProfile) -> Iterator[str]:
    waiting = [profile.questions[0].id]
    seen: set[str] = set()
    while waiting:
        target = waiting.pop()
        if target == CLOSING or target in seen:
            continue
        seen.add(target)
        question = profile.question(target)
        if _confirms(question):
            continue
        yield target
        waiting += [profile.target(question, answer) for answer in question.answers]
        waiting += [profile.target(question, None), profile.failure_target(question)]


def _confirms(question: Question) -> bool:
    """ "You want to {intent}. Is that right?" """
    polar = any(answer.means for answer in question.answers)
    return polar and any(BLANK.search(sentence) for sentence in question.ask)


def _asked(question: Question) -> str:
    return " ".join(sentence for sentence in question.ask if not BLANK.search(sentence))


def _condition(question: Question) -> str:
    return " and ".join(
        f"{name} is {' or '.join(values)}" for name, values in question.only_if.items()
    )


def _kind(question: Question) -> str:
    if question.accept == "number":
        return "a number"
    if question.accept == "answers":
        return f"one of: {', '.join(answer.value for answer in question.answers)}"
    return ""

"""Does a machine write at the other end? Then an answer would only bring the next one.

A thread, what waits in it and the time flow in, a judgement flows out. Three guards, since
machines differ: how many answers, how quick the messages, whether the same comes again. Pure.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from voiceagent.brain.words.spelling import spell
from voiceagent.written.ports import WrittenMessage

MAX_AN_HOUR: Final = 30
MAX_A_DAY: Final = 80
"""Answers to one contact; a lively conversation has one a minute for a while, none lasts so long.
Two language models would go on for ever, each time with something new."""
MAX_QUICK: Final = 3
"""Answers in a row to messages that came faster than anybody reads and types: an automatic reply
is answered that often and no more. A person is that fast once, by chance or by pasting."""
REACTION_S: Final = 2.0
CHARS_A_SECOND: Final = 25.0
"""Nobody sees a message, types and sends in less than two seconds; the best typists write twelve
characters a second, dictation some fifteen."""
LONG_WORDS: Final = 3
"""More words than these, the same twice, are a machine's or a person's whom the agent does not
help; "yes" may well be the answer to every question."""
REPEATED_WITHIN: Final = timedelta(hours=1)

_COMPARED: Final = 500
"""Characters of a message by which it is known again."""
_LETTERS: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class _Round:
    """What the contact wrote, and what was answered."""

    asked: tuple[WrittenMessage, ...]
    replies: tuple[WrittenMessage, ...]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(word for message in self.asked for word in _words(message.text))

    @property
    def said(self) -> tuple[str, ...]:
        return tuple(message.text for message in self.replies)


def is_loop(
    thread: Sequence[WrittenMessage], pending: Sequence[WrittenMessage], now: datetime
) -> bool:
    """Would an answer only keep two machines talking?"""
    ids = {message.id for message in pending}
    rounds = list(_rounds([message for message in thread if message.id not in ids]))
    return (
        _too_often(thread, now)
        or _too_quick([*rounds, _Round(tuple(pending), ())])
        or _repeats(_Round(tuple(pending), ()).words, rounds, now)
    )


def _rounds(answered: Sequence[WrittenMessage]) -> Iterator[_Round]:
    asked: list[WrittenMessage] = []
    replies: list[WrittenMessage] = []
    for message in answered:
        if message.who == "contact":
            if replies:
                yield _Round(tuple(asked), tuple(replies))
                asked, replies = [], []
            asked.append(message)
        elif message.answers or message.who == "person":
            replies.append(message)
    yield _Round(tuple(asked), tuple(replies))


def _too_often(thread: Sequence[WrittenMessage], now: datetime) -> bool:
    answers = {message.answers: now - message.at for message in thread if message.answers}
    ages = answers.values()
    within_hour = sum(age < timedelta(hours=1) for age in ages)
    return within_hour >= MAX_AN_HOUR or sum(age < timedelta(days=1) for age in ages) >= MAX_A_DAY


def _too_quick(rounds: Sequence[_Round]) -> bool:
    streak = 0
    for before, after in zip(reversed(rounds[:-1]), reversed(rounds[1:]), strict=True):
        if not _is_quick(before, after):
            break
        streak += 1
    return streak > MAX_QUICK


def _is_quick(before: _Round, after: _Round) -> bool:
    if not before.replies or not after.asked or before.replies[-1].who == "person":
        return False
    last = after.asked[-1]
    gap_s = (last.at - before.replies[-1].at).total_seconds()
    chars = sum(len(message.text) for message in after.asked)
    # Less than nothing: they crossed. The last one tells: a machine that gets no answer is silent,
    # a person writes again.
    return 0 <= gap_s < REACTION_S + chars / CHARS_A_SECOND


def _repeats(words: tuple[str, ...], rounds: Sequence[_Round], now: datetime) -> bool:
    """The same again, though it was answered; or our own words come back."""
    recent = [r for r in rounds if r.replies and now - r.replies[-1].at < REPEATED_WITHIN]
    if len(words) > LONG_WORDS:
        echoes = (_words(text) for r in recent for text in r.said)
        return any(r.words == words for r in recent) or words in echoes
    last = [r for r in recent[-2:] if r.words == words]
    return bool(words) and len(last) == 2 and last[0].said == last[1].said


def _words(text: str) -> tuple[str, ...]:
    return tuple(_LETTERS.findall(spell(text[:_COMPARED])))

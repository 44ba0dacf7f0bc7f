"""What of a thread is to be answered now, and what had better be left alone.

A contact's messages, the switch and the time flow in; a verdict flows out: answer these
words, say a set sentence once, or leave it and why. Pure: it reads no clock and sends nothing.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, Literal

from voiceagent.brain.plain_text import lines
from voiceagent.brain.ports import Exchange
from voiceagent.written.allowance import Allowance, Why, held
from voiceagent.written.loops import is_loop
from voiceagent.written.ports import Silence, SwitchState, WrittenMessage

QUIET_S: Final = 2.5
"""People write one thought in several messages: an answer waits until nothing comes any more."""
LONGEST_WAIT_S: Final = 15.0
"""Whoever goes on writing is answered after so long all the same."""

CONVERSATION: Final = timedelta(hours=24)
"""After so long a silence the agent introduces itself again. What waited longer is left to people:
so long WhatsApp lets a business answer freely, and so long does nobody wait."""
PERSON_STAYS: Final = timedelta(hours=1)
"""Somebody of the business who has just written goes on: two voices in one thread are one too
many. Setting the switch ends it."""
OPTED_OUT: Final = timedelta(minutes=1)
"""What comes so soon after an opt-out belongs to it ("STOP", "please")."""

MAX_CHARS: Final = 4000
"""Of what is answered at once; WhatsApp's own limit for a message is 65,536."""
PAST: Final = timedelta(days=7)
PAST_CHARS: Final = 12_000
"""Of what was said before: some hundred messages, 4000 tokens."""
THREAD: Final = 200
"""How many messages a verdict needs to see: a day's answers and what they answered."""

UNLIMITED: Final = Allowance()

_FILE: Final = "(a file)"
_WORDS: Final = re.compile(r"[^\W_]|\?|؟")
"""What makes a text more than a thumb or a heart, which are answers themselves."""

Left = Literal[
    "off",
    "person",
    "owner",
    "attended",
    "answered",
    "opted_out",
    "awaited",
    "wordless",
    "file",
    "loop",
    "too_many",
    "budget",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """These words want an answer."""

    text: str
    """All that was written since the last answer, a line for each message."""
    key: str
    """Id of the last message that the answer will answer."""
    at: datetime
    """When that came."""
    fresh: bool
    """Nothing was answered for a day: the agent introduces itself."""
    history: tuple[Exchange, ...]
    """The last days, oldest first; the last one is `text`."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Say once, in a set sentence, why there is no answer: only words can be answered, and a file
    without words came; or the agent holds back."""

    key: str
    at: datetime
    why: Literal["file"] | Why = "file"


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is to be said now."""

    why: Left
    """`owner`: it is the owner who writes; `attended`: somebody of the business is writing;
    `answered`: nothing waits; `opted_out`: the contact wants no messages, or this is a wish to be
    written to no more, or again; `awaited`: a voice note is being put into words; `wordless`: only
    a reaction or nothing; `file`: it was said already that files cannot be answered; `loop`: the
    other side looks like a machine; `too_many`: it has written more than is answered and was told
    so; `budget`: the day's is spent, and it was told that a person will answer."""


Verdict = Answer | Acknowledge | Leave


@dataclass(frozen=True, slots=True)
class Burst:
    """Messages that come one upon the other; times in seconds of any clock."""

    first_s: float
    last_s: float

    @classmethod
    def begun(cls, now_s: float) -> "Burst":
        return cls(now_s, now_s)

    def more(self, now_s: float) -> "Burst":
        return Burst(self.first_s, now_s)

    @property
    def over_at_s(self) -> float:
        """When it is to be answered unless another message comes."""
        return min(self.last_s + QUIET_S, self.first_s + LONGEST_WAIT_S)


def judge(
    thread: Sequence[WrittenMessage],
    switch: SwitchState,
    silence: Silence | None,
    now: datetime,
    *,
    file_reply: str,
    allowance: Allowance = UNLIMITED,
) -> Verdict:
    """What to do about a thread, of which the last `THREAD` messages are known, newest last.

    `file_reply` is what an `Acknowledge` of a file says; the others are in the `allowance`.
    """
    if switch.agent != "on":
        return Leave(switch.agent)
    if silence is not None:
        return Leave(silence)
    begin = _answered_before(thread)
    pending = [
        message
        for message in thread[begin:]
        if message.who == "contact" and now - message.at < CONVERSATION
    ]
    if not pending:
        return Leave("answered")
    if _attended(thread, switch, now):
        return Leave("attended")
    pending = _after_opt_out(pending)
    if not pending:
        return Leave("opted_out")
    if any(message.kind == "voice" for message in pending):
        return Leave("awaited")
    readable = [message for message in pending if _is_readable(message)]
    files = [message for message in pending if message.kind == "media"]
    if not readable and not files:
        return Leave("wordless")
    key = pending[-1].id
    if (hold := held(thread, now, allowance, switch.changed_at)) is not None:
        return Leave(hold.why) if hold.is_told else Acknowledge(key, pending[-1].at, hold.why)
    if is_loop(thread, pending, now):
        return Leave("loop")
    if readable:
        text = _together(pending)
        return Answer(
            text=text,
            key=key,
            at=pending[-1].at,
            fresh=not _spoke_since(
                thread, pending[0].at - CONVERSATION, allowance.replies | {file_reply}
            ),
            history=(*_past(thread, pending, now), Exchange("caller", text)),
        )
    said = (m for m in thread if m.who == "agent" and now - m.at < CONVERSATION)
    if any(message.text == file_reply for message in said):
        return Leave("file")
    return Acknowledge(key, pending[-1].at)


def _answered_before(thread: Sequence[WrittenMessage]) -> int:
    """Index of the first message that nobody has answered.

    An answer tells what it answers, so a message that came while it was on its way is still to
    be answered. What programs write unasked answers nothing.
    """
    places = {message.id: place for place, message in enumerate(thread)}
    begin = 0
    for place, message in enumerate(thread):
        if message.who == "person":
            begin = max(begin, place + 1)
        elif message.answers:
            begin = max(begin, places.get(message.answers, place) + 1)
    return begin


def _attended(thread: Sequence[WrittenMessage], switch: SwitchState, now: datetime) -> bool:
    last = max((message.at for message in thread if message.who == "person"), default=None)
    if last is None or now - last >= PERSON_STAYS:
        return False
    return switch.changed_at is None or switch.changed_at < last


def _after_opt_out(pending: Sequence[WrittenMessage]) -> list[WrittenMessage]:
    """What came some time after the last wish to be written to no more, or again."""
    wishes = [m.at for m in pending if m.kind == "wish"]
    return [m for m in pending if not wishes or m.at > wishes[-1] + OPTED_OUT]


def _is_readable(message: WrittenMessage) -> bool:
    return message.kind != "reaction" and _WORDS.search(message.text) is not None


def _shown(message: WrittenMessage) -> str:
    text = message.text[:MAX_CHARS]
    return lines(text) or (_FILE if message.kind == "media" else "")


def _spoke_since(
    thread: Sequence[WrittenMessage], since: datetime, set_replies: Collection[str]
) -> bool:
    """Whether the agent answered or a person wrote after that time; a set sentence introduces
    nobody."""
    return any(
        message.at > since and (message.who == "person" or message.answers)
        for message in thread
        if message.text not in set_replies
    )


def _past(
    thread: Sequence[WrittenMessage], pending: Sequence[WrittenMessage], now: datetime
) -> list[Exchange]:
    """What was said before, for a brain that remembers by reading."""
    ids = {message.id for message in pending}
    said = (m for m in reversed(thread) if m.id not in ids and now - m.at < PAST)
    past: list[Exchange] = []
    room = PAST_CHARS
    # A burst stands there as it was answered: as one.
    for whose, messages in groupby(said, key=lambda message: message.who):
        text = _together([*messages][::-1])
        room -= len(text)
        if room < 0:
            break
        if text:
            past.append(Exchange("caller" if whose == "contact" else "agent", text))
    return past[::-1]


def _together(messages: Sequence[WrittenMessage]) -> str:
    """A line for each message; what was sent twice stands there once."""
    shown = (_shown(message) for message in messages if message.kind != "reaction")
    return "\n".join(dict.fromkeys(filter(None, shown)))[:MAX_CHARS].strip()

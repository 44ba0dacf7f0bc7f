"""Has somebody written more than is answered, or is the day's budget spent?

A thread, the time and what is allowed flow in; whether the agent holds back, and whether that
was said, flows out. Pure. It is read off the thread: a restart or another process changes
nothing. Machines are told apart elsewhere (`loops.py`); this is for anybody who writes a lot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from voiceagent.written.ports import WrittenMessage

WINDOW: Final = timedelta(hours=1)

Why = Literal["too_many", "budget"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much is answered in writing."""

    messages_an_hour: int = 0
    """Of one contact; 0: any number."""
    too_many_reply: str = ""
    """Said once to whoever writes more; then the agent is silent for an hour."""
    spent_since: datetime | None = None
    """When the day began whose budget is spent; None: it is not."""
    budget_reply: str = ""
    """Said then, once a day, instead of an answer."""

    @property
    def replies(self) -> frozenset[str]:
        """Sentences that answer nothing."""
        return frozenset(filter(None, (self.too_many_reply, self.budget_reply)))


@dataclass(frozen=True, slots=True)
class Hold:
    """The agent does not answer now."""

    why: Why
    is_told: bool
    """The contact knows it."""


def held(
    thread: Sequence[WrittenMessage],
    now: datetime,
    allowance: Allowance,
    switched_at: datetime | None,
) -> Hold | None:
    """Whether the agent holds back in this thread, newest message last. `switched_at`: when
    somebody last set who answers: what came before counts no more."""
    if allowance.spent_since is not None:
        told = _said(thread, allowance.budget_reply, allowance.spent_since)
        return Hold("budget", is_told=told)
    if not allowance.messages_an_hour:
        return None
    since = now - WINDOW if switched_at is None else max(now - WINDOW, switched_at)
    if _said(thread, allowance.too_many_reply, since):
        return Hold("too_many", is_told=True)
    written = sum(message.who == "contact" and message.at > since for message in thread)
    return Hold("too_many", is_told=False) if written > allowance.messages_an_hour else None


def _said(thread: Sequence[WrittenMessage], reply: str, since: datetime) -> bool:
    return any(m.who == "agent" and m.text == reply and m.at > since for m in thread)

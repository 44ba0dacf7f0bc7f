"""Threads for tests, written as one reads them."""

from datetime import UTC, datetime, timedelta

from voiceagent.written.allowance import Allowance
from voiceagent.written.answering import UNLIMITED, Verdict, judge
from voiceagent.written.in_memory import SwitchSet
from voiceagent.written.ports import AgentMode, Silence, WrittenMessage

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FILE_REPLY = "Words only, please."


def at(minutes: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def thread(*said: tuple[float, str, str]) -> list[WrittenMessage]:
    """Messages as (minutes after noon, who, text), numbered m1, m2, …

    `agent` answers all that was written before; `program` writes unasked. The texts `<file>`,
    `<reaction>` and `<wish>` are such.
    """
    messages: list[WrittenMessage] = []
    for number, (minutes, who, text) in enumerate(said, start=1):
        asked = [message.id for message in messages if message.who == "contact"]
        kinds = {"<file>": "media", "<reaction>": "reaction", "<wish>": "wish"}
        kind = kinds.get(text, "text")
        messages.append(
            WrittenMessage(
                f"m{number}",
                "agent" if who == "program" else who,
                {"wish": "STOP", "text": text}.get(kind, ""),
                at(minutes),
                kind,
                answers="".join(asked[-1:]) if who == "agent" else "",
            )
        )
    return messages


def verdict(
    messages: list[WrittenMessage],
    minutes: float = 0,
    mode: AgentMode = "on",
    set_at: float | None = None,
    silence: Silence | None = None,
    *,
    allowance: Allowance = UNLIMITED,
) -> Verdict:
    """What is to be done about a thread so many minutes after noon."""
    switch = SwitchSet(mode, None if set_at is None else at(set_at))
    return judge(messages, switch, silence, at(minutes), file_reply=FILE_REPLY, allowance=allowance)

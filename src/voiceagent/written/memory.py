"""What a conversation in writing remembers from one message to the next.

The kept JSON and the time flow in, a memory that is still good flows out, and back. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.script.brain import DialogueState
from voiceagent.brain.script.memory import from_json, to_json
from voiceagent.written.answering import CONVERSATION
from voiceagent.written.drafts import clean_fields
from voiceagent.written.ports import Json

UNFINISHED: Final = timedelta(days=7)
"""Somebody who stopped in the middle of the questions goes on there within a week."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The script's place, or what a thinking brain learnt; a new one is empty."""

    script: DialogueState | None = None
    """Where the questions stand; None while a model talks and before the first word."""
    learnt: Mapping[str, str] = field(default_factory=dict)
    """What the model saved, so that the script need not ask for it."""


def recalled(
    state: Json, decided_at: datetime | None, now: datetime, profile: AgentProfile
) -> Memory:
    """The memory that `kept` made; an empty one when it is too old or not to be read."""
    if not state or decided_at is None:
        return Memory()
    try:
        raw = state["script"]
        script = None if raw is None else from_json(raw, profile)
        learnt = {str(name): str(value) for name, value in state["learnt"].items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        return Memory()
    age = now - decided_at
    unfinished = script is not None and not script.ended
    if age < CONVERSATION or (unfinished and age < UNFINISHED):
        return Memory(script, learnt)
    return Memory()


def kept(memory: Memory) -> Json:
    """The memory as JSON values."""
    return {
        "script": None if memory.script is None else to_json(memory.script),
        "learnt": clean_fields(memory.learnt),
    }

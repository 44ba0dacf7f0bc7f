"""A conversation as the messages that a language model is given.

What was said and heard, and what tools were run, flow in; the list for the API flows out:
the system prompt, then caller and agent in turn, within a bound. Only words that were heard
stand there as the agent's. What the telephone has to add stands in [brackets] among the
caller's words: in the agent's own, a model would learn to speak brackets. Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from voiceagent.brain.chat import Message, ToolCall
from voiceagent.brain.ports import CallerTurn, Exchange

MAX_CHARS: Final = 24_000
"""Of all that was said, the system prompt apart: about half an hour of talk, 8000 tokens."""
_MAX_TEXT_CHARS: Final = 4_000
"""Of one thing that was said; a longer one keeps its end."""

_LEFT_OUT: Final = "[what was said before is left out here]"
_CUT: Final = "[interrupted here: nothing after the words above was heard]"
_UNINTELLIGIBLE: Final = "[unintelligible]"
_PRESSED: Final = "[pressed {}]"

TALK_NOW: Final[Message] = {"role": "user", "content": "[now answer the person, in words]"}
"""For a model that has run its tools and is silent."""

NOTES: Final = f"""\
# Notes
Notes in [square brackets] at the beginning of a message are not the person's words:
- {_PRESSED.format("1 2")}: these keys were pressed instead of speaking.
- {_UNINTELLIGIBLE}: they spoke, but nothing was understood.
- {_CUT}: they interrupted you; you may have meant to say more, but they do not know it.
Never write such notes yourself."""
"""For the end of the system prompt."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A tool that was run, with what it told the model."""

    call: ToolCall
    result: str
    has_effect: bool


@dataclass(slots=True)
class TurnRecord:
    """What one reply did besides talking: remembered at its place in the conversation."""

    position: int
    """How many exchanges had been said when the reply was made."""
    after: Exchange | None
    """The last of them."""
    note: str = ""
    """What the caller did instead of speaking."""
    rounds: list[list[Ran]] = field(default_factory=list)
    """The tools that the model ran together, oldest first."""
    counts: bool = False
    """The reply was heard. Before that, only what has changed something is remembered."""

    @classmethod
    def of(cls, turn: CallerTurn) -> "TurnRecord":
        history = turn.history
        note = _note(turn)
        return cls(len(history), history[-1] if history else None, note)

    @property
    def remembered(self) -> list[list[Ran]]:
        """The rounds that the model is to know of."""
        if self.counts:
            return self.rounds
        effects = ([ran for ran in tools if ran.has_effect] for tools in self.rounds)
        return [tools for tools in effects if tools]


def chat_messages(
    system: str,
    turn: CallerTurn,
    records: Sequence[TurnRecord],
    *,
    begins: str,
    max_chars: int = MAX_CHARS,
) -> list[Message]:
    """The messages up to the turn that is to be answered.

    `records`: of earlier replies, oldest first. `begins`: the first message where the agent
    spoke first, since many servers want the caller to. What is beyond `max_chars` is left
    out, oldest first; the turn never is.
    """
    before, now = _blocks(turn, records)
    kept, room = len(before), max_chars - _size(now)
    while kept > 0 and room >= _size(before[kept - 1]):
        kept -= 1
        room -= _size(before[kept])
    blocks = [*before[kept:], now]
    first: list[Message] = []
    if kept:
        first = [_said("user", _LEFT_OUT)]
    elif blocks[0][0]["role"] != "user":
        first = [_said("user", begins)]
    talk = [*first, *(message for block in blocks for message in block)]
    return [_said("system", f"{system}\n\n{NOTES}"), *_merged(talk)]


def tool_messages(ran: Sequence[Ran], text: str = "") -> list[Message]:
    """What the model asked for, with the words it said before, and the answers in order."""
    if not ran:
        return []
    asked = [
        {
            "id": one.call.id,
            "type": "function",
            "function": {"name": one.call.name, "arguments": one.call.arguments},
        }
        for one in ran
    ]
    results = [
        {"role": "tool", "tool_call_id": one.call.id, "content": one.result[:_MAX_TEXT_CHARS]}
        for one in ran
    ]
    return [{"role": "assistant", "content": text or None, "tool_calls": asked}, *results]


def _blocks(
    turn: CallerTurn, records: Sequence[TurnRecord]
) -> tuple[list[list[Message]], list[Message]]:
    """Messages that stand or fall together; then those of the turn that is to be answered."""
    history = turn.history
    ran: dict[int, list[Message]] = {}
    notes: dict[int, str] = {}
    for record in records:
        place = _place(record, history)
        for tools in record.remembered:
            ran.setdefault(place, []).extend(tool_messages(tools))
        if record.counts and record.note:
            notes[place] = record.note
    own = [_said("user", text) for text in (_unheard_of(turn), _note(turn)) if text]
    last = history[-1] if history else None
    # The turn's own words, or keys, stand at the end of the history already.
    is_told = last is not None and (not own or (turn.digits != "" and _is_keyed(last)))
    if not own and last is not None:
        own = [_said("user", last.text)]

    blocks = [ran.get(0, [])]
    for place, exchange in enumerate(history[: len(history) - is_told], start=1):
        note = notes.get(place, "")
        if exchange.text and not (note and _is_keyed(exchange)):
            blocks.append([_said(_ROLES[exchange.who], exchange.text)])
        if exchange.cut and exchange.who == "agent":
            blocks.append([_said("user", _CUT)])
        if note:
            blocks.append([_said("user", note)])
        if place < len(history):
            blocks.append(ran.get(place, []))
    return [block for block in blocks if block], own + (
        ran.get(len(history), []) if history else []
    )


def _is_keyed(exchange: Exchange) -> bool:
    return exchange.who == "caller" and _KEYS.fullmatch(exchange.text) is not None


def _unheard_of(turn: CallerTurn) -> str:
    """The turn's words, unless the history ends with them, in one exchange or in several."""
    callers: list[str] = []
    for exchange in reversed(turn.history):
        if exchange.who != "caller":
            break
        callers.insert(0, exchange.text)
    if turn.digits and callers and _KEYS.fullmatch(callers[-1]) is not None:
        callers.pop()
    words = " ".join(turn.text.split())
    return "" if " ".join(" ".join(callers).split()).endswith(words) else turn.text


_ROLES: Final = {"caller": "user", "agent": "assistant"}
_KEYS: Final = re.compile(r"[0-9*#•]+(?: [0-9]{4})?")
"""Also where they were a number that is hidden."""


def _place(record: TurnRecord, history: Sequence[Exchange]) -> int:
    """Behind how many exchanges of this history the record stands.

    A history may have forgotten its oldest; then the place has moved, and at last it is the
    beginning.
    """
    for place in range(min(record.position, len(history)), 0, -1):
        if history[place - 1] is record.after:
            return place
    for place in range(min(record.position, len(history)), 0, -1):
        if history[place - 1] == record.after:
            return place
    return 0


def _note(turn: CallerTurn) -> str:
    if turn.digits:
        return _PRESSED.format(" ".join(turn.digits))
    return "" if turn.text.strip() else _UNINTELLIGIBLE


def _said(role: str, text: str) -> Message:
    kept = (
        text if len(text) <= _MAX_TEXT_CHARS or role == "system" else f"…{text[-_MAX_TEXT_CHARS:]}"
    )
    return {"role": role, "content": kept}


def _size(block: Sequence[Message]) -> int:
    return sum(len(str(part)) for message in block for part in message.values())


def _merged(messages: Sequence[Message]) -> list[Message]:
    """One message of a speaker at a time: some servers refuse two."""

    def speaker(message: Message) -> tuple[object, int]:
        plain = message.keys() == {"role", "content"}
        return message["role"], 0 if plain else id(message)

    merged: list[Message] = []
    for _, same in groupby(messages, key=speaker):
        group = list(same)
        text = "\n".join(str(message["content"]) for message in group)
        merged.append(group[0] if len(group) == 1 else {**group[0], "content": text})
    return merged

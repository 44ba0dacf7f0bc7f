"""What the emulated language model answers: rules, as data.

A recorded request flows in, the first rule that fits it tells the answer: words, tool
calls, pauses, or a fault. Rules can be written in TOML (`Rule.from_dict`). Pure.

    [[rules]]
    says = "appointment"              # in the last words of the caller, whatever the case
    calls = [{ name = "free_slots", arguments = { day = "monday" } }]

    [[rules]]
    after_tool = "free_slots"         # its result is the newest message
    result_has = "10:00"
    say = "Monday at ten is free."
    first_token_ms = 300
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, get_args

DEFAULT_SENTENCE: Final = "I see. What else can I do for you?"

FaultKind = Literal[
    "status",  # an HTTP error with `status`, and `retry_after` if given
    "hang",  # silence, the connection stays open; before any token not even a head is sent
    "silent",  # the same, but the stream has begun
    "reset",  # the connection breaks
    "endless",  # tokens that never end
    "malformed",  # an event that is no JSON
    "error_event",  # an error as an event
    "unfinished",  # the stream ends in good order without having said that it is over
    "empty",  # an answer without words
    "html",  # a page of some proxy, with 200
    "whole",  # one JSON document instead of a stream
    "bare",  # nothing at all: the connection is closed at once
]
_KINDS: Final = frozenset(get_args(FaultKind))


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with an answer."""

    kind: FaultKind
    after_tokens: int = 0
    """So much of the answer comes first."""
    status: int = 500
    retry_after: str = ""
    """Of a `status`: the header, if any."""

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"unknown fault {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of the model."""

    name: str
    arguments: str = "{}"
    """JSON, or anything else."""


@dataclass(frozen=True, slots=True)
class Action:
    """One answer of the model."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    first_token_ms: float | None = None
    """None: as the emulator was told."""
    token_ms: float | None = None
    fault: Fault | None = None
    finish_reason: str = ""
    """Empty: what fits."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as it came."""

    number: int
    """1 for the first that the server ever got."""
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    """Names in small letters."""

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        return list(self.body.get("messages", []))

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        return list(self.body.get("tools") or [])

    @property
    def system(self) -> str:
        return "\n".join(
            _text(m) for m in self.messages if m.get("role") in ("system", "developer")
        )

    @property
    def last_words(self) -> str:
        """The newest message of the user."""
        return next((_text(m) for m in reversed(self.messages) if m.get("role") == "user"), "")

    @property
    def results(self) -> Mapping[str, str]:
        """What the tools answered to the newest message of the model, by the tools' names."""
        found: dict[str, str] = {}
        names = {
            call.get("id"): str(call.get("function", {}).get("name", ""))
            for message in self.messages
            for call in message.get("tool_calls") or []
        }
        for message in reversed(self.messages):
            if message.get("role") != "tool":
                break
            found[names.get(message.get("tool_call_id"), "")] = _text(message)
        return found


Behaviour = Callable[[Asked], Action]


@dataclass(frozen=True, slots=True)
class Rule:
    """An answer, and when to give it. A condition that is not set always holds."""

    action: Action
    says: tuple[str, ...] = ()
    """One of these stands in the caller's last words."""
    matches: str = ""
    """A regular expression that is found in them."""
    system_has: tuple[str, ...] = ()
    """All of these stand in the system prompt."""
    has_not: tuple[str, ...] = ()
    """None of these stands in any message."""
    after_tool: str = ""
    """The newest message is this tool's result; `*`: any tool's. Empty: it is none's."""
    result_has: str = ""
    request: int = 0
    """Only the so-manieth request to the server."""
    times: int = 0
    """Only so often; 0: always."""

    def fits(self, asked: Asked) -> bool:
        words, results = asked.last_words.casefold(), asked.results
        if self.after_tool and self.after_tool != "*":
            results = {name: text for name, text in results.items() if name == self.after_tool}
        texts = "\n".join(_text(message) for message in asked.messages).casefold()
        return (
            bool(results) == bool(self.after_tool)
            and (not self.says or any(said.casefold() in words for said in self.says))
            and (not self.matches or re.search(self.matches, words, re.IGNORECASE) is not None)
            and all(text.casefold() in asked.system.casefold() for text in self.system_has)
            and not any(text.casefold() in texts for text in self.has_not)
            and (not self.result_has or any(self.result_has in text for text in results.values()))
            and (not self.request or asked.number == self.request)
        )

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Self:
        """A rule as TOML has it. Raises `ValueError` for what no rule has."""
        rest = dict(table)
        conditions: dict[str, Any] = {}
        for name in ("says", "system_has", "has_not"):
            value = rest.pop(name, ())
            conditions[name] = (value,) if isinstance(value, str) else tuple(value)
        for name in ("matches", "after_tool", "result_has", "request", "times"):
            if name in rest:
                conditions[name] = rest.pop(name)
        fault = rest.pop("fault", None)
        action = Action(
            text=rest.pop("say", ""),
            calls=tuple(_call(call) for call in rest.pop("calls", ())),
            first_token_ms=rest.pop("first_token_ms", None),
            token_ms=rest.pop("token_ms", None),
            fault=Fault(**({"kind": fault} if isinstance(fault, str) else fault))
            if fault
            else None,
            finish_reason=rest.pop("finish_reason", ""),
        )
        if rest:
            raise ValueError(f"a rule has no {', '.join(sorted(rest))}")
        if action == Action():
            raise ValueError("a rule must say or call something, or fail")
        return cls(action, **conditions)


@dataclass(slots=True)
class Rules:
    """Answers by the first rule that fits, else politely. A `Behaviour`."""

    rules: Sequence[Rule] = ()
    used: dict[int, int] = field(default_factory=dict)
    """How often each rule was, by its place."""

    def __call__(self, asked: Asked) -> Action:
        for place, rule in enumerate(self.rules):
            used = self.used.get(place, 0)
            if (not rule.times or used < rule.times) and rule.fits(asked):
                self.used[place] = used + 1
                return rule.action
        return Action(DEFAULT_SENTENCE)


def _call(table: Mapping[str, Any]) -> Call:
    arguments = table.get("arguments", {})
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return Call(str(table["name"]), written)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)
    return content if isinstance(content, str) else ""

"""An answer in writing before it is sent: what a brain said, put into messages.

A brain's events flow in, messages and what follows from them flow out, as values that can
be kept and read again by another process. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from voiceagent.brain.llm.written_messages import MAX_CHARS, WrittenMessages
from voiceagent.brain.plain_text import lines, one_line
from voiceagent.brain.ports import BrainEvent, Save, Say, Transfer
from voiceagent.written.ports import Json

MAX_MESSAGES: Final = 4
"""An answer of more is none that anybody reads."""
MAX_FIELDS: Final = 40
MAX_VALUE_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Said:
    """What a brain's events come to in writing. Keys, languages and the end of a call have no
    meaning there."""

    texts: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    hands_over: bool = False
    """A person was asked for."""

    @classmethod
    def of(cls, events: Iterable[BrainEvent]) -> Self:
        texts: list[str] = []
        fields: dict[str, str] = {}
        hands_over = False
        for event in events:
            match event:
                case Say(text):
                    texts += filter(None, [lines(text)])
                case Save(learnt):
                    fields |= learnt
                case Transfer():
                    hands_over = True
        return cls(tuple(texts), clean_fields(fields), hands_over)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is to be done about what a contact wrote, complete in itself."""

    messages: tuple[str, ...]
    answers: str
    """Id of the last message that it answers."""
    at: datetime
    """When that came: the time at which the fields were learnt."""
    fields: Mapping[str, str] = field(default_factory=dict)
    hands_over: bool = False

    def key(self, place: int) -> str:
        """Of one of its messages, the same whoever sends it."""
        return self.answers if place == 0 else f"{self.answers}/{place + 1}"

    def to_json(self) -> Json:
        return {
            "messages": list(self.messages),
            "answers": self.answers,
            "at": self.at.isoformat(),
            "fields": dict(self.fields),
            "hands_over": self.hands_over,
        }

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Raises `ValueError` for what `to_json` never wrote."""
        try:
            return cls(
                tuple(map(str, raw["messages"])),
                str(raw["answers"]),
                datetime.fromisoformat(raw["at"]),
                {str(name): str(value) for name, value in raw["fields"].items()},
                hands_over=bool(raw["hands_over"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("this is no answer") from error


def clean_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Fields as a database takes them, the last of very many."""
    kept = list(fields.items())[-MAX_FIELDS:]
    return {one_line(name, 60): one_line(value, MAX_VALUE_CHARS) for name, value in kept}


def joined(paragraphs: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Sentences as one message, a blank line between paragraphs; as several only when one would
    be too long for a channel."""
    messages: list[str] = []
    for sentences in paragraphs:
        for text in _cut(" ".join(sentences)):
            if messages and len(messages[-1]) + 2 + len(text) <= MAX_CHARS:
                messages[-1] += f"\n\n{text}"
            else:
                messages.append(text)
    return tuple(messages[:MAX_MESSAGES])


def _cut(text: str) -> list[str]:
    cutter = WrittenMessages()
    return [*cutter.feed(text, 0.0), *cutter.finish()]

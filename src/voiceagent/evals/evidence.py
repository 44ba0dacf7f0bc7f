"""What there is to judge a call by: words heard, records left, things done, requests made.

Pure data; `expectations.py` judges it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voiceagent.crm.recording.call_models import CallEnded, CallRecord, ContactLearnt, TurnSpoken


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word that the telephone played, or began to play. Times are ms of the line's clock."""

    text: str
    start_ms: float
    end_ms: float
    played_ms: float
    length_ms: float
    """Of all of it."""

    @property
    def is_whole(self) -> bool:
        """It was heard to its end."""
        return self.played_ms >= self.length_ms


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done outside the conversation."""

    what: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model asked for."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to the model, as it was sent."""

    at_s: float
    """On the event loop's clock."""
    messages: Sequence[Mapping[str, Any]]


class Records(list[CallRecord]):
    """Implements `Recorder`: keeps what a call leaves behind."""

    def record(self, record: CallRecord) -> None:
        self.append(record)

    @property
    def turns(self) -> list[TurnSpoken]:
        """The last version of each, in order."""
        last = {record.seq: record for record in self if isinstance(record, TurnSpoken)}
        return [last[seq] for seq in sorted(last)]

    @property
    def saved(self) -> dict[str, str]:
        """What is on the contact."""
        fields: dict[str, str] = {}
        for record in self:
            if isinstance(record, ContactLearnt):
                fields |= record.fields
        return fields

    @property
    def end(self) -> CallEnded | None:
        return next((record for record in self if isinstance(record, CallEnded)), None)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one stretch of a call: a step, or all of it. Records and deeds are of the call so far."""

    heard: Sequence[HeardWord]
    records: Records
    deeds: Sequence[Deed]
    tool_calls: Sequence[ToolCall] = ()

    @property
    def heard_text(self) -> str:
        """Whole words: of one that was cut in the middle nobody knows what it was."""
        return " ".join(word.text for word in self.heard if word.is_whole)


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What is known of a call once it is over."""

    languages_heard: Sequence[str]
    """In which ears were opened, in order."""
    languages_spoken: Sequence[str]
    """Of each sentence that was synthesised."""
    failures: Sequence[tuple[str, str]]
    """Of parts of the service: which, and why."""
    violations: Sequence[str]
    """Messages that no telephone may be sent."""

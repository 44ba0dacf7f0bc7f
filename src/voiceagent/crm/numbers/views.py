"""The numbers of a period as they are shown: sums, response times, what is waiting.

Pure data; `figures.py` reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Totals:
    """What happened within some time; the names are those of the columns."""

    calls_in: int = 0
    """That were answered, or ended without that."""
    calls_answered: int = 0
    """Of `calls_in`."""
    calls_out: int = 0
    answers: int = 0
    barge_ins: int = 0
    """False ones included."""
    false_interruptions: int = 0
    guesses: int = 0
    guesses_used: int = 0
    stt_failures: int = 0
    tts_failures: int = 0
    brain_failures: int = 0
    transfer_failures: int = 0
    messages_in: int = 0
    messages_out: int = 0
    """That left."""
    messages_failed: int = 0
    notices_dead: int = 0
    callbacks_asked: int = 0
    payments_asked: int = 0
    payments_paid: int = 0
    call_minutes: int = 0
    """Begun ones, of calls that were answered; of those that go on as well."""
    heard_seconds: int = 0
    """That somebody was listened to."""
    spoken_chars: int = 0
    """Of replies."""
    tokens_in: int = 0
    tokens_out: int = 0
    messages_billed: int = 0
    """That left by Twilio."""

    def __add__(self, other: Self) -> "Totals":
        return Totals(*(getattr(self, name) + getattr(other, name) for name in TOTALS))

    @property
    def failures(self) -> int:
        """Of all engines."""
        return self.stt_failures + self.tts_failures + self.brain_failures + self.transfer_failures

    @property
    def is_nothing(self) -> bool:
        """Whether nothing at all happened."""
        return not any(getattr(self, name) for name in TOTALS)


TOTALS: Final = tuple(field.name for field in fields(Totals))
"""Their names, in order."""


@dataclass(frozen=True, slots=True)
class Responses:
    """How long replies took, in ms; None: there were none."""

    p50_ms: float | None = None
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is waiting right now."""

    queued: int
    """Messages that have not left."""
    queued_since: datetime | None
    """When the oldest of them was written."""
    unknown: int
    """Messages of which nobody knows whether they left."""
    callbacks_open: int
    callbacks_late: int
    """Of those: the hour that was wished for is over."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one period."""

    total: Totals
    before: Totals
    """Of the stretch before it, as far as the same time of day."""
    days: Sequence[Totals]
    """Of each of the period's days."""
    hours: Sequence[tuple[int, int]]
    """Of each of the period's hours: calls that came in, and those of them that were answered."""
    responses: Responses
    responses_before: Responses
    response_times: Sequence[Responses]
    """Of each of its days; of each of its hours where it is a single day."""
    standing: Standing
    counted_at: datetime | None
    """Until when everything is counted; None: never yet."""

"""What sending needs of those who carry messages: to send, and to tell what became of it.

A carrier answers with one of five outcomes and never raises. The difference between them
is what is known: only what was certainly not sent may be sent again.
"""

from dataclasses import dataclass
from typing import Protocol

from voiceagent.crm.messages.outbox import Letter
from voiceagent.crm.recording.message_models import Fate


@dataclass(frozen=True, slots=True)
class Settled:
    """Its fate is known, or it is known that it cannot be (`unknown`): it is never sent again."""

    status: Fate
    external_id: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The carrier has it, and will tell by itself what becomes of it."""

    external_id: str


@dataclass(frozen=True, slots=True)
class InHand:
    """The carrier has it; it has to be asked again what became of it."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing was sent, and it may be tried again."""

    why: str
    retry_in_s: float | None = None
    """As the carrier says; None: it does not."""
    everyone: bool = False
    """The next letter would fare no better: the carrier itself is away or wants a rest."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody knows: it may have been sent or not. To be asked about before anything else."""

    why: str
    everyone: bool = False
    """As of `NotSent`."""


Outcome = Settled | HandedOver | InHand | NotSent | Unclear


class Carrier(Protocol):
    """A way out. Both methods answer within `deadline_s`."""

    @property
    def at_once(self) -> int:
        """How many letters it can be given at a time without having any wait inside it."""

    @property
    def deadline_s(self) -> float:
        """Its own, for one letter: below `SEND_DEADLINE_S` of `outbox.py`, so that it is the
        carrier that says what became of a letter which it had no time for."""

    async def send(self, letter: Letter) -> Outcome:
        """Send it; with the same letter again it must not be sent twice if it says so."""

    async def ask(self, letter: Letter) -> Outcome:
        """What became of a letter that somebody has begun to send."""


class Transcriber(Protocol):
    """Puts a voice note into words."""

    def takes(self, mime_type: str) -> bool:
        """Whether it can read such a file."""

    async def transcribe(self, audio: bytes, mime_type: str) -> str:
        """What was said; empty when nothing was understood. Raises `ProviderError`."""

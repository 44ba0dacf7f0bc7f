"""What the doctor has gathered, as data.

Probes fill it in, checks read it. Whatever could not be asked is None. It holds no secret.
"""

from dataclasses import dataclass, field
from pathlib import Path

from voiceagent.twilio.number_setup import VoiceSetup
from voiceagent.whatsapp.session_state import Session


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether an outside part did what it was asked for."""

    works: bool
    said: str = ""
    """What it told, or why it does not work; never a secret."""
    retryable: bool = True
    """Whether the same may work later, where it did not now."""


@dataclass(frozen=True, slots=True)
class RecognizerSeen:
    """An exchange with speech-to-text."""

    outcome: Outcome
    refused_model: bool = False
    """The model that was set is not taken for the language; Google chooses one."""


@dataclass(frozen=True, slots=True)
class VoiceSeen:
    """A word spoken by text-to-speech."""

    outcome: Outcome
    used: str = ""
    """The voice that spoke."""
    offered: tuple[str, ...] | None = None
    """Names of the voices of the language; None: not asked."""


@dataclass(frozen=True, slots=True)
class NumberSeen:
    """A number of the Twilio account."""

    sid: str
    voice: VoiceSetup
    taken_by: str = ""
    """A trunk or an application that answers in the webhook's place."""


@dataclass(frozen=True, slots=True)
class TwilioSeen:
    """A Twilio account, and the business's number in it."""

    account: Outcome
    number: NumberSeen | None = None
    number_fault: Outcome | None = None
    """Why nothing is known of the number."""


@dataclass(frozen=True, slots=True)
class DatabaseSeen:
    """A PostgreSQL, and what of our tables is there."""

    outcome: Outcome
    missing: tuple[str, ...] = ()
    """Migrations of this version that were not applied yet."""
    changed: tuple[str, ...] = ()
    """Migrations that are others than those that were applied."""
    unknown: tuple[str, ...] = ()
    """Migrations of a later version."""
    pooled: bool = False
    """Something sits between: a connection here is not one there."""
    begun_yet: bool = True
    """An embedded one is made with the first start."""


@dataclass(frozen=True, slots=True)
class DirectorySeen:
    """DATA_DIR."""

    path: Path
    fault: str = ""
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """Another clock."""

    source: str
    ahead_s: float
    """By how much ours is ahead of it."""


@dataclass(slots=True)
class Facts:
    """Everything that was looked at."""

    recognizer: RecognizerSeen | None = None
    voice: VoiceSeen | None = None
    model: Outcome | None = None
    twilio: TwilioSeen | None = None
    public: Outcome | None = None
    """`/healthz` at PUBLIC_BASE_URL."""
    sidecar: Session | Outcome | None = None
    database: DatabaseSeen | None = None
    directory: DirectorySeen | None = None
    clocks: list[ClockSeen] = field(default_factory=list)
    engine_faults: tuple[str, ...] = ()
    """Why the engines cannot even be made."""
    agent_fault: str = ""

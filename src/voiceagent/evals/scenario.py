"""A conversation test, as its file describes it.

In goes the data of a file of `evals/`; out come frozen records: what the caller does, step
by step, and what must have come of it. Nothing is done here. docs/evals.md explains every
key.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic import ValidationError as PydanticValidationError

from voiceagent.errors import VoiceAgentError
from voiceagent.evals.patterns import PatternText

PAUSE_S: Final = 0.5
"""People answer some 200 to 700 ms after the other has finished."""


class ScenarioError(VoiceAgentError):
    """A scenario's file is wrong; one line per fault, each names the key."""


# --- what the caller does -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """Say it; the recogniser understands every word."""

    text: str


@dataclass(frozen=True, slots=True)
class Overheard:
    """Somebody else in the room says it, not into the telephone."""

    text: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Say it with a synthetic voice, for a real recogniser."""

    text: str


@dataclass(frozen=True, slots=True)
class Play:
    """Play a WAV file, for a real recogniser."""

    file: str


@dataclass(frozen=True, slots=True)
class Press:
    keys: str


@dataclass(frozen=True, slots=True)
class Cough:
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class PutDown:
    """Hang up."""


Act = Say | Overheard | Speak | Play | Press | Cough | Wait | PutDown

_ANSWERED: Final = (Say, Speak, Play, Press)
"""What an agent answers, unless the step says otherwise."""
_ACTS: Final[dict[str, Any]] = {
    "say": Say,
    "overheard": Overheard,
    "speaks": Speak,
    "plays": Play,
    "press": Press,
    "cough_ms": Cough,
    "wait_s": Wait,
    "hang_up": lambda _true: PutDown(),
}


# --- what must come of it -----------------------------------------------------------------------


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[tuple[PatternText, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExpectedCall(_Table):
    """The model called this tool."""

    name: str
    with_: dict[str, PatternText] = Field(default={}, alias="with")
    """Arguments that it had, among others."""


class ExpectedDeed(_Table):
    """Something was done outside the conversation."""

    what: Literal["appointment", "callback", "message", "payment_link", "transfer"]
    with_: dict[str, PatternText] = Field(default={}, alias="with")
    """What is known of it, among other things: `at`, `about`, `text`, `number`, …"""


class Expectation(_Table):
    """What was to be heard, saved and done."""

    said: Patterns = ()
    """The caller heard each of them."""
    said_any: Patterns = ()
    """The caller heard one of them."""
    not_said: Patterns = ()
    saved: dict[str, PatternText] = {}
    """Fields of the contact, each with exactly this value."""
    not_saved: Names = ()
    called: tuple[ExpectedCall, ...] = ()
    not_called: Names = ()
    done: tuple[ExpectedDeed, ...] = ()
    """Each of them, and nothing else of its kind."""
    not_done: Names = ()


class Step(Expectation):
    """Something that the caller does, and what comes of it until the next step."""

    say: Words | None = None
    overheard: Words | None = None
    speaks: Words | None = None
    plays: Words | None = None
    press: Annotated[str, StringConstraints(pattern=r"^[0-9*#]{1,32}$")] | None = None
    cough_ms: Annotated[int, Field(ge=50, le=1000)] | None = None
    wait_s: Annotated[float, Field(gt=0, le=60)] | None = None
    hang_up: Literal[True] | None = None
    after_words: Annotated[int, Field(ge=1, le=200)] | None = None
    """Into the agent's speech, once so many of its words were heard since the step before."""
    pause_s: Annotated[float, Field(ge=0, le=30)] = PAUSE_S
    """Between the end of the agent's speech and this step; not used with `after_words`."""
    answered: bool | None = None
    """Whether the agent takes a turn because of it. Left out: words and keys are answered."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> "Step":
        given = [name for name in _ACTS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a step has exactly one of {', '.join(_ACTS)}")
        return self

    @property
    def act(self) -> Act:
        name = next(name for name in _ACTS if getattr(self, name) is not None)
        act: Act = _ACTS[name](getattr(self, name))
        return act

    @property
    def is_answered(self) -> bool:
        return isinstance(self.act, _ANSWERED) if self.answered is None else self.answered


class End(Expectation):
    """What must have come of the whole call."""

    reason: Literal["agent_hangup", "caller_hangup", "idle", "transferred"] = "caller_hangup"
    """Of the call's end, as its record tells it. The caller hangs up after the last step, unless
    the agent is to end the call."""
    language: str | None = None
    """What is heard and spoken at the end."""
    failed: Names = ()
    """Parts (`brain`, `model`, `stt`, `tts`, `transfer`) of which failures were reported; a
    failure of any other is a fault."""


# --- the circumstances --------------------------------------------------------------------------


class Taken(_Table):
    """An appointment of somebody else."""

    start: str
    """Local, as `2026-11-29T10:00`."""
    minutes: Annotated[int, Field(ge=5, le=1440)] = 30
    hidden: bool = False
    """It is booked in the moment in which this caller wants to, so that nobody saw it before."""


class KnownCaller(_Table):
    """What the CRM knows of the caller before the call."""

    name: str = ""
    fields: dict[str, str] = {}


class Scenario(_Table):
    """One call."""

    about: Words
    """One sentence: who calls, and what must come of it."""
    language: str
    """BCP 47; of the caller and, unless `agent` is given, of the bundled agent."""
    brain: Literal["script", "model"]
    agent: str = ""
    """An agent file, beside this one; empty: the bundled estate agent."""
    emulator_only: bool = False
    """It needs a model that fails or misbehaves on purpose."""
    caller: KnownCaller | None = None
    taken: tuple[Taken, ...] = ()
    model: tuple[dict[str, Any], ...] = ()
    """Rules of the emulated model (`tests/emulators/openai_server.py`)."""
    opening: Expectation = Expectation()
    steps: tuple[Step, ...]
    end: End = End()

    @model_validator(mode="after")
    def _is_whole(self) -> "Scenario":
        if not self.steps:
            raise ValueError("a scenario has steps")
        if bool(self.model) != (self.brain == "model"):
            raise ValueError('[[model]] belongs to brain = "model", and the other way round')
        return self

    @property
    def needs_engines(self) -> bool:
        """Whether real audio is to be understood."""
        return any(isinstance(step.act, Speak | Play) for step in self.steps)


def read_scenario(raw: dict[str, Any], source: str) -> Scenario:
    """The scenario of a file's data; `source` names it in faults. Raises `ScenarioError`."""
    try:
        return Scenario.model_validate(raw)
    except PydanticValidationError as error:
        raise ScenarioError(
            "\n".join(
                f"{source}: {'.'.join(map(str, fault['loc']))}:"
                f" {fault['msg'].removeprefix('Value error, ')}"
                for fault in error.errors()
            )
        ) from None

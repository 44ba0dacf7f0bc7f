"""What a picture of a call's turns is made of: who spoke when, the words in it, its sizes. Pure."""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class CallerBlock:
    """Something that came from the caller. Times in ms on the call's clock."""

    kind: Literal["speech", "aside", "keys"]
    """`aside`: no turn of theirs: a cough, a "yes, yes"; `keys`: typed on the telephone."""
    text: str
    start_ms: float
    end_ms: float
    eou_ms: float | None = None
    """When the service decided that the utterance was over."""
    first_token_ms: float | None = None
    """When the first of the answer's words was there."""
    first_audio_ms: float | None = None
    """When the first sound of the answer was there, or left: `PictureWords` tells which."""
    answered_ms: float | None = None
    """When the agent's first sound after it begins."""
    stopped_ms: float | None = None
    """When the agent fell silent because of it."""
    turn: int | None = None
    """Of the record, for scripts."""
    label: str = ""
    """Stands at the block where the words do not."""


@dataclass(frozen=True, slots=True)
class AgentBlock:
    """A stretch in which the agent is heard."""

    text: str
    start_ms: float
    end_ms: float
    turn: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class PictureWords:
    """What stands in the picture, in one language."""

    caller: str
    agent: str
    ms: str
    """With `{ms}`, as all below that tell of a duration."""
    eou: str
    first_words: str
    first_audio: str
    stopped: str
    """Empty: the sign alone is drawn."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes in the picture's own units, lengths of time in ms."""

    strip_ms: int
    width: int
    left: int
    right: int
    """Space beside the lanes; without any, strips can stand beside each other as one."""
    height: int
    caller_y: int
    agent_y: int
    block: int
    """How high a block is."""
    axis_y: int
    letter: float
    """How wide one is taken to be."""
    text_lines: int
    """Lines of words under what the agent says; 0: no words at all but the blocks' labels."""


WIDE: Final = Layout(
    strip_ms=20_000,
    width=1200,
    left=74,
    right=26,
    height=184,
    caller_y=40,
    agent_y=92,
    block=18,
    axis_y=162,
    letter=5.9,
    text_lines=3,
)
"""For one file on a wide screen."""
NARROW: Final = Layout(
    strip_ms=10_000,
    width=320,
    left=0,
    right=0,
    height=124,
    caller_y=18,
    agent_y=68,
    block=14,
    axis_y=104,
    letter=6.6,
    text_lines=0,
)
"""One strip fills a telephone's screen; on a wider one several stand beside each other."""

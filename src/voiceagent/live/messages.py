"""What processes tell each other of live calls: small pieces of JSON, each complete in itself.

Messages flow in and out as text that fits into a NOTIFY; of a long call the oldest turns are left
out, of a long turn its end is kept. Text that is none of ours is nothing. Pure.
"""

import json
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from voiceagent.call.glimpse import Doing

MOST_BYTES: Final = 7_500
"""PostgreSQL takes less than 8,000, the sender's mark included."""
MOST_TURNS: Final = 12
MOST_CHARACTERS: Final = 400
"""Of one turn, and of the words being heard."""
_CUT: Final = "… "

Act = Literal["hang_up", "put_through"]
Outcome = Literal["done", "already", "gone", "not_allowed", "too_many", "no_telephone"]
"""`already`: the call is ending, or being put through; `gone`: it is over; `not_allowed`: that
number is not called from here; `too_many`: this hour; `no_telephone`: nobody can be connected
without Twilio's account, or there is no number."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Said(_Message):
    """One turn."""

    seq: int
    who: Literal["caller", "agent"]
    text: str
    unheard: str
    """Its end, which the caller never heard."""
    going_on: bool = False
    """It is being spoken: more of it may come."""
    keyed: bool = False
    """Keys, not words."""


class LiveCall(_Message):
    """A call at one moment."""

    kind: Literal["call"] = "call"
    process: str
    """Drawn anew by each process at its start."""
    where: str
    """Which process, for people."""
    call_sid: str
    started_at: datetime
    doing: Doing
    hearing: str
    """The caller's words as far as they are understood; not final."""
    turns: tuple[Said, ...]
    """The newest ones, the newest last."""
    more: bool
    """Older ones are left out."""


class Over(_Message):
    """The call has ended."""

    kind: Literal["over"] = "over"
    process: str
    call_sid: str


class Watching(_Message):
    """Somebody looks: tell of your calls for a while."""

    kind: Literal["watching"] = "watching"
    process: str
    afresh: bool
    """Whoever looks knows nothing yet."""


class Order(_Message):
    """To whoever holds the call."""

    kind: Literal["order"] = "order"
    id: str
    call_sid: str
    act: Act
    number: str = ""
    """E.164; empty: the agent's own."""


class Done(_Message):
    """What came of an order."""

    kind: Literal["done"] = "done"
    id: str
    outcome: Outcome


Message = LiveCall | Over | Watching | Order | Done
_MESSAGES: Final[TypeAdapter[Message]] = TypeAdapter(
    Annotated[Message, Field(discriminator="kind")]
)


def encoded(message: Message) -> str:
    """As text without a tab or a NUL, of `MOST_BYTES` at most."""
    text = _text_of(message)
    while isinstance(message, LiveCall) and len(text.encode()) > MOST_BYTES:
        if not message.turns:
            return ""
        message = message.model_copy(update={"turns": message.turns[1:], "more": True})
        text = _text_of(message)
    return text


def decoded(text: str) -> Message | None:
    """The message; None: it is none, or of another version of this service."""
    try:
        return _MESSAGES.validate_json(text)
    except ValidationError:
        return None


def end_of(text: str) -> str:
    """The text, or its end where it is too long."""
    if len(text) <= MOST_CHARACTERS:
        return text
    return _CUT + text[-MOST_CHARACTERS:]


def _text_of(message: BaseModel) -> str:
    # NUL is no text to PostgreSQL, written as an escape or not; half a surrogate is none to UTF-8.
    text = json.dumps(message.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
    return text.replace("\\u0000", "").encode(errors="replace").decode()

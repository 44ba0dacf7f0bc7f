"""What somebody who looks on sees of a call: what goes on, and the words being heard right now.

The machine's state flows in, a glimpse flows out. It is made when it is asked for, so a call that
nobody looks at does nothing for it. Pure.
"""

from dataclasses import dataclass
from typing import Literal

from voiceagent.call.turn_state import Reply, State

Doing = Literal["listening", "hearing", "thinking", "speaking", "transferring", "leaving"]
"""`listening`: nobody speaks; `hearing`: the caller does; `transferring`: the caller is being
connected to a person, or is told so; `leaving`: the last words are spoken, or the call is over."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One moment of a call."""

    doing: Doing
    hearing: str = ""
    """Of the utterance under way, as far as it is understood; not final."""

    @property
    def is_parting(self) -> bool:
        """It ends, or is handed to a person, whatever is said from now on."""
        return self.doing in ("transferring", "leaving")


def glimpse_of(state: State, reply: Reply | None, hearing: str | None) -> Glimpse:
    """`hearing`: None while the caller says nothing."""
    if state is State.ENDED or (reply is not None and reply.hang_up is not None):
        return Glimpse("leaving")
    if reply is not None and (reply.connecting or reply.by_person):
        return Glimpse("transferring")
    if hearing is not None:
        return Glimpse("hearing", hearing)
    match state:
        case State.THINKING:
            return Glimpse("thinking")
        case State.SPEAKING:
            return Glimpse("speaking")
        case _:
            return Glimpse("listening")

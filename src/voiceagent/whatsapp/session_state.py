"""What the sidecar tells of its session, and what that means for the person at the terminal.

The body of `GET /v1/session` (`node/baileys/README.md`) flows in, sentences flow out: how it
stands, and what to do. Pure.
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal[
    "connecting",
    "pairing",
    "open",
    "waiting",
    "paused",
    "stopped",
    "failed",
    "logged_out",
    "standby",
    "draining",
]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class Account(_Told):
    """Whose WhatsApp it is."""

    phone: str | None = None
    name: str | None = None


class Reason(_Told):
    """Why the session is not open."""

    code: int | str | None = None
    text: str = ""


class Waiting(_Told):
    """Events on their way to the API."""

    waiting: int = 0
    dead: int = 0


class Session(_Told):
    """The session as it is now. What is not known here is left out."""

    state: State
    since: str | None = None
    account: Account | None = None
    reason: Reason | None = None
    advice: str | None = None
    last_inbound_at: str | None = None
    next_attempt_at: str | None = None
    new_chats_paused_until: str | None = None
    events: Waiting = Field(default_factory=Waiting)

    @property
    def wants_a_start(self) -> bool:
        """It does nothing more by itself, and a start makes it go on."""
        return self.state in {"stopped", "failed", "logged_out"}


_STANDS: Final[dict[State, str]] = {
    "connecting": "It is connecting to WhatsApp.",
    "pairing": "It runs, and no phone is linked to it.",
    "open": "It is linked and connected.",
    "waiting": "The connection to WhatsApp was lost; it connects again by itself.",
    "paused": "It has closed the connection by itself, and goes on by itself.",
    "stopped": "It has stopped and needs a person.",
    "failed": "WhatsApp refuses the session again and again; its keys are kept.",
    "logged_out": "It is unlinked.",
    "standby": "Another process owns this session; this one stands by.",
    "draining": "It is being stopped.",
}
_DO: Final[dict[State, str]] = {
    "pairing": "Link the phone: script/voiceagent whatsapp pair",
    "stopped": "To start it again: script/voiceagent whatsapp pair",
    "failed": "Try again: script/voiceagent whatsapp pair; at last the same with logout",
    "logged_out": "Link a phone: script/voiceagent whatsapp pair",
    "standby": "Talk to the other process, or end it.",
}


def in_words(session: Session) -> list[str]:
    """How it stands, in a few sentences."""
    sentences = [_STANDS[session.state]]
    if session.account is not None and session.account.phone:
        name = f" ({session.account.name})" if session.account.name else ""
        sentences.append(f"The number is {session.account.phone}{name}.")
    if session.reason is not None and session.reason.text:
        sentences.append(f"Why: {session.reason.text}.")
    if session.next_attempt_at is not None:
        sentences.append(f"The next attempt is at {session.next_attempt_at}.")
    if session.new_chats_paused_until is not None:
        sentences.append(
            f"WhatsApp allows no new chats until {session.new_chats_paused_until};"
            " whoever wrote first is answered."
        )
    if session.events.waiting:
        sentences.append(
            f"{session.events.waiting} events wait for the API: is it running, at VOICEAGENT_URL?"
        )
    if session.events.dead:
        sentences.append(
            f"{session.events.dead} events could not be handed over:"
            " POST /v1/events/retry sends them again."
        )
    return sentences


def what_to_do(session: Session) -> str | None:
    """The next step for a person; None when there is nothing to do."""
    # While it pairs the sidecar's own advice is to scan a code, which only that command shows.
    told = None if session.state == "pairing" else session.advice
    return " ".join(words for words in (told, _DO.get(session.state)) if words) or None

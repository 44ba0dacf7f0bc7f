"""What the sidecar's `session.state` says, as one sentence for the log, and whether the owner
must know.

The event's data flows in (`node/baileys/README.md`), a value flows out. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from voiceagent.crm.postgres.paging import storable

_PAIR: Final = "run script/voiceagent whatsapp pair"
_NOBODY_SCANNED: Final = 408
"""Of a session that has stopped: nobody paired a phone. That is no loss."""
_ORDINARY: Final = frozenset({"open", "connecting", "waiting", "standby", "draining"})
_SENTENCES: Final[Mapping[str, str]] = {
    "open": "WhatsApp is connected",
    "connecting": "WhatsApp: connecting",
    "waiting": "WhatsApp: connecting again",
    "standby": "WhatsApp: another process has the connection, this one stands by",
    "draining": "WhatsApp: the sidecar is being stopped",
    "pairing": f"WhatsApp is not linked: {_PAIR}",
    "paused": "WhatsApp: the sidecar has closed the connection, and goes on by itself",
    "stopped": "WhatsApp: the sidecar has stopped",
    "failed": f"WhatsApp refuses the session: {_PAIR}",
    "logged_out": f"WhatsApp was unlinked: {_PAIR}",
}


@dataclass(frozen=True, slots=True)
class SessionChange:
    """The session has another state."""

    state: str
    code: int | str | None
    """WhatsApp's own, or a word of the sidecar's; None when nothing of that kind was the cause."""
    reason: str
    advice: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Whatever is not as it should be is left out."""
        reason = data.get("reason")
        reason = reason if isinstance(reason, Mapping) else {}
        code = reason.get("code")
        return cls(
            state=_short(data.get("state"), 40),
            code=code if isinstance(code, int) else _short(code, 40) or None,
            reason=_short(reason.get("text"), 200),
            advice=_short(data.get("advice"), 200),
        )

    @property
    def is_ordinary(self) -> bool:
        """Nobody need do anything."""
        return self.state in _ORDINARY

    @property
    def wants_owner(self) -> bool:
        """Messages wait until a person does something: the phone was unlinked by WhatsApp or on
        the phone, or WhatsApp refuses the session, or the account."""
        match self.state:
            case "logged_out":
                return self.reason == "" or self.code is not None  # else somebody asked for it
            case "stopped":
                return self.code != _NOBODY_SCANNED
            case "failed":
                return True
            case _:
                return False

    @property
    def sentence(self) -> str:
        """For the log, without a full stop."""
        sentence = _SENTENCES.get(self.state, f"WhatsApp: the sidecar is {self.state or '?'}")
        if self.state == "waiting" and self.code is not None:
            return f"{sentence} ({self.code})"
        if self.is_ordinary or self.state == "pairing":
            return sentence
        # "Scan the new QR code": only the command shows it.
        todo = "" if _PAIR in sentence else self.advice
        told = [f"why={self.reason!r}" if self.reason else "", f"do={todo!r}" if todo else ""]
        return " ".join(filter(None, [sentence, *told]))


def _short(value: object, limit: int) -> str:
    return storable(value.strip()[:limit]) if isinstance(value, str) else ""

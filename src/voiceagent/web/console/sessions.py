"""Who has signed in: tokens for the cookie, made from the API key and never holding it.

The key that somebody typed flows in, a signed token flows out; the token flows in again, and
the session that it stands for flows out while it lasts. Nothing is stored, so every process
knows every session, and another API key ends them all. Time is handed in.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

IDLE_S: Final = 12 * 3600
"""A session that is not used for so long is over."""
LONGEST_S: Final = 7 * 24 * 3600
"""However much it is used."""

_CONTEXT: Final = b"voiceagent console v1"
_TOKEN: Final = re.compile(
    r"([A-Za-z0-9_-]{22})\.([0-9]{1,12})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})"
)
_VISITOR: Final = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has signed in."""

    id: str
    opened_at: int
    """Unix seconds, as all times here."""
    ends_at: int

    def wants_renewal(self, now: float) -> bool:
        """Half of its time is over, and there is more to be had."""
        return self.ends_at - now < IDLE_S / 2 and self.opened_at + LONGEST_S > self.ends_at


class Sessions:
    """Of one API key."""

    def __init__(self, api_key: str) -> None:
        self._right = _digest(api_key)
        self._key = hmac.digest(api_key.encode(), _CONTEXT, hashlib.sha256)

    def is_key(self, given: str) -> bool:
        """Whether this is the API key; takes the same time wherever it differs."""
        return hmac.compare_digest(_digest(given), self._right)

    def opened(self, now: float) -> Session:
        """A new one. Only for whoever gave the key."""
        return Session(new_id(), int(now), int(now) + IDLE_S)

    def renewed(self, session: Session, now: float) -> Session:
        """The same, for longer."""
        ends_at = min(int(now) + IDLE_S, session.opened_at + LONGEST_S)
        return Session(session.id, session.opened_at, ends_at)

    def token(self, session: Session) -> str:
        """What stands for it in a cookie."""
        signed = f"{session.id}.{session.opened_at}.{session.ends_at}"
        return f"{signed}.{self._mac('session', signed)}"

    def of(self, token: str, now: float) -> Session | None:
        """The session of a token; None when it is none of ours, or is over."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        signed, _, mac = token.rpartition(".")
        if not hmac.compare_digest(mac, self._mac("session", signed)):
            return None
        session = Session(found[1], int(found[2]), int(found[3]))
        return session if now < session.ends_at else None

    def csrf(self, id_: str) -> str:
        """What each form of this session, or of this visitor before it, has to hold."""
        return self._mac("csrf", id_)

    def is_csrf(self, id_: str, given: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(given.encode(errors="replace"), self.csrf(id_).encode())

    def _mac(self, purpose: str, text: str) -> str:
        mac = hmac.digest(self._key, f"{purpose} {text}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def new_id() -> str:
    """Of a session, or of a visitor who has none yet."""
    return secrets.token_urlsafe(16)


def is_visitor(text: str) -> bool:
    """Whether it looks like an id of `new_id`."""
    return _VISITOR.fullmatch(text) is not None


def _digest(secret: str) -> bytes:
    """Of equal length whatever the secret, so that comparing tells nothing of it."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()

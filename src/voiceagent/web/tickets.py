"""One-time tickets: how a browser's phone gets onto the media socket.

The sid of a call flows in, a ticket for it flows out, and is spent by the upgrade that
brings it: within a minute, once, from a page of this service. It admits to that call
only. Tickets live in the process that made them and are kept as hashes.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from voiceagent.recent import Recent
from voiceagent.web.agents import Agent

TICKET_S: Final = 60.0
SUBPROTOCOL_PREFIX: Final = "ticket."
"""A browser can give an upgrade no header of its own but the subprotocols it offers, and unlike
an address these stand in no access log."""
BROWSER_CALLER: Final = "client:browser"
"""Who calls, in the words that Twilio has for callers without a number."""
_MAX_OPEN: Final = 1000
"""More tickets than this are not waiting to be used: the oldest go."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a ticket is good for."""

    call_sid: str
    agent: Agent | None = None
    """Who is to answer this call; None: whoever answers the others."""


class Tickets:
    """The tickets of one process. Loop thread only; `now_s` is a clock that only goes forward."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._open: Recent[bytes, tuple[Admitted, float]] = Recent(_MAX_OPEN)

    def issue(self, call_sid: str, agent: Agent | None = None) -> str:
        """A ticket for that call, which this agent answers."""
        ticket = secrets.token_urlsafe(32)
        self._open.put(_hash(ticket), (Admitted(call_sid, agent), self._now_s() + TICKET_S))
        return ticket

    def spend(self, ticket: str) -> Admitted | None:
        """What it admits to; None when it is unknown, spent or too old."""
        # By its hash: how long the search takes tells nothing of other tickets.
        admitted, until_s = self._open.pop(_hash(ticket)) or (None, 0.0)
        return admitted if self._now_s() < until_s else None


def ticket_in(subprotocols: Iterable[str]) -> str | None:
    """The ticket among the offered subprotocols; None when there is none."""
    for offered in subprotocols:
        if offered.startswith(SUBPROTOCOL_PREFIX):
            return offered.removeprefix(SUBPROTOCOL_PREFIX)
    return None


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode(errors="replace")).digest()

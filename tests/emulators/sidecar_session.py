"""The session routes of the WhatsApp sidecar on this machine, as its README has them.

What the session does is ordered state by state: each question after it moves it on. It opens
no connection to WhatsApp.
"""

from collections import deque
from typing import Any

from emulators.provider_server import Asked, ProviderServer, Reply

TOKEN = "the-token-of-the-emulated-sidecar"
ACCOUNT = {"phone": "+972500000001", "lid": None, "name": "The business"}
MODULES = ["1" * 21] * 21


class SidecarSessionEmulator(ProviderServer):
    """One session; `moves` are the states that follow, one with each question for the state."""

    def __init__(self, state: str = "open") -> None:
        super().__init__()
        self.state = state
        self.moves: deque[str] = deque()
        self.reason: dict[str, Any] | None = None
        self.codes = deque(["first", "second", "third"])
        """Of each connection."""

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._problem(401, "unauthorised")
        match asked.method, asked.path.removeprefix("/v1/session"):
            case "GET", "":
                view = self._view()
                if self.moves:
                    self.state = self.moves.popleft()
                return Reply(200, view)
            case "GET", "/qr":
                if self.state != "pairing":
                    return self._problem(404, "not_found")
                code = self.codes.popleft() if len(self.codes) > 1 else self.codes[0]
                return Reply(200, {"qr": code, "rows": MODULES})
            case "POST", "/pairing-code":
                if self.state != "pairing":
                    return self._problem(503, "not_connected")
                return Reply(200, {"code": "ABCD1234", "phone": asked.json()["phone"]})
            case "POST", "/start":
                self.state, self.reason = "connecting", None
                return Reply(202, self._view())
            case "POST", "/logout":
                self.state = "logged_out"
                return Reply(202, self._view())
        return self._problem(404, "not_found")

    def _view(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "since": "2026-11-26T16:57:01.123Z",
            "account": ACCOUNT if self.state == "open" else None,
            "reason": self.reason,
            "advice": None,
            "next_attempt_at": None,
            "new_chats_paused_until": None,
            "events": {"waiting": 0, "dead": 0, "oldest_at": None},
            "store": "files",
        }

    def _problem(self, status: int, code: str) -> Reply:
        return Reply(status, {"status": status, "code": code, "detail": f"{code} on demand"})

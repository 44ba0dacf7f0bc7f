"""How long each webhook took and how every request was answered, counted around the routes.

Requests and answers pass through unchanged; a route's own path and the first digit of the
status are all that is kept of them. Sockets pass untouched.
"""

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voiceagent.metrics import Metrics

_AREAS: Final = ("webhook", "api", "console", "pay", "calendar", "health")
_HEALTH: Final = ("/healthz", "/readyz", "/version", "/metrics")


class RequestTimes:
    """ASGI middleware; the outermost, so that it sees the answers to faults as well."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began_s = time.monotonic()
        try:
            await self._app(scope, receive, told)
        except Exception:
            # Whoever makes an answer of it stands outside.
            status = status or 500
            raise
        finally:
            # Whoever is cut off when the service ends has no answer.
            if status:
                self._count(scope, status, time.monotonic() - began_s)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # Of an address that is none of ours nothing is kept.
        path = getattr(scope.get("route"), "path", "")
        area = _area(path)
        self._metrics.http_answers.labels(area, f"{status // 100}xx").inc()
        if area == "webhook":
            self._metrics.webhook_seconds.labels(path).observe(seconds)


def _area(path: str) -> str:
    if path in _HEALTH:
        return "health"
    first = path.removeprefix("/").partition("/")[0]
    return first if first in _AREAS else "other"

"""Floods from one address: what nobody vouches for is answered so often, and then told to wait.

Requests flow in and go on, or end as 429. Who proves to be Twilio, the sidecar or a holder of the
API key is never refused, from whatever address: there only what was refused is counted. Addresses
that are not of the open internet are let be: a probe, or a proxy that nobody has named, stands for
many.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voiceagent.settings import Settings
from voiceagent.token_buckets import TokenBuckets
from voiceagent.twilio.twiml import STREAM_STATUS_PATH
from voiceagent.web.networks import is_public, network_of
from voiceagent.web.problems import problem_response

AT_ONCE: Final = 600
A_SECOND: Final = 60
"""Of one address. A person who opens a page asks for a dozen files."""

_PROBES: Final = ("/healthz", "/readyz", "/version")
_REFUSED: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
)

_Counted = Literal["never", "always", "when refused"]


class Throttle:
    """ASGI middleware; inside of what counts answers. Sockets pass untouched: an upgrade that
    nobody has signed is refused anyway."""

    def __init__(
        self, app: ASGIApp, settings: Settings, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._now_s = now_s
        self._buckets = TokenBuckets(AT_ONCE, A_SECOND)
        self._webhooks: _Counted = "when refused" if settings.checks_signatures else "always"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        counted = self._counted(scope["path"]) if scope["type"] == "http" else "never"
        if counted == "never" or client is None or not is_public(client[0]):
            await self._app(scope, receive, send)
            return
        network = network_of(client[0])
        if counted == "always":
            if self._buckets.take(network, self._now_s()):
                await self._app(scope, receive, send)
            else:
                await _instead(scope)(scope, receive, send)
            return
        is_too_much = False

        async def checked(message: Message) -> None:
            nonlocal is_too_much
            if message["type"] == "http.response.start" and message["status"] in _REFUSED:
                is_too_much = not self._buckets.take(network, self._now_s())
            if not is_too_much:
                await send(message)

        await self._app(scope, receive, checked)
        if is_too_much:
            await _instead(scope)(scope, receive, send)

    def _counted(self, path: str) -> _Counted:
        if path.startswith("/api/"):
            return "when refused"
        if path.startswith("/webhook/"):
            # Nobody signs these: whatever they say is asked of the provider, or only recorded.
            is_open = path == STREAM_STATUS_PATH or path.startswith("/webhook/payments/")
            return "always" if is_open else self._webhooks
        return "never" if path in _PROBES else "always"


def _instead(scope: Scope) -> Response:
    if scope["path"] == STREAM_STATUS_PATH:
        # Whatever comes there is 204 (playbook B1); this time nothing is recorded.
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return problem_response(
        Request(scope),
        HTTPStatus.TOO_MANY_REQUESTS,
        "There were too many requests from this address.",
        headers={"Retry-After": "1"},
    )

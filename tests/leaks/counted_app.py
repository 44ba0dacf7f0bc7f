"""The service, and at `/census` what its process holds: `uvicorn leaks.counted_app:app`."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from leaks.census import Census, in_use
from voiceagent.app import create_app

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Counted:
    """An ASGI application around another one."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._census = Census()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if path == "/census":
            await _answer(send, self._census.take())
        elif path == "/census/in-use":
            await _answer(send, in_use())
        else:
            await self._application(scope, receive, send)


async def _answer(send: Send, told: Any) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


app = Counted(create_app())

"""The service with a fault of its own at each address of the loopback.

`uvicorn faulty_app:app --host 0.0.0.0`: at 127.0.0.1 it is as it should be, at the addresses
of `FAULTS` one thing is wrong. What comes and goes is changed between the server and the real
application, so that everything behind is real.
"""

import base64
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from evidence.faults import FAULTS
from voiceagent.app import create_app
from voiceagent.web.websocket_protocol import CONNECTION_STATE

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_SILENCE: Final = base64.b64encode(b"\xff" * 160).decode()


class Faulty:
    """An ASGI application around another one."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        fault = FAULTS.get((scope.get("server") or ("",))[0], "")
        path = scope.get("path")
        if fault == "wrong healthz" and path == "/healthz":
            send = _Rewritten(send, lambda _: b"<html>It works!</html>", b"text/html")
        elif fault == "double slashes" and path == "/webhook/incoming_call":
            send = _Rewritten(send, lambda body: body.replace(b".example/", b".example//"))
        elif scope["type"] == "websocket":
            if fault:
                # What is changed here goes by ASGI; an endpoint that finds its protocol does not.
                scope["state"].pop(CONNECTION_STATE, None)
            if fault == "no subprotocol":
                send = _without_subprotocol(send)
            elif fault == "silent":
                send = _silenced(send)
            elif fault == "two introductions":
                send = _Repeating(send)
            elif fault == "deaf":
                receive = _deafened(receive)
        await self._application(scope, receive, send)


class _Rewritten:
    """Changes the body of an answer."""

    def __init__(
        self, send: Send, change: Callable[[bytes], bytes], content_type: bytes | None = None
    ) -> None:
        self._send = send
        self._change = change
        self._content_type = content_type
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = self._change(self._body)
        headers = dict(self._start["headers"])
        headers[b"content-length"] = str(len(body)).encode()
        if self._content_type is not None:
            headers[b"content-type"] = self._content_type
        await self._send({**self._start, "headers": list(headers.items())})
        await self._send({"type": "http.response.body", "body": body})


class _Repeating:
    """Sends the first sentence twice."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._first: list[Message] | None = []

    async def __call__(self, message: Message) -> None:
        await self._send(message)
        if self._first is None or message["type"] != "websocket.send":
            return
        told = json.loads(message["text"])
        if told["event"] == "media":
            self._first.append(message)
        elif told["event"] == "mark" and ":end" in told["mark"]["name"]:
            again, self._first = self._first, None
            for one in again:
                await self._send(one)


def _without_subprotocol(send: Send) -> Send:
    async def changed(message: Message) -> None:
        if message["type"] == "websocket.accept":
            message = {**message, "subprotocol": None}
        await send(message)

    return changed


def _silenced(send: Send) -> Send:
    async def changed(message: Message) -> None:
        if message["type"] == "websocket.send":
            message = {**message, "text": _quiet(message["text"])}
        await send(message)

    return changed


def _deafened(receive: Receive) -> Receive:
    async def changed() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive" and message.get("text"):
            message = {**message, "text": _quiet(message["text"])}
        return message

    return changed


def _quiet(text: str) -> str:
    told = json.loads(text)
    if told["event"] != "media":
        return text
    told["media"]["payload"] = _SILENCE
    return json.dumps(told)


app = Faulty(create_app())

"""An OpenAI-compatible language model on this machine, for tests and benches.

    PYTHONPATH=tests python -m emulators.openai_server --port 9002 --rules my_rules.toml

Real HTTP with real server-sent events; what it answers is told by rules
(`openai_rules.py`) or a function. Every request is recorded, and so is every client that
went away before the end of its answer.
"""

import argparse
import asyncio
import contextlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from emulators.openai_rules import Action, Asked, Behaviour, Fault, Rule, Rules

HOST: Final = "127.0.0.1"
_TOKEN: Final = re.compile(r"\s*\S{1,6}|\s+")
_LONGEST: Final = 8 * 1024 * 1024
_GOES_ROUND: Final = "And another sentence about something else, number {}. "


@dataclass(slots=True)
class Exchange:
    """One request and what became of it."""

    asked: Asked
    tokens_sent: int = 0
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """The client went away before the answer was over."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """All that was to be sent is sent."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at_s: float
    """When it came, by the loop's clock."""


class OpenAIEmulator:
    """Serves `/v1/chat/completions` and `/v1/models` for the length of an `async with`."""

    def __init__(
        self,
        behaviour: Behaviour | Sequence[Rule] = (),
        *,
        first_token_ms: float = 0.0,
        token_ms: float = 0.0,
        port: int = 0,
        api_key: str = "",
    ) -> None:
        """`first_token_ms`, `token_ms`: pauses where an action names none. `api_key`: the only
        one that is taken; empty: anything."""
        self.behaviour = behaviour if callable(behaviour) else Rules(behaviour)
        self.exchanges: list[Exchange] = []
        self.first_token_ms = first_token_ms
        self.token_ms = token_ms
        self.connections = 0
        self._port = port
        self._api_key = api_key
        self._news = asyncio.Condition()
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self._port}/v1"

    @property
    def requests(self) -> list[Asked]:
        return [exchange.asked for exchange in self.exchanges]

    async def asked(self, number: int) -> Exchange:
        """The so-manieth exchange, once it has begun."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.exchanges) >= number)
        return self.exchanges[number - 1]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    # --- HTTP -------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        self._open[task] = writer
        try:
            while (request := await _read(reader)) is not None:
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The client, or the test, has ended it.
        finally:
            del self._open[task]
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(
        self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection can be used again."""
        if self._api_key and request.headers.get("authorization") != f"Bearer {self._api_key}":
            return await _send_error(writer, 401, "invalid_api_key", "Incorrect API key provided.")
        if request.path == "/v1/models":
            models = [{"id": "emulated", "object": "model", "created": 0, "owned_by": "emulator"}]
            return await _send_json(writer, 200, {"object": "list", "data": models})
        if request.path != "/v1/chat/completions" or request.method != "POST":
            return await _send_error(writer, 404, "not_found", "There is no such path.")
        asked = Asked(len(self.exchanges) + 1, json.loads(request.body), request.headers)
        exchange = Exchange(asked)
        async with self._news:
            self.exchanges.append(exchange)
            self._news.notify_all()
        answering = asyncio.ensure_future(self._complete(exchange, request.at_s, writer))
        # A client that waits for its answer sends nothing: what can be read is its end.
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for work in (answering, leaving):
                work.cancel()
            outcome, _ = await asyncio.gather(answering, leaving, return_exceptions=True)
        if isinstance(outcome, bool):
            return outcome
        exchange.disconnected.set()
        if not isinstance(outcome, ConnectionError | asyncio.CancelledError):
            raise outcome
        return False

    # --- an answer --------------------------------------------------------------------------

    async def _complete(
        self, exchange: Exchange, asked_at_s: float, writer: asyncio.StreamWriter
    ) -> bool:
        """`asked_at_s`: when the request came. The pauses are kept from there on, so that what
        this emulator takes to write its answer is no part of them."""
        asked = exchange.asked
        action = self.behaviour(asked)
        fault = action.fault
        before_first, between = (
            (own if own is not None else usual) / 1000
            for own, usual in (
                (action.first_token_ms, self.first_token_ms),
                (action.token_ms, self.token_ms),
            )
        )
        loop = asyncio.get_running_loop()
        due_s = asked_at_s + before_first
        await asyncio.sleep(due_s - loop.time())
        if fault is not None and fault.kind in ("status", "html", "whole", "bare"):
            return await _fail_whole(fault, action, asked, writer)
        if fault is not None and fault.kind in ("hang", "reset") and not fault.after_tokens:
            return await _fail(fault, writer)
        if not asked.body.get("stream"):
            return await _send_json(writer, 200, _document(action, asked))
        await _send_head(writer)
        await _send_event(writer, _chunk(asked, {"role": "assistant", "content": ""}))
        for number, delta in enumerate(_deltas(action)):
            if fault is not None and fault.kind != "endless" and number == fault.after_tokens:
                break
            if number:
                due_s += between
                await asyncio.sleep(due_s - loop.time())
            await _send_event(writer, _chunk(asked, delta))
            exchange.tokens_sent += 1
        if fault is None or fault.kind == "empty":
            await _send_event(writer, _chunk(asked, {}, _finish_reason(action)))
            await _send_event(writer, {**_chunk(asked, {}), "choices": [], "usage": {}})
            await _send_piece(writer, b"data: [DONE]\n\n")
        elif fault.kind != "unfinished":
            return await _fail(fault, writer)
        await _send_end(writer)
        exchange.answered.set()
        return True


def _deltas(action: Action) -> Iterator[dict[str, Any]]:
    """The answer in small pieces: words, and arguments that are cut anywhere."""
    fault = action.fault
    if fault is not None and fault.kind == "empty":
        return
    texts: Iterator[str] = iter(_TOKEN.findall(action.text))
    if fault is not None and fault.kind == "endless":
        rounds = (_GOES_ROUND.format(number) for number, _ in enumerate(repeat(None)))
        texts = chain(texts, (token for text in rounds for token in _TOKEN.findall(text)))
    for text in texts:
        yield {"content": text}
    for index, call in enumerate(action.calls):
        function = {"name": call.name, "arguments": ""}
        head = {"index": index, "id": f"call_{index}_{call.name}", "type": "function"}
        yield {"tool_calls": [{**head, "function": function}]}
        for piece in re.findall(r"(?s).{1,3}", call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _finish_reason(action: Action) -> str:
    return action.finish_reason or ("tool_calls" if action.calls else "stop")


def _chunk(asked: Asked, delta: Mapping[str, Any], finish_reason: str | None = None) -> Any:
    return {
        "id": f"chatcmpl-{asked.number}",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": asked.body.get("model", ""),
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def _document(action: Action, asked: Asked) -> Any:
    calls = [
        {
            "id": f"call_{index}_{call.name}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(action.calls)
    ]
    message = {"role": "assistant", "content": action.text} | (
        {"tool_calls": calls} if calls else {}
    )
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(action)}
    return _chunk(asked, {}) | {"object": "chat.completion", "choices": [choice]}


# --- faults -------------------------------------------------------------------------------------


async def _fail_whole(
    fault: Fault, action: Action, asked: Asked, writer: asyncio.StreamWriter
) -> bool:
    """Answer with something else than a stream."""
    if fault.kind == "status":
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        echo = f"Fault on demand; you said: {asked.last_words}"
        return await _send_error(writer, fault.status, "on_demand", echo, headers)
    if fault.kind == "html":
        return await _send(writer, 200, "text/html", b"<html>Please log in</html>")
    if fault.kind == "whole":
        return await _send_json(writer, 200, _document(action, asked))
    return False


async def _fail(fault: Fault, writer: asyncio.StreamWriter) -> bool:
    """Break the stream where it is."""
    if fault.kind == "reset":
        writer.transport.abort()
        return False
    if fault.kind == "malformed":
        await _send_piece(writer, b'data: {"choices": [{"delta": {"content": "tru\n\n')
    if fault.kind == "error_event":
        await _send_event(writer, {"error": {"message": "overloaded", "code": "server_error"}})
    if fault.kind in ("hang", "silent"):
        await asyncio.Event().wait()
    await _send_end(writer)
    return True


# --- bytes --------------------------------------------------------------------------------------


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    """None: the client has hung up between two requests."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        at_s = asyncio.get_running_loop().time()
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = int(headers.get("content-length", "0"))
    assert length <= _LONGEST
    return _Request(method, path, headers, await reader.readexactly(length), at_s)


async def _send(
    writer: asyncio.StreamWriter,
    status: int,
    content_type: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> bool:
    lines = [f"HTTP/1.1 {status} Emulated", f"Content-Type: {content_type}"]
    lines += [f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
    await writer.drain()
    return True


async def _send_json(
    writer: asyncio.StreamWriter, status: int, body: Any, headers: Mapping[str, str] | None = None
) -> bool:
    data = json.dumps(body, ensure_ascii=False).encode()
    return await _send(writer, status, "application/json", data, headers)


async def _send_error(
    writer: asyncio.StreamWriter,
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
) -> bool:
    error = {"message": message, "type": "emulated", "param": None, "code": code}
    return await _send_json(writer, status, {"error": error}, headers)


async def _send_head(writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    await _send_piece(writer, b": a comment, as proxies send them to keep a stream alive\n\n")


async def _send_event(writer: asyncio.StreamWriter, event: Any) -> None:
    data = b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"
    # In two pieces, cut anywhere: even within a Hebrew letter.
    await _send_piece(writer, data[: len(data) // 2])
    await _send_piece(writer, data[len(data) // 2 :])


async def _send_piece(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


async def _send_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def rules_of(path: Path) -> list[Rule]:
    """The rules of a TOML file."""
    with path.open("rb") as file:
        return [Rule.from_dict(table) for table in tomllib.load(file).get("rules", [])]


async def _main(arguments: argparse.Namespace) -> None:
    rules = rules_of(arguments.rules) if arguments.rules else []
    emulator = OpenAIEmulator(
        rules,
        first_token_ms=arguments.first_token_ms,
        token_ms=arguments.token_ms,
        port=arguments.port,
    )
    async with emulator:
        print(emulator.base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9002)
    parser.add_argument("--rules", type=Path, help="TOML with [[rules]]")
    parser.add_argument("--first-token-ms", type=float, default=300.0)
    parser.add_argument("--token-ms", type=float, default=20.0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(parser.parse_args()))

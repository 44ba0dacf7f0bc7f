"""A language model behind the OpenAI API: a request flows in, its answer flows out as it comes.

Any server that speaks chat completions with server-sent events will do. It is never waited
for without a deadline, asked again only while nothing has come of an answer, and told to stop
when nobody wants the rest. The vendor's library is imported behind `warm_up` only.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from voiceagent.brain.chat import ChatEvent, ChatRequest, Finished, TextDelta, ToolCalls
from voiceagent.brain.llm.openai_chunks import LlmAnswer
from voiceagent.brain.llm.openai_faults import ENGINE, provider_error, retry_after_s
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.http_clients import HttpClient, HttpDeadlines, http_client

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

MAX_CHARS: Final = 3000
"""Three minutes of speech: whoever says more in one breath has lost the thread."""
_DRAIN_S: Final = 0.2
"""How long the end of a stream may take once the answer is over; then the connection is closed."""
_CONNECTIONS: Final = 400
"""A hundred calls, each with an answer and a guess under way, and as many again that close."""
_NO_KEY: Final = "none"
"""The library wants one; a server of one's own takes any."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """What an answer may take, in seconds."""

    first_token_s: float = 2.5
    """Until there is something to say or to do, a second try included."""
    gap_s: float = 2.0
    """Between two tokens."""
    total_s: float = 20.0
    """An answer that takes longer ends with what there is of it."""


WARM_UP_DEADLINES: Final = Deadlines(first_token_s=12.0, gap_s=12.0, total_s=14.0)
"""A server that loads its model with the first question takes its time."""


def _short_pause_s() -> float:
    """Before the second try: at once, but not all calls at the same moment."""
    return random.uniform(0.1, 0.25)  # noqa: S311 - a delay, no secret


class OpenAIChat:
    """One model on one server. Implements `ChatModel`."""

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        *,
        deadlines: Deadlines = Deadlines(),
        warm_up_deadlines: Deadlines = WARM_UP_DEADLINES,
        max_chars: int = MAX_CHARS,
        pause_s: Callable[[], float] = _short_pause_s,
    ) -> None:
        """`base_url` ends in `/v1`. `max_chars`: a longer answer ends there."""
        self._base_url = base_url
        self._completions = f"{base_url.rstrip('/')}/chat/completions"
        """Whole: to put the two together again takes the library milliseconds of every answer."""
        self._model = model
        self._api_key = api_key or _NO_KEY
        self._deadlines = deadlines
        self._warm_up_deadlines = warm_up_deadlines
        self._max_chars = max_chars
        self._pause_s = pause_s
        self._opening: asyncio.Future[tuple[AsyncOpenAI, HttpClient]] | None = None
        self._closed = False

    async def warm_up(self) -> None:
        """Have it say a word. Not every server lists its models, nor takes the same bound on the
        answer's length: so the first token is awaited and the rest declined."""
        request = ChatRequest([{"role": "user", "content": "Say OK."}])
        try:
            # How long the library takes to load says nothing about the server.
            await self._open()
            async with aclosing(
                self._answer(request, _Patience(self._warm_up_deadlines))
            ) as events:
                async for _ in events:
                    return
        except Exception as error:
            raise provider_error(error) from None

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Ask the model; see `ChatModel`."""
        patience = _Patience(self._deadlines)
        begun = retried = False
        while True:
            try:
                async with aclosing(self._answer(request, patience)) as events:
                    async for event in events:
                        begun = True
                        yield event
            except Exception as error:
                # The library's words and its chain of causes may hold the prompt: `from None`.
                failure = provider_error(error)
                pause_s = max(self._pause_s(), retry_after_s(error))
                if begun or retried or not failure.retryable or pause_s >= patience.left_s:
                    raise failure from None
                retried = True
                await asyncio.sleep(pause_s)
            else:
                return

    async def close(self) -> None:
        self._closed = True
        if self._opening is not None:
            (opened,) = await asyncio.gather(self._opening, return_exceptions=True)
            if not isinstance(opened, BaseException):
                await opened[1].aclose()

    async def _answer(
        self, request: ChatRequest, patience: "_Patience"
    ) -> AsyncGenerator[ChatEvent]:
        """One try. Raises whatever the library raises, `ProviderError` besides."""
        client = await patience.wait_for(self._open())
        stream = await patience.wait_for(self._ask(client, request))
        try:
            _check_type(stream.response.headers.get("content-type", ""))
            answer = LlmAnswer()
            chunks = aiter(stream)
            while not answer.finish_reason:
                chunk = await patience.wait_for(_next(chunks))
                if chunk is None:
                    raise ProviderError(f"{ENGINE} broke off", retryable=True)
                text = answer.take(chunk)
                if text or answer.calls_grow:
                    patience.token()
                if text:
                    yield TextDelta(text)
                if answer.chars > self._max_chars or patience.is_over:
                    break
            if text := answer.rest():
                yield TextDelta(text)
            if calls := answer.calls():
                yield ToolCalls(calls)
            if answer.finish_reason in ("", "length"):
                yield Finished("length")
                return
            yield Finished("stop")
            await _drain(chunks)
        finally:
            await stream.close()

    async def _ask(self, client: "AsyncOpenAI", request: ChatRequest) -> "AsyncStream[object]":
        """The library's own `create` rewrites every message by its type, and takes 10 ms of the
        event loop for a long conversation; these messages are as the API wants them."""
        from openai import AsyncStream  # noqa: PLC0415

        body: dict[str, object] = {
            "model": self._model,
            "messages": list(request.messages),
            "stream": True,
        }
        if request.tools:
            body |= {"tools": list(request.tools), "tool_choice": request.tool_choice}
        return await client.post(
            self._completions,
            body=body,
            cast_to=object,
            stream=True,
            stream_cls=AsyncStream[object],
        )

    async def _open(self) -> "AsyncOpenAI":
        """The client, made with the first question. Whoever loses patience does not stop that."""
        if self._closed:
            raise ProviderError(f"{ENGINE} is closed", retryable=False)
        if self._opening is None:
            self._opening = asyncio.ensure_future(asyncio.to_thread(self._make))
        client, _ = await asyncio.shield(self._opening)
        return client

    def _make(self) -> "tuple[AsyncOpenAI, HttpClient]":
        """In a thread: the import takes most of a second, the certificates 20 ms."""
        try:
            from openai import AsyncOpenAI  # noqa: PLC0415
        except ImportError:
            raise ProviderError(
                "openai is not installed; from a checkout: pip install -e '.[llm]'", retryable=False
            ) from None
        http = http_client(
            HttpDeadlines(connect_s=1.0, receive_s=self._warm_up_deadlines.total_s),
            connections=_CONNECTIONS,
        )
        client = AsyncOpenAI(
            base_url=self._base_url,
            api_key=self._api_key,
            max_retries=0,
            http_client=cast("Any", http),
        )
        return client, http


class _Patience:
    """Until when to wait for the next token of one answer."""

    def __init__(self, deadlines: Deadlines) -> None:
        now_s = asyncio.get_running_loop().time()
        self._deadlines = deadlines
        self._end_s = now_s + deadlines.total_s
        self._until_s: float | None = now_s + deadlines.first_token_s
        """None: the next token is not waited for yet."""
        self._begun = False

    def token(self) -> None:
        """The model is at work. What its reader does meanwhile is not the model's time."""
        self._begun = True
        self._until_s = None

    @property
    def left_s(self) -> float:
        """Of the time to the first token."""
        until_s = self._until_s if self._until_s is not None else self._end_s
        return max(0.0, until_s - asyncio.get_running_loop().time())

    @property
    def is_over(self) -> bool:
        """The answer has taken as long as it may."""
        return self._begun and asyncio.get_running_loop().time() >= self._end_s

    async def wait_for(self, answer: Awaitable[_T]) -> _T:
        """Raises `EngineTimeout`."""
        now_s = asyncio.get_running_loop().time()
        if self._until_s is None:
            self._until_s = now_s + self._deadlines.gap_s
        try:
            async with asyncio.timeout_at(self._until_s):
                return await answer
        except TimeoutError:
            late = "fell silent" if self._begun else "did not begin to answer in time"
            raise EngineTimeout(f"{ENGINE} {late}") from None


def _check_type(content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise ProviderError(
            f"{ENGINE} does not stream: it answered {kind[:60] or 'without a type'}",
            retryable=False,
        )


async def _next(chunks: Any) -> Any:
    """The next chunk; None at the end."""
    return await anext(chunks, None)


async def _drain(chunks: Any) -> None:
    """Read to the end of the stream, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for _ in chunks:
                pass
    except Exception:  # noqa: S110 - the answer is complete; a broken connection is replaced
        pass

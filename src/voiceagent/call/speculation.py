"""One answer made ahead of its turn, unheard: the brain's events and the first sentence's sound.

A proposal of the brain flows in; its events are gathered with their times, and the first
sentence is synthesised, until the answer is adopted or dropped. It changes nothing
outside: what has an effect waits for `adopt`. Bounded; a brain that runs ahead waits.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final, cast

from voiceagent.brain.ports import BrainEvent, Proposal, Say
from voiceagent.call.speaking import Voice
from voiceagent.errors import ProviderError
from voiceagent.speech.ports import SpeechChunk

_QUEUE_EVENTS: Final = 32
"""More than an answer has before it is adopted or dropped, half a second later."""

_log = logging.getLogger(__name__)


class PreparedSentence:
    """The sound of one sentence, made before anybody asks for it."""

    def __init__(self, text: str, voice: Voice) -> None:
        self.text = text
        self.language = voice.language
        self._voice = voice
        self._chunks: list[SpeechChunk] = []
        self._error: ProviderError | None = None
        self._is_over = False
        self._news = asyncio.Event()

    async def make(self, on_first: Callable[[], None]) -> None:
        """Synthesise it. What goes wrong is told to whoever asks for the sound."""
        voice = self._voice
        try:
            known = voice.phrase_book.chunks(self.text)
            if known is not None:
                self._chunks += known
            else:
                stream = voice.synthesizer.synthesize(self.text, voice.language)
                async with aclosing(cast("AsyncGenerator[SpeechChunk]", stream)) as chunks:
                    async for chunk in chunks:
                        self._chunks.append(chunk)
                        self._news.set()
                        on_first()
        except ProviderError as error:
            self._error = error
        except Exception:
            _log.exception("the voice failed")
            self._error = ProviderError("a fault of the voice's own", retryable=True)
        finally:
            self._is_over = True
            self._news.set()
            on_first()

    async def chunks(self) -> AsyncGenerator[SpeechChunk]:
        """The sound from its beginning. Raises `ProviderError` where it broke off."""
        taken = 0
        while True:
            self._news.clear()
            while taken < len(self._chunks):
                taken += 1
                yield self._chunks[taken - 1]
            if self._is_over:
                break
            await self._news.wait()
        if self._error is not None:
            raise self._error


class Speculation:
    """An answer to what the caller may turn out to have said. One task runs `run`."""

    def __init__(
        self, voice: Voice, *, now_ms: Callable[[], float], on_ready: Callable[[], None]
    ) -> None:
        """`on_ready` is called once: nothing keeps the answer from being heard any more."""
        self._voice = voice
        self._now_ms = now_ms
        self._on_ready = on_ready
        self._ready = False
        self._adopted = asyncio.Event()
        self._told: asyncio.Queue[tuple[BrainEvent | Exception | None, float]] = asyncio.Queue(
            _QUEUE_EVENTS
        )
        self.first: PreparedSentence | None = None
        self.begun_at_ms = now_ms()
        self.first_audio_at_ms: float | None = None

    async def confirmed(self) -> None:
        """Returns once the answer is adopted: for what has an effect."""
        self._tell_ready()
        await self._adopted.wait()

    def adopt(self) -> None:
        """It was right: what is gathered counts from now on."""
        self._adopted.set()

    async def run(self, proposal: Proposal) -> None:
        """Gather the answer until it ends."""
        async with asyncio.TaskGroup() as tasks:
            await self._gather(proposal, tasks)

    async def _gather(self, proposal: Proposal, tasks: asyncio.TaskGroup) -> None:
        end: Exception | None = None
        try:
            events = cast("AsyncGenerator[BrainEvent]", proposal.events)
            async with aclosing(events) as stream:
                async for event in stream:
                    if isinstance(event, Say) and self.first is None and not self._adopted.is_set():
                        self.first = PreparedSentence(event.text, self._voice)
                        tasks.create_task(self.first.make(self._on_first_audio))
                    await self._told.put((event, self._now_ms()))
        except Exception as error:
            end = error
        await self._told.put((end, self._now_ms()))
        if self.first is None:
            self._tell_ready()

    async def events(self) -> AsyncIterator[tuple[BrainEvent, float]]:
        """The brain's events and when they came. Raises what the brain raised."""
        while True:
            told, at_ms = await self._told.get()
            if told is None:
                return
            if isinstance(told, Exception):
                raise told
            yield told, at_ms

    def _on_first_audio(self) -> None:
        if self.first_audio_at_ms is None:
            self.first_audio_at_ms = self._now_ms()
        self._tell_ready()

    def _tell_ready(self) -> None:
        if not self._ready:
            self._ready = True
            self._on_ready()

"""The agent's voice: from the sentences of one reply to audio in the playout.

Sentences go in, in order; each is synthesised (or taken from the phrases that
were synthesised at warm-up) while the brain is still thinking of the next.
It never decides what is said or when it is sent.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

from voiceagent.call.audio import FRAME_BYTES, frame_levels_dbfs
from voiceagent.call.conversation import Conversation
from voiceagent.call.playout import Playout, whole_frames
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.ports import SpeechChunk, SpeechSynthesizer

_QUEUE_SENTENCES: Final = 64
"""Far more than one answer has; a brain that says more in one breath has lost its way."""
_SENTENCE_S: Final = 20.0
"""Longest wait for one piece of a sentence, over and above the engine's own deadline."""
_ROOM_POLL_S: Final = 0.5


class PhraseBook:
    """Sentences synthesised ahead of time, so that they sound at once and whatever fails."""

    def __init__(self) -> None:
        self._chunks: dict[str, tuple[SpeechChunk, ...]] = {}

    def __len__(self) -> int:
        return len(self._chunks)

    async def learn(self, synthesizer: SpeechSynthesizer, text: str, language: str) -> None:
        """Synthesise a sentence and keep it. Raises `ProviderError`."""
        if text not in self._chunks:
            self._chunks[text] = tuple(
                [chunk async for chunk in synthesizer.synthesize(text, language)]
            )

    def chunks(self, text: str) -> tuple[SpeechChunk, ...] | None:
        return self._chunks.get(text)


@dataclass(frozen=True, slots=True)
class Voice:
    """What every reply of a call speaks with."""

    synthesizer: SpeechSynthesizer
    phrase_book: PhraseBook
    language: str


class TooMuchToSay(ProviderError):
    """A reply has more sentences than anybody would listen to."""

    def __init__(self) -> None:
        super().__init__("a reply of too many sentences", retryable=False)


class ReplySpeech:
    """Synthesises the sentences of one reply. One task runs `run`; anyone may `say`."""

    def __init__(
        self,
        reply: int,
        voice: Voice,
        playout: Playout,
        conversation: Conversation,
        on_audio: Callable[[], None],
    ) -> None:
        self._reply = reply
        self._voice = voice
        self._playout = playout
        self._conversation = conversation
        self._on_audio = on_audio
        self._sentences: asyncio.Queue[str | None] = asyncio.Queue(_QUEUE_SENTENCES)

    def say(self, text: str) -> None:
        """Add a sentence. Raises `TooMuchToSay` when the reply is beyond all bounds."""
        self._put(text)

    def finish(self) -> None:
        """No sentence will be added. Raises as `say` does."""
        self._put(None)

    def _put(self, text: str | None) -> None:
        try:
            self._sentences.put_nowait(text)
        except asyncio.QueueFull:
            raise TooMuchToSay from None

    async def run(self) -> None:
        """Speak until finished. Raises `ProviderError` when a sentence cannot be spoken."""
        while (text := await self._sentences.get()) is not None:
            await self._speak(text)
        self._playout.finish(self._reply)
        self._on_audio()

    async def _speak(self, text: str) -> None:
        reply, playout, conversation = self._reply, self._playout, self._conversation
        start_ms = playout.length_ms(reply)
        conversation.sentence_begins(reply, text, start_ms)
        rest = b""
        async with aclosing(self._chunks(text)) as chunks:
            async for chunk in chunks:
                if chunk.words:
                    conversation.words_known(reply, chunk.words)
                ulaw = rest + chunk.ulaw
                whole = len(ulaw) // FRAME_BYTES * FRAME_BYTES
                rest = ulaw[whole:]
                if whole:
                    self._push(ulaw[:whole])
        if rest:
            self._push(whole_frames(rest))
        playout.end_sentence(reply)
        conversation.sentence_ends(reply, playout.length_ms(reply))
        if playout.length_ms(reply) == start_ms:
            raise ProviderError("the synthesiser gave no audio", retryable=True)
        self._on_audio()
        while not playout.has_room():  # noqa: ASYNC110 (room opens with time, not by an event)
            await asyncio.sleep(_ROOM_POLL_S)

    def _push(self, ulaw: bytes) -> None:
        self._playout.push(self._reply, ulaw, frame_levels_dbfs(ulaw))
        self._on_audio()

    async def _chunks(self, text: str) -> AsyncGenerator[SpeechChunk]:
        """The sentence's audio, from the phrase book or the engine."""
        if known := self._voice.phrase_book.chunks(text):
            for chunk in known:
                yield chunk
            return
        stream = cast(
            "AsyncGenerator[SpeechChunk]",
            self._voice.synthesizer.synthesize(text, self._voice.language),
        )
        try:
            while True:
                try:
                    async with asyncio.timeout(_SENTENCE_S):
                        chunk = await anext(stream)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise EngineTimeout("the synthesiser stopped in a sentence") from None
                yield chunk
        finally:
            await stream.aclose()

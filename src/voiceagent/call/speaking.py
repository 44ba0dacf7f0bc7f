"""The agent's voice: from the sentences of one reply to audio in the playout.

Sentences go in, in order; each is synthesised (or taken from the phrases that
were synthesised at warm-up) while the brain is still thinking of the next.
It never decides what is said or when it is sent.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol, cast

from voiceagent.brain.ports import PressKeys
from voiceagent.call.audio import FRAME_BYTES, frame_levels_dbfs
from voiceagent.call.conversation import Conversation
from voiceagent.call.playout import Playout, whole_frames
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.key_tones import key_tones
from voiceagent.speech.ports import SpeechChunk, SpeechSynthesizer

_QUEUE_SENTENCES: Final = 8
"""Sentences that wait for the voice; a brain that is ahead of it by more waits (`room`)."""
_MOST_SENTENCES: Final = 64
"""Minutes of talk: a brain that says more in one reply has lost its way."""
_SENTENCE_S: Final = 20.0
"""Longest wait for a reply's first audio, over and above the engine's own deadline; the machine
apologises long before."""
_STALL_S: Final = 2.5
"""How long a reply that is being heard may fall silent for want of audio: less than the machine
waits for the last mark (`speak_slack_ms`), or it takes a stalled reply for a finished one."""
_ROOM_POLL_S: Final = 0.5


class PhraseStore(Protocol):
    """Where the phrases of one engine and voice outlive the process. Never raises."""

    async def load(self, text: str, language: str) -> tuple[SpeechChunk, ...] | None: ...

    async def save(self, text: str, language: str, chunks: Sequence[SpeechChunk]) -> None: ...


class PhraseBook:
    """Sentences synthesised ahead of time, so that they sound at once and whatever fails."""

    def __init__(self, store: PhraseStore | None = None) -> None:
        self._chunks: dict[str, tuple[SpeechChunk, ...]] = {}
        self._store = store
        self._stand_ins: set[str] = set()

    def __len__(self) -> int:
        return len(self._chunks)

    async def recall(self, text: str, language: str) -> bool:
        """Take a sentence from the store, if it is there; needs no engine."""
        if self._store is None:
            return False
        chunks = await self._store.load(text, language)
        if not chunks:
            return False
        self._keep(text, chunks)
        return True

    async def learn(self, synthesizer: SpeechSynthesizer, text: str, language: str) -> None:
        """Take a sentence from the store, or synthesise it and keep it there as well.

        Raises `ProviderError`.
        """
        known = text in self._chunks and text not in self._stand_ins
        if known or await self.recall(text, language):
            return
        chunks = tuple([chunk async for chunk in synthesizer.synthesize(text, language)])
        self._keep(text, chunks)
        if self._store is not None:
            await self._store.save(text, language, chunks)

    async def learn_meanwhile(
        self, synthesizer: SpeechSynthesizer, text: str, language: str
    ) -> None:
        """Synthesise an unknown sentence with the engine that stands in for another; `learn`
        takes its place later, and the store never sees it. Raises `ProviderError`."""
        if text not in self._chunks:
            self._chunks[text] = tuple(
                [chunk async for chunk in synthesizer.synthesize(text, language)]
            )
            self._stand_ins.add(text)

    def keep_only(self, texts: Collection[str]) -> None:
        """Forget all other sentences."""
        for text in self._chunks.keys() - set(texts):
            del self._chunks[text]
        self._stand_ins &= self._chunks.keys()

    def _keep(self, text: str, chunks: tuple[SpeechChunk, ...]) -> None:
        self._chunks[text] = chunks
        self._stand_ins.discard(text)

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


class Prepared(Protocol):
    """The sound of a sentence that was made ahead of its turn."""

    @property
    def text(self) -> str: ...

    @property
    def language(self) -> str: ...

    def chunks(self) -> AsyncGenerator[SpeechChunk]: ...


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    language: str


class ReplySpeech:
    """Synthesises the sentences of one reply. One task runs `run`; anyone may `say`."""

    def __init__(
        self,
        reply: int,
        voice: Voice,
        playout: Playout,
        conversation: Conversation,
        *,
        now_ms: Callable[[], float],
        on_audio: Callable[[], None],
        prepared: Prepared | None = None,
    ) -> None:
        """`prepared`: a sentence whose sound is there or on its way, if it is said at all."""
        self.language = voice.language
        """Of what is said from now on."""
        self._prepared = prepared
        self._reply = reply
        self._voice = voice
        self._playout = playout
        self._conversation = conversation
        self._now_ms = now_ms
        self._on_audio = on_audio
        self._taken = 0
        # One place more than sentences: there is always room for the end.
        self._queue: asyncio.Queue[_Sentence | PressKeys | None] = asyncio.Queue(
            _QUEUE_SENTENCES + 1
        )
        self._in_sentence = False
        self._broken = False

    async def room(self) -> None:
        """Return once there is room for one more sentence: a brain that runs ahead waits."""
        while self._queue.qsize() >= _QUEUE_SENTENCES and not self._broken:  # noqa: ASYNC110 (room opens with time, not by an event)
            await asyncio.sleep(_ROOM_POLL_S)

    def say(self, text: str) -> None:
        """Add a sentence. Raises `TooMuchToSay` beyond all bounds, or where nobody waited for
        `room`."""
        self._add(_Sentence(text, self.language))

    def press(self, digits: str) -> None:
        """Add the sound of keys. Raises `TooMuchToSay` likewise."""
        self._add(PressKeys(digits))

    def _add(self, item: _Sentence | PressKeys) -> None:
        self._taken += 1
        if self._taken > _MOST_SENTENCES or self._queue.qsize() >= _QUEUE_SENTENCES:
            raise TooMuchToSay
        self._queue.put_nowait(item)

    def finish(self) -> None:
        """No sentence will be added; call it once."""
        if self._broken:
            self._playout.finish(self._reply)
        else:
            self._queue.put_nowait(None)

    def break_off(self) -> None:
        """Nothing more will be spoken: a sentence under way ends with the audio it has."""
        self._broken = True
        if self._in_sentence:
            self._in_sentence = False
            at_ms = self._playout.length_ms(self._reply)
            self._conversation.sentence_breaks(self._reply, at_ms)

    async def run(self) -> None:
        """Speak until finished. Raises `ProviderError` when a sentence cannot be spoken."""
        while (item := await self._queue.get()) is not None:
            match item:
                case _Sentence():
                    await self._speak(item)
                case PressKeys(digits):
                    self._push(whole_frames(key_tones(digits)))
        self._playout.finish(self._reply)
        self._on_audio()

    async def _speak(self, sentence: _Sentence) -> None:
        reply, playout, conversation = self._reply, self._playout, self._conversation
        start_ms = playout.length_ms(reply)
        conversation.sentence_begins(reply, sentence.text, start_ms)
        self._in_sentence = True
        rest = b""
        async with aclosing(self._chunks(sentence)) as chunks:
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
        self._in_sentence = False
        conversation.sentence_ends(reply, playout.length_ms(reply))
        if playout.length_ms(reply) == start_ms:
            raise ProviderError("the synthesiser gave no audio", retryable=True)
        self._on_audio()
        while not playout.has_room():  # noqa: ASYNC110 (room opens with time, not by an event)
            await asyncio.sleep(_ROOM_POLL_S)

    def _push(self, ulaw: bytes) -> None:
        self._playout.push(self._reply, ulaw, frame_levels_dbfs(ulaw))
        self._on_audio()

    async def _chunks(self, sentence: _Sentence) -> AsyncGenerator[SpeechChunk]:
        """The sentence's audio: from the phrase book, made ahead, or from the engine."""
        if known := self._voice.phrase_book.chunks(sentence.text):
            for chunk in known:
                yield chunk
            return
        prepared, self._prepared = self._prepared, None
        if prepared and (prepared.text, prepared.language) == (sentence.text, sentence.language):
            stream = prepared.chunks()
        else:
            stream = cast(
                "AsyncGenerator[SpeechChunk]",
                self._voice.synthesizer.synthesize(sentence.text, sentence.language),
            )
        try:
            while True:
                try:
                    async with asyncio.timeout(self._patience_s()):
                        chunk = await anext(stream)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise EngineTimeout("the synthesiser stopped in a sentence") from None
                yield chunk
        finally:
            await stream.aclose()

    def _patience_s(self) -> float:
        """How long to wait for the next piece of audio."""
        if self._playout.length_ms(self._reply) == 0:
            return _SENTENCE_S
        now_ms = self._now_ms()
        return (self._playout.played_by_ms(self._reply, now_ms) - now_ms) / 1000.0 + _STALL_S

"""The local ears: pocketsphinx in worker processes, with a grammar of expected phrases.

A call's audio flows in and is kept while the caller speaks; at each pause the utterance
so far goes to a worker, and the phrase that was said flows out, or an empty text when it
was none of those expected. English only; it never hears what nobody told it to expect.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from voiceagent.call.audio import BYTES_PER_MS, bytes_of, silence
from voiceagent.errors import ProviderError
from voiceagent.speech.grammar import grammar_of
from voiceagent.speech.ports import Recognition
from voiceagent.speech.recognition_queue import RecognitionQueue
from voiceagent.speech.worker import WorkerPool

DEADLINE_S: Final = 3.0
"""An utterance of 2 s takes about 0.1 s."""
PRE_ROLL_MS: Final = 300.0
"""Kept from before the activity detector heard the voice: it hears it late."""
KEPT_MS: Final = 30_000.0
"""Of one utterance; what is older is dropped."""
_DECODED_MS: Final = 12_000.0
"""The end of the utterance that is decoded: no phrase of a grammar is longer."""
_IDLE_KEPT_MS: Final = _DECODED_MS
"""Between utterances. The detector tells of a beginning a moment late, but a line that stalled
delivers what was held up at once: by then the whole utterance is here."""
_WAITING_UTTERANCES: Final = 4
_UNREAD_RECOGNITIONS: Final = 64

_log = logging.getLogger(__name__)


class LocalRecognizer:
    """A `SpeechRecognizer` of pocketsphinx workers, shared by all calls."""

    def __init__(self, workers: int = 2) -> None:
        self._pool = WorkerPool("voiceagent.speech.sphinx_worker", workers, deadline_s=DEADLINE_S)
        self._streams: set[LocalRecognitionStream] = set()

    @property
    def name(self) -> str:
        return "pocketsphinx"

    @property
    def pool(self) -> WorkerPool:
        return self._pool

    async def warm_up(self) -> None:
        """Recognise a moment of silence as nothing. Raises `ProviderError`."""
        await self._pool.open()
        async with self._pool.request({"phrases": []}, silence(300)) as exchange:
            texts = [frame.header["text"] async for frame in exchange]
        if texts != [""]:
            raise ProviderError(f"pocketsphinx heard {texts!r} in silence", retryable=True)

    def open(self, language: str) -> "LocalRecognitionStream":
        """Ears for one call. Raises `ProviderError` for any language but English."""
        if language.replace("_", "-").partition("-")[0].lower() != "en":
            raise ProviderError(
                f"The local recogniser knows English only, not {language!r}: set"
                " STT_LANGUAGE=en-US, or STT_ENGINE=google with Google credentials.",
                retryable=False,
            )
        stream = LocalRecognitionStream(self._pool, self._streams.discard)
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        """Close all streams and end the workers; idempotent, within a second."""
        for stream in tuple(self._streams):
            await stream.close()
        await self._pool.close()


@dataclass(frozen=True, slots=True)
class _Decode:
    """An utterance up to one of its pauses."""

    utterance: int
    ulaw: bytes
    phrases: tuple[str, ...]
    start_ms: float
    end_ms: float


class LocalRecognitionStream:
    """The ears of one call; one task of its own, from the first pause to `close()`."""

    def __init__(
        self, pool: WorkerPool, on_closed: "Callable[[LocalRecognitionStream], None]"
    ) -> None:
        self._pool = pool
        self._on_closed = on_closed
        self._phrases: tuple[str, ...] = ()
        self._kept = bytearray()
        self._fed_to_ms = 0.0
        self._utterance = 0
        self._started_ms: float | None = None
        self.dropped_ms = 0.0
        """Audio of utterances that were longer than what is kept."""
        self._waiting: deque[_Decode] = deque(maxlen=_WAITING_UTTERANCES)
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._out = RecognitionQueue(_UNREAD_RECOGNITIONS)
        self._closed = False

    def feed(self, ulaw: bytes) -> None:
        """Take the next audio; of an utterance of more than 30 s the oldest is dropped."""
        if self._closed:
            return
        self._kept += ulaw
        self._fed_to_ms += len(ulaw) / BYTES_PER_MS
        limit_ms = _IDLE_KEPT_MS if self._started_ms is None else KEPT_MS
        # A tenth of slack: moving the buffer with every frame would cost more than it frees.
        if len(self._kept) > bytes_of(limit_ms * 1.1):
            surplus = len(self._kept) - bytes_of(limit_ms)
            del self._kept[:surplus]
            if self._started_ms is not None:
                self.dropped_ms += surplus / BYTES_PER_MS

    def speech_started(self, audio_ms: float) -> None:
        """An utterance begins; while one is under way, it goes on."""
        self._align(audio_ms)
        if self._started_ms is None:
            self._started_ms = audio_ms
            self._forget_before(audio_ms - PRE_ROLL_MS)

    def speech_paused(self, audio_ms: float) -> None:
        """Decode the utterance so far; replaces a decoding of it that has not begun."""
        self._align(audio_ms)
        if self._closed or self._started_ms is None:
            return
        decode = _Decode(
            self._utterance,
            bytes(self._kept[-bytes_of(_DECODED_MS) :]),
            self._phrases,
            self._started_ms,
            max(audio_ms, self._started_ms),
        )
        if self._waiting and self._waiting[-1].utterance == self._utterance:
            self._waiting.pop()
        self._waiting.append(decode)
        if self._worker is None:
            self._worker = asyncio.create_task(self._decode_all(), name="local ears")
        self._wake.set()

    def utterance_ended(self) -> None:
        """What is fed from now on belongs to the next one."""
        self._utterance += 1
        self._started_ms = None

    def expect(self, phrases: Sequence[str]) -> None:
        """From the next pause on, these are what can be recognised, beside `grammar.ALWAYS`."""
        self._phrases = tuple(phrases)
        skipped = grammar_of(self._phrases).skipped
        if skipped:
            _log.info("cannot listen for %d phrases, e.g. %r", len(skipped), skipped[0])

    def __aiter__(self) -> AsyncIterator[Recognition]:
        """The recognitions, until `close()`.

        Raises `ProviderError` when an utterance could not be decoded; the stream goes on.
        """
        return self._out

    async def close(self) -> None:
        """Give the stream back; idempotent, ends within a second."""
        if self._closed:
            return
        self._closed = True
        self._on_closed(self)
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self._kept.clear()
        self._out.close()

    def _align(self, audio_ms: float) -> None:
        """Ears that were opened late learn here where the call's audio time stands."""
        self._fed_to_ms = max(self._fed_to_ms, audio_ms)

    def _forget_before(self, audio_ms: float) -> None:
        begins_ms = self._fed_to_ms - len(self._kept) / BYTES_PER_MS
        if audio_ms > begins_ms:
            del self._kept[: bytes_of(audio_ms - begins_ms)]

    async def _decode_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                decode = self._waiting.popleft()
                try:
                    text = await self._recognised(decode)
                except ProviderError as error:
                    self._out.put(error)
                else:
                    # Final: the same audio gives the same text for ever; a later pause brings
                    # a recognition of a longer stretch, which replaces this one.
                    self._out.put(Recognition(text, True, 1.0, decode.start_ms, decode.end_ms))

    async def _recognised(self, decode: _Decode) -> str:
        text = ""
        async with self._pool.request({"phrases": decode.phrases}, decode.ulaw) as exchange:
            async for frame in exchange:
                text = frame.header["text"]
        return text

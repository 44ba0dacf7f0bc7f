"""A caller who speaks in tones, and the voice activity detector that hears them.

Feeds a `RecognitionStream` as a call does: frames of 20 ms in real time (or faster), and
the news of the voice as late as the real detector brings them. Keeps the recognitions and
puts them together as the call does: a later one replaces what it overlaps.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from emulators.spoken_tones import say
from voiceagent.call.audio import BYTES_PER_MS, FRAME_BYTES, FRAME_MS
from voiceagent.errors import ProviderError
from voiceagent.speech.ports import Recognition, RecognitionStream

ONSET_MS = 140.0
"""How late the detector tells of a beginning."""
PAUSE_MS = 120.0
END_MS = 500.0
"""Silence that ends an utterance."""
LOUD = 0x70
"""µ-law codes below this in size are loud."""


@dataclass
class Page:
    """What the recognitions say together."""

    pieces: list[Recognition] = field(default_factory=list)

    def add(self, recognition: Recognition) -> None:
        self.pieces = [
            piece
            for piece in self.pieces
            if piece.end_ms <= recognition.start_ms or piece.start_ms >= recognition.end_ms
        ]
        self.pieces.append(recognition)
        self.pieces.sort(key=lambda piece: piece.start_ms)

    @property
    def text(self) -> str:
        return " ".join(piece.text for piece in self.pieces if piece.text)


@dataclass
class ToneCaller:
    """One caller on one stream."""

    stream: RecognitionStream
    speed: float = 1.0
    """How many times faster than real time."""
    loses: Callable[[int], bool] = lambda _frame: False
    """Which frames never arrive: of those no audio time passes."""
    now_ms: float = 0.0
    """Audio time."""
    said: list[str] = field(default_factory=list)
    finals: Page = field(default_factory=Page)
    page: Page = field(default_factory=Page)
    recognitions: list[Recognition] = field(default_factory=list)
    error: ProviderError | None = None
    longest_wait_ms: float = 0.0
    """From the end of a voice to the first recognition that covers it."""
    _frames: int = 0
    _loud_ms: float = 0.0
    _last_loud_ms: float = 0.0
    _speaking: bool = False
    _paused: bool = True
    _due_s: float | None = None
    _listening: "asyncio.Task[None] | None" = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> "ToneCaller":
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stream.close()
        assert self._listening is not None
        await self._listening

    async def say(self, text: str, gap_ms: float = 80.0) -> None:
        """Speak; no silence after the last word."""
        self.said += text.split()
        audio = say(text, gap_ms=gap_ms)
        await self.send(audio[: len(audio) - round(gap_ms * BYTES_PER_MS)])

    async def silence(self, ms: float) -> None:
        await self.send(b"\xff" * round(ms * BYTES_PER_MS))

    async def send(self, ulaw: bytes) -> None:
        ulaw += b"\xff" * (-len(ulaw) % FRAME_BYTES)
        for at in range(0, len(ulaw), FRAME_BYTES):
            await self._pace()
            self._frame(ulaw[at : at + FRAME_BYTES])

    async def missing(self, ms: float) -> None:
        """No media at all for so long: audio time stands still."""
        await asyncio.sleep(ms / 1000 / self.speed)
        self._due_s = None

    async def until(self, happened: Callable[[], object], within_ms: float = 10_000.0) -> None:
        """Be silent until something has happened."""
        deadline_ms = self.now_ms + within_ms
        while not happened():
            assert self.now_ms < deadline_ms, f"after {within_ms} ms: {self.page.text}"
            await self.silence(20)

    async def until_heard(self, within_ms: float = 10_000.0) -> None:
        """Be silent until everything that was said is final."""
        await self.until(lambda: self.finals.text == " ".join(self.said), within_ms)

    async def _pace(self) -> None:
        loop = asyncio.get_running_loop()
        if self._due_s is None:
            self._due_s = loop.time()
        self._due_s += FRAME_MS / 1000 / self.speed
        wait_s = self._due_s - loop.time()
        if wait_s > 0 or self._frames % 25 == 0:
            await asyncio.sleep(max(0.0, wait_s))

    def _frame(self, frame: bytes) -> None:
        self._frames += 1
        if self.loses(self._frames):
            return
        self.stream.feed(frame)
        self.now_ms += FRAME_MS
        if any(code & 0x7F < LOUD for code in frame[:: FRAME_BYTES // 20]):
            self._loud_ms += FRAME_MS
            self._last_loud_ms = self.now_ms
            self._paused = False
        silent_ms = self.now_ms - self._last_loud_ms
        if not self._speaking:
            if silent_ms > PAUSE_MS:
                self._loud_ms = 0.0
            elif self._loud_ms >= ONSET_MS - 40:
                self._speaking = True
                # A bridged gap is part of the voice: as late as the real one, or later.
                self.stream.speech_started(max(0.0, self.now_ms - ONSET_MS))
        elif silent_ms >= PAUSE_MS and not self._paused:
            self._paused = True
            self.stream.speech_paused(self._last_loud_ms)
        elif silent_ms >= END_MS:
            self._speaking, self._loud_ms = False, 0.0
            self.stream.utterance_ended()

    async def _listen(self) -> None:
        try:
            async for recognition in self.stream:
                self.recognitions.append(recognition)
                self.page.add(recognition)
                if recognition.is_final:
                    self.finals.add(recognition)
        except ProviderError as error:
            self.error = error

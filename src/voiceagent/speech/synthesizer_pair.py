"""Two voices in order, so that a dead one is a change of voice and no silence.

Sentences flow in, the first engine's audio flows out, and the second's from wherever the
first one failed: at the start of a sentence or within it. An engine that fails again and
again is left alone and tried behind the calls until it is back.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

from voiceagent.call.audio import duration_ms, silence
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.ports import SpeechChunk, SpeechSynthesizer, WordTiming
from voiceagent.speech.text_pieces import has_word
from voiceagent.speech.word_estimate import LETTER_MS, word_weights

_BREATH_MS: Final = 150.0
"""Of silence where one voice takes over from another within a sentence."""
_SURELY_SAID: Final = 0.9
"""Of what by estimate was said before a break: a word heard twice is better than a lost one."""
_LEARNING: Final = 0.2
"""Share of the newest sentence in what is known of the first voice's pace."""
_CHARS_PER_SECOND: Final = 400
_PROBE_LIMIT_S: Final = 60.0
_WARM_UP_S: Final = 12.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """When the second engine takes over."""

    first_audio_s: float = 1.8
    """Wait for the first one's first audio; with the silence before it, under 3 s are dead air."""
    stall_s: float = 1.0
    """Silence within a sentence, in one gap or in several: what was synthesised has been played
    and the rest is late."""
    failures: int = 2
    """In a row, and the first engine is left alone."""
    probe_s: float = 5.0
    """Until it is tried again, behind the calls; doubled at every failure, up to a minute."""


class SynthesizerPair:
    """A `SpeechSynthesizer` of two: the first speaks as long as it can."""

    def __init__(
        self,
        first: SpeechSynthesizer,
        second: SpeechSynthesizer,
        *,
        on_change: Callable[[bool, str], None] = lambda _works, _why: None,
        on_failure: Callable[[Exception], None] = lambda _error: None,
        read_aloud: Callable[[str, str], str] = lambda text, _language: text,
        limits: Limits | None = None,
    ) -> None:
        """`on_change(works, why)` is called when the first engine begins to fail and when it is
        back, `on_failure(error)` each time it did not speak a sentence; `read_aloud` is what it
        reads of a text, for estimates of its position."""
        self.first: Final = first
        self.second: Final = second
        self._on_change = on_change
        self._on_failure = on_failure
        self._read_aloud = read_aloud
        self._limits = limits or Limits()
        self._works = True
        self._in_a_row = 0
        self._left_alone = False
        self._probe: asyncio.Task[None] | None = None
        self._closed = False
        self._letter_ms = LETTER_MS

    @property
    def name(self) -> str:
        return f"{self.first.name}+{self.second.name}"

    @property
    def first_works(self) -> bool:
        """Whether the first engine speaks; while it does not, the second one does."""
        return self._works

    async def warm_up(self) -> None:
        """Open both. Raises `ProviderError` only when neither works."""
        first, second = await asyncio.gather(
            self._warm(self.first), self._warm(self.second), return_exceptions=True
        )
        for outcome in (first, second):
            if isinstance(outcome, BaseException) and not isinstance(outcome, ProviderError):
                raise outcome
        if first is None:
            self._recovered()
        else:
            self._left_alone = True
            self._failed(str(first))
        if second is not None:
            _log.error("%s cannot stand in for %s: %s", self.second.name, self.first.name, second)
            if first is not None:
                raise ProviderError(f"{first}; {second}", retryable=True)

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        """Speak one sentence, by the second engine from where the first one fails.

        Raises `ProviderError` when the second one fails as well.
        """
        said = _Said()
        if not self._left_alone:
            try:
                async with aclosing(self._by_first(text, language, said)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except ProviderError as error:
                self._on_failure(error)
                self._failed(str(error))
            except Exception as error:
                self._on_failure(error)
                _log.exception("%s failed", self.first.name)
                self._failed(type(error).__name__)
            else:
                if said.ms > 0:
                    self._learn(text, language, said.ms)
                    self._recovered()
                return
        async with aclosing(self._by_second(text, language, said)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def close(self) -> None:
        """Close both; idempotent."""
        self._closed = True
        self._end_probe()
        await asyncio.gather(self.first.close(), self.second.close())

    # --- speaking ---------------------------------------------------------------------------

    async def _by_first(
        self, text: str, language: str, said: "_Said"
    ) -> AsyncGenerator[SpeechChunk]:
        """Raises `ProviderError`, also when no audio comes in time."""
        limits, now_s = self._limits, asyncio.get_running_loop().time
        until_s = now_s() + limits.first_audio_s + len(text) / _CHARS_PER_SECOND
        played_from_s: float | None = None
        stream = cast("AsyncGenerator[SpeechChunk]", self.first.synthesize(text, language))
        async with aclosing(stream) as chunks:
            while True:
                if played_from_s is not None:
                    # Nobody waits for more as long as there is audio to play.
                    until_s = played_from_s + said.ms / 1000 + limits.stall_s
                try:
                    async with asyncio.timeout_at(until_s):
                        chunk = await anext(chunks, None)
                except TimeoutError:
                    raise EngineTimeout(f"{self.first.name} gave no audio in time") from None
                if chunk is None:
                    break
                if chunk.ulaw and played_from_s is None:
                    played_from_s = now_s()
                said.ms += duration_ms(len(chunk.ulaw))
                given_s = now_s()
                yield SpeechChunk(chunk.ulaw, said.due(chunk.words))
                if played_from_s is not None:
                    # A listener who takes his time is not the engine's fault.
                    played_from_s += now_s() - given_s
        if said.ms == 0 and has_word(text):
            raise ProviderError(f"{self.first.name} gave no audio", retryable=True)
        if said.ahead:
            yield SpeechChunk(b"", tuple(said.ahead))

    async def _by_second(
        self, text: str, language: str, said: "_Said"
    ) -> AsyncGenerator[SpeechChunk]:
        """What the first engine has not surely said. Raises `ProviderError`."""
        cut, start_ms = 0, 0.0
        if said.ms > 0:
            untold: list[WordTiming] = []
            if said.words:
                # The engine told which word was under way.
                cut = said.words[-1].char_start
            else:
                timings = self._timings(text, language)
                cut = _first_unsaid(timings, said.ms)
                untold = [word for word in timings if word.char_start < cut]
            pause = silence(_BREATH_MS)
            start_ms = said.ms + duration_ms(len(pause))
            yield SpeechChunk(pause, tuple(untold))
        stream = cast("AsyncGenerator[SpeechChunk]", self.second.synthesize(text[cut:], language))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                words = [
                    WordTiming(word.char_start + cut, word.start_ms + start_ms)
                    for word in chunk.words
                ]
                yield SpeechChunk(chunk.ulaw, tuple(words))

    def _timings(self, text: str, language: str) -> list[WordTiming]:
        """Where the first voice would be in the text, by its pace, in ms."""
        timings: list[WordTiming] = []
        passed = 0.0
        for char_start, weight in self._weights(text, language):
            timings.append(WordTiming(char_start, passed * self._letter_ms))
            passed += weight
        return timings or [WordTiming(0, 0.0)]

    def _weights(self, text: str, language: str) -> list[tuple[int, float]]:
        def read(token: str) -> str:
            return token if token.isalpha() else self._read_aloud(token, language)

        return word_weights(text, read)

    def _learn(self, text: str, language: str, length_ms: float) -> None:
        letters = sum(weight for _, weight in self._weights(text, language))
        if letters >= 10:
            self._letter_ms += _LEARNING * (length_ms / letters - self._letter_ms)

    # --- how the first engine does ----------------------------------------------------------

    async def _warm(self, engine: SpeechSynthesizer) -> None:
        try:
            async with asyncio.timeout(_WARM_UP_S):
                await engine.warm_up()
        except TimeoutError:
            raise EngineTimeout(f"{engine.name} did not come up in time") from None

    def _failed(self, why: str) -> None:
        if self._closed:
            return
        self._in_a_row += 1
        if self._in_a_row >= self._limits.failures and not self._left_alone:
            self._left_alone = True
            _log.warning(
                "%s failed %d times in a row and is left alone", self.first.name, self._in_a_row
            )
        if self._works:
            self._works = False
            _log.error("%s fails, %s speaks: %s", self.first.name, self.second.name, why)
            self._on_change(False, why)
        if self._probe is None:
            self._probe = asyncio.create_task(self._try_again(), name="probe " + self.first.name)

    def _recovered(self) -> None:
        self._in_a_row = 0
        self._left_alone = False
        self._end_probe()
        if not self._works:
            self._works = True
            _log.info("%s speaks again", self.first.name)
            self._on_change(True, "")

    async def _try_again(self) -> None:
        """Warm the first engine up until it works."""
        pause_s = self._limits.probe_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._warm(self.first)
            except ProviderError as error:
                _log.debug("%s still fails: %s", self.first.name, error)
                pause_s = min(pause_s * 2, _PROBE_LIMIT_S)
            except Exception:
                _log.exception("%s could not be tried again", self.first.name)
                pause_s = _PROBE_LIMIT_S
            else:
                self._probe = None
                self._recovered()
                return

    def _end_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.cancel()


class _Said:
    """What the first engine has given of a sentence."""

    def __init__(self) -> None:
        self.ms = 0.0
        self.words: list[WordTiming] = []
        """Told to the call: they lie in the audio that was given."""
        self.ahead: list[WordTiming] = []
        """Known to the engine, of audio that has not come yet."""

    def due(self, words: tuple[WordTiming, ...]) -> tuple[WordTiming, ...]:
        """Take timings; returns those that the audio has reached."""
        self.ahead += words
        reached = [word for word in self.ahead if word.start_ms < self.ms]
        self.ahead = [word for word in self.ahead if word.start_ms >= self.ms]
        self.words += reached
        return tuple(reached)


def _first_unsaid(timings: list[WordTiming], said_ms: float) -> int:
    """The character from which to go on: the word that was under way, by a cautious estimate."""
    surely_ms = said_ms * _SURELY_SAID
    return [word.char_start for word in timings if word.start_ms <= surely_ms][-1]

"""One call's ears: a recogniser is kept open for the caller, whatever becomes of it.

What may be answered, and in which language, flows in; recognitions flow out as events, and the
news that nobody is understood for the moment, or any more. What the ears hear is fed to their
`stream` by whoever has the audio. They never decide what the words mean.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from voiceagent.call import turn_events as on
from voiceagent.call.detail import CallDetail
from voiceagent.errors import ProviderError
from voiceagent.speech.ports import RecognitionStream, SpeechRecognizer

_AWAY_S: Final = 30.0
"""So long the caller is asked to say again what nobody understands. Then it is no use."""
_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0
_CLOSE_S: Final = 3.0

_log = logging.getLogger(__name__)


class Ears:
    """Loop thread only; one task keeps them open."""

    def __init__(
        self,
        recognizer: SpeechRecognizer,
        language: str,
        expected: Sequence[str],
        detail: CallDetail,
        *,
        now_ms: Callable[[], float],
        dispatch: Callable[[on.Event], None],
        report_failure: Callable[[str, str], None],
        person: Callable[[], str],
    ) -> None:
        """`language`: BCP 47; `expected`: what is likely to be said; `report_failure(part, why)`
        reaches the warm-up; `person` is the number of who takes over when there is no use in
        listening, or empty."""
        self.stream: RecognitionStream | None = None
        """What hears now; None: nothing does."""
        self._recognizer = recognizer
        self._language = language
        self._expected = expected
        self._detail = detail
        self._now_ms = now_ms
        self._dispatch = dispatch
        self._report_failure = report_failure
        self._person = person
        self._tasks: asyncio.TaskGroup | None = None

    def open(self, tasks: asyncio.TaskGroup) -> asyncio.Task[None]:
        """Listen from now on, in this group; the task goes on until it is cancelled, or until
        there is no use in it."""
        self._tasks = tasks
        return tasks.create_task(self._listen(), name="listen")

    def expect(self, phrases: Sequence[str]) -> None:
        """These are likely to be said from now on."""
        self._expected = phrases
        if self.stream is not None:
            self.stream.expect(phrases)

    def listen_for(self, language: str) -> None:
        """Hear another language; `_listen` opens the ears for it once these are closed."""
        if language == self._language or self._tasks is None:
            return
        self._language = language
        self._tasks.create_task(self.close(), name="change ears")

    async def close(self) -> None:
        """Hear nothing any more; within three seconds, and whatever goes wrong."""
        stream, self.stream = self.stream, None
        if stream is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_S):
                await stream.close()
        except (TimeoutError, ProviderError) as error:
            _log.warning("the recogniser did not close: %s", error)

    async def _listen(self) -> None:
        """Keep ears open; say so when they have been away for long, or are for good."""
        failures, away_since_ms = 0, 0.0
        while True:
            language = self._language
            try:
                self.stream = self._recognizer.open(language)
                self.stream.expect(self._expected)
                async for recognition in self.stream:
                    failures = 0
                    self._detail.recognised(recognition)
                    self._dispatch(on.Recognised(recognition))
                if language != self._language:
                    continue
                error = ProviderError("the recogniser ended by itself", retryable=True)
            except ProviderError as failure:
                error = failure
            except Exception:
                _log.exception("the recogniser failed", extra={"call_sid": self._detail.call_sid})
                error = ProviderError("a fault of the recogniser's own", retryable=True)
            now_ms = self._now_ms()
            away_since_ms = away_since_ms if failures else now_ms
            failures += 1
            self._detail.ears_failed(self._recognizer.name, error)
            self._report_failure("stt", str(error))
            await self.close()
            if not error.retryable or now_ms - away_since_ms >= _AWAY_S * 1000.0:
                self._dispatch(on.EarsLost(self._person()))
                return
            self._dispatch(on.EarsFailed())
            await asyncio.sleep(min(_PAUSE_S * failures, _LONGEST_PAUSE_S))

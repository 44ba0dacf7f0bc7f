"""The ears at Google: streaming recognition over gRPC, for as long as a call lasts.

A call's audio and the news of its voice activity detector flow in, recognitions in the
call's audio time flow out. What is opened, replaced and sent again is decided by
`google_stt_rotation.py`; here it is done. Google's libraries are imported in a thread,
by the warm-up; nothing here blocks the event loop.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Final, Literal

from voiceagent.call.audio import BYTES_PER_MS, silence
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.google_channel import GoogleCredentials, host_of
from voiceagent.speech.google_stt_connection import Connections, RecognizeCall, StreamFailed
from voiceagent.speech.google_stt_policy import (
    Action,
    Counters,
    Drop,
    Failure,
    GiveUp,
    HalfClose,
    Health,
    Open,
    StreamPolicy,
    Tell,
)
from voiceagent.speech.google_stt_rotation import Rotation
from voiceagent.speech.google_stt_wire import (
    Endpointing,
    ErrorInResponse,
    Wire,
    WireV1,
    WireV2,
    Wishes,
    failure_of,
    google_language,
    usable_hints,
)
from voiceagent.speech.ports import Recognition
from voiceagent.speech.recognition_queue import RecognitionQueue

SERVICE: Final = "speech.googleapis.com"
_WARM_UP_S: Final = 6.0
_WARM_UP_TRIES: Final = 3
"""When the status of a refusal was lost."""
_WARM_UP_MS: Final = 300.0
_CLOSE_S: Final = 0.8
_TICK_S: Final = 0.1
_UNREAD_RECOGNITIONS: Final = 256

_log = logging.getLogger(__name__)


class GoogleRecognizer:
    """A `SpeechRecognizer` at Google; one per process.

    `model` None leaves the choice to Google. With `api="v2"`, `recognizer` is the whole path
    `projects/P/locations/L/recognizers/R`, or None for the default one (`_`) of the key's
    project in `region`. `hints` are names and words that callers are likely to say.
    """

    def __init__(
        self,
        credentials: GoogleCredentials | None,
        *,
        endpoint: str | None = None,
        language: str = "he-IL",
        model: str | None = None,
        api: Literal["v1", "v2"] = "v1",
        region: str | None = None,
        recognizer: str | None = None,
        endpointing: Endpointing | None = None,
        hints: Sequence[str] = (),
        policy: StreamPolicy | None = None,
    ) -> None:
        self.policy = policy or StreamPolicy()
        self.health = Health()
        if recognizer is not None and region is None:
            region = _region_of(recognizer)
        host = host_of(endpoint, SERVICE, region)
        self._hints: tuple[str, ...] | None = tuple(hints)
        """None: Google does not take any."""
        self.wire: Wire = WireV1() if api == "v1" else WireV2()
        self.connections = Connections(self.wire, host, credentials)
        project = (credentials.project_id if credentials else None) or "-"
        default = f"projects/{project}/locations/{region or 'global'}/recognizers/_"
        self._granted = Wishes(
            google_language(language),
            model,
            endpointing=endpointing if api == "v2" else None,
            recognizer=recognizer or default,
        )
        self._streams: set[GoogleRecognitionStream] = set()

    @property
    def name(self) -> str:
        return "google"

    async def warm_up(self) -> None:
        """Have a moment of silence recognised. Raises `ProviderError`."""
        lost = 0
        while True:
            wishes = self.wishes(self._granted.language, ())
            failure = await self._exchange(wishes)
            if failure is None:
                self.health.has_worked = True
                return
            lost += failure.status_lost
            if failure.status_lost and lost < _WARM_UP_TRIES:
                continue
            if not (failure.refused and self.concede(wishes, failure.reason)):
                raise ProviderError(failure.reason, retryable=not failure.fatal)

    def open(self, language: str) -> "GoogleRecognitionStream":
        """Ears for one call; they connect with the first audio."""
        stream = GoogleRecognitionStream(self, google_language(language), self._streams.discard)
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        """Close all streams and connections; idempotent, within two seconds."""
        for stream in tuple(self._streams):
            await stream.close()
        await self.connections.close()

    # --- for the streams ------------------------------------------------------------------

    def wishes(self, language: str, expected: Sequence[str]) -> Wishes:
        """What a stream is asked for, as far as Google is known to grant it."""
        hints = () if self._hints is None else usable_hints(expected, self._hints)
        return replace(self._granted, language=language, hints=hints)

    def concede(self, asked: Wishes, why: str) -> bool:
        """Google refused this: ask for less from now on. False: there is no less."""
        if asked != replace(self._granted, language=asked.language, hints=asked.hints) or (
            asked.hints and self._hints is None
        ):
            return True  # another stream has conceded it meanwhile
        plainer = asked.plainer(why)
        if plainer is None:
            return False
        less, given_up = plainer
        if asked.hints and not less.hints:
            self._hints = None
        self._granted = replace(less, language=self._granted.language, hints=())
        _log.warning(
            "Google does not take %s for %s; it is left out from now on (%s)",
            given_up,
            less.language,
            why,
        )
        return True

    async def _exchange(self, wishes: Wishes) -> Failure | None:
        try:
            async with asyncio.timeout(_WARM_UP_S), self.connections.stream() as call:
                try:
                    await call.begin(self.wire.first_request(wishes))
                    await call.write(self.wire.audio_request(silence(_WARM_UP_MS)))
                    await call.half_close()
                    while (response := await call.read()) is not None:
                        self.wire.results(response)
                except asyncio.CancelledError:
                    call.hung()
                    raise
        except TimeoutError:
            raise EngineTimeout(f"Google did not answer within {_WARM_UP_S:.0f} s") from None
        except StreamFailed as failed:
            return failed.failure
        except ErrorInResponse as error:
            return _failure_in_response(error)
        return None


def _region_of(recognizer: str) -> str | None:
    parts = recognizer.split("/")
    return parts[3] if len(parts) > 3 and parts[2] == "locations" else None


class GoogleRecognitionStream:
    """The ears of one call; one task for each stream to Google that is under way."""

    def __init__(
        self,
        owner: GoogleRecognizer,
        language: str,
        on_closed: "Callable[[GoogleRecognitionStream], None]",
    ) -> None:
        self._owner = owner
        self._language = language
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._machine = Rotation(owner.policy, owner.health)
        self._request_bytes = int(owner.policy.request_ms * BYTES_PER_MS)
        self._unsent = 0
        self._expected: tuple[str, ...] = ()
        self._legs: dict[int, asyncio.Task[None]] = {}
        self._wakes: dict[int, asyncio.Event] = {}
        self._hung: set[int] = set()
        self._ticking: asyncio.TimerHandle | None = None
        self._ticked = 0.0
        self._out = RecognitionQueue(_UNREAD_RECOGNITIONS)
        self._closed = False

    @property
    def counters(self) -> Counters:
        """Of this call's streams to Google."""
        return self._machine.counters

    def feed(self, ulaw: bytes) -> None:
        """Take the next audio. What no stream has taken after 30 s is dropped and counted."""
        if self._closed:
            return
        self._machine.feed(ulaw, self._now_ms())
        self._unsent += len(ulaw)
        if self._unsent >= self._request_bytes:
            self._unsent %= self._request_bytes
            self._advance()
        if self._ticking is None:
            self._tick()

    def speech_started(self, audio_ms: float) -> None:
        self._machine.speech_started(audio_ms, self._now_ms())

    def speech_paused(self, audio_ms: float) -> None:
        self._machine.speech_paused(audio_ms, self._now_ms())

    def utterance_ended(self) -> None:
        self._machine.utterance_ended()

    def expect(self, phrases: Sequence[str]) -> None:
        """Hints for the streams that are opened from now on."""
        self._expected = tuple(phrases)

    def __aiter__(self) -> AsyncIterator[Recognition]:
        """The recognitions, until `close()`.

        Raises `ProviderError` once, when it is no use to try any longer.
        """
        return self._out

    async def close(self) -> None:
        """Give the streams back; idempotent, ends within a second."""
        if self._closed:
            return
        self._closed = True
        self._on_closed(self)
        if self._ticking is not None:
            self._ticking.cancel()
        tasks = list(self._legs.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)
        self._out.close()

    # --- inside ---------------------------------------------------------------------------

    def _now_ms(self) -> float:
        return self._loop.time() * 1000.0

    def _tick(self) -> None:
        """What is due without audio, too: a starving stream is fed, a dead one replaced."""
        if self._closed:
            return
        if self._loop.time() - self._ticked >= _TICK_S:
            self._advance()
        self._ticking = self._loop.call_later(_TICK_S, self._tick)

    def _advance(self) -> None:
        self._ticked = self._loop.time()
        self._do(self._machine.advance(self._now_ms()))
        for wake in self._wakes.values():
            wake.set()

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Open(leg):
                    self._wakes[leg] = asyncio.Event()
                    self._legs[leg] = asyncio.create_task(self._run(leg), name=f"google leg {leg}")
                case Drop(leg, hung):
                    if leg in self._legs:
                        if hung:
                            self._hung.add(leg)
                        self._legs[leg].cancel()
                case Tell(recognition):
                    self._out.put(recognition)
                case GiveUp(reason, retryable):
                    self._out.put(ProviderError(reason, retryable=retryable))

    async def _run(self, leg: int) -> None:
        """One stream to Google, from its first request to its end."""
        wishes = self._owner.wishes(self._language, self._expected)
        failure: Failure | None = None
        answered = False
        began_ms = self._now_ms()
        wire = self._owner.wire
        try:
            async with self._owner.connections.stream() as call:
                writing = asyncio.create_task(self._write(leg, call, wishes))
                try:
                    while (response := await call.read()) is not None:
                        results = wire.results(response)
                        answered = True
                        self._do(self._machine.heard(leg, results, self._now_ms()))
                finally:
                    if leg in self._hung:
                        call.hung()
                    writing.cancel()
                    await asyncio.wait([writing])
        except StreamFailed as failed:
            failure = failed.failure
        except ErrorInResponse as error:
            failure = _failure_in_response(error)
        except ProviderError as error:
            failure = Failure(str(error), fatal=not error.retryable)
        except Exception:
            _log.exception("a stream to Google failed")
            failure = Failure("a fault of our own")
        finally:
            self._legs.pop(leg, None)
            self._wakes.pop(leg, None)
            self._hung.discard(leg)
        if self._closed:
            return
        if failure is not None:
            at_start = (
                not answered and self._now_ms() - began_ms < self._machine.policy.established_ms
            )
            if failure.refused and at_start and self._owner.concede(wishes, failure.reason):
                failure = replace(failure, fatal=False)
            elif not failure.expected:
                _log.warning("a stream to Google ended: %s", failure.reason)
        self._do(self._machine.leg_ended(leg, failure, self._now_ms()))

    async def _write(self, leg: int, call: RecognizeCall, wishes: Wishes) -> None:
        """Send that leg what is due until it is half-closed, or over."""
        wake, wire = self._wakes[leg], self._owner.wire
        goes_on = await call.begin(wire.first_request(wishes))
        while goes_on:
            request = self._machine.next_request(leg, self._now_ms())
            if isinstance(request, HalfClose):
                await call.half_close()
                return
            if request is not None:
                goes_on = await call.write(wire.audio_request(request))
                continue
            wake.clear()
            await wake.wait()


def _failure_in_response(error: ErrorInResponse) -> Failure:
    from grpc import StatusCode  # noqa: PLC0415

    names = {code.value[0]: code.name for code in StatusCode}
    return failure_of(names.get(error.code, "UNKNOWN"), str(error))

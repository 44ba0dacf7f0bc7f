"""One call of the overlap bench: the real session, voice activity, playout and marks, and a
simulated phone whose line carries the agent's echo, noise and whatever the case says.

`hold` runs on any event loop; with `ActivityOnLoop` and a clock that jumps, minutes of call
take seconds and come out the same each time. The recogniser is a stand-in that knows what was
said and tells it as late as a real one would; the brain answers with what is written down.
"""

import asyncio
import base64
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from session_world import CALL, STREAM, Phone, Step, Thinker

import sounds
from outside import Records
from overlap_cases import Case, Hearing, Voice
from overlap_sounds import BACKGROUND_LASTS_S, background, onset_ms, phrase
from sounds import Sound
from voiceagent.brain.ports import Say
from voiceagent.call import speaking, wording
from voiceagent.call.audio import (
    BYTES_PER_MS,
    FRAME_BYTES,
    FRAME_MS,
    SAMPLE_RATE_HZ,
    ulaw_to_pcm16,
)
from voiceagent.call.parking import Parking
from voiceagent.call.services import CallServices
from voiceagent.call.session import CallSession
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.vad import VadStream, VoiceActivity
from voiceagent.crm.recording.call_models import CallRecord, TurnSpoken
from voiceagent.metrics import Metrics
from voiceagent.speech.ports import Recognition, SpeechChunk
from voiceagent.twilio.media_stream import Start

LINE_NOISE_DBFS: Final = -62.0
SETTLED_WITHIN_MS: Final = 6_000.0
"""After the end of what is said over the answer: longer than any deadline of turn-taking."""

_BRAIN_S: Final = 0.15
_VOICE_S: Final = 0.1
_LINE_S: Final = 60.0
_PATIENCE_S: Final = 40.0
_LANGUAGES: Final = {"en": "en-US", "he": "he-IL"}


# --- the phone ----------------------------------------------------------------------------------


class LinePhone(Phone):
    """A phone at which things are heard, and which returns the agent's own voice."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        samples = round(_LINE_S * SAMPLE_RATE_HZ)
        noise = np.random.default_rng(case.seed).standard_normal(samples)
        self._far = noise * 10 ** (LINE_NOISE_DBFS / 20)
        self._agent = np.zeros(samples)
        self._echo = 0.0 if case.echo_loss_db is None else 10 ** (-case.echo_loss_db / 20)
        self._echo_delay = round(case.echo_delay_ms * BYTES_PER_MS)
        self._frame_at = 0.0
        self.processing_ms: list[float] = []
        """For each `clear`: wall time since the frame before it was handed over."""

    def hear(self, sound: Sound, at_ms: float) -> None:
        """The microphone picks that up from then on; what was sent is sent."""
        start = round(at_ms * BYTES_PER_MS)
        piece = sound[: len(self._far) - start]
        self._far[start : start + len(piece)] += piece

    async def send(self, text: str) -> None:
        now_ms = self.now_ms
        plays_ms = now_ms + self.line.buffered_ms(now_ms)
        await super().send(text)
        last = self.sent[-1]
        if last.event == "media":
            ulaw = base64.b64decode(last.body["media"]["payload"])
            start = round(plays_ms * BYTES_PER_MS)
            self._agent[start : start + len(ulaw)] = ulaw_to_pcm16(ulaw) / 32768
        elif last.event == "clear":
            self.processing_ms.append((time.perf_counter() - self._frame_at) * 1000)
            self._agent[round(now_ms * BYTES_PER_MS) :] = 0.0

    async def live(self) -> None:
        loop, frames = asyncio.get_running_loop(), 0
        while self.closed is None and not self._gone:
            frames += 1
            await asyncio.sleep(max(0.0, self._born + frames * FRAME_MS / 1000 - loop.time()))
            self._return(self.line.marks_due(self.now_ms))
            frame = self._frame((frames - 1) * FRAME_BYTES)
            self._frame_at = time.perf_counter()
            self.put_media(frame)

    def _frame(self, start: int) -> bytes:
        heard = self._far[start : start + FRAME_BYTES]
        back = start - self._echo_delay
        if self._echo and back >= 0:
            heard = heard + self._echo * self._agent[back : back + FRAME_BYTES]
        return sounds.ulaw(heard)

    def clears(self, since_ms: float) -> list[float]:
        return [m.at_ms for m in self.sent if m.event == "clear" and m.at_ms >= since_ms]

    def media_after(self, at_ms: float) -> float | None:
        """When the first frame after that time was sent."""
        return next((m.at_ms for m in self.sent if m.event == "media" and m.at_ms > at_ms), None)


# --- the engines --------------------------------------------------------------------------------


class ActivityOnLoop(VoiceActivity):
    """The real detector, whose model runs on the loop as soon as a window is whole: a clock that
    jumps would not wait for its thread. Every window is a batch of its own."""

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._model._session is None:
            self._model.load()

    def announce(self, stream: VadStream) -> None:
        super().announce(stream)
        self._run_batch()

    def forget(self, stream: VadStream) -> None:
        super().forget(stream)
        self._run_batch()

    async def close(self) -> None: ...


class TruthfulEars:
    """A recogniser that is told what is said, and tells it as late as a real one."""

    name = "truth"

    def __init__(self, phone: LinePhone) -> None:
        self._phone = phone
        self._queue: asyncio.Queue[Recognition] = asyncio.Queue()
        self._timers: list[asyncio.TimerHandle] = []
        self.told: list[tuple[float, Recognition]] = []
        """With when it was told."""

    async def warm_up(self) -> None: ...

    def open(self, language: str) -> "TruthfulEars":
        return self

    def feed(self, ulaw: bytes) -> None: ...

    def speech_started(self, audio_ms: float) -> None: ...

    def speech_paused(self, audio_ms: float) -> None: ...

    def utterance_ended(self) -> None: ...

    def expect(self, phrases: Sequence[str]) -> None: ...

    async def __aiter__(self) -> AsyncIterator[Recognition]:
        while True:
            yield await self._queue.get()

    async def close(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def hear(
        self,
        words: Sequence[tuple[str, float]],
        at_ms: float,
        rng: random.Random,
        hearing: Hearing = "plain",
        misheard_as: str = "",
    ) -> None:
        """These words are said from then on: an interim 150-250 ms after each word's end, in
        half of the phrases a stable one, and a final 400 ms (late: 1200 ms) after the last."""
        if hearing == "nothing":
            return
        heard = words[::2] if hearing == "garbled" else words
        said = [word for word, _ in heard]
        seeming = [misheard_as, *said[1:]] if hearing == "misheard" else said
        stability = 0.3 if hearing == "misheard" else rng.choice((0.3, 0.9))
        due_ms = 0.0
        for number, (_, end_ms) in enumerate(heard, 1):
            text = " ".join(seeming[:number])
            due_ms = max(due_ms + 1.0, at_ms + end_ms + rng.uniform(150.0, 250.0))
            self._tell(Recognition(text, False, stability, at_ms, at_ms + end_ms), due_ms)
        end_ms = at_ms + heard[-1][1]
        final = Recognition(" ".join(said), True, 1.0, at_ms, end_ms)
        self._tell(final, end_ms + (1200.0 if hearing == "late" else 400.0))

    def _tell(self, recognition: Recognition, at_ms: float) -> None:
        def tell() -> None:
            self.told.append((self._phone.now_ms, recognition))
            self._queue.put_nowait(recognition)

        due_s = self._phone._born + at_ms / 1000
        self._timers.append(asyncio.get_running_loop().call_at(due_s, tell))


class SpokenVoice:
    """A synthesiser whose sentences were spoken by eSpeak NG beforehand; 100 ms to the first."""

    name = "spoken"

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    async def warm_up(self) -> None: ...

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        await asyncio.sleep(_VOICE_S)
        voice = self._voice
        spoken = sounds.spoken(text, voice.name, voice.words_a_minute, voice.pitch)
        yield SpeechChunk(sounds.ulaw(spoken.sound), spoken.words)
        yield SpeechChunk(sounds.ulaw(sounds.silence(0.25)))

    async def close(self) -> None: ...


class TimedRecords(Records):
    """A recorder that knows when a turn of the caller was taken."""

    def __init__(self, now_ms: Callable[[], float]) -> None:
        super().__init__()
        self._now_ms = now_ms
        self.turns: list[tuple[float, str]] = []

    def record(self, record: CallRecord) -> None:
        super().record(record)
        if isinstance(record, TurnSpoken) and record.who == "caller":
            self.turns.append((self._now_ms(), record.text))


# --- what came of it ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Stop:
    """The agent was silenced at `at_ms`; what came of it. Times are ms of the call."""

    at_ms: float
    answered_ms: float | None = None
    """When the caller's turn was taken."""
    resumed_ms: float | None = None
    """When the first frame of what had been stopped was sent."""

    @property
    def is_settled(self) -> bool:
        return self.answered_ms is not None or self.resumed_ms is not None


@dataclass(frozen=True)
class Outcome:
    """What happened over the agent's answer."""

    case: Case
    onset_ms: float
    stops: tuple[Stop, ...]
    answers: tuple[str, ...]
    """The caller's words that were answered."""
    recognised_ms: float | None
    """When the recogniser first told all the words."""
    stopped_before: int
    """Stops before anything was said over the agent."""
    processing_ms: float | None
    """From the frame that made the first stop to its `clear`, in wall time."""
    violations: int
    """Messages that break the protocol."""

    @property
    def onset_to_clear_ms(self) -> float | None:
        return self.stops[0].at_ms - self.onset_ms if self.stops else None

    @property
    def is_answered(self) -> bool:
        return bool(self.answers)

    @property
    def is_answered_in_full(self) -> bool:
        return wording.normalise(" ".join(self.answers)) == wording.normalise(self.case.said.text)

    @property
    def resumed_after_word_ms(self) -> float | None:
        """From the recognised word to the first frame with which the agent goes on."""
        if not self.stops or self.recognised_ms is None:
            return None
        resumed_ms = self.stops[-1].resumed_ms
        return None if resumed_ms is None else resumed_ms - self.recognised_ms


# --- the call -----------------------------------------------------------------------------------


async def hold(case: Case, activity: VoiceActivity) -> Outcome:
    """Hold that call to its end. Raises `TimeoutError` when it goes nowhere."""
    phone = LinePhone(case)
    records, ears = TimedRecords(lambda: phone.now_ms), TruthfulEars(phone)
    agent, language = case.agent, _LANGUAGES[case.language]
    brain = Thinker([Say(agent.greeting)], _answers(*agent.answer))
    services = CallServices(
        recognizer=ears,
        voice=speaking.Voice(SpokenVoice(agent.voice), speaking.PhraseBook(), language),
        brain=brain,
        voice_activity=activity,
        recorder=records,
        metrics=_metrics(),
        policy=TurnPolicy(),
        language=language,
        control=None,
        parking=Parking(asyncio.get_running_loop().time),
        expected=(),
        report_failure=lambda part, why: None,
    )
    session = CallSession(phone, Start(STREAM, CALL), services)
    running = asyncio.create_task(session.run())
    living = asyncio.create_task(phone.live())
    try:
        outcome = await _converse(case, phone, ears, brain, records)
        phone.stop()
        async with asyncio.timeout(10):
            await running
            await living
    finally:
        for task in (running, living):
            task.cancel()
        await asyncio.gather(running, living, return_exceptions=True)
    return outcome


def _answers(*sentences: str) -> list[list[Step]]:
    """The same answer every time: a pause may make two of a question, a guess be dropped."""
    return [[_BRAIN_S, *map(Say, sentences)]] * 20


@cache
def _metrics() -> Metrics:
    return Metrics()


async def _converse(
    case: Case, phone: LinePhone, ears: TruthfulEars, brain: Thinker, records: TimedRecords
) -> Outcome:
    rng = random.Random(case.seed)  # noqa: S311 (a bench, no secret)
    if case.is_steady:
        phone.hear(background(case, _LINE_S), phone.now_ms)
    await _until(lambda: phone.line.spans and phone.line.quiet_for_ms(phone.now_ms) > 400)
    question = phrase(case.question, case.caller, case.caller_dbfs)
    asked_ms = _some_time(phone, rng)
    phone.hear(question.sound, asked_ms)
    ears.hear(question.words, asked_ms, rng)
    asked_ms += question.length_ms
    await _until(lambda: phone.line.speaking(phone.now_ms) and phone.now_ms > asked_ms)
    answer_ms = phone.line.spans[-1].start_ms
    await _until(lambda: phone.now_ms >= answer_ms + case.into_ms)

    stops_before, turns_before = len(phone.clears(answer_ms)), len(records.turns)
    told_before, cleared_before = len(ears.told), len(phone.processing_ms)
    brain._answers = deque(_answers(case.agent.acknowledgement))
    begins_ms = _some_time(phone, rng)
    sound, words = _what_happens(case)
    phone.hear(sound, begins_ms)
    if words:
        ears.hear(words, begins_ms, rng, case.hearing, case.misheard_as)
    ends_ms = begins_ms + (len(sound) / BYTES_PER_MS or BACKGROUND_LASTS_S * 1000)

    def stops() -> list[Stop]:
        return [_stop(at_ms, phone, records) for at_ms in phone.clears(begins_ms)]

    def is_over() -> bool:
        quiet_ms = phone.now_ms - ends_ms
        settled = quiet_ms > 1500 and all(stop.is_settled for stop in stops())
        return settled or quiet_ms > SETTLED_WITHIN_MS

    await _until(is_over)
    whole = wording.normalise(case.said.text)
    told = ((at, wording.normalise(said.text)) for at, said in ears.told[told_before:])
    return Outcome(
        case,
        onset_ms=begins_ms + (onset_ms(sound, case.level_dbfs) if len(sound) else 0.0),
        stops=tuple(stops()),
        answers=tuple(text for _, text in records.turns[turns_before:]),
        recognised_ms=next((at for at, text in told if text == whole), None),
        stopped_before=stops_before,
        processing_ms=next(iter(phone.processing_ms[cleared_before:]), None),
        violations=len(phone.line.violations),
    )


def _what_happens(case: Case) -> tuple[Sound, tuple[tuple[str, float], ...]]:
    """What is to be heard over the answer (nothing more, if it is heard all the time)."""
    if not case.noise:
        said = phrase(case.said, case.speaker, case.level_dbfs)
        return said.sound, said.words
    if case.is_steady:
        return sounds.silence(0), ()
    words = phrase(case.said, case.speaker, case.level_dbfs).words if case.said.text else ()
    return background(case, BACKGROUND_LASTS_S), words


def _some_time(phone: LinePhone, rng: random.Random) -> float:
    """Soon, at any moment between two frames and two windows."""
    return phone.now_ms + rng.uniform(20.0, 180.0)


def _stop(at_ms: float, phone: LinePhone, records: TimedRecords) -> Stop:
    media_ms = phone.media_after(at_ms)
    answered_ms = next((at for at, _ in records.turns if at >= at_ms), None)
    if answered_ms is not None and (media_ms is None or answered_ms <= media_ms):
        return Stop(at_ms, answered_ms=answered_ms if media_ms is not None else None)
    return Stop(at_ms, resumed_ms=media_ms)


async def _until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not happened():  # noqa: ASYNC110 (time is warped: looking costs nothing)
            await asyncio.sleep(0.01)

"""A whole call around a `CallSession`, in one process and on warped time.

`Phone` is the media socket and Twilio behind it: it plays what it is sent, returns
marks when they were played or cleared, and sends the caller's frames in real time.
The engines are small and exact: the voice gives each word a sound of its own, so that
what was played can be read back as words.
"""

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from outside import Records
from voiceagent.brain.ports import BrainEvent, CallerTurn, FixedPhrases, Party, Proposal, Say
from voiceagent.call.activity import WINDOW_MS, Window
from voiceagent.call.audio import BYTES_PER_MS, FRAME_BYTES, frame_levels_dbfs
from voiceagent.call.control import CallControl
from voiceagent.call.media_socket import TakeMessage
from voiceagent.call.parking import Parking
from voiceagent.call.services import CallServices
from voiceagent.call.session import CallSession
from voiceagent.call.speaking import PhraseBook, Voice
from voiceagent.call.tape import Tape
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.crm.recording.call_models import (
    CallEnded,
    CallRecord,
    CallStarted,
    ContactLearnt,
    TurnSpoken,
)
from voiceagent.metrics import Metrics
from voiceagent.simulator import messages
from voiceagent.simulator.phone import PhoneLine
from voiceagent.speech.ports import Recognition, SpeechChunk, WordTiming
from voiceagent.twilio.media_stream import Start

CALL, STREAM = "CA_WORLD", "MZ_WORLD"
WORD_MS: Final = 200
PHRASES: Final = FixedPhrases(
    reprompts=("still there", "anybody listening"),
    nearly_over="nearly over",
    goodbye="goodbye now",
    apology="sorry about that",
    cannot_hear="nobody can hear you",
    busy="all busy",
    transfer="one moment please",
    transfer_failed="nobody free",
    recording="this call is being recorded for quality",
)
_WINDOW_BYTES: Final = int(WINDOW_MS * BYTES_PER_MS)
_LINE_NOISE: Final = bytes([0xFA, 0x7A] * (FRAME_BYTES // 2))
"""-58 dBFS: an open line is never digitally silent."""
_VOICE_FRAME: Final = bytes([0x10, 0x90] * (FRAME_BYTES // 2))
_LOUD_DBFS: Final = -30.0

Step = BrainEvent | BaseException | float
"""Of a brain's answer: an event, an error to raise, or seconds to think."""


# --- engines ----------------------------------------------------------------------------------


class LevelActivity:
    """A voice activity detector that takes whatever is loud for speech; answers at once."""

    def __init__(self) -> None:
        self.open_streams = 0

    def open(self, on_windows: Callable[[Sequence[Window]], None]) -> "_LevelStream":
        self.open_streams += 1
        return _LevelStream(self, on_windows)


class _LevelStream:
    def __init__(
        self, owner: LevelActivity, on_windows: Callable[[Sequence[Window]], None]
    ) -> None:
        self._owner, self._on_windows = owner, on_windows
        self._pending = b""
        self._end_ms = 0.0

    def feed(self, ulaw: bytes) -> None:
        self._pending += ulaw
        while len(self._pending) >= _WINDOW_BYTES:
            window, self._pending = (
                self._pending[:_WINDOW_BYTES],
                self._pending[_WINDOW_BYTES:],
            )
            self._end_ms += WINDOW_MS
            level = max(frame_levels_dbfs(window))
            self._on_windows([Window(self._end_ms, float(level > _LOUD_DBFS), level)])

    def close(self) -> None:
        self._owner.open_streams -= 1


class Ears:
    """A recogniser that is told beforehand what it will understand."""

    name = "ears"

    def __init__(self) -> None:
        self.texts: deque[str] = deque()
        """What the next utterances say; empty ones have no words."""
        self.failures: deque[BaseException | None] = deque()
        """What the next streams break with at once; None: the stream ends by itself."""
        self.expected: list[tuple[str, ...]] = []
        self.opened = 0
        self.languages: list[str] = []
        self.closed = 0
        self.close_error: BaseException | None = None

    async def warm_up(self) -> None: ...

    def open(self, language: str) -> "_EarsStream":
        self.opened += 1
        self.languages.append(language)
        return _EarsStream(self)

    async def close(self) -> None: ...


class _EarsStream:
    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._queue: asyncio.Queue[Recognition | None] = asyncio.Queue()
        self._started_ms = 0.0
        self.fed = 0

    def feed(self, ulaw: bytes) -> None:
        self.fed += len(ulaw)

    def speech_started(self, audio_ms: float) -> None:
        self._started_ms = audio_ms

    def speech_paused(self, audio_ms: float) -> None:
        text = self._ears.texts.popleft() if self._ears.texts else ""
        self._queue.put_nowait(Recognition(text, True, 1.0, self._started_ms, audio_ms))

    def utterance_ended(self) -> None: ...

    def expect(self, phrases: Sequence[str]) -> None:
        self._ears.expected.append(tuple(phrases))

    async def __aiter__(self) -> AsyncIterator[Recognition]:
        if self._ears.failures:
            failure = self._ears.failures.popleft()
            if failure is None:
                return
            raise failure
        while (recognition := await self._queue.get()) is not None:
            yield recognition

    async def close(self) -> None:
        self._ears.closed += 1
        self._queue.put_nowait(None)
        if self._ears.close_error is not None:
            raise self._ears.close_error


class WordVoice:
    """A synthesiser: 200 ms a word, and each word of the call has a sound of its own."""

    name = "words"

    def __init__(self) -> None:
        self.breaks: dict[str, BaseException | float] = {}
        """By word: raise this, or hang for so many seconds, instead of speaking it."""
        self.open_sentences = 0
        self.languages: list[str] = []
        self._codes: dict[str, int] = {}
        self._words: dict[int, str] = {}

    async def warm_up(self) -> None: ...

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        self.open_sentences += 1
        self.languages.append(language)
        try:
            at = 0
            for number, word in enumerate(text.split()):
                at = text.index(word, at)
                match self.breaks.get(word):
                    case BaseException() as error:
                        raise error
                    case float() as seconds:
                        await asyncio.sleep(seconds)
                    case _:
                        pass
                timing = WordTiming(at, float(number * WORD_MS))
                yield SpeechChunk(self.sound(word), (timing,))
                at += len(word)
        finally:
            self.open_sentences -= 1

    async def close(self) -> None: ...

    def sound(self, word: str) -> bytes:
        if word not in self._codes:
            # Codes below 0x70 are loud enough for the phone to count as sound.
            code = len(self._codes)
            assert code < 0x70
            self._codes[word], self._words[code] = code, word
        return bytes([self._codes[word]]) * (WORD_MS * BYTES_PER_MS)

    def read(self, ulaw: bytes) -> list[str]:
        """The words of that audio, silence left out; less than 10 ms of a word may be missed."""
        looked_at = ulaw[:: 10 * BYTES_PER_MS]
        return [self._words[code] for code, _ in groupby(looked_at) if code in self._words]


class Thinker:
    """A brain that gives answers in the order in which they were written down."""

    language = "en-US"
    phrases = PHRASES

    def __init__(self, opening: Sequence[BrainEvent], answers: Sequence[Sequence[Step]]) -> None:
        self._opening = opening
        self._answers = deque(answers)
        self.turns: list[CallerTurn] = []
        self.commits = 0
        self.at_work = 0

    def open(self, party: Party) -> "Thinker":
        return self

    def phrases_in(self, language: str) -> FixedPhrases:
        return PHRASES

    async def prepare(self) -> None: ...

    def opening(self) -> Sequence[BrainEvent]:
        return self._opening

    def reply(self, turn: CallerTurn) -> Proposal:
        """The next of the answers; a guess that was dropped gives it back."""
        self.turns.append(turn)
        steps = self._answers.popleft() if self._answers else [Say("very well")]
        return Proposal(self._events(steps), self._commit)

    async def _events(self, steps: Sequence[Step]) -> AsyncIterator[BrainEvent]:
        self.at_work += 1
        try:
            for step in steps:
                match step:
                    case BaseException():
                        raise step
                    case float():
                        await asyncio.sleep(step)
                    case _:
                        yield step
        finally:
            self.at_work -= 1

    def _commit(self) -> None:
        self.commits += 1


# --- the phone --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """One message of the service."""

    at_ms: float
    event: str
    body: dict[str, Any]


class Phone:
    """The media socket of the call, and the phone behind it."""

    def __init__(self) -> None:
        self.line = PhoneLine(STREAM)
        self.sent: list[Sent] = []
        self.closed: tuple[int, str] | None = None
        self.hangs = False
        """The peer takes nothing any more, but does not go."""
        self.returns_marks = True
        self.is_silent = False
        """No frame is sent, not even of silence."""
        self.media: list[bytes] = []
        """Every frame that was sent."""
        self._inbound: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._frames: deque[bytes] = deque()
        self._spoken = asyncio.Event()
        self._gone = False
        self.refuses = False
        """Nothing can be sent to it any more; what it said before may still be read."""
        self._born = asyncio.get_running_loop().time()

    @property
    def now_ms(self) -> float:
        return (asyncio.get_running_loop().time() - self._born) * 1000

    # The session's side.

    async def deliver(self, take: TakeMessage) -> None:
        while (message := await self._inbound.get()) is not None:  # noqa: ASYNC110 - no poll
            await asyncio.sleep(take(message))

    async def send(self, text: str) -> None:
        assert self.closed is None, "sent after the close"
        if self.hangs:
            await asyncio.Event().wait()
        if self._gone or self.refuses:
            raise ConnectionError("gone")
        body = json.loads(text)
        self.sent.append(Sent(self.now_ms, body["event"], body))
        self._return(self.line.receive(text, self.now_ms))

    async def close(self, code: int, reason: str) -> None:
        assert self.closed is None, "closed twice"
        self.closed = (code, reason)

    # The caller's side.

    async def live(self) -> None:
        """Send a frame each 20 ms, and the marks whose audio was played, until the socket ends."""
        while self.closed is None and not self._gone:
            await asyncio.sleep(0.02)
            self._return(self.line.marks_due(self.now_ms))
            if not self.is_silent:
                self.put_media(self._frames.popleft() if self._frames else _LINE_NOISE)
            if not self._frames:
                self._spoken.set()

    def put(self, message: str | bytes) -> None:
        """Send any message."""
        if not self._gone:
            self._inbound.put_nowait(message)

    def put_media(self, ulaw: bytes, stream_sid: str = STREAM) -> None:
        payload = base64.b64encode(ulaw).decode()
        self.media.append(ulaw)
        self.put(messages.media(stream_sid, 2, 1, 0, payload))

    async def voice(self, ms: int) -> None:
        """The caller makes a voice for so long."""
        self._frames.extend([_VOICE_FRAME] * (ms // 20))
        self._spoken.clear()
        await self._spoken.wait()

    def press(self, keys: str) -> None:
        for key in keys:
            self.put(messages.dtmf(STREAM, 2, key))

    def stop(self) -> None:
        """Twilio's `stop`: the caller hung up."""
        self.put(messages.stop(STREAM, 2, "AC", CALL))

    def vanish(self) -> None:
        """The connection is gone, without a word."""
        self._inbound.put_nowait(None)
        self._gone = True

    def _return(self, names: Sequence[str]) -> None:
        if self.returns_marks:
            for name in names:
                self.put(messages.mark(STREAM, 2, name))


# --- the call ---------------------------------------------------------------------------------


@dataclass
class Call:
    """A call under way; its parts."""

    phone: Phone
    session: CallSession
    ears: Ears
    voice: WordVoice
    brain: Thinker
    records: Records
    activity: LevelActivity
    metrics: Metrics
    failures: list[tuple[str, str]]
    running: "asyncio.Task[None]" = field(init=False)

    async def until(self, happened: Callable[[], object], within_s: float = 120.0) -> None:
        """Let the call go on until something has happened."""
        async with asyncio.timeout(within_s):
            while not happened():  # noqa: ASYNC110 (time is warped: looking costs nothing)
                await asyncio.sleep(0.02)

    async def until_quiet(self, words: int = 1) -> None:
        """Until the agent has said at least so many words more and is heard no longer."""
        before = len(self.played)
        await self.until(lambda: len(self.played) >= before + words)
        await self.until(lambda: self.phone.line.buffered_ms(self.phone.now_ms) == 0)
        await asyncio.sleep(0.3)

    async def say(self, text: str, ms: int = 600) -> None:
        """The caller says that, and is understood."""
        self.ears.texts.append(text)
        await self.phone.voice(ms)

    async def ends(self) -> None:
        async with asyncio.timeout(120):
            await self.running

    @property
    def played(self) -> list[str]:
        """Words that the caller has heard, or begun to hear, in their order."""
        return self.voice.read(self.phone.line.audio(self.phone.now_ms))

    @property
    def sent_words(self) -> list[str]:
        """Words whose audio was sent, heard or not."""
        payloads = [m.body["media"]["payload"] for m in self.phone.sent if m.event == "media"]
        return self.voice.read(b"".join(map(base64.b64decode, payloads)))

    @property
    def ended(self) -> CallEnded:
        (end,) = (record for record in self.records if isinstance(record, CallEnded))
        return end

    @property
    def turns(self) -> list[TurnSpoken]:
        """The last version of each, in order."""
        last = {r.seq: r for r in self.records if isinstance(r, TurnSpoken)}
        return [last[seq] for seq in sorted(last)]

    def agent_turns(self) -> list[tuple[str, str, str, str]]:
        return [(t.source, t.text, t.heard, t.status) for t in self.turns if t.who == "agent"]

    @property
    def learnt(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        for record in self.records:
            if isinstance(record, ContactLearnt):
                fields |= record.fields
        return fields

    def check_complete(self) -> None:
        """The record is whole: begun once, ended once, nothing after, no reply left speaking."""
        kinds: list[type[CallRecord]] = [type(record) for record in self.records]
        assert kinds.count(CallStarted) == 1
        assert kinds[0] is CallStarted
        assert kinds.count(CallEnded) == 1
        assert kinds[-1] is CallEnded
        assert [turn for turn in self.turns if turn.status == "speaking"] == []
        assert self.activity.open_streams == 0
        assert self.ears.closed == self.ears.opened
        assert (self.brain.at_work, self.voice.open_sentences) == (0, 0)
        assert self.phone.closed is not None
        assert self.metrics.calls_live._value.get() == 0
        assert self.phone.line.violations == []


@asynccontextmanager
async def call(
    answers: Sequence[Sequence[Step]] = (),
    *,
    opening: Sequence[BrainEvent] = (Say("welcome to us"),),
    policy: TurnPolicy | None = None,
    prepare: Callable[["Call"], object] = lambda _call: None,
    recorder: Any = None,
    control: CallControl | None = None,
    person: str = "",
    brain: Thinker | None = None,
    parameters: Mapping[str, str] | None = None,
    record: Callable[[str], Tape] | None = None,
) -> AsyncIterator[Call]:
    """A call that has just begun. At the end of the block it must have ended in order."""
    ears, voice, brain = Ears(), WordVoice(), brain or Thinker(opening, answers)
    records, activity, metrics = Records(), LevelActivity(), Metrics()
    failures: list[tuple[str, str]] = []
    book = PhraseBook()
    last_words = (PHRASES.goodbye, PHRASES.apology, PHRASES.cannot_hear)
    for phrase in (*PHRASES.reprompts, *last_words):
        await book.learn(voice, phrase, "en-US")
    services = CallServices(
        recognizer=ears,
        voice=Voice(voice, book, "en-US"),
        brain=brain,
        voice_activity=activity,  # type: ignore[arg-type]
        recorder=recorder or records,
        metrics=metrics,
        policy=policy or TurnPolicy(),
        language="en-US",
        expected=(),
        control=control,
        person=lambda: person,
        parking=Parking(asyncio.get_running_loop().time),
        report_failure=lambda part, why: failures.append((part, why)),
        record=record,
    )
    phone = Phone()
    session = CallSession(phone, Start(STREAM, CALL, parameters=dict(parameters or {})), services)
    whole = Call(phone, session, ears, voice, brain, records, activity, metrics, failures)
    prepare(whole)
    whole.running = asyncio.create_task(session.run())
    living = asyncio.create_task(phone.live())
    try:
        yield whole
        await whole.ends()
        await living
        whole.check_complete()
    finally:
        for task in (whole.running, living):
            task.cancel()
        await asyncio.gather(whole.running, living, return_exceptions=True)

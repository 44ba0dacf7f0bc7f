"""A whole call in Hebrew: the session, Google's ears on the emulator, a phone in real time.

A script of utterances flows in; what the agent's brain was asked, how long the caller waited
for each answer, and how the call ended flow out. The voice, the brain and the voice activity
detector are the small exact ones of `session_world.py`.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from session_world import CALL, PHRASES, STREAM, LevelActivity, Phone, Thinker, WordVoice

from emulators.google import serving
from emulators.google_speech import SpeechEmulator
from emulators.spoken_tones import say
from outside import Records
from voiceagent.brain.ports import Say
from voiceagent.call.audio import FRAME_BYTES
from voiceagent.call.parking import Parking
from voiceagent.call.services import CallServices
from voiceagent.call.session import CallSession
from voiceagent.call.speaking import PhraseBook, Voice
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.crm.recording.call_models import CallEnded, TurnSpoken
from voiceagent.metrics import Metrics
from voiceagent.speech.google_stt import GoogleRecognizer
from voiceagent.twilio.media_stream import Start

SCRIPT = (
    "שלום אני רוצה לקנות דירה",
    "ארבעה חדרים בערך מיליון שקל",
    "אפשר לקבוע פגישה מחר בבוקר",
)
ANSWER_S = 6.0


@dataclass
class Outcome:
    """What became of a call."""

    asked: list[str] = field(default_factory=list)
    """What the brain was asked to answer; empty for words that were not understood."""
    waits_ms: list[float] = field(default_factory=list)
    """From the end of each utterance to the first sound of the agent after it."""
    played: list[str] = field(default_factory=list)
    reason: str = ""
    close: tuple[int, str] | None = None
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def longest_wait_ms(self) -> float:
        return max(self.waits_ms, default=0.0)


@asynccontextmanager
async def hebrew_ears(
    emulator: SpeechEmulator, **wishes: object
) -> AsyncIterator[GoogleRecognizer]:
    """The recogniser, warm, on that emulator."""
    async with serving(emulator) as endpoint:
        recognizer = GoogleRecognizer(None, endpoint=endpoint, **wishes)  # type: ignore[arg-type]
        await recognizer.warm_up()
        try:
            yield recognizer
        finally:
            await recognizer.close()


async def hebrew_call(recognizer: GoogleRecognizer, script: Sequence[str] = SCRIPT) -> Outcome:
    """Hold the call from its greeting to its end."""
    outcome = Outcome()
    voice, brain = WordVoice(), Thinker((Say("welcome"),), [])
    records, book = Records(), PhraseBook()
    for phrase in (*PHRASES.reprompts, PHRASES.goodbye, PHRASES.apology, PHRASES.cannot_hear):
        await book.learn(voice, phrase, "en-US")
    services = CallServices(
        recognizer=recognizer,
        voice=Voice(voice, book, "en-US"),
        brain=brain,
        voice_activity=LevelActivity(),  # type: ignore[arg-type]
        recorder=records,
        metrics=Metrics(),
        policy=TurnPolicy(),
        language="he-IL",
        expected=(),
        control=None,
        parking=Parking(asyncio.get_running_loop().time),
        report_failure=lambda part, why: outcome.failures.append((part, why)),
    )
    phone = Phone()
    session = CallSession(phone, Start(STREAM, CALL), services)
    running = asyncio.create_task(session.run())
    living = asyncio.create_task(phone.live())
    try:
        await _quiet(phone, since_ms=0.0)
        for text in script:
            if phone.closed is None:
                await _speak(phone, text, outcome)
        phone.stop()
        async with asyncio.timeout(15):
            await running
        await living
    finally:
        for task in (running, living):
            task.cancel()
        await asyncio.gather(running, living, return_exceptions=True)
    outcome.asked = [
        record.text
        for record in records
        if isinstance(record, TurnSpoken) and record.who == "caller"
    ]
    payloads = [sent.body["media"]["payload"] for sent in phone.sent if sent.event == "media"]
    outcome.played = voice.read(b"".join(map(base64.b64decode, payloads)))
    outcome.close = phone.closed
    outcome.reason = next(r.reason for r in records if isinstance(r, CallEnded))
    return outcome


async def _speak(phone: Phone, text: str, outcome: Outcome) -> None:
    """Say that, and wait for the answer to be over, or for the call."""
    audio = say(text)
    audio += b"\xff" * (-len(audio) % FRAME_BYTES)
    gap_frames = 4  # `say` ends with a gap
    phone._frames.extend(audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES))
    while len(phone._frames) > gap_frames:
        if phone.closed is not None:
            return
        await asyncio.sleep(0.01)
    ended_ms = phone.now_ms
    deadline_ms = ended_ms + ANSWER_S * 1000
    while phone.now_ms < deadline_ms and phone.closed is None:
        answer = next((m for m in phone.sent if m.event == "media" and m.at_ms > ended_ms), None)
        if answer is not None:
            outcome.waits_ms.append(answer.at_ms - ended_ms)
            await _quiet(phone, since_ms=ended_ms)
            return
        await asyncio.sleep(0.01)
    if phone.closed is None:
        outcome.waits_ms.append(phone.now_ms - ended_ms)


async def _quiet(phone: Phone, since_ms: float) -> None:
    """Until something was said and nothing is left to be played."""
    async with asyncio.timeout(15):
        while phone.closed is None:
            sent = any(m.event == "media" and m.at_ms > since_ms for m in phone.sent)
            if sent and phone.line.buffered_ms(phone.now_ms) == 0:
                await asyncio.sleep(0.3)
                if phone.line.buffered_ms(phone.now_ms) == 0:
                    return
            await asyncio.sleep(0.02)

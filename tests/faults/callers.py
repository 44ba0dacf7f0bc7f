"""Twenty people who talk with the agent at once, in Hebrew and in English.

A running house flows in; calls flow out that go on until they are hung up, each sentence with
the answer that belongs to it. New calls are made by the same people's neighbours, to see
whether a caller who rings now is answered as usual.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from emulators.twilio_rest import AUTH_TOKEN
from faults.house import PUBLIC, House
from faults.listeners import heard_of
from faults.vendors import Said
from voiceagent.simulator import sounds, voice
from voiceagent.simulator.behaviour import Answer
from voiceagent.simulator.caller import CallPlan, Destination, Exchange, SimulatedCall
from voiceagent.simulator.results import CallResult
from voiceagent.simulator.sounds import Sound
from whole_service import Line

HEBREW: Final = {
    "אני רוצה לקנות דירה בחיפה": "טוב, דירה בחיפה.",
    "אנחנו צריכים שלושה חדרים": "שלושה חדרים, רשמתי.",
    "יש לנו שני מיליון שקלים": "תודה, זה הסכום.",
    "אפשר לבוא לראות מחר בבוקר": "כן, מחר בבוקר.",
}
ENGLISH: Final = {
    "I want to buy a house in Haifa": "A house in Haifa, fine.",
    "we are looking for three rooms": "Three rooms, noted.",
    "we have two million shekels": "Thank you, noted.",
    "can we come and see it tomorrow": "Yes, tomorrow.",
}
PERSON: Final = "אני רוצה לדבר עם מישהו"
"""Whoever says this is put through."""
GAP_MS: Final = 500
PATIENCE_MS: Final = 12_000
NEXT_CALL_S: Final = 1.0
NEW_CALL_LASTS_S: Final = 9.0


class Phrases:
    """What callers say, once made."""

    def __init__(self) -> None:
        self.hebrew = _spoken(tuple(HEBREW), "he")
        self.english = _spoken(tuple(ENGLISH), voice.CALLER_VOICE)
        [self.person] = _spoken((PERSON,), "he")

    @property
    def said(self) -> list[Said]:
        answers = HEBREW | ENGLISH | {PERSON: ""}
        return [
            Said(sound.text, [frame.payload for frame in sound.frames], answers[sound.text])
            for sound in (*self.hebrew, *self.english, self.person)
        ]


def _spoken(texts: Sequence[str], name: str) -> list[Sound]:
    recordings, rate_hz = voice.speak(texts, voice=name)
    return [
        sounds.utterance(sounds.from_pcm16(pcm, rate_hz), text)
        for pcm, text in zip(recordings, texts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class NewCall:
    """Somebody who rang once everything was mended."""

    rang_s: float
    """By the loop's clock."""
    as_usual: bool
    """The first thing that they said got its own answer, in Google's voice."""


@dataclass
class Callers:
    """Everybody on the line."""

    house: House
    phrases: Phrases
    exchange: Exchange = field(default_factory=Exchange)
    lines: list[Line] = field(default_factory=list)
    began_s: dict[str, float] = field(default_factory=dict)
    """When each call was placed, by the loop's clock and the call's sid."""
    new: list[NewCall] = field(default_factory=list)
    new_lines: list[Line] = field(default_factory=list)

    def ring(self, index: int) -> Line:
        """One more caller, who talks until the end."""
        own = self.phrases.english if index % 2 else self.phrases.hebrew
        turned = [*own[index // 2 % len(own) :], *own[: index // 2 % len(own)]]
        steps = [
            Answer(sound, gap_ms=GAP_MS, patience_ms=PATIENCE_MS)
            for sound in itertools.islice(itertools.cycle(turned), 200)
        ]
        line = self._place(steps, index)
        self.lines.append(line)
        return line

    def ask_for_a_person(self, lines: Sequence[Line]) -> None:
        """It is the next thing that these say."""
        for line in lines:
            script = line.call._script
            script._steps.insert(script._next, Answer(self.phrases.person, gap_ms=GAP_MS))

    async def ring_again_and_again(self) -> None:
        """A new caller every second, until one is answered as usual."""
        async with asyncio.TaskGroup() as tasks:
            for index in itertools.count(len(self.lines)):
                tasks.create_task(self._new_call(index))
                await asyncio.sleep(NEXT_CALL_S)
                if self._one_was_answered:
                    return

    @property
    def _one_was_answered(self) -> bool:
        return any(call.as_usual for call in self.new)

    async def _new_call(self, index: int) -> None:
        rang_s = asyncio.get_running_loop().time()
        own = self.phrases.english if index % 2 else self.phrases.hebrew
        line = self._place([Answer(own[0], gap_ms=GAP_MS, patience_ms=PATIENCE_MS)] * 9, index)
        self.new_lines.append(line)
        expected = (HEBREW | ENGLISH)[own[0].text]
        deadline_s = rang_s + NEW_CALL_LASTS_S
        as_usual, looked_at = False, 0
        while asyncio.get_running_loop().time() < deadline_s and not line.result.done():
            await asyncio.sleep(0.2)
            if self._one_was_answered:
                break  # whoever rang later has nothing to add
            call = line.call
            if len(call.line.spans) > looked_at and call.line.quiet_for_ms(call.now_ms) > 0:
                looked_at = len(call.line.spans)
                if any(heard.text == expected for heard in heard_of(call, call.now_ms)):
                    as_usual = True
                    break
        self.new.append(NewCall(rang_s, as_usual))
        if not line.result.done() and line.call._hung_up is not None:
            await line.hang_up()

    def _place(self, steps: Sequence[Answer], index: int) -> Line:
        call = SimulatedCall(
            CallPlan(steps, caller=f"+97250000{index:04d}", keep_audio=True),
            Destination(
                base_url=self.house.service.url, public_base_url=PUBLIC, auth_token=AUTH_TOKEN
            ),
        )
        self.house.twilio.admit(call.call_sid)
        line = Line(call, asyncio.create_task(call.place(self.exchange)))
        self.began_s[call.call_sid] = asyncio.get_running_loop().time()
        return line

    async def hang_up(self) -> list[CallResult]:
        """Everybody who is still there."""

        async def one(line: Line) -> CallResult:
            return await (line.over() if line.result.done() else line.hang_up())

        return await asyncio.gather(*(one(line) for line in self.lines))


@asynccontextmanager
async def calling(house: House, phrases: Phrases) -> AsyncIterator[Callers]:
    """Telephones; whoever is still on the line at the end is cut off."""
    callers = Callers(house, phrases)
    clock = asyncio.create_task(callers.exchange.run())
    try:
        yield callers
    finally:
        tasks = [clock, *(line.result for line in (*callers.lines, *callers.new_lines))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

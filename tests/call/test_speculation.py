"""One answer made ahead of its turn: gathered unheard, told of once, confirmed or dropped."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from session_world import WordVoice
from warped_time import on_warped_time

from voiceagent.brain.ports import Began, BrainEvent, Proposal, Say
from voiceagent.call.speaking import PhraseBook, Voice
from voiceagent.call.speculation import PreparedSentence, Speculation
from voiceagent.errors import ProviderError

BROKEN = ProviderError("broken", retryable=True)
LONG_S = 5.0


def now_ms() -> float:
    return asyncio.get_running_loop().time() * 1000


@dataclass
class Ahead:
    """A speculation and what it tells."""

    engine: WordVoice = field(default_factory=WordVoice)
    book: PhraseBook = field(default_factory=PhraseBook)
    ready_at_ms: list[float] = field(default_factory=list)
    born_ms: float = field(default_factory=now_ms)

    def __post_init__(self) -> None:
        self.voice = Voice(self.engine, self.book, "en-US")
        self.made = Speculation(
            self.voice, now_ms=now_ms, on_ready=lambda: self.ready_at_ms.append(self.age_ms)
        )

    @property
    def age_ms(self) -> float:
        return round(now_ms() - self.born_ms)

    async def run(self, *script: BrainEvent | float | Exception) -> None:
        """The brain does that, in order: says, waits for so many seconds, breaks."""
        await self.made.run(Proposal(self._events(script), commit=lambda: None))

    async def _events(
        self, script: tuple[BrainEvent | float | Exception, ...]
    ) -> AsyncIterator[BrainEvent]:
        for step in script:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            else:
                yield step

    async def told(self) -> list[tuple[BrainEvent, float]]:
        return [(event, at_ms - self.born_ms) async for event, at_ms in self.made.events()]


class TestAnswer:
    @on_warped_time
    async def test_is_told_with_the_times_at_which_it_came(self) -> None:
        ahead = Ahead()
        await ahead.run(0.1, Began(), 0.2, Say("well then"), 0.3, Say("and more"))
        assert [(event, round(at_ms)) for event, at_ms in await ahead.told()] == [
            (Began(), 100),
            (Say("well then"), 300),
            (Say("and more"), 600),
        ]

    @on_warped_time
    async def test_that_breaks_is_told_as_far_as_it_came(self) -> None:
        ahead = Ahead()
        await ahead.run(Say("well then"), BROKEN)
        told = ahead.made.events()
        assert (await anext(told))[0] == Say("well then")
        with pytest.raises(ProviderError, match="broken"):
            await anext(told)

    @on_warped_time
    async def test_that_runs_ahead_for_ever_waits_until_somebody_listens(self) -> None:
        ahead = Ahead()
        said: list[int] = []

        async def endless() -> AsyncIterator[BrainEvent]:
            for number in range(1000):
                said.append(number)
                yield Say(f"number {number}")

        running = asyncio.create_task(ahead.made.run(Proposal(endless(), commit=lambda: None)))
        await asyncio.sleep(LONG_S)
        assert len(said) < 50
        before = len(said)
        told = ahead.made.events()
        for _ in range(10):
            await anext(told)
        await asyncio.sleep(LONG_S)
        assert len(said) == before + 10
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


class TestSound:
    @on_warped_time
    async def test_of_the_first_sentence_alone_is_made(self) -> None:
        ahead = Ahead()
        await ahead.run(Say("well then"), Say("and more"))
        first = ahead.made.first
        assert first is not None
        assert (first.text, first.language) == ("well then", "en-US")
        assert ahead.engine.languages == ["en-US"], "one sentence was synthesised"
        sound = b"".join([chunk.ulaw async for chunk in first.chunks()])
        assert ahead.engine.read(sound) == ["well", "then"]

    @on_warped_time
    async def test_is_not_made_any_more_once_the_answer_counts(self) -> None:
        ahead = Ahead()
        running = asyncio.create_task(ahead.run(1.0, Say("well then")))
        await asyncio.sleep(0.5)
        ahead.made.adopt()
        await running
        assert ahead.made.first is None
        assert ahead.engine.languages == []

    @on_warped_time
    async def test_of_a_known_sentence_asks_no_engine(self) -> None:
        ahead = Ahead()
        await ahead.book.learn(ahead.engine, "well then", "en-US")
        ahead.engine.languages.clear()
        await ahead.run(Say("well then"))
        assert ahead.engine.languages == []
        first = ahead.made.first
        assert first is not None
        sound = b"".join([chunk.ulaw async for chunk in first.chunks()])
        assert ahead.engine.read(sound) == ["well", "then"]

    @on_warped_time
    async def test_is_given_while_it_is_being_made(self) -> None:
        ahead = Ahead()
        ahead.engine.breaks["then"] = 1.0
        made = PreparedSentence("well then", ahead.voice)
        making = asyncio.create_task(made.make(lambda: None))
        assert [ahead.age_ms async for _ in made.chunks()] == [0, 1000]
        await making
        again = [chunk async for chunk in made.chunks()]
        assert len(again) == 2, "whoever asks later has it from its beginning"

    @on_warped_time
    async def test_that_breaks_off_is_given_as_far_as_it_goes(self) -> None:
        ahead = Ahead()
        ahead.engine.breaks["then"] = BROKEN
        made = PreparedSentence("well then", ahead.voice)
        await made.make(lambda: None)
        chunks = made.chunks()
        assert ahead.engine.read((await anext(chunks)).ulaw) == ["well"]
        with pytest.raises(ProviderError, match="broken"):
            await anext(chunks)

    @on_warped_time
    async def test_a_fault_of_the_voice_s_own_is_one_that_another_attempt_may_heal(self) -> None:
        ahead = Ahead()
        ahead.engine.breaks["well"] = ZeroDivisionError("a bug")
        made = PreparedSentence("well then", ahead.voice)
        await made.make(lambda: None)
        with pytest.raises(ProviderError) as failure:
            await anext(made.chunks())
        assert failure.value.retryable


class TestReady:
    @on_warped_time
    async def test_as_soon_as_there_is_something_to_be_heard_and_told_once(self) -> None:
        ahead = Ahead()
        ahead.engine.breaks = {"well": 0.2, "then": 0.4}
        await ahead.run(0.1, Say("well then"), 2.0, Say("and more"))
        assert ahead.ready_at_ms == [300]
        assert ahead.made.begun_at_ms == ahead.born_ms
        assert ahead.made.first_audio_at_ms is not None
        assert round(ahead.made.first_audio_at_ms - ahead.born_ms) == 300

    @on_warped_time
    async def test_a_known_sentence_is_at_once(self) -> None:
        ahead = Ahead()
        await ahead.book.learn(ahead.engine, "well then", "en-US")
        await ahead.run(0.1, Say("well then"), 2.0)
        assert ahead.ready_at_ms == [100]

    @on_warped_time
    async def test_an_answer_without_words_is_at_its_end(self) -> None:
        ahead = Ahead()
        await ahead.run(0.1, Began(), 0.2)
        assert ahead.ready_at_ms == [300]
        assert ahead.made.first_audio_at_ms is None

    @on_warped_time
    async def test_a_brain_or_a_voice_that_breaks_keeps_nobody_waiting(self) -> None:
        brain = Ahead()
        await brain.run(0.1, BROKEN)
        assert brain.ready_at_ms == [100]
        voice = Ahead()
        voice.engine.breaks["well"] = BROKEN
        await voice.run(0.1, Say("well then"), 2.0)
        assert voice.ready_at_ms == [100]

    @on_warped_time
    async def test_the_end_of_a_brain_is_no_sound(self) -> None:
        ahead = Ahead()
        ahead.engine.breaks["well"] = 1.0
        await ahead.run(Say("well then"))
        assert ahead.ready_at_ms == [1000]

    @on_warped_time
    async def test_what_has_an_effect_is_confirmed_only_when_it_counts(self) -> None:
        ahead = Ahead()
        waiting = asyncio.create_task(ahead.made.confirmed())
        await asyncio.sleep(1)
        assert ahead.ready_at_ms == [0], "nothing else keeps it from being heard"
        assert not waiting.done()
        ahead.made.adopt()
        await waiting
        await ahead.made.confirmed()
        assert ahead.ready_at_ms == [0]

"""The voice of one reply: sentences in, audio and what is known of its words out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from session_world import WORD_MS, WordVoice
from warped_time import on_warped_time

from voiceagent.call.conversation import Conversation
from voiceagent.call.playout import Playout
from voiceagent.call.speaking import PhraseBook, ReplySpeech, TooMuchToSay, Voice
from voiceagent.call.speculation import PreparedSentence
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.key_tones import key_tones
from voiceagent.speech.ports import SpeechChunk

REPLY = 1
BROKEN = ProviderError("broken", retryable=True)


@dataclass
class Reply:
    engine: WordVoice = field(default_factory=WordVoice)
    book: PhraseBook = field(default_factory=PhraseBook)
    playout: Playout = field(default_factory=Playout)
    conversation: Conversation = field(default_factory=Conversation)
    news: int = 0
    voice: Voice = field(init=False)
    speech: ReplySpeech = field(init=False)
    running: "asyncio.Task[None]" = field(init=False)

    def __post_init__(self) -> None:
        self.playout.begin(REPLY)
        self.voice = Voice(self.engine, self.book, "en-US")
        self.speech = self.speaking(None)
        self.running = asyncio.create_task(self.speech.run())

    def speaking(self, prepared: PreparedSentence | None) -> ReplySpeech:
        return ReplySpeech(
            REPLY,
            self.voice,
            self.playout,
            self.conversation,
            now_ms=lambda: asyncio.get_running_loop().time() * 1000,
            on_audio=self._on_audio,
            prepared=prepared,
        )

    async def say_all(self, text: str, times: int) -> None:
        """As a brain does that is faster than its voice."""
        for _ in range(times):
            await self.speech.room()
            self.speech.say(text)

    def _on_audio(self) -> None:
        self.news += 1

    @property
    def ulaw(self) -> bytes:
        audio = self.playout._audio
        assert audio is not None
        return bytes(audio.ulaw)

    async def broken(self) -> ProviderError:
        with pytest.raises(ProviderError) as failure:
            await self.running
        return failure.value


@asynccontextmanager
async def reply() -> AsyncIterator[Reply]:
    one = Reply()
    try:
        yield one
    finally:
        one.running.cancel()
        await asyncio.wait([one.running])
        assert one.engine.open_sentences == 0


@on_warped_time
async def test_sentences_are_spoken_in_their_order_and_then_it_is_complete() -> None:
    async with reply() as one:
        one.speech.say("well then")
        one.speech.say("the price")
        await asyncio.sleep(1)
        assert not one.playout.is_complete(REPLY)
        one.speech.finish()
        await one.running
        assert one.engine.read(one.ulaw) == ["well", "then", "the", "price"]
        assert one.playout.is_complete(REPLY)
        assert one.conversation.heard(REPLY, 3 * WORD_MS) == "well then the"
        assert one.news >= 4


@on_warped_time
async def test_what_was_synthesised_ahead_is_not_synthesised_again() -> None:
    async with reply() as one:
        await one.book.learn(one.engine, "well then", "en-US")
        await one.book.learn(one.engine, "well then", "en-US")
        assert len(one.book) == 1
        one.engine.breaks["well"] = BROKEN
        one.speech.say("well then")
        one.speech.finish()
        await one.running
        assert one.engine.read(one.ulaw) == ["well", "then"]


@on_warped_time
async def test_a_sentence_that_breaks_ends_with_the_audio_it_has() -> None:
    async with reply() as one:
        one.engine.breaks["is"] = BROKEN
        one.speech.say("the price is high")
        assert await one.broken() is BROKEN
        one.speech.break_off()
        assert one.conversation.text(REPLY) == "the price"
        assert one.conversation.heard(REPLY, 2 * WORD_MS) == "the price"
        assert one.conversation.heard(REPLY, WORD_MS) == "the"
        one.speech.finish()
        assert one.playout.is_complete(REPLY)


@on_warped_time
async def test_a_sentence_that_never_began_was_never_said() -> None:
    async with reply() as one:
        one.engine.breaks["high"] = BROKEN
        one.speech.say("well then")
        one.speech.say("high it is")
        await one.broken()
        one.speech.break_off()
        one.speech.break_off()
        assert one.conversation.text(REPLY) == "well then"


@on_warped_time
async def test_a_voice_that_stalls_is_given_up_when_the_line_has_fallen_silent() -> None:
    async with reply() as one:
        one.engine.breaks["price"] = 3600.0
        one.speech.say("well then")
        one.speech.say("the price")
        began_s = asyncio.get_running_loop().time()
        assert isinstance(await one.broken(), EngineTimeout)
        # Nothing was sent: 600 ms of audio are there, then the line would be silent.
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(0.6 + 2.5)


@on_warped_time
async def test_no_audio_for_a_sentence_is_a_failure() -> None:
    class Mute(WordVoice):
        async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
            yield SpeechChunk(b"")

    async with reply() as one:
        one.speech._voice = Voice(Mute(), one.book, "en-US")
        one.speech.say("well then")
        assert (await one.broken()).retryable


@on_warped_time
async def test_odd_pieces_of_audio_become_whole_frames() -> None:
    class Odd(WordVoice):
        async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
            for length in (1, 333, 159, 7):
                yield SpeechChunk(b"\x10" * length)

    async with reply() as one:
        one.speech._voice = Voice(Odd(), one.book, "en-US")
        one.speech.say("well then")
        one.speech.finish()
        await one.running
        assert one.ulaw == b"\x10" * 500 + b"\xff" * 140


@on_warped_time
async def test_there_is_always_room_for_the_end() -> None:
    async with reply() as one:
        for number in range(8):
            one.speech.say(f"sentence{number}")
        with pytest.raises(TooMuchToSay):
            one.speech.say("one more")
        one.speech.finish()


@on_warped_time
async def test_synthesis_waits_while_half_a_minute_is_unsent_and_the_brain_with_it() -> None:
    async with reply() as one:
        brain = asyncio.create_task(one.say_all(" ".join(["very"] * 10 + ["long"]), 40))
        await asyncio.sleep(60)
        assert not brain.done()
        brain.cancel()
        assert 30_000 <= one.playout.length_ms(REPLY) <= 30_000 + 11 * WORD_MS


@on_warped_time
async def test_a_brain_beyond_all_bounds_is_stopped() -> None:
    async with reply() as one:
        with pytest.raises(TooMuchToSay):
            await one.say_all("very well", 100)
        one.speech.finish()


@on_warped_time
async def test_keys_sound_between_sentences_and_are_no_words() -> None:
    async with reply() as one:
        one.speech.say("one moment")
        one.speech.press("12")
        one.speech.say("thank you")
        one.speech.finish()
        await one.running
        assert one.conversation.text(REPLY) == "one moment thank you"
        tones = len(key_tones("12"))
        assert len(one.ulaw) == tones + 4 * WORD_MS * 8
        assert one.ulaw[2 * WORD_MS * 8 :][:tones] == key_tones("12")


@on_warped_time
async def test_a_sentence_made_ahead_is_not_made_again() -> None:
    async with reply() as one:
        made = PreparedSentence("well then", one.voice)
        await made.make(lambda: None)
        one.speech = one.speaking(made)
        one.engine.breaks["well"] = ProviderError("asked twice", retryable=False)
        one.speech.say("well then")
        one.speech.finish()
        await one.speech.run()
        assert one.engine.read(one.ulaw) == ["well", "then"]

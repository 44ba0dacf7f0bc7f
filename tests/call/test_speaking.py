"""The voice of one reply: sentences in, audio and what is known of its words out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from session_world import WORD_MS, WordVoice
from warped_time import on_warped_time

from voiceagent.call.audio import frame_levels_dbfs
from voiceagent.call.conversation import Conversation
from voiceagent.call.playout import MarkAfter, Playout
from voiceagent.call.speaking import PhraseBook, ReplySpeech, TooMuchToSay, Voice
from voiceagent.call.speculation import PreparedSentence
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.key_tones import key_tones
from voiceagent.speech.ports import SpeechChunk, WordTiming

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
        assert one.engine.languages == ["en-US"] * 2


@on_warped_time
async def test_whoever_sends_is_told_of_each_piece_and_of_the_end() -> None:
    async with reply() as one:
        one.speech.say("well")
        await asyncio.sleep(0.1)
        assert one.news >= 1
        told = one.news
        one.speech.finish()
        await one.running
        assert one.news > told


@on_warped_time
async def test_a_language_holds_from_the_next_sentence_on() -> None:
    async with reply() as one:
        one.speech.say("well then")
        one.speech.language = "he-IL"
        one.speech.say("the price")
        one.speech.finish()
        await one.running
        assert one.engine.languages == ["en-US", "he-IL"]


@on_warped_time
async def test_the_end_of_a_sentence_is_marked_as_soon_as_it_is_there() -> None:
    async with reply() as one:
        one.speech.say("well")
        await asyncio.sleep(0.1)
        assert [item.name for item in one.playout.poll(0) if isinstance(item, MarkAfter)] == [
            "g1:end0:200"
        ]
        assert one.conversation.heard(REPLY, WORD_MS) == "well"


@on_warped_time
async def test_words_are_where_the_voice_says_they_are() -> None:
    class Drawling(WordVoice):
        async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
            yield SpeechChunk(b"\x10" * 8000, (WordTiming(0, 0.0), WordTiming(5, 900.0)))

    async with reply() as one:
        one.speech._voice = Voice(Drawling(), one.book, "en-US")
        for _ in range(2):
            one.speech.say("well then")
        one.speech.finish()
        await one.running
        assert one.conversation.heard(REPLY, 900) == "well"
        assert one.conversation.heard(REPLY, 1900) == "well then well"


@on_warped_time
async def test_each_frame_has_its_level() -> None:
    async with reply() as one:
        one.speech.press("1")
        one.speech.finish()
        await one.running
        one.playout.poll(0)
        loudest_dbfs = one.playout.loudest_dbfs(0)
        assert loudest_dbfs is not None
        assert loudest_dbfs == pytest.approx(max(frame_levels_dbfs(key_tones("1")[:160])))


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
        assert not one.playout.is_complete(REPLY), "an apology may follow"
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
async def test_a_reply_that_breaks_before_it_was_begun_has_no_words() -> None:
    async with reply() as one:
        one.speech.break_off()
        assert one.conversation.text(REPLY) == ""


@on_warped_time
async def test_a_sentence_that_was_spoken_is_not_broken_by_what_breaks_after_it() -> None:
    async with reply() as one:
        one.speech.say("well then")
        await asyncio.sleep(1)
        one.speech.press("12")
        await asyncio.sleep(1)
        one.speech.break_off()
        assert one.conversation.heard(REPLY, 2 * WORD_MS) == "well then"


@on_warped_time
async def test_the_first_audio_may_take_20_seconds() -> None:
    async with reply() as one:
        one.engine.breaks["well"] = 3600.0
        one.speech.say("well then")
        began_s = asyncio.get_running_loop().time()
        assert isinstance(await one.broken(), EngineTimeout)
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(20)


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
        with pytest.raises(TooMuchToSay) as refused:
            one.speech.press("1")
        assert not refused.value.retryable, "it would only say as much again"
        one.speech.finish()
        await one.running
        assert one.engine.read(one.ulaw) == [f"sentence{number}" for number in range(8)]


@on_warped_time
async def test_of_what_is_said_in_one_breath_the_ninth_sentence_waits_for_room() -> None:
    async with reply() as one:
        one.engine.breaks["sentence0"] = 3.0
        for number in range(9):
            await one.speech.room()
            one.speech.say(f"sentence{number}")
            await asyncio.sleep(0)  # the first is being spoken: eight may wait
        brain = asyncio.create_task(one.speech.room())
        await asyncio.sleep(2.5)
        assert not brain.done()
        await asyncio.sleep(1.5)
        assert brain.done()


@on_warped_time
async def test_nobody_waits_for_a_voice_that_is_broken() -> None:
    async with reply() as one:
        one.engine.breaks["well"] = 3.0
        brain = asyncio.create_task(one.say_all("well", 12))
        await asyncio.sleep(1)
        one.speech.break_off()
        waiting = asyncio.create_task(one.speech.room())
        await asyncio.sleep(0.6)
        assert waiting.done()
        with pytest.raises(TooMuchToSay):
            await brain


@on_warped_time
async def test_synthesis_waits_while_half_a_minute_is_unsent_and_the_brain_with_it() -> None:
    async with reply() as one:
        brain = asyncio.create_task(one.say_all(" ".join(["very"] * 10 + ["long"]), 40))
        await asyncio.sleep(60)
        assert not brain.done()
        brain.cancel()
        made_ms = one.playout.length_ms(REPLY)
        assert 30_000 <= made_ms <= 30_000 + 11 * WORD_MS
        for _ in range(20):
            one.playout.poll(asyncio.get_running_loop().time() * 1000)
            await asyncio.sleep(0.3)
        assert one.playout.length_ms(REPLY) > made_ms, "it goes on as it is played"


@on_warped_time
async def test_a_brain_beyond_all_bounds_is_stopped() -> None:
    async with reply() as one:
        with pytest.raises(TooMuchToSay):
            await one.say_all("very well", 100)
        one.speech.finish()
        await one.running
        assert one.conversation.text(REPLY) == " ".join(["very well"] * 64)


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


@on_warped_time
async def test_a_sentence_made_ahead_is_for_those_words_in_that_language_and_once() -> None:
    async with reply() as one:
        made = PreparedSentence("well then", one.voice)
        await made.make(lambda: None)
        assert one.engine.languages == ["en-US"]
        for text, language in (("the price", "en-US"), ("well then", "he-IL")):
            one.speech = one.speaking(made)
            one.speech.language = language
            one.speech.say(text)
            one.speech.finish()
            await one.speech.run()
            assert one.engine.languages.pop() == language
            one.playout.begin(REPLY)
        one.speech = one.speaking(made)
        one.speech.say("the price")
        one.speech.say("well then")
        one.speech.finish()
        await one.speech.run()
        assert one.engine.languages == ["en-US"] * 3, "its turn was over with the first sentence"


class Store:
    """Phrases that outlive the process."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], tuple[SpeechChunk, ...]] = {}

    async def load(self, text: str, language: str) -> tuple[SpeechChunk, ...] | None:
        return self.kept.get((text, language))

    async def save(self, text: str, language: str, chunks: Sequence[SpeechChunk]) -> None:
        self.kept[text, language] = tuple(chunks)


class TestPhraseBook:
    @on_warped_time
    async def test_what_one_process_learnt_the_next_recalls_without_an_engine(self) -> None:
        store, engine = Store(), WordVoice()
        await PhraseBook(store).learn(engine, "well then", "en-US")
        assert engine.languages == ["en-US"]
        book = PhraseBook(store)
        assert await book.recall("well then", "en-US")
        assert not await book.recall("well then", "he-IL")
        assert not await book.recall("the price", "en-US")
        assert book.chunks("well then") == store.kept["well then", "en-US"]
        assert book.chunks("the price") is None
        await PhraseBook(store).learn(engine, "well then", "en-US")
        assert engine.languages == ["en-US"], "it was in the store"

    @on_warped_time
    async def test_without_a_store_nothing_is_recalled(self) -> None:
        assert not await PhraseBook().recall("well then", "en-US")

    @on_warped_time
    async def test_a_store_that_has_nothing_of_a_phrase_but_its_name_has_not_got_it(self) -> None:
        store, engine = Store(), WordVoice()
        store.kept["well", "en-US"] = ()
        book = PhraseBook(store)
        assert not await book.recall("well", "en-US")
        await book.learn(engine, "well", "en-US")
        assert book.chunks("well")

    @on_warped_time
    async def test_a_stand_in_is_heard_until_the_engine_takes_its_place(self) -> None:
        store, engine, stand_in = Store(), WordVoice(), WordVoice()
        stand_in.sound("other")  # so that its sounds are not the engine's
        book = PhraseBook(store)
        await book.learn_meanwhile(stand_in, "well", "en-US")
        meanwhile = book.chunks("well")
        assert meanwhile
        assert store.kept == {}
        await book.learn_meanwhile(stand_in, "well", "en-US")
        assert stand_in.languages == ["en-US"], "once is enough"
        await book.learn(engine, "well", "en-US")
        assert book.chunks("well") == store.kept["well", "en-US"] != meanwhile
        await book.learn(engine, "well", "en-US")
        assert engine.languages == ["en-US"]
        await book.learn_meanwhile(stand_in, "well", "en-US")
        assert stand_in.languages == ["en-US"], "the engine's own is better"

    @on_warped_time
    async def test_what_has_taken_the_place_of_a_stand_in_is_learnt_once_without_a_store(
        self,
    ) -> None:
        book, engine = PhraseBook(), WordVoice()
        await book.learn_meanwhile(WordVoice(), "well", "en-US")
        for _ in range(2):
            await book.learn(engine, "well", "en-US")
        assert engine.languages == ["en-US"]

    @on_warped_time
    async def test_only_what_is_still_said_is_kept(self) -> None:
        book, engine = PhraseBook(), WordVoice()
        await book.learn(engine, "well", "en-US")
        await book.learn_meanwhile(engine, "then", "en-US")
        book.keep_only(["well", "never learnt"])
        assert (len(book), book.chunks("then")) == (1, None)
        assert not book._stand_ins, "of what is gone nothing is known"
        await book.learn(engine, "then", "en-US")
        await book.learn(engine, "then", "en-US")
        assert engine.languages == ["en-US"] * 3, "no stand-in is left of it"

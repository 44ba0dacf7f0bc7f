"""The agent's side of a call alone: the machine's orders in, its news and the records out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from session_world import PHRASES, Step, Thinker, WordVoice
from warped_time import on_warped_time

from outside import Records
from voiceagent.brain.ports import BrainEvent, Expect, HangUp, Save, Say
from voiceagent.call import turn_events as on
from voiceagent.call.conversation import Conversation
from voiceagent.call.detail import CallDetail
from voiceagent.call.parking import Talk
from voiceagent.call.playout import Frame, Playout
from voiceagent.call.replies import Replies
from voiceagent.call.reply_effects import ReplyEffects, SpokenLanguage
from voiceagent.call.speaking import PhraseBook, Voice
from voiceagent.call.tape import RecordingNotice
from voiceagent.call.thinking import Thinking
from voiceagent.crm.recording.call_models import ContactLearnt, TurnSpoken
from voiceagent.errors import ProviderError
from voiceagent.metrics import Metrics


@dataclass
class Agent:
    """Replies without a machine: the test gives the orders and plays the phone."""

    brain: Thinker
    engine: WordVoice = field(default_factory=WordVoice)
    playout: Playout = field(default_factory=Playout)
    records: Records = field(default_factory=Records)
    news: list[on.Event] = field(default_factory=list)
    expected: list[Sequence[str]] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    silenced: list[bool] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    skipped_ms: float = 0.0
    apologises: bool = False
    """A failed reply is given up at once and apologised for, as the machine does."""
    replies: Replies = field(init=False)
    thinking: Thinking = field(init=False)

    def __post_init__(self) -> None:
        talk = Talk(self.brain, Conversation())
        detail = CallDetail("CA1", self.records, Metrics())
        voice = Voice(self.engine, PhraseBook(), "en-US")
        spoken = SpokenLanguage(self.brain, voice, talk.language, self.languages.append)
        effects = ReplyEffects(spoken, detail)
        notice = RecordingNotice(None)
        self.replies = Replies(
            talk.conversation,
            self.playout,
            effects,
            spoken,
            detail,
            now_ms=self.now_ms,
            dispatch=self._take,
            wake=lambda: None,
            silence=self.silenced.append,
            report_failure=lambda part, why: self.failures.append((part, why)),
            notice=notice,
        )
        self.thinking = Thinking(
            talk,
            self.replies,
            effects,
            spoken,
            detail,
            now_ms=self.now_ms,
            dispatch=self._take,
            expect=self.expected.append,
            report_failure=lambda part, why: self.failures.append((part, why)),
            notice=notice,
        )

    def now_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000

    def _take(self, event: on.Event) -> None:
        """What the machine does with sentences."""
        self.news.append(event)
        if isinstance(event, on.ReplySentence):
            self.replies.say(event.reply, event.text)
        elif isinstance(event, on.ReplyEnded):
            self.replies.finish(event.reply)
        elif isinstance(event, on.ReplyFailed) and self.apologises:
            self.replies.abandon(event.reply)
            self.replies.say_phrase(on.SpeakPhrase(event.reply + 1, on.Phrase.APOLOGY), turn=1)

    def hear(self, bursts: int = 1) -> None:
        """Take what is due to be sent (400 ms of it at most) and return its marks."""
        for _ in range(bursts):
            self.skipped_ms += 1e6  # whatever was sent before has been played by then
            for item in self.playout.poll(self.now_ms() + self.skipped_ms):
                if not isinstance(item, Frame):
                    self.replies.on_mark(item.name)

    def told(self, kind: type[on.Event]) -> list[on.Event]:
        return [event for event in self.news if isinstance(event, kind)]

    @property
    def learnt(self) -> list[dict[str, str]]:
        return [record.fields for record in self.records if isinstance(record, ContactLearnt)]

    @property
    def last(self) -> TurnSpoken:
        return [record for record in self.records if isinstance(record, TurnSpoken)][-1]


@asynccontextmanager
async def agent(
    *answers: Sequence[Step], opening: Sequence[BrainEvent] = ()
) -> AsyncIterator[Agent]:
    one = Agent(Thinker(opening, answers))
    async with asyncio.TaskGroup() as tasks:
        one.replies.open(tasks)
        one.thinking.open(tasks)
        yield one
        one.thinking.close()
        one.replies.close()
    assert (one.brain.at_work, one.engine.open_sentences) == (0, 0)


def think(reply: int, text: str = "well") -> on.Think:
    return on.Think(reply, reply, text)


class TestWhatWasLearnt:
    @on_warped_time
    async def test_it_counts_once_the_answer_began_to_be_heard(self) -> None:
        async with agent([Save({"name": "Dana"}), Say("thank you Dana")]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(1)
            assert one.learnt == []
            assert one.brain.commits == 0
            one.hear()
            assert one.learnt == [{"name": "Dana"}]
            assert one.brain.commits == 1
            one.hear()
            assert one.brain.commits == 1

    @on_warped_time
    async def test_what_nobody_heard_was_not_learnt(self) -> None:
        async with agent([Save({"name": "Dana"}), Say("thank you Dana")], [Say("well")]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(1)
            one.replies.stop(1, onset_ms=0)
            one.replies.abandon(1)
            one.thinking.think(think(2))
            await asyncio.sleep(1)
            one.hear()
            assert one.learnt == []
            assert one.brain.commits == 1

    @on_warped_time
    async def test_what_comes_while_it_is_heard_counts_at_once(self) -> None:
        async with agent([Say("thank you"), 5.0, Save({"name": "Dana"})]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(1)
            one.hear()
            assert one.learnt == []
            await asyncio.sleep(5)
            assert one.learnt == [{"name": "Dana"}]

    @on_warped_time
    async def test_what_a_brain_says_after_it_broke_a_reply_does_not_count(self) -> None:
        # Sixty-four sentences are spoken; the next breaks the reply, and the machine apologises.
        endless = [Say(f"sentence{number}") for number in range(70)]
        async with agent([*endless, 0.1, Save({"name": "Dana"})]) as one:
            one.apologises = True
            one.thinking.think(think(1))
            while not one.failures:
                one.hear(100)
                await asyncio.sleep(1)
            await asyncio.sleep(2)
            assert one.failures == [("brain", "a reply of too many sentences")]
            assert one.brain.at_work == 0
            assert one.learnt == []

    @on_warped_time
    async def test_a_reply_without_marks_counts_when_it_is_over(self) -> None:
        async with agent([Save({"name": "Dana"}), Say("thank you Dana")]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(1)
            one.replies.complete(1)
            assert one.learnt == [{"name": "Dana"}]
            assert (one.last.status, one.last.heard) == ("complete", "thank you Dana")


class TestNews:
    @on_warped_time
    async def test_a_reply_is_told_from_its_first_sentence_to_its_last_mark(self) -> None:
        async with agent([Expect(("yes", "no")), Say("is it so"), HangUp()]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(1)
            assert one.expected == [("yes", "no")]
            assert one.news[:2] == [on.ReplySentence(1, "is it so"), on.ReplyEnded(1, hang_up=True)]
            assert one.told(on.AudioReleased)
            assert not one.told(on.ReplyHeard)
            one.hear()
            assert one.told(on.ReplyHeard)
            assert not one.told(on.PlayedOut)
            one.hear()
            assert one.told(on.PlayedOut) == [on.PlayedOut(1)]

    @on_warped_time
    async def test_a_held_reply_tells_nothing_until_it_goes_on(self) -> None:
        async with agent([0.5, Say("well then")]) as one:
            one.thinking.think(think(1))
            one.replies.stop(1, onset_ms=0)
            await asyncio.sleep(1)
            assert not one.told(on.AudioReleased)
            one.replies.resume(1)
            assert one.told(on.AudioReleased)
            one.hear(2)
            assert one.told(on.PlayedOut)

    @on_warped_time
    async def test_marks_of_before_a_stop_tell_nothing(self) -> None:
        async with agent([Say("one two three four")]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(1)
            old = [i.name for i in one.playout.poll(one.now_ms()) if not isinstance(i, Frame)]
            assert old
            one.replies.stop(1, onset_ms=0)
            for name in old:
                one.replies.on_mark(name)
            assert not one.told(on.ReplyHeard)
            assert one.silenced == [True]

    @on_warped_time
    async def test_an_introduction_that_is_said_again_is_held_back(self) -> None:
        opening = [Say("welcome to us"), Say("who is it?")]
        async with agent([Say("welcome to us"), Say("who is it?")], opening=opening) as one:
            one.thinking.introduce(1)
            await asyncio.sleep(1)
            one.replies.complete(1)
            one.thinking.think(think(2))
            await asyncio.sleep(1)
            said = [e.text for e in one.told(on.ReplySentence) if isinstance(e, on.ReplySentence)]
            assert said == ["welcome to us", "who is it?", "who is it?"]

    @on_warped_time
    async def test_a_reply_that_is_all_repetition_is_said_after_all(self) -> None:
        async with agent([Say("well then")], [Say("well then")]) as one:
            for reply in (1, 2):
                one.thinking.think(think(reply))
                await asyncio.sleep(1)
                one.replies.complete(reply)
            assert one.told(on.ReplySentence) == [
                on.ReplySentence(1, "well then"),
                on.ReplySentence(2, "well then"),
            ]

    @on_warped_time
    async def test_failures_are_told_to_the_machine_and_to_the_warm_up(self) -> None:
        async with agent([ProviderError("no model", retryable=True)], [Say("mute")]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(0.1)
            one.engine.breaks["mute"] = ProviderError("no voice", retryable=True)
            one.thinking.think(think(2))
            await asyncio.sleep(0.1)
            assert one.told(on.ReplyFailed) == [on.ReplyFailed(1), on.ReplyFailed(2)]
            assert one.failures == [("brain", "no model"), ("tts", "no voice")]


class TestOrders:
    @on_warped_time
    async def test_orders_for_an_older_reply_are_passed_over(self) -> None:
        async with agent([Say("old")], [Say("new")]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(1)
            one.replies.abandon(1)
            one.thinking.think(think(2))
            one.replies.say(1, "older")
            one.replies.finish(1)
            await asyncio.sleep(1)
            one.replies.resume(1)
            one.hear(2)
            assert one.last.text == "new"

    @on_warped_time
    async def test_a_phrase_after_what_was_spoken_belongs_to_the_same_reply(self) -> None:
        async with agent([Say("well then"), 60.0]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(1)
            one.replies.say_phrase(on.SpeakPhrase(1, on.Phrase.APOLOGY), turn=1)
            one.replies.finish(1)
            await asyncio.sleep(1)
            assert one.brain.at_work == 0
            one.hear(3)
            one.replies.complete(1)
            assert one.last.text == f"well then {PHRASES.apology}"
            assert (one.last.source, one.last.status) == ("reply", "complete")

    @on_warped_time
    async def test_reprompts_take_turns(self) -> None:
        async with agent() as one:
            for number in range(3):
                reply = number + 1
                one.replies.say_phrase(on.SpeakPhrase(reply, on.Phrase.REPROMPT, number), turn=0)
                one.replies.finish(reply)
                await asyncio.sleep(1)
                one.replies.complete(reply)
        turns = [record for record in one.records if isinstance(record, TurnSpoken)]
        texts = [turn.text for turn in turns if turn.status != "speaking"]
        assert texts == [*PHRASES.reprompts, PHRASES.reprompts[0]]

    @on_warped_time
    async def test_closing_settles_the_reply_under_way(self) -> None:
        async with agent([Say("one two three")]) as one:
            one.thinking.think(think(1))
            await asyncio.sleep(1)
            one.hear()
        assert (one.last.status, one.last.heard) == ("interrupted", "one two")

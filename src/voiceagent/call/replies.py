"""The agent's side of one call: from a thought to a voice on the line, and back to memory.

The machine's orders about replies come in (introduce, think, speak, stop, resume,
give up); events about what became of them go out. One reply is under way at a time.
It never decides whose turn it is.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from voiceagent.brain.ports import (
    Began,
    Brain,
    BrainEvent,
    CallerTurn,
    Expect,
    HangUp,
    PressKeys,
    Proposal,
    Save,
    Say,
    SwitchLanguage,
    Transfer,
)
from voiceagent.call import turn_events as on
from voiceagent.call.detail import CallDetail
from voiceagent.call.parking import Talk
from voiceagent.call.playout import Playout
from voiceagent.call.speaking import ReplySpeech, Voice
from voiceagent.call.speculation import Speculation
from voiceagent.call.tape import RecordingNotice
from voiceagent.errors import ProviderError

_log = logging.getLogger(__name__)


class Replies:
    """Makes, speaks and remembers the replies of one call. Loop thread only."""

    def __init__(
        self,
        brain: Brain,
        talk: Talk,
        voice: Voice,
        playout: Playout,
        detail: CallDetail,
        *,
        now_ms: Callable[[], float],
        dispatch: Callable[[on.Event], None],
        expect: Callable[[Sequence[str]], None],
        listen_for: Callable[[str], None],
        wake: Callable[[], None],
        silence: Callable[[bool], None],
        report_failure: Callable[[str, str], None],
        notice: RecordingNotice,
    ) -> None:
        """`expect` tells the recogniser what may be answered, `listen_for` in which language;
        `wake` and `silence(needs_clear)` reach the sender; `report_failure(part, why)` the
        warm-up."""
        self._call_sid = detail.call_sid
        self._brain = brain
        self._phrases = brain.phrases
        self._dialogue = talk.dialogue
        self._voice = replace(voice, language=talk.language) if talk.language else voice
        if talk.language:
            self._phrases = brain.phrases_in(talk.language)
        self.language = talk.language
        """What the call has changed to (BCP 47); empty: it never has."""
        self._coming_language = ""
        """Changed to in the reply under way, which was not heard yet."""
        self._playout = playout
        self._detail = detail
        self._now_ms = now_ms
        self._dispatch = dispatch
        self._expect = expect
        self._listen_for = listen_for
        self._wake = wake
        self._silence = silence
        self._report_failure = report_failure
        self._notice = notice
        self._conversation = talk.conversation
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._speech: ReplySpeech | None = None
        self._reply = 0
        self._held = False
        self._commit_proposal: Callable[[], None] | None = None
        """Of the reply under way, until it begins to be heard."""
        self._unsaved: dict[str, str] = {}
        self._guess: tuple[int, Proposal, Speculation] | None = None
        self._guess_task: asyncio.Task[None] | None = None

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """Replies made from now on work in this group."""
        self._group = tasks
        tasks.create_task(self._dialogue.prepare(), name="prepare")

    def close(self) -> None:
        """Stop all work and settle the reply under way; the group waits for the work's end."""
        self._drop_guess()
        if self._speech is not None:
            self.abandon(self._reply)
        self._cancel()

    # --- thinking ---------------------------------------------------------------------------

    def caller_said(self, text: str) -> None:
        self._conversation.caller_said(text)

    def caller_had_said(self, text: str, shown: str) -> None:
        self._conversation.caller_had_said(text, shown)

    def introduce(self, reply: int) -> None:
        """Open the conversation as this reply."""
        opening = self._dialogue.opening()
        self._begin(reply, 0, "opening", commit=_nothing)
        self._spawn(self._think(reply, self._timed(_each(opening)), introduction=True))

    def think(self, action: on.Think) -> None:
        """Let the brain answer as this reply, going on with the guess that was right."""
        guess, self._guess = self._guess, None
        if guess is not None and guess[0] == action.guess:
            self._adopt(action, guess[1], guess[2])
            return
        self._cancel_guess()
        proposal = self._dialogue.reply(
            CallerTurn(action.text, action.digits, self._conversation.history)
        )
        self._begin(action.reply, action.turn, "reply", commit=proposal.commit)
        self._spawn(self._think(action.reply, self._timed(proposal.events)))

    def guess(self, action: on.Guess) -> None:
        """Let the brain begin to answer, unheard, what the caller may turn out to have said."""
        self._drop_guess()
        if self._group is None:
            return
        speculation = Speculation(
            self._voice,
            now_ms=self._now_ms,
            on_ready=lambda: self._dispatch(on.GuessReady(action.guess)),
        )
        history = self._conversation.supposing(
            action.words, self._reply, self._playout.heard_ms(self._reply)
        )
        proposal = self._dialogue.reply(CallerTurn(action.text, "", history, speculation.confirmed))
        self._guess = action.guess, proposal, speculation
        self._guess_task = self._group.create_task(speculation.run(proposal), name="guess")

    def drop_guess(self, guess: int) -> None:
        """It was wrong."""
        if self._guess is not None and self._guess[0] == guess:
            self._drop_guess()

    def _adopt(self, action: on.Think, proposal: Proposal, speculation: Speculation) -> None:
        speculation.adopt()
        if self._guess_task is not None:
            # It gathers what the brain has still to say: part of the reply's work from now on.
            self._tasks.append(self._guess_task)
            self._guess_task = None
        self._begin(action.reply, action.turn, "reply", commit=proposal.commit, ahead=speculation)
        self._detail.speculated(
            action.reply, speculation.begun_at_ms, speculation.first_audio_at_ms
        )
        self._spawn(self._think(action.reply, speculation.events()))

    def _drop_guess(self) -> None:
        self._guess = None
        self._cancel_guess()

    def _cancel_guess(self) -> None:
        if self._guess_task is not None:
            self._guess_task.cancel()
            self._guess_task = None

    async def _timed(
        self, events: AsyncIterator[BrainEvent]
    ) -> AsyncGenerator[tuple[BrainEvent, float]]:
        async with aclosing(cast("AsyncGenerator[BrainEvent]", events)) as stream:
            async for event in stream:
                yield event, self._now_ms()

    async def _think(
        self,
        reply: int,
        events: AsyncIterator[tuple[BrainEvent, float]],
        *,
        introduction: bool = False,
    ) -> None:
        """Carry one reply of the brain to the machine."""
        ending = on.ReplyEnded(reply)
        try:
            async with aclosing(cast("AsyncGenerator[tuple[BrainEvent, float]]", events)) as stream:
                async for event, at_ms in stream:
                    match event:
                        case Say(text):
                            self._detail.first_sentence(reply, at_ms)
                            self._on_sentence(reply, text, introduction=introduction)
                            await self._room()
                        case PressKeys(digits):
                            self._dispatch(on.ReplyKeys(reply, digits))
                            await self._room()
                        case Began():
                            self._detail.first_token(reply, at_ms)
                        case Expect(phrases):
                            self._expect(phrases)
                        case Save(fields):
                            self._save(dict(fields))
                        case HangUp():
                            ending = on.ReplyEnded(reply, hang_up=True)
                        case Transfer(number):
                            ending = on.ReplyEnded(reply, transfer_to=number)
                        case SwitchLanguage(language):
                            self._switch_language(language)
        except ProviderError as error:
            self._report_failure("brain", str(error))
            self._dispatch(on.ReplyFailed(reply))
            return
        except Exception:
            _log.exception("the brain failed", extra={"call_sid": self._call_sid})
            self._dispatch(on.ReplyFailed(reply))
            return
        for text in self._conversation.held_back(reply):
            self._dispatch(on.ReplySentence(reply, text))
        self._dispatch(ending)

    def _on_sentence(self, reply: int, text: str, *, introduction: bool) -> None:
        if self._notice.is_due(reply):
            # Before all else, and never held back.
            self._notice.comes(reply, self._phrases.recording)
            self._dispatch(on.ReplySentence(reply, self._phrases.recording))
        if self._conversation.admit(reply, text, introduction=introduction):
            self._dispatch(on.ReplySentence(reply, text))

    async def _room(self) -> None:
        """A brain that runs ahead of its voice waits."""
        if self._speech is not None:
            await self._speech.room()

    def _switch_language(self, language: str) -> None:
        """The rest of the reply is spoken so; the call goes on so once that was heard."""
        if self._speech is not None:
            self._speech.language = language
        self._coming_language = language
        if self._commit_proposal is None:
            self._change_language()

    def _change_language(self) -> None:
        language, self._coming_language = self._coming_language, ""
        if language and language != self._voice.language:
            self.language = language
            self._voice = replace(self._voice, language=language)
            self._phrases = self._brain.phrases_in(language)
            self._listen_for(language)

    def _save(self, fields: dict[str, str]) -> None:
        """What was learnt counts once its answer is being heard."""
        if self._commit_proposal is None:
            self._detail.learn(fields)
        else:
            self._unsaved |= fields

    def _commit(self) -> None:
        if self._commit_proposal is None:
            return
        commit, self._commit_proposal = self._commit_proposal, None
        commit()
        self._change_language()
        if self._unsaved:
            self._detail.learn(self._unsaved)
            self._unsaved = {}

    # --- speaking ---------------------------------------------------------------------------

    def say(self, reply: int, text: str) -> None:
        """Speak this sentence as the next of this reply."""
        self._add(reply, lambda speech: speech.say(text))

    def _add(self, reply: int, item: Callable[[ReplySpeech], None]) -> None:
        if self._speech is None or reply != self._reply:
            return
        try:
            item(self._speech)
        except ProviderError as error:
            self._report_failure("brain", str(error))
            self._dispatch(on.ReplyFailed(reply))

    def press(self, reply: int, digits: str) -> None:
        """Sound these keys as the next of this reply."""
        self._add(reply, lambda speech: speech.press(digits))

    def say_phrase(self, action: on.SpeakPhrase, turn: int) -> None:
        """Speak a fixed phrase as the last of this reply, which may begin with it."""
        text = {
            on.Phrase.REPROMPT: self._phrases.reprompts[
                action.index % len(self._phrases.reprompts)
            ],
            on.Phrase.NEARLY_OVER: self._phrases.nearly_over,
            on.Phrase.APOLOGY: self._phrases.apology,
            on.Phrase.CANNOT_HEAR: self._phrases.cannot_hear,
            on.Phrase.GOODBYE: self._phrases.goodbye,
            on.Phrase.TRANSFER: self._phrases.transfer,
            on.Phrase.TRANSFER_FAILED: self._phrases.transfer_failed,
        }[action.phrase]
        if action.reply != self._reply:
            self._begin(action.reply, turn, action.phrase.value)
        else:
            # The reply broke in the middle: its own work is done for, the phrase follows
            # what was already spoken.
            self._break_off()
            self._cancel()
            self._start_speech(action.reply)
        self.say(action.reply, text)

    def finish(self, reply: int) -> None:
        """Nothing will be added to this reply."""
        if self._speech is not None and reply == self._reply:
            self._speech.finish()

    def _begin(
        self,
        reply: int,
        turn: int,
        source: str,
        *,
        commit: Callable[[], None] | None = None,
        ahead: Speculation | None = None,
    ) -> None:
        """`commit`: what makes the brain's proposal count, once it is being heard."""
        self._reply = reply
        self._held = False
        self._commit_proposal = commit
        self._unsaved = {}
        self._coming_language = ""
        self._playout.begin(reply)
        self._detail.reply_begins(reply, turn, source)
        self._start_speech(reply, ahead)

    def _start_speech(self, reply: int, ahead: Speculation | None = None) -> None:
        self._speech = ReplySpeech(
            reply,
            self._voice,
            self._playout,
            self._conversation,
            now_ms=self._now_ms,
            on_audio=lambda: self._on_audio(reply),
            prepared=ahead.first if ahead else None,
        )
        self._spawn(self._speak(reply, self._speech))

    async def _speak(self, reply: int, speech: ReplySpeech) -> None:
        try:
            await speech.run()
        except ProviderError as error:
            self._detail.voice_failed(self._voice.synthesizer.name, error)
            self._report_failure("tts", str(error))
        except Exception as error:
            self._detail.voice_failed(self._voice.synthesizer.name, error)
            _log.exception("the voice failed", extra={"call_sid": self._call_sid})
        else:
            return
        if speech is self._speech:
            # An older one has been replaced already, by the apology for what broke it.
            self._break_off()
            self._dispatch(on.ReplyFailed(reply))

    def _break_off(self) -> None:
        """What has become of the sentence under way is all that there will be of it."""
        if self._speech is not None:
            self._speech.break_off()

    def _on_audio(self, reply: int) -> None:
        """More of the reply is in the playout, or all of it."""
        if reply != self._reply or self._playout.length_ms(reply) == 0:
            return
        playout = self._playout
        self._detail.audio_released(reply, self._conversation.text(reply), self._now_ms())
        if playout.is_complete(reply):
            self._detail.synthesised(reply, playout.length_ms(reply))
        self._tell_released(reply)
        self._wake()

    def _tell_released(self, reply: int) -> None:
        if self._held or reply != self._reply:
            return
        if self._playout.length_ms(reply) > 0:
            until_ms = self._playout.played_by_ms(reply, self._now_ms())
            self._dispatch(on.AudioReleased(reply, until_ms))
        self._tell_played_out()

    def _tell_played_out(self) -> None:
        if self._playout.is_played_out(self._reply):
            self._dispatch(on.PlayedOut(self._reply))

    # --- what the phone tells ---------------------------------------------------------------

    def on_mark(self, name: str) -> None:
        """The phone returned a mark."""
        if not self._playout.acknowledge(name):
            return
        reply = self._reply
        if (heard_ms := self._playout.heard_ms(reply)) > 0:
            self._commit()
            if self._notice.is_awaited(reply):
                self._notice.heard(reply, self._conversation.heard(reply, heard_ms))
            self._detail.heard_first(reply, self._now_ms())
            self._dispatch(on.ReplyHeard(reply))
        self._tell_played_out()

    def frames_begin(self, frames_before: int) -> None:
        self._notice.frames_begin(self._reply, self._now_ms())
        self._detail.frames_begin(self._reply, frames_before, self._now_ms())

    def frames_end(self, *, stopped: bool) -> None:
        self._detail.frames_end(
            self._reply,
            self._playout.frames_sent,
            length_ms=self._playout.length_ms(self._reply),
            stopped=stopped,
        )
        self._detail.gaps(self._playout.take_gaps())

    # --- stopping, going on, ending -----------------------------------------------------------

    def stop(self, reply: int, onset_ms: float) -> None:
        """Fall silent and hold the reply. `onset_ms`: when the voice that stops it arrived."""
        heard_ms = self._playout.heard_ms(reply)
        needs_clear = self._playout.stop(reply, self._now_ms())
        self._held = True
        self._silence(needs_clear)
        if needs_clear:
            self._detail.barge_in(reply, heard_ms, self._now_ms(), onset_ms=onset_ms)

    def resume(self, reply: int) -> None:
        """Go on from the first word that was not heard."""
        playout = self._playout
        from_ms = self._conversation.first_unheard_ms(reply, playout.heard_ms(reply))
        had_begun = playout.sent_ms(reply) > 0
        playout.resume(reply, from_ms)
        self._held = False
        if had_begun:
            self._detail.resumed(reply, from_ms, self._now_ms())
        self._tell_released(reply)
        self._wake()

    def abandon(self, reply: int) -> None:
        """Give the reply up; only what was heard of it is remembered."""
        # Silence first: the record of what was sent is part of the reply's.
        self._silence(self._playout.stop(reply, self._now_ms()))
        self._settle(reply, self._playout.heard_ms(reply), abandoned=True)
        self._playout.drop(reply, self._now_ms())
        self._cancel()
        self._speech = None

    def complete(self, reply: int) -> None:
        """All of the reply was played."""
        self._commit()
        # A phone that returns no marks at all has heard what it was sent.
        heard_ms = self._playout.heard_ms(reply) or self._playout.length_ms(reply)
        self._settle(reply, heard_ms, abandoned=False)
        self._playout.drop(reply, self._now_ms())
        self._speech = None

    def _settle(self, reply: int, heard_ms: float, *, abandoned: bool) -> None:
        text = self._conversation.text(reply)
        whole = 0 < self._playout.length_ms(reply) <= heard_ms and not abandoned
        exchange = self._conversation.settle(reply, None if whole else heard_ms)
        heard = exchange.text if exchange else ""
        self._notice.reply_over(reply, heard)
        self._detail.reply_over(
            reply,
            text=text,
            heard=heard,
            heard_ms=heard_ms,
            status="complete" if not abandoned else "interrupted" if heard else "abandoned",
            now_ms=self._now_ms(),
        )

    # --- tasks ------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        if self._group is None:
            work.close()
            return
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(self._group.create_task(work))

    def _cancel(self) -> None:
        """Stop the reply's tasks; the one that this may be called from at its next wait."""
        for task in self._tasks:
            task.cancel()


async def _each(events: Sequence[BrainEvent]) -> AsyncGenerator[BrainEvent]:
    for event in events:
        yield event


def _nothing() -> None: ...

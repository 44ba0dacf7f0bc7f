"""The agent's thoughts in one call: the brain is asked, and its answer becomes events.

The machine's orders to introduce, to think and to guess come in, with what the caller may be shown
to have said; sentences, keys and the end of an answer go out as events. An answer that was begun on
suspicion is gone on with where the suspicion was right. It never speaks and never decides whose
turn it is.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import cast

from voiceagent.brain.ports import (
    Began,
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
from voiceagent.call.replies import Replies
from voiceagent.call.reply_effects import ReplyEffects, SpokenLanguage
from voiceagent.call.speculation import Speculation
from voiceagent.call.tape import RecordingNotice
from voiceagent.errors import ProviderError

_log = logging.getLogger(__name__)


class Thinking:
    """What the brain is asked in one call. Loop thread only."""

    def __init__(
        self,
        talk: Talk,
        replies: Replies,
        effects: ReplyEffects,
        spoken: SpokenLanguage,
        detail: CallDetail,
        *,
        now_ms: Callable[[], float],
        dispatch: Callable[[on.Event], None],
        expect: Callable[[Sequence[str]], None],
        report_failure: Callable[[str, str], None],
        notice: RecordingNotice,
    ) -> None:
        """`expect` tells the recogniser what may be answered; `report_failure(part, why)` reaches
        the warm-up."""
        self._dialogue = talk.dialogue
        self._conversation = talk.conversation
        self._replies = replies
        self._effects = effects
        self._spoken = spoken
        self._detail = detail
        self._now_ms = now_ms
        self._dispatch = dispatch
        self._expect = expect
        self._report_failure = report_failure
        self._notice = notice
        self._group: asyncio.TaskGroup | None = None
        self._guess: tuple[int, Proposal, Speculation] | None = None
        self._guess_task: asyncio.Task[None] | None = None

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """Guesses made from now on work in this group; the dialogue is made ready in it."""
        self._group = tasks
        tasks.create_task(self._dialogue.prepare(), name="prepare")

    def close(self) -> None:
        """Guess no more; answers under way are the replies' to stop."""
        self._drop_guess()

    def introduce(self, reply: int) -> None:
        """Open the conversation as this reply."""
        opening = self._dialogue.opening()
        self._replies.begin(reply, 0, "opening", commit=_nothing)
        self._replies.spawn(self._carry(reply, self._timed(_each(opening)), introduction=True))

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
        self._replies.begin(action.reply, action.turn, "reply", commit=proposal.commit)
        self._replies.spawn(self._carry(action.reply, self._timed(proposal.events)))

    def guess(self, action: on.Guess) -> None:
        """Let the brain begin to answer, unheard, what the caller may turn out to have said."""
        self._drop_guess()
        if self._group is None:
            return
        speculation = Speculation(
            self._spoken.voice,
            now_ms=self._now_ms,
            on_ready=lambda: self._dispatch(on.GuessReady(action.guess)),
        )
        history = self._conversation.supposing(action.words, *self._replies.heard_so_far)
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
            self._replies.own(self._guess_task)
            self._guess_task = None
        self._replies.begin(
            action.reply, action.turn, "reply", commit=proposal.commit, ahead=speculation.first
        )
        self._detail.speculated(
            action.reply, speculation.begun_at_ms, speculation.first_audio_at_ms
        )
        self._replies.spawn(self._carry(action.reply, speculation.events()))

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

    async def _carry(
        self,
        reply: int,
        events: AsyncIterator[tuple[BrainEvent, float]],
        *,
        introduction: bool = False,
    ) -> None:
        """Carry one answer of the brain to the machine."""
        ending = on.ReplyEnded(reply)
        try:
            async with aclosing(cast("AsyncGenerator[tuple[BrainEvent, float]]", events)) as stream:
                async for event, at_ms in stream:
                    match event:
                        case Say(text):
                            self._detail.first_sentence(reply, at_ms)
                            self._on_sentence(reply, text, introduction=introduction)
                            await self._replies.room()
                        case PressKeys(digits):
                            self._dispatch(on.ReplyKeys(reply, digits))
                            await self._replies.room()
                        case Began():
                            self._detail.first_token(reply, at_ms)
                        case Expect(phrases):
                            self._expect(phrases)
                        case Save(fields):
                            self._effects.save(dict(fields))
                        case HangUp():
                            ending = on.ReplyEnded(reply, hang_up=True)
                        case Transfer(number):
                            ending = on.ReplyEnded(reply, transfer_to=number)
                        case SwitchLanguage(language):
                            # The rest of the reply is spoken so; the call goes on so once that
                            # was heard.
                            self._replies.go_on_in(language)
                            self._effects.change_language(language)
        except ProviderError as error:
            self._report_failure("brain", str(error))
            self._dispatch(on.ReplyFailed(reply))
            return
        except Exception:
            _log.exception("the brain failed", extra={"call_sid": self._detail.call_sid})
            self._dispatch(on.ReplyFailed(reply))
            return
        for text in self._conversation.held_back(reply):
            self._dispatch(on.ReplySentence(reply, text))
        self._dispatch(ending)

    def _on_sentence(self, reply: int, text: str, *, introduction: bool) -> None:
        if self._notice.is_due(reply):
            # Before all else, and never held back.
            notice = self._spoken.phrases.recording
            self._notice.comes(reply, notice)
            self._dispatch(on.ReplySentence(reply, notice))
        if self._conversation.admit(reply, text, introduction=introduction):
            self._dispatch(on.ReplySentence(reply, text))


async def _each(events: Sequence[BrainEvent]) -> AsyncGenerator[BrainEvent]:
    for event in events:
        yield event


def _nothing() -> None: ...

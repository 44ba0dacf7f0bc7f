"""The agent's voice in one call: the reply under way, from its first sentence to what was heard.

The machine's orders about it come in (speak, stop, resume, give up), and what the phone tells;
events about what became of it go out, and into memory goes what was heard. One reply is under way
at a time; `thinking.py` begins those of the brain's. It never decides whose turn it is.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from voiceagent.call import turn_events as on
from voiceagent.call.conversation import Conversation
from voiceagent.call.detail import CallDetail
from voiceagent.call.playout import Playout
from voiceagent.call.reply_effects import ReplyEffects, SpokenLanguage
from voiceagent.call.speaking import Prepared, ReplySpeech
from voiceagent.call.tape import RecordingNotice
from voiceagent.errors import ProviderError

_log = logging.getLogger(__name__)


class Replies:
    """Speaks and remembers the replies of one call. Loop thread only."""

    def __init__(
        self,
        conversation: Conversation,
        playout: Playout,
        effects: ReplyEffects,
        spoken: SpokenLanguage,
        detail: CallDetail,
        *,
        now_ms: Callable[[], float],
        dispatch: Callable[[on.Event], None],
        wake: Callable[[], None],
        silence: Callable[[bool], None],
        report_failure: Callable[[str, str], None],
        notice: RecordingNotice,
    ) -> None:
        """`wake` and `silence(needs_clear)` reach the sender; `report_failure(part, why)` the
        warm-up."""
        self._conversation = conversation
        self._playout = playout
        self._effects = effects
        self._spoken = spoken
        self._detail = detail
        self._now_ms = now_ms
        self._dispatch = dispatch
        self._wake = wake
        self._silence = silence
        self._report_failure = report_failure
        self._notice = notice
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._speech: ReplySpeech | None = None
        self._reply = 0
        self._held = False

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """Replies made from now on work in this group."""
        self._group = tasks

    def close(self) -> None:
        """Stop all work and settle the reply under way; the group waits for the work's end."""
        if self._speech is not None:
            self.abandon(self._reply)
        self._cancel()

    # --- beginning and speaking ---------------------------------------------------------------

    @property
    def heard_so_far(self) -> tuple[int, float]:
        """The last reply that began, and how many ms of it were heard."""
        return self._reply, self._playout.heard_ms(self._reply)

    def begin(
        self,
        reply: int,
        turn: int,
        source: str,
        *,
        commit: Callable[[], None] | None = None,
        ahead: Prepared | None = None,
    ) -> None:
        """Have this reply under way. `commit`: what makes the brain's proposal count, once it is
        being heard; `ahead`: a sentence of it whose sound is there or on its way."""
        self._reply = reply
        self._held = False
        self._effects.begin(commit)
        self._playout.begin(reply)
        self._detail.reply_begins(reply, turn, source)
        self._start_speech(reply, ahead)

    async def room(self) -> None:
        """A brain that runs ahead of its voice waits."""
        if self._speech is not None:
            await self._speech.room()

    def go_on_in(self, language: str) -> None:
        """What is said from now on in this reply is spoken in this language (BCP 47)."""
        if self._speech is not None:
            self._speech.language = language

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
        phrases = self._spoken.phrases
        text = {
            on.Phrase.REPROMPT: phrases.reprompts[action.index % len(phrases.reprompts)],
            on.Phrase.NEARLY_OVER: phrases.nearly_over,
            on.Phrase.APOLOGY: phrases.apology,
            on.Phrase.CANNOT_HEAR: phrases.cannot_hear,
            on.Phrase.GOODBYE: phrases.goodbye,
            on.Phrase.TRANSFER: phrases.transfer,
            on.Phrase.TRANSFER_FAILED: phrases.transfer_failed,
        }[action.phrase]
        if action.reply != self._reply:
            self.begin(action.reply, turn, action.phrase.value)
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

    def _start_speech(self, reply: int, ahead: Prepared | None = None) -> None:
        self._speech = ReplySpeech(
            reply,
            self._spoken.voice,
            self._playout,
            self._conversation,
            now_ms=self._now_ms,
            on_audio=lambda: self._on_audio(reply),
            prepared=ahead,
        )
        self.spawn(self._speak(reply, self._speech))

    async def _speak(self, reply: int, speech: ReplySpeech) -> None:
        try:
            await speech.run()
        except ProviderError as error:
            self._detail.voice_failed(self._spoken.voice.synthesizer.name, error)
            self._report_failure("tts", str(error))
        except Exception as error:
            self._detail.voice_failed(self._spoken.voice.synthesizer.name, error)
            _log.exception("the voice failed", extra={"call_sid": self._detail.call_sid})
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
            self._effects.heard()
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
        self._effects.heard()
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

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Work for the reply under way, until that is given up."""
        if self._group is None:
            work.close()
            return
        self._tasks = [task for task in self._tasks if not task.done()]
        self.own(self._group.create_task(work))

    def own(self, task: asyncio.Task[None]) -> None:
        """It works for the reply under way."""
        self._tasks.append(task)

    def _cancel(self) -> None:
        """Stop the reply's tasks; the one that this may be called from at its next wait."""
        for task in self._tasks:
            task.cancel()

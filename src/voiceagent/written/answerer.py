"""One contact's thread is read and answered: judged, drafted, decided on, handed over.

A contact flows in, messages flow out to its thread. What is to be answered is read from the
thread, never from memory, and an answer is kept before it is sent: killed anywhere in
between, another process does the rest, and nobody is answered twice. It decides neither
when a thread is read nor how often.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from voiceagent.errors import ProviderError
from voiceagent.written.allowance import Allowance
from voiceagent.written.answering import (
    THREAD,
    UNLIMITED,
    Acknowledge,
    Answer,
    Burst,
    Leave,
    Verdict,
    judge,
)
from voiceagent.written.drafts import Reply
from voiceagent.written.memory import Memory, kept, recalled
from voiceagent.written.minds import Mind
from voiceagent.written.ports import Claim, Reason, WrittenHouse
from voiceagent.written.script_answers import Draft, ScriptAnswers
from voiceagent.written.wording import file_reply, hand_over

DEADLINE_S: Final = 30.0
"""Of one answer. Who writes waits longer than who calls, but not for ever."""
LEASE_S: Final = 60.0
"""Longer than an answer and what is done about it: after a kill another process waits so long."""
ANEW: Final = 3
"""How often an answer is given up since more was written; then it is sent, and the rest after."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Attended:
    """A contact that is being looked after."""

    contact_id: UUID
    burst: Burst | None
    """The messages that are not answered yet; None: nothing to wait for."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """It wrote, or its switch was set, since its thread was read."""
    anew: int = 0
    """How often its answer was given up."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a look at a thread."""

    again: bool = False
    """It is to be looked at once more."""
    left: str = ""
    """Id of the message since which nothing wants an answer; empty: that may change by itself."""


class _NoAnswer(Exception):
    """No answer can be made; the message tells why."""


class Answerer:
    """One per process. Loop thread only."""

    def __init__(
        self,
        mind: Mind,
        script: ScriptAnswers,
        house: WrittenHouse,
        *,
        allowance: Callable[[], Allowance] = lambda: UNLIMITED,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        deadline_s: float = DEADLINE_S,
        lease_s: float = LEASE_S,
    ) -> None:
        """`allowance`: how much is answered now; `now` is aware of its zone."""
        self._mind = mind
        self._allowance = allowance
        self._profile = script.profile
        self._file_reply = file_reply(script.profile.language)
        self._house = house
        self._now = now
        self._deadline_s = deadline_s
        self._lease_s = lease_s
        self.answered = 0
        """Answers that were handed over, since the start."""
        self.failed = 0
        """Answers that could not be made."""

    async def look(self, attended: Attended) -> Done:
        """Answer what there is to be answered.

        Raises `NotFound` for a contact that was erased, and `ProviderError` when a port is away:
        the thread stays as it is.
        """
        claim = await self._house.dialogues.claim(attended.contact_id, self._lease_s)
        if claim is None:
            # Another process has the contact: look again a little later.
            attended.burst = Burst.begun(asyncio.get_running_loop().time())
            return Done(again=True)
        try:
            if claim.unsent is not None:
                await self._finish(claim)
            return await self._answer(attended, claim)
        finally:
            with suppress(ProviderError):
                await self._house.dialogues.release(claim)

    async def _answer(self, attended: Attended, claim: Claim) -> Done:
        verdict, newest = await self._verdict(claim.contact_id)
        if isinstance(verdict, Leave):
            return await self._leave(claim.contact_id, verdict, newest)
        memory = recalled(claim.state, claim.decided_at, self._now(), self._profile)
        if isinstance(verdict, Acknowledge):
            reply = self._set_reply(verdict)
            return await self._decide(attended, claim, verdict, Draft((reply,), memory, {}))
        try:
            draft = await self._draft(attended, claim.contact_id, verdict, memory)
        except _NoAnswer as error:
            return await self._give_up(claim.contact_id, verdict, str(error))
        if draft is None:
            attended.anew += 1
            return Done(again=True)
        if not draft.messages and not draft.hands_over:
            return Done(left=verdict.key)
        return await self._decide(attended, claim, verdict, draft)

    async def _verdict(self, contact_id: UUID) -> tuple[Verdict, str]:
        """What to do about the thread, and the id of the newest message of the contact's."""
        switch = await self._house.switch.of(contact_id)
        silence = await self._house.threads.silence(contact_id)
        thread = await self._house.threads.last(contact_id, THREAD)
        verdict = judge(
            thread,
            switch,
            silence,
            self._now(),
            file_reply=self._file_reply,
            allowance=self._allowance(),
        )
        theirs = (message.id for message in reversed(thread) if message.who == "contact")
        return verdict, next(theirs, "")

    def _set_reply(self, verdict: Acknowledge) -> str:
        match verdict.why:
            case "file":
                return self._file_reply
            case "too_many":
                return self._allowance().too_many_reply
            case "budget":
                return self._allowance().budget_reply

    # --- an answer is made ------------------------------------------------------------------------

    async def _draft(
        self, attended: Attended, contact_id: UUID, asked: Answer, memory: Memory
    ) -> Draft | None:
        """Make the answer; None when it is given up since there is news.

        Raises `_NoAnswer`.
        """

        async def confirmed() -> None:
            """Returns while this is still what is to be answered, else never."""
            with suppress(ProviderError):
                if await self._still(attended, contact_id, asked):
                    return
            attended.news.set()
            await asyncio.Event().wait()

        making = asyncio.create_task(
            self._mind.answer(contact_id, asked, memory, confirmed), name="draft"
        )
        try:
            async with asyncio.timeout(self._deadline_s):
                while not making.done():
                    await _first_of(making, attended.news)
                    if attended.news.is_set() and not making.done():
                        attended.news.clear()
                        if not await self._still(attended, contact_id, asked):
                            return None
        except TimeoutError:
            raise _NoAnswer(f"none within {self._deadline_s:.0f} s") from None
        finally:
            await _stopped(making)
        error = asyncio.InvalidStateError() if making.cancelled() else making.exception()
        if error is None:
            return making.result()
        if isinstance(error, ProviderError):
            raise _NoAnswer(str(error)) from error
        _log.error("a draft failed", exc_info=error)
        raise _NoAnswer(type(error).__name__) from error

    async def _still(self, attended: Attended, contact_id: UUID, asked: Answer) -> bool:
        """Is this what is to be answered, and will it be sent?"""
        verdict, _ = await self._verdict(contact_id)
        if not isinstance(verdict, Answer):
            return False
        return verdict.text == asked.text or attended.anew >= ANEW

    # --- it is decided on, and done ---------------------------------------------------------------

    async def _decide(
        self, attended: Attended, claim: Claim, asked: Answer | Acknowledge, draft: Draft
    ) -> Done:
        """Send the draft, unless something has changed since its thread was read."""
        verdict, newest = await self._verdict(claim.contact_id)
        if isinstance(verdict, Leave):
            return await self._leave(claim.contact_id, verdict, newest)
        is_the_same = _words(verdict) == _words(asked)
        if not is_the_same and attended.anew < ANEW:
            attended.anew += 1
            return Done(again=True)
        reply = Reply(
            draft.messages or (hand_over(self._profile.language),),
            # A reaction that came meanwhile is answered as well.
            verdict.key if is_the_same else asked.key,
            asked.at,
            draft.fields,
            hands_over=draft.hands_over,
        )
        if not await self._house.dialogues.decide(claim, kept(draft.memory), reply.to_json()):
            return Done()  # another process has taken the contact
        now_s = asyncio.get_running_loop().time()
        attended.burst = Burst.begun(now_s) if attended.news.is_set() else None
        attended.anew = 0
        draft.commit()
        if not await self._hand_over(claim, reply):
            return await self._refused(claim.contact_id, reply)
        if isinstance(asked, Acknowledge) and asked.why != "file":
            _log.info("the agent holds back contact_id=%s why=%s", claim.contact_id, asked.why)
            await self._want_person(claim.contact_id, asked.why, asked.key)
        return Done(again=not is_the_same)

    async def _finish(self, claim: Claim) -> None:
        """Do what another process decided on and did not live to do."""
        try:
            reply = Reply.from_json(claim.unsent or {})
        except ValueError:
            _log.error("an answer cannot be read contact_id=%s", claim.contact_id)
            await self._house.dialogues.settle(claim)
            return
        await self._hand_over(claim, reply)

    async def _hand_over(self, claim: Claim, reply: Reply) -> bool:
        """Do all that an answer is; false when it was not taken. Done again, it changes nothing."""
        house, contact_id = self._house, claim.contact_id
        if reply.fields:
            await _unless_refused(house.learn(contact_id, reply.fields, reply.at))
        if reply.hands_over:
            await self._want_person(contact_id, "asked", reply.answers)
        is_taken = await self._send(contact_id, reply)
        if reply.hands_over:
            await house.switch.set(contact_id, "person")
            _log.info("a person answers from now on contact_id=%s reason=asked", contact_id)
        await house.dialogues.settle(claim)
        self.answered += is_taken
        return is_taken

    async def _send(self, contact_id: UUID, reply: Reply) -> bool:
        """Its messages, in order; none any more, and false, once somebody has taken over or the
        contact wants none."""
        try:
            for place, text in enumerate(reply.messages):
                key = reply.key(place)
                if not await self._house.threads.reply(contact_id, text, key, reply.answers):
                    return False
        except ProviderError as error:
            if error.retryable:
                raise
            _log.error("an answer was refused contact_id=%s why=%r", contact_id, str(error))
            await self._want_person(contact_id, "failed", reply.answers)
            return False
        return True

    # --- nothing is said --------------------------------------------------------------------------

    async def _give_up(self, contact_id: UUID, asked: Answer, why: str) -> Done:
        """No answer can be made: the message stays unanswered, and a person is told."""
        self.failed += 1
        _log.error("no answer could be made contact_id=%s why=%r", contact_id, why)
        await self._want_person(contact_id, "failed", asked.key)
        return Done(left=asked.key)

    async def _leave(self, contact_id: UUID, leave: Leave, newest: str) -> Done:
        if leave.why == "loop":
            _log.info("a machine seems to write contact_id=%s", contact_id)
            await self._want_person(contact_id, "loop", f"loop {self._now():%Y-%m-%d}")
        is_for_good = leave.why in {"opted_out", "owner", "wordless", "file", "loop"}
        return Done(left=newest if is_for_good else "")

    async def _refused(self, contact_id: UUID, reply: Reply) -> Done:
        """An answer was not taken. Unless the switch tells why, and may be set again, none is made
        once more before something new comes."""
        verdict, newest = await self._verdict(contact_id)
        if isinstance(verdict, Leave):
            return await self._leave(contact_id, verdict, newest)
        return Done(left=reply.answers)

    async def _want_person(self, contact_id: UUID, reason: Reason, key: str) -> None:
        await _unless_refused(self._house.people.wanted(contact_id, reason, key))


def _words(verdict: Answer | Acknowledge) -> tuple[str, str]:
    """What is answered, or why not."""
    return ("", verdict.text) if isinstance(verdict, Answer) else (verdict.why, "")


async def _unless_refused(work: Awaitable[None]) -> None:
    """What will never be taken must not keep an answer from being sent."""
    try:
        await work
    except ProviderError as error:
        if error.retryable:
            raise
        _log.error("a part of an answer in writing was refused why=%r", str(error))


async def _first_of(work: "asyncio.Task[Draft]", news: asyncio.Event) -> None:
    """Wait for the end of the work, or for news."""
    waiting = asyncio.create_task(news.wait())
    try:
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _stopped(work: "asyncio.Task[Draft]") -> None:
    """End it, if it has not ended, and wait for that."""
    work.cancel()
    await asyncio.wait({work})

"""Sends what is in the outbox: for each contact in order, each message at most once.

Letters flow in from the database, attempts flow out to the carriers, and what came of each
goes back. Any number of processes may send at once; what a killed one had in its hands is
asked about before it is sent. It decides neither what is written nor to whom.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from uuid import UUID, uuid4

from voiceagent.crm.messages.outbox import Letter, OutboxRepository
from voiceagent.crm.postgres.database import QUERY_DEADLINE_S
from voiceagent.crm.postgres.outage import Outage
from voiceagent.crm.recording.message_models import Provider
from voiceagent.crm.recording.message_records import say_that_it_left
from voiceagent.errors import OutcomeUnknown, ProviderError
from voiceagent.whatsapp.delivery import Complaints, Gate, LetGo, Settle, Wait, step_after
from voiceagent.whatsapp.news import KnownFate, MessageNews
from voiceagent.whatsapp.ports import Carrier, NotSent, Outcome, Settled, Unclear

_log = logging.getLogger(__name__)

POLL_S: Final = 2.0
"""How often letters are looked for of which nobody told."""
SEND_DEADLINE_S: Final = 11.0
"""Of an attempt. Above those of the carriers: who is cut off here can say nothing any more."""
NOTE_TRIES: Final = 3
_NOTE_PAUSES_S: Final = (0.3, 0.6)
_NOTES_S: Final = NOTE_TRIES * QUERY_DEADLINE_S + sum(_NOTE_PAUSES_S)
_SPARE_S: Final = 2.0
"""For a busy machine."""
LEASE_S: Final = QUERY_DEADLINE_S + SEND_DEADLINE_S + _NOTES_S + _SPARE_S
"""Longer than a claim, its attempt and the notes of the outcome can last together."""
_IN_VAIN: Final = 32
"""So many unanswered claims are remembered: all of a lease's time, each takes its deadline."""
_LAST_S: Final = 5.0
"""How long attempts under way may go on at the end."""


class Outbox:
    """One per process; `run` is its task."""

    def __init__(
        self,
        repository: OutboxRepository,
        carriers: Mapping[Provider, Carrier],
        news: MessageNews,
        *,
        on_attempt: Callable[[Provider, Outcome], None] = lambda _provider, _outcome: None,
        poll_s: float = POLL_S,
        lease_s: float = LEASE_S,
        deadline_s: float = SEND_DEADLINE_S,
    ) -> None:
        """`on_attempt` is told what came of each attempt, and must answer at once."""
        self._repository = repository
        self._on_attempt = on_attempt
        self._carriers = carriers
        self._news = news
        self._poll_s = poll_s
        self._lease_s = lease_s
        self._deadline_s = deadline_s
        self._gates: dict[Provider, Gate] = {provider: Gate() for provider in carriers}
        self._complaints = {provider: Complaints() for provider in carriers}
        self._under_way: dict[Provider, set[asyncio.Task[None]]] = {
            provider: set() for provider in carriers
        }
        self._full: dict[Provider, bool] = {}
        self._in_vain: deque[UUID] = deque(maxlen=_IN_VAIN)
        self._wake = asyncio.Event()
        self._outage = Outage(
            lambda why: _log.warning("messages wait: the database is away why=%r", why)
        )

    def wake(self) -> None:
        """Something may be sent."""
        self._wake.set()

    def carrier_is_back(self, provider: Provider) -> None:
        """It says that it works again: it need not rest any longer."""
        if provider in self._gates:
            self._gates[provider].open()
            self._wake.set()

    async def run(self) -> None:
        """Send until cancelled; what is under way then may end, but not for long."""
        try:
            while True:
                self._wake.clear()
                for provider in self._carriers:
                    await self._round(provider)
                await self._rest()
        finally:
            left = [task for tasks in self._under_way.values() for task in tasks]
            if left:
                await asyncio.wait(left, timeout=_LAST_S)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _rest(self) -> None:
        """Until somebody wakes it, a carrier's rest is over, or it is time to look."""
        now_s = asyncio.get_running_loop().time()
        rests = [gate.opens_in_s(now_s) for gate in self._gates.values()]
        wait_s = min([self._poll_s, *(rest_s for rest_s in rests if rest_s > 0)])
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()

    async def _round(self, provider: Provider) -> None:
        """Begin as many attempts as there is room for."""
        under_way = self._under_way[provider]
        now_s = asyncio.get_running_loop().time()
        free = self._carriers[provider].at_once - len(under_way)
        room = self._gates[provider].room(now_s, free, len(under_way))
        self._full[provider] = room <= 0
        if room <= 0:
            return
        # Of each round its own: what an earlier round of this process lost is another's as well.
        owner = uuid4()
        try:
            letters = await self._repository.claim(
                provider, room, owner, self._lease_s, self._in_vain
            )
        except ProviderError as error:
            if isinstance(error, OutcomeUnknown):
                # Done or not: nobody waits for that lease to end.
                self._in_vain.append(owner)
            self._outage.met(str(error))
            return
        self._outage.over()
        self._full[provider] = len(letters) == room
        for letter in letters:
            task = asyncio.create_task(self._attempt(letter), name=f"message {letter.message_id}")
            under_way.add(task)
            task.add_done_callback(lambda done: self._attempted(provider, done))

    def _attempted(self, provider: Provider, task: "asyncio.Task[None]") -> None:
        self._under_way[provider].discard(task)
        if self._full[provider]:
            # A place is free, and there may be more than there was room for.
            self._wake.set()

    async def _attempt(self, letter: Letter) -> None:
        try:
            outcome = await self._outcome(letter)
        except Exception as error:
            # Whatever it is, no letter may stop those behind it, and this one may have been sent.
            _log.exception("a message could not be sent id=%s", letter.message_id)
            outcome = Unclear(type(error).__name__)
        self._on_attempt(letter.provider, outcome)
        self._judge(letter, outcome)
        await self._note(letter, outcome)

    async def _outcome(self, letter: Letter) -> Outcome:
        if letter.stopped and not letter.was_begun:
            return Settled("failed", error="the person has asked for no more messages")
        carrier = self._carriers[letter.provider]
        try:
            async with asyncio.timeout(self._deadline_s):
                if letter.was_begun:
                    outcome = await carrier.ask(letter)
                    # It certainly was not sent: so it can be, at once, by whoever found out.
                    if not isinstance(outcome, NotSent) or letter.stopped:
                        return outcome
                return await carrier.send(letter)
        except TimeoutError:
            return Unclear("no answer in time", everyone=True)

    def _judge(self, letter: Letter, outcome: Outcome) -> None:
        """What the outcome says about the carrier."""
        gate, now_s = self._gates[letter.provider], asyncio.get_running_loop().time()
        if isinstance(outcome, NotSent | Unclear) and outcome.everyone:
            retry_in_s = outcome.retry_in_s if isinstance(outcome, NotSent) else None
            if gate.failed(now_s, retry_in_s, _chance()):
                self._complain(letter.provider, now_s, outcome.why)
        elif gate.worked():
            self._complaints[letter.provider].over()
            _log.info("%s takes messages again", letter.provider)

    def _complain(self, provider: Provider, now_s: float, why: str) -> None:
        failures = self._complaints[provider].failed(now_s, why)
        if failures:
            _log.warning("%s takes no messages now why=%r failures=%d", provider, why, failures)

    async def _note(self, letter: Letter, outcome: Outcome) -> None:
        """Write down what came of it. Not noted, its lease ends, and it is asked about then."""
        step = step_after(outcome, letter, _chance())
        for attempt in range(NOTE_TRIES):
            try:
                await self._take_step(letter, step)
            except ProviderError as error:
                self._outage.met(str(error))
                if attempt < len(_NOTE_PAUSES_S):
                    await asyncio.sleep(_NOTE_PAUSES_S[attempt])
                continue
            fate = KnownFate(step.status, step.error) if isinstance(step, Settle) else None
            self._news.tell(letter.message_id, fate)
            break
        if isinstance(step, Wait):
            asyncio.get_running_loop().call_later(step.delay_s, self._wake.set)

    async def _take_step(self, letter: Letter, step: Settle | LetGo | Wait) -> None:
        match step:
            case Settle(status, external_id, error):
                more = await self._repository.settle(letter, status, external_id, error)
                if more:
                    self._wake.set()  # the next message of this contact may go
                if more is not None:
                    say_that_it_left(letter.message_id, status, letter.provider)
                if status in {"failed", "unknown"}:
                    _log.warning(
                        "message not sent id=%s status=%s why=%r", letter.message_id, status, error
                    )
            case LetGo(external_id):
                if await self._repository.hand_over(letter, external_id):
                    say_that_it_left(letter.message_id, "accepted", letter.provider)
                self._wake.set()
            case Wait(state, delay_s, shown, error):
                await self._repository.postpone(
                    letter, delay_s, state=state, shown=shown, error=error
                )


def _chance() -> float:
    return random.random()  # noqa: S311 - a delay, no secret

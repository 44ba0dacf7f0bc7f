"""Gives every call that is over its summary, and has the owner told of it.

Calls without a summary flow in from the database, summaries and notices flow back, both
in one transaction. Any number of processes share the work; a call whose process was
killed gets its summary from another one. A model that fails costs nothing but its words.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import timedelta
from typing import Final

from voiceagent.aftercall.call_notice import call_notice
from voiceagent.aftercall.summary import CallFacts, Summary, SummaryWriter, fit_answer
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.calls.summaries import (
    CONNECTS_WITHIN_S,
    SETTLED_S,
    Claim,
    SummariesRepository,
    keep_summary,
)
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import (
    CONFLICT_ATTEMPTS,
    ContentRejected,
    Database,
    TransactionConflict,
)
from voiceagent.crm.postgres.outage import Outage
from voiceagent.crm.recording.call_models import CallEnded
from voiceagent.crm.recording.ports import Recorder
from voiceagent.errors import NotFound, ProviderError
from voiceagent.notices.notices import Target, queue_notice

_log = logging.getLogger(__name__)

POLL_S: Final = 15.0
"""How often calls are looked for that nobody told of: those of other, killed processes."""
AT_ONCE: Final = 2
"""Calls that one process summarises at a time: they must not take the model from live calls."""
LLM_DEADLINE_S: Final = 20.0
LLM_REST_S: Final = 60.0
"""A model that failed is not asked for so long: its deadlines must not hold up the queue."""
LEASE_S: Final = 60.0
"""Longer than the model's and the database's deadlines together."""
_LATE_S: Final = 0.2
"""How much later than a call's end its record may be in the database."""

Summarise = Callable[[str], Awaitable[str]]
"""Asks a language model. May raise anything; it is held to `LLM_DEADLINE_S` here."""


class Summariser:
    """One per process; `run` is its task."""

    def __init__(
        self,
        database: Database,
        recorder: Recorder,
        writer: SummaryWriter,
        *,
        summarise: Summarise | None = None,
        targets: Collection[Target] = (),
        on_queued: Callable[[], None] = lambda: None,
        public_base_url: Callable[[], str | None] = lambda: None,
        tell_of_simulated: bool = False,
        heard_within_s: float = 0.0,
        may_ask: Callable[[], bool] = lambda: True,
        llm_deadline_s: float = LLM_DEADLINE_S,
        lease_s: float = LEASE_S,
        poll_s: float = POLL_S,
    ) -> None:
        """`targets`: by what the owner is told; `on_queued` is called when there is something to
        tell. `public_base_url` tells where this service is reached, as far as it is known by then.
        Calls of the simulated phone are nothing to tell, unless `tell_of_simulated`.
        `heard_within_s`: so long a message that was left is awaited to be put into words; 0 where
        nobody listens to them. `may_ask`: whether the model may be asked now."""
        self._database = database
        self._calls = CallsRepository(database)
        self._contacts = ContactsRepository(database)
        self._summaries = SummariesRepository(database)
        self._recorder = recorder
        self._writer = writer
        self._summarise = summarise
        self._targets = targets
        self._on_queued = on_queued
        self._public_base_url = public_base_url
        self._tell_of_simulated = tell_of_simulated
        self._heard_within_s = heard_within_s
        self._may_ask = may_ask
        self._llm_deadline_s = llm_deadline_s
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._ended = asyncio.Event()
        self._llm_rests_until_s = 0.0
        self._outage = Outage(
            lambda why: _log.warning("summaries wait: the database is away why=%r", why)
        )

    def write_with(self, writer: SummaryWriter) -> None:
        """Summaries that begin from now on are this one's."""
        self._writer = writer

    def call_ended(self) -> None:
        """A call of this process is over: its summary is due in two seconds."""
        self._ended.set()

    async def run(self) -> None:
        """Summarise until cancelled."""
        while True:
            await self._round()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._ended.wait()
            if self._ended.is_set():
                # Cleared before the wait: a call that ends meanwhile is due after another one.
                self._ended.clear()
                await asyncio.sleep(SETTLED_S + _LATE_S)

    async def _round(self) -> None:
        async with asyncio.TaskGroup() as workers:
            done = [workers.create_task(self._unless_away(self._conclude))]
            done += [workers.create_task(self._unless_away(self._work)) for _ in range(AT_ONCE)]
        # Only now: who was done before the database went does not say that it is back.
        if all(one.result() for one in done):
            self._outage.over()

    async def _unless_away(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether it was done; a database that is away is told once, and the next round tries
        again."""
        try:
            await work()
        except ProviderError as error:
            self._outage.met(str(error))
            return False
        return True

    async def _conclude(self) -> None:
        """End calls that rang and came to nothing; each process that sees one says the same."""
        for call_sid, announced_at in await self._summaries.never_connected():
            self._recorder.record(
                CallEnded(
                    call_sid=call_sid,
                    at=announced_at + timedelta(seconds=CONNECTS_WITHIN_S),
                    status="failed",
                    reason="never_connected",
                )
            )

    async def _work(self) -> None:
        """Summarise one call after the other until none is left."""
        while claim := await self._summaries.claim(self._lease_s, self._heard_within_s):
            try:
                await self._handle(claim)
            except NotFound:
                continue  # deleted meanwhile
            except Exception as error:
                if isinstance(error, ProviderError) and not isinstance(error, ContentRejected):
                    raise
                # It is tried again when the lease ends; the calls behind it do not wait.
                _log.error(
                    "a call could not be summarised call_sid=%s error=%s",
                    claim.call_sid,
                    type(error).__name__,
                )

    async def _handle(self, claim: Claim) -> None:
        facts = await self._facts(claim.call_sid)
        summary = await self._summary(facts)
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                return await self._keep(claim, facts, summary)
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise
        return None

    async def _facts(self, call_sid: str) -> CallFacts:
        call = await self._calls.get(call_sid)
        contact = None
        if call.contact_id is not None:
            with suppress(NotFound):  # it was absorbed by another one: the claim is void then
                contact = await self._contacts.get(call.contact_id)
        return CallFacts(
            call,
            contact,
            await self._summaries.callbacks(call_sid),
            await self._summaries.appointments(call_sid),
        )

    async def _keep(self, claim: Claim, facts: CallFacts, summary: Summary) -> None:
        """The summary and the notice, both or none."""
        targets = self._targets if self._is_told_of(facts) else ()
        async with self._database.transaction() as connection:
            if not await keep_summary(connection, claim, summary.text, summary.source):
                return
            if targets:
                headline = self._writer.headline(facts)
                notice = call_notice(facts, summary, headline, self._public_base_url())
                await queue_notice(connection, notice, targets)
        if targets:
            self._on_queued()

    def _is_told_of(self, facts: CallFacts) -> bool:
        # Whoever calls too often would have the owner told each time.
        is_news = facts.missed != "caller_limit"
        return is_news and (self._tell_of_simulated or not facts.call.simulated)

    async def _summary(self, facts: CallFacts) -> Summary:
        if facts.missed is None and (text := await self._ask_llm(facts)):
            return Summary(text, "llm")
        return self._writer.write(facts)

    async def _ask_llm(self, facts: CallFacts) -> str | None:
        """A model's summary; None without a model, and when it failed lately or now."""
        now_s = asyncio.get_running_loop().time
        if self._summarise is None or not self._may_ask() or now_s() < self._llm_rests_until_s:
            return None
        try:
            async with asyncio.timeout(self._llm_deadline_s):
                answer = await self._summarise(self._writer.question(facts))
        except Exception as error:
            self._llm_rests_until_s = now_s() + LLM_REST_S
            _log.warning(
                "summaries go without the model for %.0f s error=%s",
                LLM_REST_S,
                type(error).__name__,
            )
            return None
        return fit_answer(answer)

"""The limits, put together: who calls too often, what the day costs, who is turned away.

Settings, the database and the agent's profile flow in; what the webhook, the agent in writing and
whoever places calls need to know flows out, with the background work. It decides nothing.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from typing import Final

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.crm.calls.caller_calls import CallerCalls
from voiceagent.crm.numbers.usage import UsageRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.model_usage import model_used
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.limits.budget import Budget, Purse
from voiceagent.limits.budget_watch import BudgetWatch
from voiceagent.limits.caller_limit import CallerLimit
from voiceagent.limits.callers import Callers
from voiceagent.limits.front_door import DoorSentences, FrontDoor, Reason
from voiceagent.limits.prices import Costs, Prices
from voiceagent.metrics import Metrics
from voiceagent.notices.notices import Target
from voiceagent.settings import Settings
from voiceagent.wiring.keep_running import keep_running
from voiceagent.written.allowance import Allowance
from voiceagent.written.wording import budget_reply, too_many_reply

USAGE_S: Final = 10.0
"""How often it is kept what the models were used for; a kill loses so much."""


class LimitsOffice:
    """One per process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        tombstones: Tombstones,
        profile: AgentProfile,
        *,
        recorder: CallRecorder,
        metrics: Metrics,
        targets: Collection[Target],
        on_queued: Callable[[], None],
    ) -> None:
        """`targets`: by what the owner is told; `on_queued` is called when there is something to
        tell. By the `tombstones` numbers are hidden."""
        self._settings = settings
        self._profile = profile
        self._recorder = recorder
        self._metrics = metrics
        self._usage = _ModelUsage(metrics)
        limit = CallerLimit(settings.calls_per_caller_hour, settings.calls_per_caller_day)
        shared = CallerCalls(
            database,
            tombstones.hash_of_number,
            per_hour=limit.per_hour,
            per_day=limit.per_day,
        )
        self._callers = Callers(limit, shared, self._unlimited)
        self._watch = BudgetWatch(
            purse_of(settings),
            database,
            UsageRepository(database),
            zone=profile.zone,
            language=profile.language,
            targets=targets,
            on_queued=on_queued,
            on_looked=self._tell_metrics,
        )
        metrics.daily_budget.set(float(settings.daily_budget))
        account = settings.twilio_account_sid is not None and settings.twilio_auth_token is not None
        self.front_door = FrontDoor(
            self._callers,
            self.is_spent,
            self._sentences,
            hears_messages=account,
            on_turned_away=self._count,
        )
        """Who comes in when a call rings."""

    def is_spent(self) -> bool:
        """Whether the day's budget is."""
        return self._watch.is_spent

    def allowance(self, language: str) -> Allowance:
        """How much is answered in writing now, in an agent's language (BCP 47). What costs nothing
        goes on."""
        settings = self._settings
        costs = settings.llm_base_url is not None or settings.price_message > 0
        return Allowance(
            settings.messages_per_writer_hour,
            too_many_reply(language),
            self._watch.day_began if costs and self.is_spent() else None,
            budget_reply(language),
        )

    async def become(self, profile: AgentProfile) -> None:
        """Another agent answers, maybe in another zone."""
        self._profile = profile
        self._watch.belongs_to(profile.zone, profile.language)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_running("the day's budget", self._watch.run))
            tasks.create_task(keep_running("the models' use", self._keep_usage))

    def close_with(self, stack: AsyncExitStack) -> None:
        """Have the stack close everything."""
        stack.push_async_callback(self._callers.close)

    async def _keep_usage(self) -> None:
        try:
            while True:
                await asyncio.sleep(USAGE_S)
                self._record_usage()
        finally:
            self._record_usage()

    def _record_usage(self) -> None:
        tokens_in, tokens_out = self._usage.since_last()
        if tokens_in or tokens_out:
            self._recorder.record(model_used(tokens_in, tokens_out))

    def _unlimited(self) -> Collection[str]:
        """The house's own numbers."""
        settings = self._settings
        own = settings.twilio_phone_number, settings.owner_whatsapp, self._profile.transfer_number
        return {*settings.unlimited_callers, *filter(None, own)}

    def _sentences(self) -> DoorSentences:
        phrases = self._profile.phrases
        return DoorSentences(
            self._profile.language,
            too_many_calls=phrases.too_many_calls,
            not_today=phrases.not_today,
            leave_message=phrases.leave_message,
            thanks=phrases.goodbye,
        )

    def _count(self, reason: Reason) -> None:
        self._metrics.calls_refused.labels(reason).inc()

    def _tell_metrics(self, costs: Costs) -> None:
        for part, amount in costs.parts.items():
            self._metrics.spent_today.labels(part).set(float(amount))


def purse_of(settings: Settings) -> Purse:
    """What things cost and a day may cost, as the settings have it."""
    prices = Prices(
        call_minute=settings.price_call_minute,
        stt_minute=settings.price_stt_minute,
        tts_million=settings.price_tts_million,
        llm_in_million=settings.price_llm_in_million,
        llm_out_million=settings.price_llm_out_million,
        message=settings.price_message,
    )
    return Purse(prices, Budget(settings.daily_budget, settings.budget_currency))


class _ModelUsage:
    """Tokens that this process's models have used, read off the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._before = {"in": 0, "out": 0}

    def since_last(self) -> tuple[int, int]:
        """Read and written since this was asked last."""
        now = {"in": 0, "out": 0}
        for family in self._metrics.llm_tokens.collect():
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    now[sample.labels["direction"]] += int(sample.value)
        used = now["in"] - self._before["in"], now["out"] - self._before["out"]
        self._before = now
        return used

"""The agent in writing, put together: who thinks, whose messages, who is told.

Settings, the agent's profile and the house's ports flow in; what answers the messages flows
out, with its background work and what it has to close. It decides nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from uuid import UUID

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.crm.messages.written_dialogues import WrittenDialogues
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.people.told_facts import ToldFacts
from voiceagent.crm.postgres.database import Database
from voiceagent.notices.notices import Target
from voiceagent.notices.person_wanted import PersonWanted
from voiceagent.observability.measured import measured_model
from voiceagent.settings import Settings
from voiceagent.wiring.brains import WRITTEN_DEADLINES, House, choose_model, written_brain
from voiceagent.written.agent import WrittenAgent
from voiceagent.written.allowance import Allowance
from voiceagent.written.answerer import Answerer
from voiceagent.written.answering import UNLIMITED
from voiceagent.written.minds import ScriptedMind, ThinkingMind
from voiceagent.written.ports import Threads, WrittenHouse
from voiceagent.written.script_answers import ScriptAnswers


class WrittenOffice:
    """The agent in writing of one process."""

    def __init__(
        self,
        settings: Settings,
        profile: AgentProfile,
        house: House,
        database: Database,
        threads: Threads,
        *,
        told: Collection[Target] = (),
        on_told: Callable[[], None] = lambda: None,
        allowance: Callable[[str], Allowance] = lambda _language: UNLIMITED,
    ) -> None:
        """`told`: by what the owner hears that a person is wanted; `on_told` is called when
        there is something to tell. `allowance`: how much is answered now, in an agent's language.
        """
        model = choose_model(settings, WRITTEN_DEADLINES)
        self._model = measured_model(model, "written", house.metrics)
        self._house = house
        self._allowance = allowance
        dialogues = WrittenDialogues(database)

        def ports(language: str) -> WrittenHouse:
            return WrittenHouse(
                threads,
                AgentSwitch(database),
                PersonWanted(database, told, language, on_told),
                dialogues,
                ToldFacts(database).learn,
            )

        self._ports = ports
        self._agent = WrittenAgent(self._answerer(profile), threads, dialogues)

    async def answer_as(self, profile: AgentProfile) -> None:
        """Answers that begin from now on are this agent's."""
        self._agent.answer_with(await asyncio.to_thread(self._answerer, profile))

    def _answerer(self, profile: AgentProfile) -> Answerer:
        script = ScriptAnswers(profile)
        mind = (
            ScriptedMind(script)
            if self._model is None
            else ThinkingMind(written_brain(profile, self._house, self._model), script)
        )
        allowance = partial(self._allowance, profile.language)
        return Answerer(mind, script, self._ports(profile.language), allowance=allowance)

    def message_came(self, contact_id: UUID | None) -> None:
        """This contact has written; None: it is not known who."""
        if contact_id is None:
            self._agent.messages_missed()
        else:
            self._agent.message_came(contact_id)

    def switched(self, contact_id: UUID) -> None:
        """Somebody has set who answers this contact."""
        self._agent.switched(contact_id)

    async def run(self) -> None:
        """Answer until cancelled."""
        await self._agent.run()

    @property
    def closers(self) -> list[Callable[[], Awaitable[None]]]:
        """What is to be closed, in order."""
        return [] if self._model is None else [self._model.close]

"""The agent that answers, put together: what calls of it work with, what it says word for word.

The file's text, the engines and what all calls share flow in; the agent in force, its fixed
phrases and the background work flow out. Another agent takes over while calls go on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from voiceagent.brain.agent.file import AgentText
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.call.floor_words import FloorWords
from voiceagent.call.services import CallServices
from voiceagent.call.speaking import PhraseBook
from voiceagent.crm.desk.agent_versions import AgentVersions
from voiceagent.settings import Settings
from voiceagent.web.agents import Agent, Agents
from voiceagent.wiring.brains import House, transfer_to
from voiceagent.wiring.engines import Engines
from voiceagent.wiring.keep_running import keep_running
from voiceagent.wiring.voice_warm_up import Lines, VoiceWarmUp, fixed_lines, with_notice


class AgentOffice:
    """One per process."""

    def __init__(
        self,
        settings: Settings,
        file: AgentText,
        profile: AgentProfile,
        versions: AgentVersions,
        house: House,
        *,
        engines: Engines,
        phrase_book: PhraseBook,
        shared: CallServices,
    ) -> None:
        """`profile` is the file's; `shared` is what calls of each agent work with, where it is not
        the agent's own."""
        self._engines = engines
        self._house = house
        self._shared = shared
        self._is_recorded = settings.record_calls
        self.agents = Agents(file, profile, self._services_of, versions)
        """Which agent answers."""
        self.agents.follow(self._speak_as)
        self._voice = VoiceWarmUp(engines, phrase_book, self._lines)

    def tell(self, *others: Callable[[AgentProfile], Awaitable[None]]) -> None:
        """Have these told of each agent that takes over."""
        for other in others:
            self.agents.follow(partial(_as_profile, other))

    def services(self) -> CallServices:
        """What a call that begins now has to work with."""
        return self.agents.now.services

    def busy_phrase(self) -> tuple[str, str]:
        """What is said when no call can be taken, and its language."""
        brain = self.services().brain
        return brain.phrases.busy, brain.language

    def voicemail_phrase(self) -> tuple[str, str]:
        """What is left on an answering machine, and its language."""
        return self.agents.now.profile.phrases.voicemail, self.services().brain.language

    async def warm_up_voice(self) -> None:
        """Have ready what is said word for word. Raises `ProviderError`."""
        await self._voice.run()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_running("the agent in force", self.agents.run))
            tasks.create_task(keep_running("the agent's lines", self._voice.follow))

    async def _speak_as(self, _agent: Agent) -> None:
        self._voice.another_agent()

    def _services_of(self, profile: AgentProfile) -> CallServices:
        brain_of = self._engines.brain_of
        brain = brain_of(profile) if brain_of is not None else self._engines.brain
        return replace(
            self._shared,
            brain=brain,
            voice=replace(self._shared.voice, language=brain.language),
            expected=self._engines.expected_of(profile),
            person=partial(transfer_to, profile, self._house),
            words=FloorWords.with_own(profile.words.back_channel, profile.words.command),
        )

    def _lines(self) -> Lines:
        brain = self.services().brain
        lines = fixed_lines(brain, self.agents.now.profile)
        return with_notice(lines, brain.phrases.recording) if self._is_recorded else lines


async def _as_profile(other: Callable[[AgentProfile], Awaitable[None]], agent: Agent) -> None:
    await other(agent.profile)

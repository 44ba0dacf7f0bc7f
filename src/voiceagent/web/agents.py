"""Which agent answers: the file's, or the version that somebody made live in the pages.

Versions of the database and the file's text flow in; the agent that new calls get flows out, at
once and from memory. Reading and building are done in a thread, off every call's way. A version
that cannot be read never stops anything: the file answers then, and it is told why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from voiceagent.brain.agent.file import AgentText, read_agent
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.call.services import CallServices
from voiceagent.crm.desk.agent_versions import AgentVersions, Live
from voiceagent.crm.postgres.outage import Outage
from voiceagent.errors import AgentFileError, ProviderError

SOURCE: Final = "script"
"""How a version's text is called in its faults."""
RETRY_S: Final = 2.0
"""A database that is away is asked again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Agent:
    """One script, ready to answer."""

    profile: AgentProfile
    services: CallServices
    """What a call of this agent's has to work with."""
    version: int | None = None
    """None: the file's."""


@dataclass(frozen=True, slots=True)
class InForce:
    """Which agent answers, and why."""

    version: int | None
    """None: the file."""
    live: Live
    """What was made live last, as far as it is known here."""
    faults: tuple[str, ...] = ()
    """Why the version that was made live does not answer; empty when it does."""
    file_changed: bool = False
    """The file is not what it was when the version was made live."""


class Agents:
    """One per process; `run` is its task. Loop thread only."""

    def __init__(
        self,
        file: AgentText,
        profile: AgentProfile,
        make: Callable[[AgentProfile], CallServices],
        versions: AgentVersions,
    ) -> None:
        """`profile` is the file's. `make` builds what calls of an agent need; it is called in a
        thread and may take its time."""
        self.file = file
        self.versions = versions
        self._make = make
        self._of_file = Agent(profile, make(profile))
        self._now = self._of_file
        self._live = Live(0)
        self._faults: tuple[str, ...] = ()
        self._news = asyncio.Event()
        self._one_by_one = asyncio.Lock()
        self._outage = Outage(lambda why: _log.warning("the agent stays as it is why=%r", why))
        self._others: list[Callable[[Agent], Awaitable[None]]] = []

    @property
    def now(self) -> Agent:
        """Who takes the next call."""
        return self._now

    @property
    def in_force(self) -> InForce:
        """Who that is, and why."""
        live = self._live
        changed = live.version_id is not None and live.file_sum != self.file.checksum
        return InForce(self._now.version, live, self._faults, changed)

    def follow(self, changed: Callable[[Agent], Awaitable[None]]) -> None:
        """Have `changed` told of each agent that answers from then on, one after the other."""
        self._others.append(changed)

    def look_again(self) -> None:
        """Something else may have become live. Returns at once."""
        self._news.set()

    async def load(self) -> bool:
        """Take what is live; False when that cannot be known now. Never raises for what a
        database or a version is like."""
        async with self._one_by_one:
            try:
                live = await self.versions.live()
            except ProviderError as error:
                self._outage.met(str(error))
                return False
            self._outage.over()
            if live.change != self._live.change:
                await self._take(live)
            return True

    async def _take(self, live: Live) -> None:
        agent, faults = self._of_file, tuple[str, ...]()
        if live.version_id is not None and live.script is not None:
            try:
                agent = await self.prepare(live.script, live.version_id)
            except AgentFileError as error:
                faults = tuple(error.faults)
                _log.error(
                    "version %d of the agent cannot be used, %s answers why=%r",
                    live.version_id,
                    self.file.source,
                    error.faults[0],
                )
        self._live, self._now, self._faults = live, agent, faults
        _log.info("calls are answered by %s", _name(agent, self.file))
        for changed in self._others:
            try:
                await changed(agent)
            except Exception:
                # A fault of ours in one of them: calls are answered all the same.
                _log.exception("a part goes on as the agent of before")

    async def of(self, version: int | None) -> Agent:
        """The agent of a version, for a trial of it; None: the file's. Nothing else changes.

        Raises `NotFound`, `AgentFileError`, and `ProviderError` when the database is away.
        """
        if version is None:
            return self._of_file
        if version == self._now.version:
            return self._now
        return await self.prepare((await self.versions.get(version)).script, version)

    async def prepare(self, script: str, version: int) -> Agent:
        """The agent of a version, ready to answer. Raises `AgentFileError`."""
        return await asyncio.to_thread(self._build, script, version)

    async def check(self, script: str) -> AgentProfile:
        """What comes of a text. Raises `AgentFileError` with what stands in its way."""
        return await asyncio.to_thread(read_agent, script, SOURCE, self.file.language)

    async def run(self) -> None:
        """Follow what becomes live, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if not await self.load():
                await asyncio.sleep(RETRY_S)
                self._news.set()

    def _build(self, script: str, version: int) -> Agent:
        try:
            profile = read_agent(script, SOURCE, self.file.language)
            return Agent(profile, self._make(profile), version)
        except AgentFileError:
            raise
        except Exception as error:
            _log.debug("an agent could not be built", exc_info=True)
            raise AgentFileError([f"{SOURCE}: {type(error).__name__}"]) from error


def _name(agent: Agent, file: AgentText) -> str:
    if agent.version is None:
        return file.source
    return f"version {agent.version}, made live in the pages, and not by {file.source}"

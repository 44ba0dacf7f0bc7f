"""The agent in writing: who has written is answered, one task a contact, so many at once.

Word that a contact has written flows in; `answerer.py` reads its thread and answers. Word
may be lost, with its process or in a full house: a sweep finds what waits in the threads.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Final
from uuid import UUID

from voiceagent.crm.postgres.outage import Outage
from voiceagent.errors import NotFound, ProviderError
from voiceagent.recent import Recent
from voiceagent.written.answerer import Answerer, Attended, Done
from voiceagent.written.answering import Burst
from voiceagent.written.ports import Dialogues, Threads

AT_ONCE: Final = 8
"""Answers being made at a time: they must not take the model from live calls."""
ATTENDED: Final = 1000
"""Contacts looked after at a time. Whoever writes beyond that is found by the next sweep."""
SWEEP_S: Final = 30.0
"""How often threads are looked for that nobody told of: those of other, killed processes, and
those that a full house put off."""
OVERLOOKED_S: Final = 20.0
"""What is younger is being waited for, or answered."""
SWEPT: Final = 200
"""Threads that one sweep takes on."""
LEFT: Final = 10_000
"""Threads that are known to want no answer, so that no sweep reads them again."""

_log = logging.getLogger(__name__)


class WrittenAgent:
    """One per process; `run` is its task. Loop thread only."""

    def __init__(
        self,
        answerer: Answerer,
        threads: Threads,
        dialogues: Dialogues,
        *,
        at_once: int = AT_ONCE,
        attended: int = ATTENDED,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self._answerer = answerer
        self._threads = threads
        self._dialogues = dialogues
        self._places = asyncio.Semaphore(at_once)
        self._most = attended
        self._sweep_s = sweep_s
        self._tasks: asyncio.TaskGroup | None = None
        self._attended: dict[UUID, Attended] = {}
        self._left: Recent[UUID, str] = Recent(LEFT)
        self._missed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._outage = Outage(lambda why: _log.warning("answers in writing wait why=%r", why))
        self.running = asyncio.Event()
        """Set while `run` works; what comes before is found by its first sweep."""
        self.put_off = 0
        """Messages left to the next sweep, since too many contacts wrote at once."""

    def answer_with(self, answerer: Answerer) -> None:
        """What is looked at from now on is answered by this one; what is being answered is not
        disturbed."""
        self._answerer = answerer

    def message_came(self, contact_id: UUID) -> None:
        """A message of this contact's is in its thread. Returns at once and never raises."""
        self._look_after(contact_id, waits=True)

    def messages_missed(self) -> None:
        """Some may have come of which nobody told: look through the threads at once."""
        self._missed.set()

    def switched(self, contact_id: UUID) -> None:
        """The switch of this contact was set: an answer that is being made is given up, what is
        unanswered is answered."""
        self._look_after(contact_id, waits=False)

    async def idle(self) -> None:
        """Returns once nobody is being looked after."""
        await self._idle.wait()

    async def run(self) -> None:
        """Answer until cancelled. An answer that is cut off is made again by the next process."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.running.set()
            try:
                await self._sweep_for_ever()
            finally:
                self.running.clear()
                self._tasks = None

    def _look_after(self, contact_id: UUID, *, waits: bool) -> None:
        now_s = asyncio.get_running_loop().time()
        attended = self._attended.get(contact_id)
        if attended is not None:
            if waits:
                burst = attended.burst
                attended.burst = burst.more(now_s) if burst is not None else Burst.begun(now_s)
            attended.news.set()
            return
        if self._tasks is None:
            return
        if len(self._attended) >= self._most:
            self.put_off += 1
            _log.warning("a message is left to the next sweep put_off=%d", self.put_off)
            return
        attended = Attended(contact_id, Burst.begun(now_s) if waits else None)
        self._attended[contact_id] = attended
        self._idle.clear()
        self._tasks.create_task(self._attend(attended), name="answer in writing")

    async def _attend(self, attended: Attended) -> None:
        """Answer this contact until nothing is left to be answered."""
        try:
            done = Done(again=True)
            while done.again or attended.news.is_set():
                await _quiet(attended)
                attended.news.clear()
                async with self._places:
                    done = await self._look(attended)
            if done.left:
                self._left.put(attended.contact_id, done.left)
        finally:
            del self._attended[attended.contact_id]
            if not self._attended:
                self._idle.set()

    async def _look(self, attended: Attended) -> Done:
        try:
            done = await self._answerer.look(attended)
        except NotFound:
            return Done()
        except ProviderError as error:
            # Nothing is lost: the next sweep finds the thread as it is.
            self._outage.met(str(error))
        except Exception:
            _log.exception("a thread could not be answered contact_id=%s", attended.contact_id)
        else:
            self._outage.over()
            return done
        return Done()

    async def _sweep_for_ever(self) -> None:
        overlooked_s = 0.0  # At the start nobody is on it.
        while True:
            try:
                await self._sweep(overlooked_s)
            except ProviderError as error:
                self._outage.met(str(error))
            except Exception:
                _log.exception("threads could not be looked through")
            # Whoever is being answered elsewhere is known by the claim.
            overlooked_s = 0.0 if await self._were_missed() else OVERLOOKED_S

    async def _were_missed(self) -> bool:
        """Wait for the next sweep's time, or until messages were missed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._sweep_s):
                await self._missed.wait()
        were_missed = self._missed.is_set()
        self._missed.clear()
        return were_missed

    async def _sweep(self, overlooked_s: float) -> None:
        """Look after those whom nobody told of."""
        for contact_id in await self._dialogues.unfinished(SWEPT):
            if contact_id not in self._attended:
                self._look_after(contact_id, waits=False)
        for thread in await self._threads.unanswered(overlooked_s, SWEPT):
            is_left = self._left.get(thread.contact_id) == thread.message_id
            if not is_left and thread.contact_id not in self._attended:
                self._look_after(thread.contact_id, waits=False)
        self._outage.over()


async def _quiet(attended: Attended) -> None:
    """Wait until the contact has finished writing."""
    now_s = asyncio.get_running_loop().time
    while (burst := attended.burst) is not None and burst.over_at_s > now_s():  # noqa: ASYNC110
        # The end moves while it is waited for.
        await asyncio.sleep(burst.over_at_s - now_s())

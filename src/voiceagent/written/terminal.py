"""A conversation with the agent in a terminal, as it would be held on WhatsApp.

Lines typed flow in as messages, the agent's messages flow out as lines. Nothing is kept and
nothing leaves the machine but what the brain itself asks of its model.
"""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TextIO
from uuid import uuid4

from voiceagent.written.agent import WrittenAgent
from voiceagent.written.answerer import Answerer
from voiceagent.written.answering import QUIET_S, THREAD, Leave, Left, judge
from voiceagent.written.in_memory import (
    DialoguesInMemory,
    LearntInMemory,
    PeopleInMemory,
    SwitchInMemory,
    ThreadsInMemory,
    utc_now,
)
from voiceagent.written.minds import Mind
from voiceagent.written.ports import Kind, Reason, WrittenHouse, WrittenMessage
from voiceagent.written.script_answers import ScriptAnswers
from voiceagent.written.wording import file_reply

QUIT: Final = "/quit"
TAKE_OVER: Final = "/person"
GIVE_BACK: Final = "/agent"
FILE: Final = "/file"
USAGE: Final = (
    f"Write a message and press Enter; the answer comes after {QUIET_S} s of quiet. {FILE} sends"
    f" a message without words. {TAKE_OVER} takes the conversation over from the agent,"
    f" {GIVE_BACK} gives it back. {QUIT} ends it."
)
_REASONS: Final[Mapping[Reason, str]] = {
    "asked": "a person was asked for",
    "failed": "no answer could be made",
    "loop": "this looks like a machine's messages",
    "too_many": "more was written than is answered",
    "budget": "the day's budget is spent",
}
_SILENT: Final[Mapping[Left, str]] = {
    "person": f"a person answers; {GIVE_BACK} gives it back",
    "off": f"it is switched off; {GIVE_BACK} gives it back",
    "opted_out": "what comes within a minute of STOP or START belongs to it",
    "loop": "it takes you for a machine; write again a little later",
}
"""Why a message goes unanswered; whatever is not here explains itself."""
_STOPPED: Final = "you want no messages (STOP); START has it answer again"


@dataclass(frozen=True, slots=True)
class Wished:
    """A message ends messages, or asks for them again."""

    ends: bool
    confirmation: str


def _no_wish(_text: str) -> Wished | None:
    return None


class Terminal:
    """One conversation; `hold` is all of it."""

    def __init__(
        self,
        mind: Mind,
        script: ScriptAnswers,
        *,
        show: Callable[[str], None] = print,
        now: Callable[[], datetime] = utc_now,
        wished: Callable[[str], Wished | None] = _no_wish,
    ) -> None:
        """`wished`: whether a text ends messages, or asks for them again."""
        self._wished = wished
        self._show = show
        self._now = now
        self._contact_id = uuid4()
        self._switch = SwitchInMemory(now)
        self._threads = ThreadsInMemory(self._switch, now, self._reply)
        house = WrittenHouse(
            self._threads,
            self._switch,
            PeopleInMemory(lambda reason: self._note(f"owner told: {_REASONS[reason]}")),
            DialoguesInMemory(now),
            LearntInMemory(lambda fields: self._note(f"saved: {_told(fields)}")),
        )
        self._file_reply = file_reply(script.profile.language)
        self._watch: asyncio.Task[None] | None = None
        answerer = Answerer(mind, script, house, now=now)
        self._agent = WrittenAgent(answerer, house.threads, house.dialogues)

    async def hold(self, typed: "asyncio.Queue[str | None]") -> None:
        """Talk until `/quit`, or until None ends the lines and all is answered."""
        self._show(USAGE)
        agent = asyncio.create_task(self._agent.run())
        await self._agent.running.wait()
        try:
            while (line := await typed.get()) is not None and line.strip() != QUIT:
                await self._take(line.strip())
            if line is None:
                await (self._watch or self._agent.idle())
        finally:
            for task in filter(None, (agent, self._watch)):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _take(self, line: str) -> None:
        if line in {TAKE_OVER, GIVE_BACK}:
            mode = await self._switch.set(self._contact_id, "person" if line == TAKE_OVER else "on")
            self._note("a person answers" if mode.agent == "person" else "the agent answers")
            self._agent.switched(self._contact_id)
        elif line.startswith("/") and line != FILE:
            self._show(USAGE)
        elif line:
            self._write(line)

    def _write(self, line: str) -> None:
        """A message of the contact's, and what follows from a wish at once."""
        wished = self._wished(line)
        kind: Kind = "media" if line == FILE else "text" if wished is None else "wish"
        text = "" if line == FILE else line
        message = WrittenMessage("", "contact", text, self._now(), kind)
        self._threads.write(self._contact_id, message)
        if wished is not None:
            self._wish(wished)
        self._agent.message_came(self._contact_id)
        if wished is None and (self._watch is None or self._watch.done()):
            self._watch = asyncio.create_task(self._tell_of_silence())

    def _wish(self, wished: Wished) -> None:
        if wished.ends:
            self._threads.silences[self._contact_id] = "opted_out"
        else:
            self._threads.silences.pop(self._contact_id, None)
        said = WrittenMessage("", "agent", wished.confirmation, self._now())
        self._threads.write(self._contact_id, said)
        self._reply(wished.confirmation)

    async def _tell_of_silence(self) -> None:
        """Once all is answered that will be: say why the rest is not."""
        await self._agent.idle()
        silence = await self._threads.silence(self._contact_id)
        thread = await self._threads.last(self._contact_id, THREAD)
        switch = await self._switch.of(self._contact_id)
        verdict = judge(thread, switch, silence, self._now(), file_reply=self._file_reply)
        if not isinstance(verdict, Leave) or thread[-1].who != "contact":
            return
        by_wish = verdict.why == "opted_out" and silence is not None
        why = _STOPPED if by_wish else _SILENT.get(verdict.why)
        if why is not None:
            self._note(f"the agent is silent: {why}")

    def _reply(self, text: str) -> None:
        first, *more = text.splitlines() or [""]
        self._show("\n".join([f"< {first}", *(f"  {line}".rstrip() for line in more)]))

    def _note(self, text: str) -> None:
        self._show(f"  [{text}]")


def _told(fields: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in fields.items())


def _typed(lines: TextIO) -> "asyncio.Queue[str | None]":
    """The lines as they are typed, None at their end.

    Read in a thread of its own that nobody waits for: a read from a terminal cannot be
    cancelled.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        with suppress(RuntimeError):  # the loop is closed
            for line in lines:
                loop.call_soon_threadsafe(queue.put_nowait, line)
            loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, name="terminal", daemon=True).start()
    return queue


def hold_conversation(
    mind: Mind,
    script: ScriptAnswers,
    wished: Callable[[str], Wished | None],
    close: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Talk with whoever sits at the terminal; at the end close what the mind thinks with.
    `wished`: as that of `Terminal`."""

    async def talk() -> None:
        try:
            await Terminal(mind, script, wished=wished).hold(_typed(sys.stdin))
        finally:
            if close is not None:
                await close()

    asyncio.run(talk())

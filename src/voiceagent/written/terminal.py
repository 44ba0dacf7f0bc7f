"""A conversation with the agent in a terminal, as it would be held on WhatsApp.

Lines typed flow in as messages, the agent's messages flow out as lines. Nothing is kept and
nothing leaves the machine but what the brain itself asks of its model.
"""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, TextIO
from uuid import uuid4

from voiceagent.written.agent import WrittenAgent
from voiceagent.written.answerer import Answerer
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

QUIT: Final = "/quit"
TAKE_OVER: Final = "/person"
GIVE_BACK: Final = "/agent"
FILE: Final = "/file"
USAGE: Final = (
    f"Write a message and press Enter; {FILE} sends one without words. {TAKE_OVER} takes the"
    f" conversation over from the agent, {GIVE_BACK} gives it back. {QUIT} ends it."
)
_REASONS: Final[Mapping[Reason, str]] = {
    "asked": "a person was asked for",
    "failed": "no answer could be made",
    "loop": "this looks like a machine's messages",
}


class Terminal:
    """One conversation; `hold` is all of it."""

    def __init__(
        self,
        mind: Mind,
        script: ScriptAnswers,
        *,
        show: Callable[[str], None] = print,
        now: Callable[[], datetime] = utc_now,
        is_wish: Callable[[str], bool] = lambda _text: False,
    ) -> None:
        """`is_wish`: whether a text ends messages, or asks for them again."""
        self._is_wish = is_wish
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
                await self._agent.idle()
        finally:
            agent.cancel()
            with suppress(asyncio.CancelledError):
                await agent

    async def _take(self, line: str) -> None:
        if line in {TAKE_OVER, GIVE_BACK}:
            mode = await self._switch.set(self._contact_id, "person" if line == TAKE_OVER else "on")
            self._note("a person answers" if mode.agent == "person" else "the agent answers")
            self._agent.switched(self._contact_id)
        elif line:
            self._threads.write(self._contact_id, self._message(line))
            self._agent.message_came(self._contact_id)

    def _message(self, line: str) -> WrittenMessage:
        if line == FILE:
            return WrittenMessage("", "contact", "", self._now(), "media")
        kind: Kind = "wish" if self._is_wish(line) else "text"
        return WrittenMessage("", "contact", line, self._now(), kind)

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
    is_wish: Callable[[str], bool],
    close: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Talk with whoever sits at the terminal; at the end close what the mind thinks with.
    `is_wish`: as that of `Terminal`."""

    async def talk() -> None:
        try:
            await Terminal(mind, script, is_wish=is_wish).hold(_typed(sys.stdin))
        finally:
            if close is not None:
                await close()

    asyncio.run(talk())

"""Calls of processes that hear of each other in memory, for tests."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime

from voiceagent.call.glimpse import Glimpse
from voiceagent.call.turn_events import FarewellReason
from voiceagent.crm.views import TurnView
from voiceagent.live.listening_in import CHANNEL, ListeningIn, Spoken
from voiceagent.live.orders import Orders, Telephones

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PERSON = "+97239876543"
DEADLINE_S = 20.0


class Call:
    """A call that is looked at, and told what somebody has ordered."""

    def __init__(self, call_sid: str = "CA1") -> None:
        self.call_sid = call_sid
        self.seen = Glimpse("listening")
        self.looks = 0
        self.ordered: list[str] = []
        self.turns: list[TurnView] = []

    @property
    def glimpse(self) -> Glimpse:
        self.looks += 1
        return self.seen

    def farewell(self, reason: FarewellReason = "drain") -> None:
        self.ordered.append(reason)
        self.seen = Glimpse("leaving")

    def put_through(self, number: str) -> None:
        self.ordered.append(number)
        self.seen = Glimpse("transferring")

    def end(self, reason: str) -> None:
        self.ordered.append(reason)

    def says(self, text: str) -> None:
        seq = len(self.turns)
        turn = TurnView(
            seq=seq,
            turn=seq,
            who="caller",
            text=text,
            heard=text,
            status="complete",
            source="final",
            timings={},
            at=AT,
        )
        self.turns.append(turn)


class Wire:
    """Between the processes; what is told there arrives at the others at once."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self.told: list[str] = []
        self.is_cut = False


class Process:
    """One process: its calls, and what it knows of all."""

    def __init__(
        self, wire: Wire, *calls: Call, number: str = PERSON, works: bool = True, per_hour: int = 60
    ) -> None:
        self.calls: list[Call] = list(calls)
        self.waiting = 0
        self.is_watched = False
        self.changes = 0
        self._wire = wire
        clock = asyncio.get_running_loop().time
        telephones = Telephones(number, ["IL"], works=works)
        self.listening = ListeningIn(
            self._held,
            self._spoken,
            Orders(self._held, telephones, clock, per_hour=per_hour),
            where="host:1",
            clock=clock,
            is_watched=lambda: self.is_watched,
            on_change=self._changed,
        )
        self.listening.tell_by(self)
        wire.processes.append(self)
        self._work = asyncio.create_task(self.listening.run())

    def tell_others(self, channel: str, payload: str) -> None:
        assert channel == CHANNEL
        self._wire.told.append(payload)
        if self._wire.is_cut:
            return
        for other in self._wire.processes:
            if other is not self:
                other.listening.told(payload)

    async def die(self) -> None:
        """Without a word."""
        self._wire.processes.remove(self)
        await self.close()

    async def close(self) -> None:
        self._work.cancel()
        with suppress(asyncio.CancelledError):
            await self._work

    def _held(self) -> Collection[Call]:
        return self.calls

    def _spoken(self, call_sid: str, most: int) -> Spoken | None:
        call = next((call for call in self.calls if call.call_sid == call_sid), None)
        if call is None:
            return None
        return Spoken(AT, tuple(call.turns[-most:]), more=len(call.turns) > most)

    def _changed(self) -> None:
        self.changes += 1

"""Calls now, in all processes: one of these in each looks at its own and hears of the others'.

While somebody watches, here or in another process, the calls of this process are looked at four
times a second; what has changed is told, and what others tell is kept on a board. A call is never
waited for and never told to do anything but what somebody has ordered: however many words a caller
has spoken, a look finds the last ones. Nothing is stored.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from voiceagent.call.glimpse import Glimpse
from voiceagent.call.registry import LiveCall as HeldCall
from voiceagent.crm.views import TurnView
from voiceagent.live.board import REPEAT_S, Board
from voiceagent.live.messages import (
    MOST_TURNS,
    Act,
    Done,
    LiveCall,
    Order,
    Outcome,
    Over,
    Said,
    Watching,
    decoded,
    encoded,
    end_of,
)
from voiceagent.live.orders import Orders

CHANNEL: Final = "voiceagent_live_calls"
LOOK_EVERY_S: Final = 0.25
WATCH_S: Final = 6.0
"""Whoever has looked is taken to look for so long."""
ASK_EVERY_S: Final = 2.0
FIRST_LOOK_S: Final = 0.5
"""So long the first who looks waits for what other processes tell."""
ANSWER_S: Final = 3.0
"""How long an order to another process is waited for."""
MOST_BEHIND: Final = 100
"""With so many words that have not left yet no more are told: later ones will be newer."""
MOST_HEARD: Final = 1_000
"""Of what others tell, not looked into yet."""
MOST_ORDERS: Final = 100
"""That wait for an answer."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What has been said in a call."""

    started_at: datetime
    turns: tuple[TurnView, ...]
    """The newest ones, the newest last."""
    more: bool
    """There were others before."""


class Post(Protocol):
    """The way to the other processes."""

    @property
    def waiting(self) -> int: ...

    def tell_others(self, channel: str, payload: str) -> None: ...


class ListeningIn:
    """One per process; `run` is its task. Loop thread only."""

    def __init__(
        self,
        calls: Callable[[], Collection[HeldCall]],
        spoken: Callable[[str, int], Spoken | None],
        orders: Orders,
        *,
        where: str,
        clock: Callable[[], float],
        is_watched: Callable[[], bool],
        on_change: Callable[[], None],
    ) -> None:
        """`spoken` is asked for so many turns of a call here. `where`: this process, for people.
        `is_watched`: somebody has the page open here. `on_change`: the board has news."""
        self._calls = calls
        self._spoken = spoken
        self._orders = orders
        self._where = where
        self._clock = clock
        self._is_watched = is_watched
        self._on_change = on_change
        self._process = secrets.token_hex(8)
        self._post: Post | None = None
        self._board = Board()
        self._work = asyncio.Event()
        self._news = asyncio.Event()
        self._here_until_s = 0.0
        self._others_until_s = 0.0
        self._began_s = 0.0
        """Since when somebody watches here without a break."""
        self._asked_s = 0.0
        self._told: dict[str, tuple[LiveCall, float]] = {}
        self._heard: deque[str] = deque()
        self._arrival = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Outcome]] = {}

    def tell_by(self, post: Post) -> None:
        """The way to others, of which `told` is the other end."""
        self._post = post

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_for_ever(), name="look at live calls")
            tasks.create_task(self._hear_for_ever(), name="hear of live calls")

    # --- who watches ------------------------------------------------------------------------

    def watch(self) -> None:
        """Somebody looks, here."""
        now_s = self._clock()
        if now_s >= self._here_until_s:
            self._board.clear()
            self._began_s = now_s
            self._ask(afresh=True)
        self._here_until_s = now_s + WATCH_S
        self._work.set()

    async def look(self, expected: Collection[str]) -> list[LiveCall]:
        """The calls of the moment; whoever looks first waits for the other processes, until all of
        the `expected` are there or `FIRST_LOOK_S` is over."""
        self.watch()
        await self._see_own()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._began_s + FIRST_LOOK_S - self._clock()):
                while not self._knows(expected):
                    self._news.clear()
                    await self._news.wait()
        return self._board.calls(self._clock())

    async def order(self, call_sid: str, act: Act, number: str) -> Outcome | None:
        """Have it done wherever the call is held; None: nobody has answered.

        `number`: E.164, or empty for the agent's own.
        """
        outcome = self._orders.carry_out(call_sid, act, number)
        if outcome is not None:
            return outcome
        # It may be held elsewhere though nobody has looked for a while.
        await self.look([call_sid])
        if not self._knows([call_sid]):
            return "gone"
        if self._post is None or len(self._answers) >= MOST_ORDERS:
            return None
        order = Order(id=secrets.token_hex(8), call_sid=call_sid, act=act, number=number)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._answers[order.id] = answer
        self._post.tell_others(CHANNEL, encoded(order))
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            return None if self._knows([call_sid]) else "gone"
        finally:
            del self._answers[order.id]

    def _knows(self, call_sids: Collection[str]) -> bool:
        known = {call.call_sid for call in self._board.calls(self._clock())}
        return known.issuperset(call_sids)

    def _ask(self, *, afresh: bool) -> None:
        self._asked_s = self._clock()
        if self._post is not None:
            asking = Watching(process=self._process, afresh=afresh)
            self._post.tell_others(CHANNEL, encoded(asking))

    # --- what others tell -------------------------------------------------------------------

    def told(self, payload: str) -> None:
        """A handler of notifications: another process has told something; empty: some of it may
        be lost."""
        if len(self._heard) >= MOST_HEARD:
            # As if it had been lost on the way: all is told again.
            self._heard.clear()
            payload = ""
        self._heard.append(payload)
        self._arrival.set()

    async def _hear_for_ever(self) -> None:
        while True:
            await self._arrival.wait()
            self._arrival.clear()
            while self._heard:
                self._hear(self._heard.popleft())
                # A hundred of them come at once: frames leave in between.
                await asyncio.sleep(0)

    def _hear(self, payload: str) -> None:
        if not payload:
            self._told.clear()
            if self._clock() < self._here_until_s:
                self._ask(afresh=True)
            return
        match decoded(payload):
            case LiveCall() | Over() as message:
                if self._clock() < self._here_until_s:
                    self._take(message)
            case Watching(afresh=afresh):
                self._others_until_s = self._clock() + WATCH_S
                if afresh:
                    self._told.clear()
                self._work.set()
            case Order(id=order_id, call_sid=call_sid, act=act, number=number):
                outcome = self._orders.carry_out(call_sid, act, number)
                if outcome is not None and self._post is not None:
                    self._post.tell_others(CHANNEL, encoded(Done(id=order_id, outcome=outcome)))
            case Done(id=order_id, outcome=outcome):
                answer = self._answers.get(order_id)
                if answer is not None and not answer.done():
                    answer.set_result(outcome)
            case None:
                pass

    def _take(self, message: LiveCall | Over) -> None:
        if self._board.take(message, self._clock()):
            self._changed()

    def _changed(self) -> None:
        self._news.set()
        self._on_change()

    # --- the calls here ---------------------------------------------------------------------

    async def _look_for_ever(self) -> None:
        while True:
            await self._work.wait()
            await self._look_around()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look_around(self) -> None:
        now_s = self._clock()
        if self._is_watched():
            self.watch()
        watched_here, watched = now_s < self._here_until_s, now_s < self._others_until_s
        if not (watched_here or watched):
            self._work.clear()
            self._told.clear()
            self._board.clear()
            return
        if watched_here:
            if now_s - self._asked_s >= ASK_EVERY_S:
                self._ask(afresh=False)
            await self._see_own()
            if self._board.forget(now_s):
                self._changed()
        if watched:
            await self._tell_own()

    async def _see_own(self) -> None:
        held = {call.call_sid for call in self._calls()}
        for known in self._board.calls(self._clock()):
            if known.process == self._process and known.call_sid not in held:
                self._take(Over(process=self._process, call_sid=known.call_sid))
        for call in self._calls():
            # Frames leave in between.
            await asyncio.sleep(0)
            if (seen := self._seen(call)) is not None:
                self._take(seen)

    async def _tell_own(self) -> None:
        post, held = self._post, self._calls()
        if post is None:
            return
        for call_sid in self._told.keys() - {call.call_sid for call in held}:
            del self._told[call_sid]
            post.tell_others(CHANNEL, encoded(Over(process=self._process, call_sid=call_sid)))
        for call in held:
            await asyncio.sleep(0)
            seen, now_s = self._seen(call), self._clock()
            if seen is None or post.waiting >= MOST_BEHIND:
                continue
            before = self._told.get(call.call_sid)
            if before is None or before[0] != seen or now_s - before[1] >= REPEAT_S:
                self._told[call.call_sid] = seen, now_s
                post.tell_others(CHANNEL, encoded(seen))

    def _seen(self, call: HeldCall) -> LiveCall | None:
        spoken = self._spoken(call.call_sid, MOST_TURNS)
        return None if spoken is None else self._as_told(call.call_sid, call.glimpse, spoken)

    def _as_told(self, call_sid: str, glimpse: Glimpse, spoken: Spoken) -> LiveCall:
        return LiveCall(
            process=self._process,
            where=self._where,
            call_sid=call_sid,
            started_at=spoken.started_at,
            doing=glimpse.doing,
            hearing=end_of(glimpse.hearing),
            turns=tuple(_as_said(turn) for turn in spoken.turns),
            more=spoken.more,
        )


def _as_said(turn: TurnView) -> Said:
    # While it is being spoken nobody knows yet how much of it will have been heard.
    is_known = turn.status != "speaking" and turn.text.startswith(turn.heard)
    heard = len(turn.heard) if is_known else len(turn.text)
    return Said(
        seq=turn.seq,
        who=turn.who,
        text=end_of(turn.text[:heard]),
        unheard=end_of(turn.text[heard:]),
        going_on=turn.status == "speaking",
        keyed=turn.source == "dtmf",
    )

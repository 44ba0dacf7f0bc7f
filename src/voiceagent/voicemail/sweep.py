"""Finds out at Twilio which calls never reached this service, and what was said to its fallback.

Twilio's lists flow in, records flow out, as if the service had been there. One process of all
looks at a time, from where the last look came to. Each record is a merge and a call's are kept
in one transaction: whenever it is killed, and however often it looks, a call is there once, and
a message once. It never changes anything at Twilio.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from voiceagent.crm.calls.sweeps import Sweeps
from voiceagent.crm.calls.voicemails import VoicemailsRepository
from voiceagent.crm.postgres.database import ContentRejected
from voiceagent.crm.postgres.outage import Outage
from voiceagent.crm.recording.call_models import CallAnnounced, CallEnded, CallRecord, VoicemailLeft
from voiceagent.crm.recording.message_models import MediaNote, received_id
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.recent import Recent
from voiceagent.twilio.account import TwilioAccount
from voiceagent.twilio.number_setup import seen
from voiceagent.twilio.rest_faults import NO_SUCH_RESOURCE, TwilioRefused
from voiceagent.voicemail.call_log import (
    LoggedCall,
    SpokenMessage,
    Way,
    logged_call,
    spoken_message,
    way_of,
)

NAME: Final = "calls at Twilio"
TICK_S: Final = 30.0
"""How often each process asks whether a look is due."""
EVERY_S: Final = 180.0
RETRY_S: Final = 5.0
"""After a look that failed; twice as long after each further one."""
AGAIN_S: Final = 1.0
"""After a look that left something."""
LOOK_S: Final = 120.0
LEASE_S: Final = 150.0
"""Longer than a look and the note of how far it came can last."""

FIRST_LOOK_BACK: Final = timedelta(days=7)
LOOK_BACK: Final = timedelta(days=30)
"""Twilio tells for so long what it asked for a call."""
STRETCH: Final = timedelta(hours=6)
"""Of a list at a time: Twilio gives the newest first, and what is too long would lose its end."""
MOST_STRETCHES: Final = 24
MOST_CALLS: Final = 50
"""That one look asks about."""
MOST_REMEMBERED: Final = 10_000
LONGEST_CALL: Final = timedelta(hours=4)
OVERLAP: Final = timedelta(hours=1)
"""By which each look goes back: Twilio's lists lag."""
EVENTS_AFTER: Final = timedelta(minutes=16)
"""Of a call's end: "15 minutes after a call ends" Twilio tells what it asked."""
EVENTS_AGAIN: Final = timedelta(minutes=10)
"""Where Twilio did not tell all the same; until then the calls behind are asked about."""
GIVEN_UP_AFTER: Final = timedelta(hours=6)
"""What is not settled by then is not waited for."""

_log = logging.getLogger(__name__)


class VoicemailSweep:
    """One per process; `run` is its task."""

    def __init__(
        self,
        account: TwilioAccount,
        sweeps: Sweeps,
        voicemails: VoicemailsRepository,
        records: RecordsRepository,
        base_url: Callable[[], str | None],
        *,
        on_found: Callable[[], None] = lambda: None,
        keeps: timedelta | None = None,
        tick_s: float = TICK_S,
        every_s: float = EVERY_S,
        most_calls: int = MOST_CALLS,
    ) -> None:
        """`base_url` tells where Twilio looks for this service, as far as that is known by then:
        by it the numbers are known that are to be answered here. `on_found` is called when a call
        was found. `keeps`: how long conversations are kept; nothing older is looked for."""
        self._account = account
        self._sweeps = sweeps
        self._voicemails = voicemails
        self._records = records
        self._base_url = base_url
        self._on_found = on_found
        self._look_back = LOOK_BACK if keeps is None else min(LOOK_BACK, keeps)
        self._tick_s = tick_s
        self._every_s = every_s
        self._most_calls = most_calls
        self._retry_s = RETRY_S
        self._left_alone: Recent[str, None] = Recent(MOST_REMEMBERED)
        self._not_told: Recent[str, datetime] = Recent(MOST_REMEMBERED)
        """When Twilio was asked about a call in vain."""
        self._outage = Outage(
            lambda why: _log.warning("missed calls cannot be looked for at Twilio why=%r", why)
        )

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            pause_s = self._tick_s
            try:
                if await self.round(datetime.now(UTC)):
                    pause_s = AGAIN_S
            except ProviderError as error:
                self._outage.met(str(error))
                pause_s = self._retry_s
                self._retry_s = min(2 * self._retry_s, self._every_s)
            else:
                self._outage.over()
                self._retry_s = RETRY_S
            await asyncio.sleep(pause_s)

    async def round(self, now: datetime) -> bool:
        """Look if it is this process's turn; true when something is left to be looked at at once.

        Raises `ProviderError`; what was found by then is kept.
        """
        base_url = self._base_url()
        if base_url is None:
            return False  # no number is known to be answered here
        look = await self._sweeps.claim(LEASE_S)
        if look is None:
            return False
        begin = max(look.looked_until or now - FIRST_LOOK_BACK, now - self._look_back)
        progress = _Progress(begin, now, self._most_calls)
        try:
            async with asyncio.timeout(LOOK_S):
                is_done = await self._look(progress, base_url)
        except TimeoutError:
            await self._sweeps.done(look, progress.settled_until, self._retry_s)
            raise EngineTimeout("the look at Twilio's lists took too long") from None
        except ProviderError:
            await self._sweeps.done(look, progress.settled_until, self._retry_s)
            raise
        next_in_s = self._every_s if is_done else 0.0
        await self._sweeps.done(look, progress.settled_until, next_in_s)
        return not is_done

    async def _look(self, progress: "_Progress", base_url: str) -> bool:
        """Go on as far as it may at a time; whether that is all."""
        numbers = [
            number
            for one in await self._account.numbers()
            if (number := str(one.get("phone_number") or ""))
            and not (one.get("trunk_sid") or one.get("voice_application_sid"))
            and seen(one).is_answered_at(base_url)
        ]
        if not numbers:
            return True
        for _ in range(MOST_STRETCHES):
            end = min(progress.reached + STRETCH, progress.now)
            progress.reached = await self._stretch(numbers, end, base_url, progress)
            if progress.is_spent or progress.is_done:
                break
        return progress.is_done

    async def _stretch(
        self,
        numbers: Sequence[str],
        end: datetime,
        base_url: str,
        progress: "_Progress",
    ) -> datetime:
        """Look at the calls that began up to then; returns up to when that was done."""
        begin = progress.reached
        spoken = await self._spoken(begin, end + OVERLAP)
        calls = {
            call.sid: call
            for number in numbers
            for one in await self._account.calls_to(number, begin - LONGEST_CALL, end)
            if (call := logged_call(one)) is not None and call.called == number
        }
        known = await self._voicemails.known_calls(calls)
        # The oldest first: where there are too many, the next look goes on behind them.
        for call in sorted(calls.values(), key=lambda call: (call.began_at, call.sid)):
            messages = spoken.get(call.sid, ())
            is_known = call.sid in known
            if not messages and (is_known or call.began_at < begin):
                continue
            if call.sid in self._left_alone:
                continue
            if progress.is_spent:
                return max(begin, min(end, call.began_at))
            await self._settle(call, messages, is_known, base_url, progress)
        return end

    async def _spoken(
        self, begin: datetime, end: datetime
    ) -> Mapping[str, Sequence[SpokenMessage]]:
        """By the call, messages that are not known here."""
        listed = [spoken_message(one) for one in await self._account.recordings(begin, end)]
        found = {received_id("twilio", one.sid): one for one in listed if one is not None}
        known = await self._voicemails.known(found)
        spoken: dict[str, list[SpokenMessage]] = defaultdict(list)
        for id_, message in found.items():
            if id_ not in known:
                spoken[message.call_sid].append(message)
        return spoken

    async def _settle(
        self,
        call: LoggedCall,
        messages: Sequence[SpokenMessage],
        is_known: bool,
        base_url: str,
        progress: "_Progress",
    ) -> None:
        """Have it kept if it was missed; leave it, or come back to it."""
        now, ended_at = progress.now, call.ended_at
        made = [message for message in messages if message.is_made]
        is_late = now - call.began_at > GIVEN_UP_AFTER
        if ended_at is None:
            return None if is_late else progress.hold(call)
        if not is_late and len(made) < len(messages):
            return progress.hold(call)
        if is_known:
            return await self._keep(call, ended_at, made, progress) if made else None
        match await self._way_of(call, ended_at, base_url, progress):
            case "missed":
                return await self._keep(call, ended_at, made, progress)
            case "untold" if made:
                # What somebody said is kept, whatever Twilio does not tell.
                return await self._keep(call, ended_at, made, progress)
            case "untold":
                return None if is_late else progress.hold(call)
            case "answered" | "elsewhere":
                return self._leave(call)

    async def _way_of(
        self, call: LoggedCall, ended_at: datetime, base_url: str, progress: "_Progress"
    ) -> Way:
        if progress.now - ended_at < EVENTS_AFTER:
            return "untold"
        asked_at = self._not_told.get(call.sid)
        if asked_at is not None and progress.now - asked_at < EVENTS_AGAIN:
            return "untold"
        progress.looked_at(call)
        try:
            events = await self._account.call_events(call.sid)
        except TwilioRefused as error:
            if error.code != NO_SUCH_RESOURCE:
                raise
            events = ()
        way = way_of(events, base_url)
        if way == "untold":
            self._not_told.put(call.sid, progress.now)
        return way

    def _leave(self, call: LoggedCall) -> None:
        """It was not missed here: it need not be asked about again."""
        self._left_alone.put(call.sid, None)

    async def _keep(
        self,
        call: LoggedCall,
        ended_at: datetime,
        messages: Sequence[SpokenMessage],
        progress: "_Progress",
    ) -> None:
        progress.looked_at(call)
        records: list[CallRecord] = [
            CallAnnounced(
                call_sid=call.sid, at=call.began_at, caller=call.caller, called=call.called
            ),
            CallEnded(call_sid=call.sid, at=ended_at, status="failed", reason="service_away"),
        ]
        records += [self._left(message) for message in messages]
        try:
            await self._records.apply(records)
        except ContentRejected as error:
            # It never will be: the calls behind it do not wait.
            _log.error("a missed call cannot be kept call_sid=%s why=%r", call.sid, error.reason)
            self._leave(call)
            return
        _log.info("a missed call was found call_sid=%s messages=%d", call.sid, len(messages))
        self._on_found()

    def _left(self, message: SpokenMessage) -> VoicemailLeft:
        return VoicemailLeft(
            call_sid=message.call_sid,
            at=message.at,
            id=received_id("twilio", message.sid),
            provider="twilio",
            external_id=message.sid,
            sound=MediaNote(
                source=self._account.sound_of(message.sid),
                mime_type="audio/wav",
                seconds=message.seconds,
                voice_note=True,
            ),
        )


class _Progress:
    """What one look has left to do, and what it must come back to."""

    def __init__(self, begin: datetime, now: datetime, most_calls: int) -> None:
        self.now = now
        self.reached = begin
        """Calls that began before were looked at."""
        self._begin = begin
        self._held_at = now
        self._most_calls = most_calls
        self._looked_at: set[str] = set()

    @property
    def is_done(self) -> bool:
        return self.reached >= self.now

    @property
    def settled_until(self) -> datetime | None:
        """None: it came nowhere."""
        if self.reached == self._begin:
            return None
        return min(self.reached, self._held_at, self.now - OVERLAP)

    @property
    def is_spent(self) -> bool:
        return len(self._looked_at) >= self._most_calls

    def looked_at(self, call: LoggedCall) -> None:
        """It cost a request or a transaction."""
        self._looked_at.add(call.sid)

    def hold(self, call: LoggedCall) -> None:
        """The next look comes back to it."""
        self._held_at = min(self._held_at, call.began_at)

"""Finds out at Twilio what no webhook of its told: messages that came in, and fates of ours.

Twilio's lists flow in, records flow out to the recorder, as if the webhooks had come. Twilio
asks a webhook again for seconds only, so this is what makes up for a service that was away. Any
number of processes may do so at once, since each record is a merge. It sends nothing.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from voiceagent.crm.messages.missed_messages import MissedMessages, SilentMessage
from voiceagent.crm.postgres.outage import Outage
from voiceagent.crm.recording.message_models import MessageFateKnown, MessageReceived, received_id
from voiceagent.crm.recording.ports import DurableRecorder
from voiceagent.errors import ProtocolError, ProviderError
from voiceagent.telemetry import word
from voiceagent.twilio.account import TwilioAccount
from voiceagent.twilio.rest_faults import NO_SUCH_RESOURCE, TwilioRefused
from voiceagent.whatsapp.inbound import fate_from_twilio, from_twilio
from voiceagent.whatsapp.twilio_resources import (
    Resource,
    came_in,
    has_files,
    received_form,
    sid_of,
    status_form,
    taken_at,
)

POLL_S: Final = 180.0
RETRY_S: Final = 2.0
"""After a look that failed; twice as long after each further one."""
LOOK_BACK: Final = timedelta(days=1)
"""How far the first look goes."""
OVERLAP: Final = timedelta(minutes=10)
"""By which each look goes back behind the one before: Twilio's lists lag behind its webhooks."""
FRESH: Final = timedelta(seconds=60)
"""Younger messages are left to their webhooks, which tell more."""
SILENT_S: Final = 120.0
"""After so long Twilio is asked what became of a message that it has taken."""
UNKNOWN_AFTER_S: Final = 600.0
"""After so long a message of which Twilio cannot tell anything either is called unknown."""
BATCH: Final = 50

_log = logging.getLogger(__name__)


class TwilioSweep:
    """One per process; `run` is its task."""

    def __init__(
        self,
        account: TwilioAccount,
        missed: MissedMessages,
        recorder: DurableRecorder,
        *,
        api_url: str,
        sender: str,
        poll_s: float = POLL_S,
    ) -> None:
        """`api_url` is that of the REST API, `sender` the WhatsApp sender in E.164."""
        self._account = account
        self._missed = missed
        self._recorder = recorder
        self._api_url = api_url
        self._address = f"whatsapp:{sender}"
        self._poll_s = poll_s
        self._looked_at: datetime | None = None
        self._outage = Outage(_say_that_it_cannot_look)

    async def run(self) -> None:
        """Work until cancelled."""
        pause_s = RETRY_S
        while True:
            try:
                await self.round()
            except ProviderError as error:
                self._outage.met(str(error))
                # The database may be a moment from having started.
                await asyncio.sleep(min(pause_s, self._poll_s))
                pause_s = min(2 * pause_s, self._poll_s)
            else:
                self._outage.over()
                await asyncio.sleep(self._poll_s)
                pause_s = RETRY_S

    async def round(self) -> None:
        """Look once. Raises `ProviderError`; what was found by then is kept."""
        failures = []
        for look in (self._look_for_messages, self._ask_for_fates):
            try:
                await look(datetime.now(UTC))
            except ProviderError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _look_for_messages(self, now: datetime) -> None:
        since = now - LOOK_BACK if self._looked_at is None else self._looked_at - OVERLAP
        listed = await self._account.messages_to(self._address, since)
        ids = {received_id("twilio", sid_of(one)): one for one in listed if came_in(one)}
        # The oldest first, as they were written.
        for id_ in await self._in_order(ids):
            await self._keep(ids[id_], now)
        self._looked_at = now

    async def _in_order(self, ids: dict[UUID, Resource]) -> Sequence[UUID]:
        unknown = await self._missed.not_stored(ids)
        return [id_ for id_ in reversed(ids) if id_ in unknown]

    async def _keep(self, message: Resource, now: datetime) -> None:
        at = taken_at(message)
        if at is None or at > now - FRESH:
            return
        files = await self._account.media_of(sid_of(message)) if has_files(message) else ()
        try:
            record = from_twilio(received_form(message, files, self._api_url), at)
        except ProtocolError:
            return
        await self._recorder.record_durably(record)
        _say_that_it_came(record)

    async def _ask_for_fates(self, now: datetime) -> None:
        failure: ProviderError | None = None
        for silent in await self._missed.handed_over("twilio", SILENT_S, BATCH):
            record = None
            try:
                if failure is None:
                    resource = await self._account.message(silent.external_id)
                    record = fate_from_twilio(status_form(resource, str(silent.id)), now)
            except ProviderError as error:
                if not (isinstance(error, TwilioRefused) and error.code == NO_SUCH_RESOURCE):
                    failure = error
            record = record or _unknown(silent, now)
            if record is not None:
                await self._recorder.record_durably(record)
        if failure is not None:
            raise failure


def _unknown(silent: SilentMessage, now: datetime) -> MessageFateKnown | None:
    if silent.status == "unknown" or silent.silent_s < UNKNOWN_AFTER_S:
        return None
    return MessageFateKnown(
        at=now,
        message_id=silent.id,
        provider="twilio",
        status="unknown",
        external_id=silent.external_id,
        error="Twilio has taken it, and has not told what became of it",
    )


def _say_that_it_came(record: MessageReceived) -> None:
    word(
        "CRM_MESSAGE_SAVED",
        call_sid="",
        message_id=str(record.id),
        direction="in",
        provider=record.provider,
    )


def _say_that_it_cannot_look(why: str) -> None:
    _log.warning("what no webhook told cannot be looked for at Twilio why=%r", why)

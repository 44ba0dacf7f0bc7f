"""What happened at Twilio while the service was away, put together.

Settings and the database flow in; the background work flows out. It decides nothing.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

from voiceagent.crm.calls.sweeps import Sweeps
from voiceagent.crm.calls.voicemails import VoicemailsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.settings import Settings
from voiceagent.twilio.account import TwilioAccount
from voiceagent.voicemail.sweep import NAME, VoicemailSweep
from voiceagent.wiring.keep_running import keep_running


class VoicemailOffice:
    """One per process. Without Twilio's account it has nothing to do."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        tombstones: Tombstones,
        *,
        base_url: Callable[[], str | None],
        on_found: Callable[[], None],
    ) -> None:
        """`base_url` and `on_found` as of `VoicemailSweep`."""
        self._account: TwilioAccount | None = None
        sid, token = settings.twilio_account_sid, settings.twilio_auth_token
        if sid is None or token is None:
            return
        days = settings.retention_days
        self._account = TwilioAccount(sid, token.get_secret_value(), settings.twilio_base_url)
        self._sweep = VoicemailSweep(
            self._account,
            Sweeps(database, NAME),
            VoicemailsRepository(database),
            RecordsRepository(database, tombstones=tombstones),
            base_url,
            on_found=on_found,
            keeps=None if days is None else timedelta(days=days),
        )

    async def run(self) -> None:
        """Work until cancelled."""
        if self._account is not None:
            await keep_running("missed calls", self._sweep.run)

    def close_with(self, stack: AsyncExitStack) -> None:
        """Have the stack close the connections."""
        if self._account is not None:
            stack.push_async_callback(self._account.close)

"""A process that looks at Twilio's lists, to be killed by a test.

python -m voicemail.killed TWILIO_URL DATABASE_URL
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN
from voiceagent.crm.calls.sweeps import Sweeps
from voiceagent.crm.calls.voicemails import VoicemailsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.twilio.account import TwilioAccount
from voiceagent.voicemail.sweep import NAME, VoicemailSweep


async def _main(twilio_url: str, database_url: str) -> None:
    database = Database(database_url, Path())
    await database.start()
    async with TwilioAccount(ACCOUNT_SID, AUTH_TOKEN, twilio_url) as account:
        sweep = VoicemailSweep(
            account,
            Sweeps(database, NAME),
            VoicemailsRepository(database),
            RecordsRepository(database),
            lambda: "https://own.example.com",
        )
        while await sweep.round(datetime.now(UTC)):
            pass
    await database.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))

"""The sound of a message is fetched and put into words, and nobody answers it in writing."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from crm.records import announced, ended
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, TwilioRestEmulator
from voiceagent.crm.messages.drafts import Draft, Routes
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.call_models import VoicemailLeft
from voiceagent.crm.recording.message_models import MediaNote, received_id
from voiceagent.crm.recording.records import RecordsRepository
from voicemail.world import CALLER, ago, missed, sid
from whatsapp.world import House, house, until_true


class Ears:
    def takes(self, mime_type: str) -> bool:
        return mime_type == "audio/wav"

    async def transcribe(self, audio: bytes, mime_type: str) -> str:
        return f"{len(audio)} bytes were heard"


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        yield emulator


@pytest.fixture
async def one(
    database: Database, tmp_path: Path, twilio: TwilioRestEmulator
) -> AsyncIterator[House]:
    environ = {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_SIGNATURE_CHECK": "0",
        "TWILIO_BASE_URL": twilio.base_url,
    }
    async with house(database, tmp_path, environ=environ, transcriber=Ears()) as one:
        yield one


async def leave(database: Database, twilio: TwilioRestEmulator, source: str = "") -> None:
    missed(twilio, at=ago(hours=1), sound=b"RIFF" + bytes(96))
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Recordings/{sid('RE', 1)}.wav"
    left = VoicemailLeft(
        call_sid="CA1",
        at=ago(hours=1),
        id=received_id("twilio", sid("RE", 1)),
        provider="twilio",
        external_id=sid("RE", 1),
        sound=MediaNote(
            source=source or twilio.base_url + path, mime_type="audio/wav", voice_note=True
        ),
    )
    over = ended("CA1", status="failed", reason="service_away")
    await RecordsRepository(database).apply([announced("CA1", CALLER), over, left])


async def message_of(one: House) -> dict[str, Any]:
    [message] = await one.messages(direction="in")
    return message


async def test_it_is_fetched_with_the_credentials_and_put_into_words(
    one: House, twilio: TwilioRestEmulator, database: Database
) -> None:
    await leave(database, twilio)

    async def is_heard() -> bool:
        return bool((await message_of(one))["media"][0]["transcript"])

    await until_true(is_heard)
    message = await message_of(one)
    [sound] = message["media"]
    assert (message["channel"], message["call_sid"]) == ("voice", "CA1")
    assert (sound["transcript"], sound["mime_type"]) == ("100 bytes were heard", "audio/wav")
    file = await one.office.messages.file(UUID(message["id"]), 0)
    assert file.content == b"RIFF" + bytes(96)


@pytest.mark.parametrize(
    "source",
    [
        "{base}/2010-04-01/Accounts/AC99/Recordings/RE1.wav",
        "{base}/2010-04-01/Accounts/{account}/Recordings/../Calls/CA1.json",
        "{base}/2010-04-01/Accounts/{account}/Recordings/RE1.wav/../../../Keys.json",
        "https://evil.example.com/2010-04-01/Accounts/{account}/Recordings/RE1.wav",
    ],
    ids=range(4),
)
async def test_nothing_else_is_fetched(
    one: House, twilio: TwilioRestEmulator, database: Database, source: str
) -> None:
    await leave(database, twilio, source.format(base=twilio.base_url, account=ACCOUNT_SID))

    async def is_given_up() -> bool:
        return bool((await message_of(one))["media"][0]["state"] == "failed")

    await until_true(is_given_up)
    assert twilio.requests == []


async def test_nobody_answers_it_in_writing(
    one: House, twilio: TwilioRestEmulator, database: Database
) -> None:
    await leave(database, twilio)
    assert await one.office.threads.unanswered(0.0, 10) == []
    contact_id = UUID((await message_of(one))["contact_id"])
    assert await one.office.threads.last(contact_id, 10) == []
    # What the person wrote on WhatsApp before decides by what they are written to.
    await one.written(
        "hello", chat={"jid": f"{CALLER[1:]}@s.whatsapp.net", "phone": CALLER, "lid": None}
    )
    [thread] = await one.office.threads.unanswered(0.0, 10)
    assert thread.contact_id == contact_id
    outbox = OutboxRepository(database, Routes(("baileys", "twilio"), "baileys"))
    await database.pool.execute("UPDATE messages SET created_at = now() WHERE channel = 'voice'")
    for to in (contact_id, CALLER):
        put = await outbox.put(Draft(to, "we call you back"))
        provider = await database.pool.fetchval(
            "SELECT provider FROM messages WHERE id = $1", put.message_id
        )
        assert provider == "baileys"

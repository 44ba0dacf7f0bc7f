"""Missed calls and spoken messages are found out at Twilio: its API here, a real database."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from emulators.twilio_rest import OWN_NUMBER, TwilioRestEmulator
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.message_models import received_id
from voicemail.world import CALLER, World, ago, missed, point_here, sid, world


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        point_here(emulator)
        yield emulator


@pytest.fixture
async def here(database: Database, twilio: TwilioRestEmulator) -> AsyncIterator[World]:
    async with world(twilio, database) as one:
        yield one


async def test_a_message_left_while_the_service_was_away_is_a_missed_call_with_a_message(
    here: World, twilio: TwilioRestEmulator
) -> None:
    began_at = ago(hours=2).replace(microsecond=0)
    call_sid = missed(twilio, at=began_at, duration="23")
    for _ in range(2):
        await here.look()
    [call] = await here.calls()
    assert (call.call_sid, call.number, call.outcome, call.end_reason) == (
        *(call_sid, CALLER),
        *("missed", "service_away"),
    )
    assert (call.started_at, call.ended_at) == (began_at, began_at + timedelta(seconds=40))
    [message] = await here.messages()
    assert message.id == received_id("twilio", sid("RE", 1))
    assert (message.channel, message.provider, message.direction, message.status) == (
        *("voice", "twilio"),
        *("in", "received"),
    )
    assert (message.contact_id, message.kind, message.external_id) == (
        *(call.contact_id, "audio"),
        sid("RE", 1),
    )
    assert message.created_at == began_at + timedelta(seconds=15)
    [sound] = message.media
    assert (sound.mime_type, sound.seconds, sound.voice_note, sound.state) == (
        *("audio/wav", 23.0),
        *(True, "waiting"),
    )
    assert here.found == 1


async def test_a_call_that_left_no_message_is_known_as_missed(
    here: World, twilio: TwilioRestEmulator
) -> None:
    call_sid = missed(twilio, at=ago(hours=2), left=False)
    await here.look()
    [call] = await here.calls()
    assert (call.call_sid, call.outcome, call.end_reason) == (call_sid, "missed", "service_away")
    assert await here.messages() == []
    assert call.contact_id is not None
    assert OWN_NUMBER not in str(call.number)

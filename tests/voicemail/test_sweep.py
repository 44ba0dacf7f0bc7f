"""Missed calls and spoken messages are found out at Twilio: its API here, a real database."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from crm.records import announced, learnt
from emulators.twilio_call_log import asked, fell_back
from emulators.twilio_rest import OWN_NUMBER, TwilioRestEmulator
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.call_models import CallAnnounced, CallEnded, CallStarted
from voiceagent.crm.recording.message_models import received_id
from voiceagent.voicemail.sweep import EVENTS_AGAIN
from voicemail.world import CALLER, HERE, World, ago, missed, point_here, sid, world


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


async def test_later_looks_ask_no_more_about_what_is_known(
    here: World, twilio: TwilioRestEmulator
) -> None:
    missed(twilio, 1, at=ago(hours=2))
    missed(twilio, 2, at=ago(minutes=40), left=False)
    await here.look()
    twilio.requests.clear()
    await here.look()
    paths = [request.path.partition("?")[0].rpartition("/")[2] for request in twilio.requests]
    # The lists of a stretch of time.
    assert paths == ["IncomingPhoneNumbers.json", "Recordings.json", "Calls.json"]


async def test_more_than_there_are_on_a_page_come_one_after_the_other_the_oldest_first(
    here: World, twilio: TwilioRestEmulator
) -> None:
    for number in range(1, 8):
        missed(twilio, number, at=ago(hours=3, minutes=-number), left=number % 2 == 0)
    here.sweep._most_calls = 2
    known = []
    # What is left is looked for at once, by whoever is next.
    while await here.look_once():
        known.append(len(await here.calls()))
    assert {after - before for before, after in pairwise(known)} <= {0, 2}
    assert len(known) > 1
    assert [call.call_sid for call in await here.calls()] == [
        sid("CA", number) for number in range(7, 0, -1)
    ]
    assert [m.external_id for m in await here.messages()] == [sid("RE", n) for n in (6, 4, 2)]


async def test_a_list_that_moves_on_while_it_is_read_makes_nothing_twice(
    here: World, twilio: TwilioRestEmulator
) -> None:
    for number in range(1, 6):
        missed(twilio, number, at=ago(hours=3, minutes=-number))
    came = iter(range(100, 110))

    def come(name: str) -> None:
        # Each page begins one later: the last of one is the first of the next.
        number = next(came, None)
        if number is not None:
            missed(twilio, number, at=ago(hours=2, seconds=-number))

    twilio.log.after_page = come
    await here.look()
    twilio.log.after_page = lambda _: None
    await here.look()
    calls, messages = await here.calls(), await here.messages()
    assert len(calls) == len(messages) == len(twilio.log.recordings)
    assert {m.external_id for m in messages} == set(twilio.log.recordings)


class TestCallsThatAreKnown:
    async def test_one_that_was_announced_and_fell_back_gets_its_message(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        began_at = ago(hours=2)
        call_sid = missed(twilio, at=began_at)
        await here.records.apply(
            [
                CallAnnounced(call_sid=call_sid, at=began_at, caller=CALLER, called=OWN_NUMBER),
                CallEnded(
                    call_sid=call_sid,
                    at=began_at + timedelta(seconds=120),
                    status="failed",
                    reason="never_connected",
                ),
            ]
        )
        await here.look()
        [call] = await here.calls()
        assert (call.outcome, call.contact_id) == ("missed", (await here.messages())[0].contact_id)

    async def test_one_that_was_talked_in_keeps_its_end(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        began_at = ago(hours=2)
        call_sid = missed(twilio, at=began_at)
        await here.records.apply(
            [
                CallAnnounced(call_sid=call_sid, at=began_at, caller=CALLER, called=OWN_NUMBER),
                CallStarted(call_sid=call_sid, at=began_at, stream_sid="MZ1"),
                CallEnded(
                    call_sid=call_sid,
                    at=began_at + timedelta(seconds=10),
                    status="failed",
                    reason="socket_lost",
                ),
            ]
        )
        await here.look()
        [call] = await here.calls()
        assert (call.end_reason, len(await here.messages())) == ("socket_lost", 1)

    async def test_what_its_own_records_tell_later_prevails(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        began_at = ago(hours=2)
        call_sid = missed(twilio, at=began_at, left=False)
        await here.look()
        # They lay in the journal of a process that was away.
        await here.records.apply(
            [
                CallAnnounced(call_sid=call_sid, at=began_at, caller=CALLER, called=OWN_NUMBER),
                CallStarted(call_sid=call_sid, at=began_at, stream_sid="MZ1"),
                CallEnded(
                    call_sid=call_sid,
                    at=began_at + timedelta(seconds=50),
                    status="completed",
                    reason="caller_hangup",
                ),
            ]
        )
        await here.look()
        [call] = await here.calls()
        assert (call.outcome, call.end_reason) == ("talked", "caller_hangup")


class TestWhoCalled:
    async def test_a_known_person_has_it_with_everything_else(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        await here.records.apply([announced("CA0"), learnt("CA0", name="נועה")])
        missed(twilio, at=ago(hours=2))
        await here.look()
        newest, _ = await here.calls()
        assert (newest.name, newest.outcome) == ("נועה", "missed")
        [conversation] = (await Conversations(here.database).page()).items
        assert (conversation.contact_id, conversation.unread) == (newest.contact_id, 1)

    async def test_a_caller_without_a_number_leaves_a_message_all_the_same(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        callers = ["anonymous", "+266696687", "", "sip:a@b\0c", "x" * 5000]
        for number, caller in enumerate(callers):
            missed(twilio, number, at=ago(hours=2, seconds=-number), caller=caller)
        await here.look()
        calls, messages = await here.calls(), await here.messages()
        assert [call.outcome for call in calls] == ["missed"] * len(callers)
        # Each is somebody of their own.
        assert len({call.contact_id for call in calls}) == len(callers)
        assert [call.contact_id for call in calls] == [message.contact_id for message in messages]

    async def test_what_an_erased_person_said_does_not_come_back(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        async with here.database.transaction() as connection:
            await here.tombstones.put(connection, [("phone", CALLER)], ago(minutes=90), None)
        missed(twilio, 1, at=ago(hours=2))
        missed(twilio, 2, at=ago(hours=1))
        for _ in range(2):
            await here.look()
        assert [call.call_sid for call in await here.calls()] == [sid("CA", 2)]
        assert [message.external_id for message in await here.messages()] == [sid("RE", 2)]


class TestWhatIsNotOurs:
    async def test_calls_and_recordings_of_other_kinds_are_left(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        missed(twilio, 1, at=ago(hours=2), left=False)
        twilio.pages.events[sid("CA", 1)] = [asked("https://others.example.com/voice", 502)]
        missed(twilio, 2, at=ago(hours=2), left=False)
        twilio.pages.events[sid("CA", 2)] = [asked(HERE, None), asked(HERE, 200)]
        missed(twilio, 3, at=ago(hours=2))
        twilio.calls[sid("CA", 3)] |= {"direction": "outbound-api"}
        missed(twilio, 4, at=ago(hours=2))
        twilio.calls[sid("CA", 4)] |= {"to": "+97239999999"}
        missed(twilio, 5, at=ago(hours=2))
        twilio.pages.events[sid("CA", 5)] = [asked("https://others.example.com/voicemail", 200)]
        # A recording whose call nobody lists.
        twilio.log.record(sid("RE", 6), sid("CA", 6), ago(hours=2))
        for _ in range(2):
            await here.look()
        assert await here.calls() == []
        assert await here.messages() == []

    async def test_a_recording_that_the_fallback_did_not_make_is_no_message(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        for number, source in enumerate(("DialVerb", "OutboundAPI", "Conference", None)):
            missed(twilio, number, at=ago(hours=2), source=source)
        await here.look()
        assert len(await here.calls()) == 4
        assert await here.messages() == []

    async def test_without_a_number_that_is_answered_here_nothing_is_asked_for(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        missed(twilio, at=ago(hours=2))
        [number] = twilio.pages.numbers.values()
        pointed_here = dict(number)
        for changed in (
            {"voice_url": "https://others.example.com/webhook/incoming_call"},
            {"voice_url": "http://[::1#x"},
            {"voice_method": "GET"},
            {"trunk_sid": "TK1"},
            {"voice_application_sid": "AP1"},
            {"phone_number": ""},
        ):
            number.update(pointed_here | changed)
            await here.look()
        assert {one.path.rpartition("/")[2].partition("?")[0] for one in twilio.requests} == {
            "IncomingPhoneNumbers.json"
        }
        # It is looked for once the number is answered here again.
        number.update(pointed_here)
        await here.look()
        assert len(await here.calls()) == 1

    async def test_while_nobody_knows_where_the_service_is_nothing_is_asked(
        self, database: Database, twilio: TwilioRestEmulator
    ) -> None:
        async with world(twilio, database, base_url=lambda: None) as lost:
            await lost.look()
        assert twilio.requests == []


class TestWhatIsNotOverYet:
    async def test_a_call_on_the_line_is_left_until_it_is_over(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        call_sid = missed(twilio, at=ago(hours=2))
        over = dict(twilio.calls[call_sid])
        twilio.calls[call_sid] |= {"status": "in-progress", "end_time": None, "duration": None}
        await here.look()
        assert await here.calls() == []
        twilio.calls[call_sid] = over
        await here.look()
        assert len(await here.messages()) == 1

    async def test_a_recording_that_twilio_still_works_on_is_waited_for(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        missed(twilio, at=ago(hours=2), status="processing", duration="-1")
        await here.look()
        # Not told as a call without a message.
        assert await here.calls() == []
        twilio.log.recordings[sid("RE", 1)] |= {"status": "completed", "duration": "7"}
        await here.look()
        assert (await here.messages())[0].media[0].seconds == 7.0

    async def test_one_that_is_never_made_is_not_waited_for_for_ever(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        missed(twilio, 1, at=ago(hours=8), status="processing")
        missed(twilio, 2, at=ago(hours=2), status="absent", error_code=31000)
        await here.look()
        assert [call.end_reason for call in await here.calls()] == ["service_away"] * 2
        assert await here.messages() == []

    async def test_a_message_is_told_before_twilio_tells_what_it_asked(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        missed(twilio, 1, at=ago(minutes=5))
        missed(twilio, 2, at=ago(minutes=5), left=False)
        await here.look()
        assert [call.call_sid for call in await here.calls()] == [sid("CA", 1)]
        assert not any("Events" in request.path for request in twilio.requests)
        # A quarter of an hour later it does.
        for number in (1, 2):
            call = twilio.calls[sid("CA", number)]
            twilio.miss(call["sid"], CALLER, at=ago(minutes=25))
        await here.look(datetime.now(UTC))
        assert len(await here.calls()) == 2

    async def test_a_call_of_which_nothing_is_told_is_asked_about_again_and_then_left(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        missed(twilio, 1, at=ago(hours=2), left=False)
        missed(twilio, 2, at=ago(hours=7), left=False)
        missed(twilio, 3, at=ago(hours=7))
        for number in (1, 2, 3):
            del twilio.pages.events[sid("CA", number)]
        await here.look()
        # What somebody said is kept, whatever Twilio does not tell.
        assert [call.call_sid for call in await here.calls()] == [sid("CA", 3)]
        twilio.pages.events[sid("CA", 1)] = fell_back(HERE)
        await here.look(datetime.now(UTC) + EVENTS_AGAIN)
        assert {call.call_sid for call in await here.calls()} == {sid("CA", 1), sid("CA", 3)}


class TestHowFarBack:
    async def test_the_first_look_goes_back_a_week(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        missed(twilio, 1, at=ago(days=6, hours=23))
        missed(twilio, 2, at=ago(days=7, hours=1))
        await here.look()
        assert [call.call_sid for call in await here.calls()] == [sid("CA", 1)]

    async def test_a_service_that_was_away_for_long_finds_all_since(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        await here.look()
        await here.database.pool.execute(
            "UPDATE sweeps SET looked_until = now() - interval '20 days'"
        )
        missed(twilio, 1, at=ago(days=19))
        missed(twilio, 2, at=ago(days=1))
        await here.look()
        assert [call.call_sid for call in await here.calls()] == [sid("CA", 2), sid("CA", 1)]

    async def test_what_would_be_forgotten_at_once_is_not_looked_for(
        self, database: Database, twilio: TwilioRestEmulator
    ) -> None:
        missed(twilio, 1, at=ago(days=2))
        missed(twilio, 2, at=ago(hours=3))
        async with world(twilio, database, keeps=timedelta(days=1)) as forgetful:
            await forgetful.look()
            assert [call.call_sid for call in await forgetful.calls()] == [sid("CA", 2)]

    async def test_each_look_goes_on_where_the_last_one_was(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        await here.look()
        looked_until = await here.database.pool.fetchval("SELECT looked_until FROM sweeps")
        assert ago(hours=1, minutes=5) < looked_until < ago(minutes=55)

    async def test_many_calls_that_are_not_ours_do_not_hold_up_one_that_is(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        here.sweep._most_calls = 3
        missed(twilio, 50, at=ago(hours=3), status="processing")
        for number in range(1, 8):
            missed(twilio, number, at=ago(hours=2, minutes=number), left=False)
            twilio.pages.events[sid("CA", number)] = [asked(HERE, 200)]
        missed(twilio, 60, at=ago(minutes=90))
        await here.look()
        assert [call.call_sid for call in await here.calls()] == [sid("CA", 60)]
        # Though the first one is still waited for, they are not asked about again.
        twilio.requests.clear()
        await here.look()
        assert not any("Events" in request.path for request in twilio.requests)

    async def test_many_calls_that_twilio_does_not_tell_of_do_not_hold_up_one_that_it_does(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        here.sweep._most_calls = 3
        for number in range(1, 8):
            missed(twilio, number, at=ago(hours=2, minutes=number), left=False)
            twilio.pages.events[sid("CA", number)] = []
        missed(twilio, 60, at=ago(minutes=90))
        await here.look()
        assert [call.call_sid for call in await here.calls()] == [sid("CA", 60)]
        # Each was asked about once, and is again after a while.
        asked_for = [one.path for one in twilio.requests if "Events" in one.path]
        assert len(asked_for) == len(set(asked_for))
        twilio.pages.events[sid("CA", 1)] = fell_back(HERE)
        await here.look(datetime.now(UTC) + EVENTS_AGAIN)
        assert len(await here.calls()) == 2

"""What no webhook told is found out at Twilio: its API on this machine, a real database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from emulators.twilio_rest import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    OWN_NUMBER,
    Fault,
    TwilioRestEmulator,
)
from voiceagent.crm.messages.drafts import Draft
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.message_models import received_id
from voiceagent.errors import ProviderError
from voiceagent.whatsapp.twilio_sweep import TwilioSweep
from whatsapp.world import OTHER, PHONE, House, house, until_true


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        yield emulator


@dataclass
class Scene:
    """A service with a Twilio sender, which sends and hears nothing by itself."""

    one: House
    sweep: TwilioSweep
    database: Database

    async def handed_over(self, twilio: TwilioRestEmulator, *, ago_s: float) -> tuple[UUID, str]:
        """A message that Twilio has taken so long ago; its id here and there."""
        put = await self.one.office.outbox.put(Draft(PHONE, "hi"))
        [letter] = await self.one.office.outbox.claim("twilio", 1, uuid4(), 30)
        sid = f"SM{uuid4().hex}"
        twilio.messages[sid] = twilio.new_message(sid, OWN_NUMBER, PHONE, "hi")
        await self.one.office.outbox.hand_over(letter, sid)
        await self.database.pool.execute(
            "UPDATE messages SET updated_at = now() - $2 * interval '1 second' WHERE id = $1",
            put.message_id,
            ago_s,
        )
        return put.message_id, sid

    async def message(self, id_: UUID) -> dict[str, Any]:
        found: dict[str, Any] = await self.one.get(f"/api/crm/messages/{id_}")
        return found


@pytest.fixture
async def scene(
    database: Database, tmp_path: Path, twilio: TwilioRestEmulator
) -> AsyncIterator[Scene]:
    environ = {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_WHATSAPP_FROM": OWN_NUMBER,
        "TWILIO_SIGNATURE_CHECK": "0",
        "TWILIO_BASE_URL": twilio.base_url,
    }
    async with house(database, tmp_path, sends=False, environ=environ) as one:
        sweep = one.office.sweep(one.recorder)
        assert sweep is not None
        await one.twilio(MessageSid="SM0", From=f"whatsapp:{PHONE}", Body="told by its webhook")
        yield Scene(one, sweep, database)
        await one.office._closers[-1]()


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


class TestMessagesThatCameIn:
    async def test_what_no_webhook_told_is_stored_once_and_as_it_was_written(
        self, scene: Scene, twilio: TwilioRestEmulator
    ) -> None:
        twilio.receive("SM0", PHONE, "told by its webhook", at=ago(hours=3))
        # More than there are on a page.
        for n in range(1, 6):
            twilio.receive(f"SM{n}", OTHER, f"missed {n}", at=ago(hours=2, seconds=-n))
        for _ in range(2):
            await scene.sweep.round()
        texts = [message["text"] for message in await scene.one.messages(direction="in")]
        assert sorted(texts) == [*(f"missed {n}" for n in range(1, 6)), "told by its webhook"]
        message = await scene.message(received_id("twilio", "SM3"))
        assert (message["status"], message["provider"], message["external_id"]) == (
            *("received", "twilio"),
            "SM3",
        )
        # It came when Twilio took it, not when it was found.
        came = datetime.fromisoformat(message["created_at"])
        assert abs(came - ago(hours=2, seconds=-3)) < timedelta(seconds=2)
        # Its webhook may come all the same.
        await scene.one.twilio(MessageSid="SM3", From=f"whatsapp:{OTHER}", Body="missed 3")
        assert len(await scene.one.messages(direction="in")) == 6

    async def test_its_files_come_along(self, scene: Scene, twilio: TwilioRestEmulator) -> None:
        twilio.media["ME1"] = ("image/jpeg", b"jpeg")
        twilio.receive("MM1", OTHER, "look", at=ago(hours=1), files=["ME1"])
        await scene.sweep.round()
        row = await scene.database.pool.fetchrow("SELECT source, mime_type FROM message_media")
        assert dict(row) == {"source": twilio.media_url("ME1"), "mime_type": "image/jpeg"}

    async def test_what_is_still_with_its_webhook_what_is_old_and_what_is_ours_is_left(
        self, scene: Scene, twilio: TwilioRestEmulator
    ) -> None:
        twilio.receive("SM1", OTHER, "its webhook is on its way", at=datetime.now(UTC))
        twilio.receive("SM2", OTHER, "old", at=ago(hours=25))
        twilio.receive("SM3", OTHER, "an SMS", at=ago(hours=1))
        twilio.messages["SM3"]["from"] = OTHER
        twilio.messages["SM4"] = twilio.new_message(
            *("SM4", f"whatsapp:{OWN_NUMBER}", f"whatsapp:{OWN_NUMBER}", "to myself")
        )
        await scene.sweep.round()
        assert len(await scene.one.messages(direction="in")) == 1

    async def test_later_looks_go_back_less(self, scene: Scene, twilio: TwilioRestEmulator) -> None:
        await scene.sweep.round()
        twilio.receive("SM1", OTHER, "seen by the first look or never", at=ago(hours=1))
        twilio.receive("SM2", OTHER, "Twilio's list lagged behind", at=ago(minutes=5))
        await scene.sweep.round()
        texts = {message["text"] for message in await scene.one.messages(direction="in")}
        assert texts == {"told by its webhook", "Twilio's list lagged behind"}

    async def test_what_an_erased_person_wrote_does_not_come_back(
        self, scene: Scene, twilio: TwilioRestEmulator
    ) -> None:
        tombstones = Tombstones(b"key")
        async with scene.database.transaction() as connection:
            await tombstones.put(connection, [("phone", OTHER)], ago(minutes=30), None)
        twilio.receive("SM1", OTHER, "before", at=ago(hours=1))
        twilio.receive("SM2", OTHER, "after", at=ago(minutes=20))
        await scene.sweep.round()
        texts = {message["text"] for message in await scene.one.messages(direction="in")}
        assert texts == {"told by its webhook", "after"}

    async def test_while_twilio_is_away_nothing_is_missed_for_good(
        self, scene: Scene, twilio: TwilioRestEmulator
    ) -> None:
        twilio.receive("SM1", OTHER, "missed", at=ago(hours=20))
        twilio.fail_next(Fault.SERVER_ERROR)
        with pytest.raises(ProviderError):
            await scene.sweep.round()
        await scene.sweep.round()
        assert len(await scene.one.messages(direction="in")) == 2


class TestFatesOfOurs:
    @pytest.mark.parametrize(
        ("said", "status"),
        [("delivered", "delivered"), ("read", "read"), ("sent", "sent"), ("undelivered", "failed")],
    )
    async def test_without_a_callback_twilio_is_asked(
        self, scene: Scene, twilio: TwilioRestEmulator, said: str, status: str
    ) -> None:
        id_, sid = await scene.handed_over(twilio, ago_s=150)
        twilio.messages[sid] |= {"status": said}
        if status == "failed":
            twilio.messages[sid] |= {"error_code": 63016, "error_message": "outside the window"}
        await scene.sweep.round()
        message = await scene.message(id_)
        assert message["status"] == status
        expected = "Twilio: 63016 outside the window" if status == "failed" else ""
        assert message["error"] == expected

    async def test_one_just_handed_over_is_left_to_its_callback(
        self, scene: Scene, twilio: TwilioRestEmulator
    ) -> None:
        _, sid = await scene.handed_over(twilio, ago_s=60)
        await scene.sweep.round()
        assert not any(sid in request.path for request in twilio.requests)

    @pytest.mark.parametrize("why", ["still queued there", "gone there", "no answer"])
    async def test_what_twilio_cannot_tell_either_is_unknown_after_ten_minutes_and_not_before(
        self, scene: Scene, twilio: TwilioRestEmulator, why: str
    ) -> None:
        young, _ = await scene.handed_over(twilio, ago_s=300)
        old, sid = await scene.handed_over(twilio, ago_s=700)
        if why == "gone there":
            twilio.messages.clear()
        if why == "no answer":
            twilio.fail_next(Fault.SERVER_ERROR, Fault.SERVER_ERROR)
            with pytest.raises(ProviderError):
                await scene.sweep.round()
        else:
            await scene.sweep.round()
        assert (await scene.message(young))["status"] == "queued"
        unknown = await scene.message(old)
        assert unknown["status"] == "unknown"
        assert "has not told what became of it" in unknown["error"]
        # It goes on being asked about.
        message = twilio.new_message(sid, OWN_NUMBER, PHONE, "hi")
        twilio.messages[sid] = message | {"status": "delivered"}
        await scene.database.pool.execute(
            "UPDATE messages SET updated_at = now() - interval '150 seconds'"
        )
        await scene.sweep.round()
        assert (await scene.message(old))["status"] == "delivered"


async def test_it_goes_on_and_says_once_that_twilio_is_away(
    scene: Scene, twilio: TwilioRestEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    scene.sweep._poll_s = 0.01
    await scene.sweep.round()
    scene.sweep._outage.over()
    twilio.receive("SM1", OTHER, "missed", at=ago(minutes=5))
    twilio.fail_next(*[Fault.SERVER_ERROR] * 3)
    work = asyncio.create_task(scene.sweep.run())

    async def found() -> bool:
        return len(await scene.one.messages(direction="in")) == 2

    await until_true(found)
    work.cancel()
    await asyncio.wait([work])
    assert caplog.text.count("cannot be looked for at Twilio") == 1


async def test_without_a_sender_there_is_nothing_to_look_for(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path, sends=False) as one:
        assert one.office.sweep(one.recorder) is None

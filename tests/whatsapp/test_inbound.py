"""What providers tell, as records; whatever it is, nothing but a `ProtocolError` comes of it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voiceagent.crm.recording.message_models import (
    MessageChanged,
    MessageFateKnown,
    MessageReceived,
    received_id,
)
from voiceagent.errors import ProtocolError
from voiceagent.whatsapp.inbound import (
    SidecarEvent,
    fate_from_twilio,
    from_sidecar,
    from_twilio,
)

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OURS = "0199f3c2-0000-7000-8000-000000000001"


def twilio(**fields: str) -> MessageReceived:
    form = {"MessageSid": "SM1", "From": "whatsapp:+972501234567", "Body": "שלום"} | fields
    return from_twilio(lambda name: form.get(name, ""), AT)


def status(**fields: str) -> MessageFateKnown | None:
    form = {"MessageSid": "SM1", "message_id": OURS} | fields
    return fate_from_twilio(lambda name: form.get(name, ""), AT)


def event(type_: str, **data: Any) -> SidecarEvent:
    return SidecarEvent(id="evt_1", type=type_, created_at=AT, data=data)


RECEIVED: dict[str, Any] = {
    "message_id": "3A5F",
    "chat": {"jid": "1203@lid", "lid": "1203@lid", "phone": "+972501234567"},
    "from_me": False,
    "name": "דנה",
    "sent_at": "2026-03-01T11:59:58Z",
    "while_away": False,
    "kind": "text",
    "text": "שלום",
    "media": None,
    "location": None,
    "reaction": None,
    "reply_to": {"message_id": "3EB0", "text": "…"},
}


def baileys(**data: Any) -> MessageReceived:
    record = from_sidecar(event("message.received", **RECEIVED | data), AT)
    assert isinstance(record, MessageReceived)
    return record


class TestTwilio:
    def test_a_text(self) -> None:
        record = twilio(ProfileName="Dana", WaId="972501234567")
        assert record.id == received_id("twilio", "SM1")
        assert (record.sender.phone, record.sender.lid) == ("+972501234567", None)
        assert (record.text, record.name, record.content) == ("שלום", "Dana", "text")
        assert (record.at, record.wish, record.from_me) == (AT, None, False)

    def test_files(self) -> None:
        record = twilio(
            Body="",
            NumMedia="2",
            MediaUrl0="https://api.twilio.com/a",
            MediaContentType0="audio/ogg",
            MediaUrl1="https://api.twilio.com/b",
            MediaContentType1="image/jpeg",
        )
        assert record.content == "audio"
        assert [(note.mime_type, note.voice_note) for note in record.media] == [
            ("audio/ogg", True),
            ("image/jpeg", False),
        ]

    def test_a_place_a_button_and_what_is_answered(self) -> None:
        place = twilio(Latitude="32.08", Longitude="34.78", Label="Office", Body="")
        assert place.content == "location"
        assert place.details["location"] == {
            "latitude": 32.08,
            "longitude": 34.78,
            "name": "Office",
        }
        pressed = twilio(
            Body="", ButtonText="Yes", ButtonPayload="y", OriginalRepliedMessageSid="SM0"
        )
        assert pressed.text == "Yes"
        assert pressed.details == {"button": "y", "reply_to": {"message_id": "SM0"}}

    def test_the_words_that_end_messages(self) -> None:
        assert twilio(Body="הסר").wish == "stop"

    def test_without_a_sid_each_is_a_message_of_its_own(self) -> None:
        assert twilio(MessageSid="").id != twilio(MessageSid="").id
        assert twilio(MessageSid="", SmsMessageSid="SM9").external_id == "SM9"

    def test_a_number_without_its_prefix_and_one_only_in_waid(self) -> None:
        assert twilio(From="+972501234567").sender.phone == "+972501234567"
        assert twilio(From="", WaId="972501234567").sender.phone == "+972501234567"

    @pytest.mark.parametrize("sender", ["", "whatsapp:", "+1", "someone"])
    def test_from_nobody_it_is_refused(self, sender: str) -> None:
        with pytest.raises(ProtocolError):
            twilio(From=sender)

    @pytest.mark.parametrize(
        ("told", "known"),
        [
            ("sent", "sent"),
            ("delivered", "delivered"),
            ("read", "read"),
            ("failed", "failed"),
            ("undelivered", "failed"),
            ("canceled", "failed"),
        ],
    )
    def test_fates(self, told: str, known: str) -> None:
        record = status(MessageStatus=told, ErrorCode="63016")
        assert record is not None
        assert (record.message_id, record.status) == (UUID(OURS), known)
        assert ("63016" in record.error) == (known == "failed")

    @pytest.mark.parametrize("told", ["queued", "accepted", "sending", "", "who knows"])
    def test_what_tells_nothing(self, told: str) -> None:
        assert status(MessageStatus=told) is None
        assert status(MessageStatus="sent", message_id="none of ours") is None

    @given(
        st.dictionaries(
            st.sampled_from(
                ["From", "Body", "NumMedia", "MediaUrl0", "Latitude", "MessageSid", "ProfileName"]
            ),
            st.text(max_size=40),
        )
    )  # fmt: skip
    def test_whatever_comes(self, fields: Mapping[str, str]) -> None:
        try:
            record = twilio(**fields)
        except ProtocolError:
            return
        assert "\x00" not in record.model_dump_json().replace("\\u0000", "\x00")


class TestSidecar:
    def test_a_text(self) -> None:
        record = baileys()
        assert record.id == received_id("baileys", "3A5F")
        assert (record.sender.phone, record.sender.lid) == ("+972501234567", "1203@lid")
        assert record.sent_at == datetime(2026, 3, 1, 11, 59, 58, tzinfo=UTC)
        assert record.details == {"reply_to": {"message_id": "3EB0", "text": "…"}}

    def test_who_hides_the_number_is_known_by_the_id(self) -> None:
        assert (
            baileys(chat={"jid": "1203@lid", "lid": None, "phone": None}).sender.lid == "1203@lid"
        )
        plain = baileys(chat={"jid": "972501234567:5@s.whatsapp.net"}).sender
        assert (plain.phone, plain.lid) == ("+972501234567", None)

    def test_a_voice_note(self) -> None:
        media = {"id": "m1", "mime_type": "audio/ogg; codecs=opus", "size_bytes": 9, "seconds": 4}
        record = baileys(kind="audio", text=None, media=media | {"voice_note": True})
        [note] = record.media
        assert (note.source, note.voice_note, note.seconds, record.text) == ("m1", True, 4.0, "")

    @pytest.mark.parametrize(
        "told",
        [
            {"size_bytes": 2**64 - 1},
            {"size_bytes": -1},
            {"seconds": 1e300},
            {"seconds": float("nan")},
        ],
    )
    def test_what_a_file_cannot_be_is_not_believed(self, told: dict[str, float]) -> None:
        [note] = baileys(kind="image", media={"id": "m1"} | told).media
        assert (note.size_bytes, note.seconds) == (None, None)

    @pytest.mark.parametrize(
        "told", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", -62135596800000]
    )
    def test_a_clock_that_cannot_be_costs_no_message(self, told: str | int) -> None:
        told_change = event("message.changed", message_id="A", change="deleted", at=told)
        changed = from_sidecar(told_change, AT)
        assert isinstance(changed, MessageChanged)
        for moment in (baileys(sent_at=told).sent_at, changed.at):
            assert moment is None or moment.utcoffset() == timedelta(0)

    def test_an_event_itself_has_a_time_and_an_id_that_can_be_kept(self) -> None:
        fields: dict[str, Any] = {"id": "e\0", "type": "session.state", "created_at": AT}
        assert SidecarEvent.model_validate(fields).id == "e\ufffd"
        for wrong in ({"created_at": "0001-01-01T00:00:00+14:00"}, {"id": "e" * 501}):
            with pytest.raises(ValidationError):
                SidecarEvent.model_validate(fields | wrong)

    def test_the_owners_own_words_end_nothing(self) -> None:
        assert baileys(text="stop").wish == "stop"
        assert baileys(text="stop", from_me=True).wish is None
        assert baileys(text="stop", kind="image").wish is None

    def test_a_fate(self) -> None:
        error = {"code": "refused", "wa_code": "463", "detail": "no new chats"}
        record = from_sidecar(
            event("message.status", id=OURS, message_id="3EB0", status="failed", error=error), AT
        )
        assert isinstance(record, MessageFateKnown)
        assert (record.status, record.external_id) == ("failed", "3EB0")
        assert record.error == "refused 463 no new chats"

    def test_the_fate_of_a_message_of_somebody_else(self) -> None:
        assert from_sidecar(event("message.status", id="theirs", status="sent"), AT) is None

    def test_a_change(self) -> None:
        record = from_sidecar(
            event("message.changed", message_id="3A5F", change="edited", text="x", at=AT), AT
        )
        assert isinstance(record, MessageChanged)
        assert record.message_id == received_id("baileys", "3A5F")

    def test_what_is_not_about_a_message(self) -> None:
        for type_ in ("session.state", "session.restricted", "message.undecrypted", "new.type"):
            assert from_sidecar(event(type_, anything=1), AT) is None

    @pytest.mark.parametrize(
        "data",
        [
            {"message_id": ""},
            {"message_id": 7},
            {"chat": {}},
            {"chat": {"jid": "someone"}},
            {"chat": {"phone": "054"}},
            {"media": {}},
            {"sent_at": "yesterday"},
        ],
    )
    def test_what_is_not_as_the_readme_has_it_is_refused_and_named(
        self, data: dict[str, Any]
    ) -> None:
        with pytest.raises(ProtocolError, match=r"message\.received: "):
            baileys(**data)

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.none() | st.text(max_size=20) | st.integers() | st.booleans()
                for name in RECEIVED
            },
        ),
        st.sampled_from(["message.received", "message.status", "message.changed"]),
    )
    def test_whatever_comes(self, data: dict[str, Any], type_: str) -> None:
        told = SidecarEvent.model_validate_json(
            json.dumps(
                {"id": "e", "type": type_, "created_at": AT.isoformat(), "data": RECEIVED | data}
            )
        )
        with suppress(ProtocolError):
            from_sidecar(told, AT)

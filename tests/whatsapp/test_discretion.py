"""What people write, before it is a record."""

import time
from datetime import UTC, datetime

import pytest

from voiceagent.crm.recording.message_models import (
    MediaNote,
    MessageChanged,
    MessageFateKnown,
    MessageReceived,
    MessageRecord,
    Sender,
    received_id,
)
from voiceagent.speech.sensitive_numbers import hide
from voiceagent.whatsapp.discretion import (
    AT_ONCE_CHARS,
    DiscreetRecorder,
    DiscreetTranscriber,
    without_sensitive,
)

AT = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
ID = received_id("twilio", "SM1")


class Kept:
    def __init__(self) -> None:
        self.records: list[MessageRecord] = []

    async def record_durably(self, record: MessageRecord) -> None:
        self.records.append(record)


def written(text: str, **more: object) -> MessageReceived:
    fields = {"at": AT, "id": ID, "provider": "twilio", "text": text}
    return MessageReceived.model_validate(
        {**fields, "sender": Sender(phone="+972501234567"), **more}
    )


async def test_every_word_of_a_message_is_looked_over() -> None:
    kept = Kept()
    record = written(
        "הכרטיס 4242 4242 4242 4242, התקשרו 050-1234567",
        name="Dana 4242424242424242",
        media=(MediaNote(source="a", file_name="card 4242424242424242.jpg"),),
        details={
            "reply_to": {"text": "ת.ז. 123456782", "message_id": "4242424242424242A"},
            "location": {"latitude": 32.08, "names": ["4242424242424242"]},
        },
    )
    await DiscreetRecorder(kept, hide).record_durably(record)
    (stored,) = kept.records
    assert isinstance(stored, MessageReceived)
    assert stored.text == "הכרטיס •••• 4242, התקשרו 050-1234567"
    assert stored.name == "Dana •••• 4242"
    assert stored.media[0].file_name == "card •••• 4242.jpg"
    assert stored.details["location"] == {"latitude": 32.08, "names": ["•••• 4242"]}
    assert "123456782" not in str(stored.details)
    assert stored.sender == record.sender
    assert stored.id == record.id


async def test_an_edit_is_looked_over_and_a_fate_goes_by() -> None:
    edit = MessageChanged(at=AT, message_id=ID, change="edited", text="4242424242424242")
    fate = MessageFateKnown(at=AT, message_id=ID, provider="twilio", status="sent")
    changed = without_sensitive(edit, hide)
    assert isinstance(changed, MessageChanged)
    assert changed.text == "•••• 4242"
    assert without_sensitive(fate, hide) is fate


async def test_the_longest_message_is_looked_over_beside_the_calls() -> None:
    kept = Kept()
    text = "4 " * 50_000 + "and 4242 4242 4242 4242"
    await DiscreetRecorder(kept, hide).record_durably(written(text))
    (stored,) = kept.records
    assert isinstance(stored, MessageReceived)
    assert "4242 4242" not in stored.text


@pytest.mark.parametrize("unit", ["4 ", "id 123456782 ", "four ", "(4)", "a "])
def test_what_is_looked_over_at_once_takes_less_than_an_audio_frame_may_wait(unit: str) -> None:
    text = (unit * AT_ONCE_CHARS)[:AT_ONCE_CHARS]
    took = []
    for _ in range(5):
        began = time.process_time()
        hide(text)
        took.append(time.process_time() - began)
    assert min(took) < 0.005


async def test_what_was_said_in_a_voice_note_is_looked_over() -> None:
    class Ears:
        def takes(self, mime_type: str) -> bool:
            return mime_type == "audio/ogg"

        async def transcribe(self, audio: bytes, mime_type: str) -> str:
            return "כרטיס " + "ארבע שתיים " * 8

    ears = DiscreetTranscriber(Ears(), hide)
    assert ears.takes("audio/ogg")
    assert not ears.takes("audio/mp3")
    assert await ears.transcribe(b"", "audio/ogg") == "כרטיס •••• 4242 "

"""A message as Twilio's API has it reads like what its webhooks would have told."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.whatsapp.inbound import fate_from_twilio, from_twilio
from voiceagent.whatsapp.twilio_resources import (
    came_in,
    has_files,
    received_form,
    sid_of,
    status_form,
    taken_at,
)

API = "https://api.twilio.com"
MESSAGE = {
    "sid": "MM1",
    "direction": "inbound",
    "from": "whatsapp:+972501234567",
    "to": "whatsapp:+97231234567",
    "body": "שלום",
    "num_media": "1",
    "date_created": "Thu, 26 Nov 2026 20:00:00 +0000",
    "status": "received",
    "error_code": None,
    "error_message": None,
}
FILE = {
    "sid": "ME1",
    "content_type": "audio/ogg",
    "uri": "/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1.json",
}


def test_what_somebody_wrote_is_the_message_of_its_webhook() -> None:
    assert came_in(MESSAGE)
    assert has_files(MESSAGE)
    at = taken_at(MESSAGE)
    assert at == datetime(2026, 11, 26, 20, tzinfo=UTC)
    told = {
        "MessageSid": "MM1",
        "From": "whatsapp:+972501234567",
        "Body": "שלום",
        "NumMedia": "1",
        "MediaUrl0": f"{API}/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
        "MediaContentType0": "audio/ogg",
    }
    by_webhook = from_twilio(lambda name: told.get(name, ""), at)
    assert from_twilio(received_form(MESSAGE, [FILE], API + "/"), at) == by_webhook


def test_what_is_no_message_to_the_business_on_whatsapp_is_none() -> None:
    assert not came_in(MESSAGE | {"direction": "outbound-api"})
    assert not came_in(MESSAGE | {"from": "+972501234567"})
    assert not came_in(MESSAGE | {"sid": None})
    assert not has_files(MESSAGE | {"num_media": "0"})
    for date in (None, "yesterday", "Thu, 26 Nov 99999999999999999999 20:00:00 +0000"):
        assert taken_at(MESSAGE | {"date_created": date}) is None


def test_a_fate_is_that_of_the_status_callback() -> None:
    id_ = "0199f3c2-0000-7000-8000-000000000000"
    failed = MESSAGE | {"status": "undelivered", "error_code": 63016, "error_message": "no"}
    fate = fate_from_twilio(status_form(failed, id_), datetime.now(UTC))
    assert fate is not None
    assert (fate.status, fate.error, fate.external_id) == ("failed", "Twilio: 63016 no", "MM1")
    queued = MESSAGE | {"status": "queued"}
    assert fate_from_twilio(status_form(queued, id_), datetime.now(UTC)) is None


@given(
    st.dictionaries(
        st.sampled_from(sorted(MESSAGE)),
        st.none() | st.text(max_size=40) | st.integers() | st.lists(st.integers(), max_size=2),
    )
)
def test_whatever_it_holds_it_can_be_read(odd: dict[str, Any]) -> None:
    resource = MESSAGE | odd
    came_in(resource), has_files(resource), sid_of(resource), taken_at(resource)
    status_form(resource, "x")("MessageStatus")
    received_form(resource, [odd], API)("Body")

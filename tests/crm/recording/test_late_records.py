"""Which records come too late, decided without a database."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from crm.message_records import deleted, edited, fate, received
from crm.records import BUSINESS, CALLER, NOON, after, announced, callback, turn, webhook
from voiceagent.crm.recording.call_models import CallAnnounced, CallbackRequested
from voiceagent.crm.recording.late_records import AnyRecord, Sifted, Subject, sift, subjects_of

LID = "1@lid"
CONTACT = UUID(int=5)
IN_WRITING = CallbackRequested(
    contact_id=CONTACT, at=after(1), key="k", wished_at=after(9), about="x"
)
OUTBOUND = CallAnnounced(
    call_sid="CA1", at=after(1), caller=BUSINESS, called=CALLER, direction="outbound"
)


def sifted(records: list[AnyRecord], **erased: datetime) -> Sifted:
    """`erased`: `phone`, `lid`, `call`, `message` or `contact`, each the one of these tests."""
    known: dict[str, Subject] = {
        "phone": ("phone", CALLER),
        "lid": ("lid", LID),
        "call": ("call", "CA1"),
        "message": ("message", str(received("A").id)),
        "contact": ("contact", str(CONTACT)),
    }
    return sift(records, {known[name]: at for name, at in erased.items()})


@pytest.mark.parametrize(
    "record", [webhook("CA1"), announced("CA1"), turn("CA1", 0), callback("CA1")]
)
def test_whatever_an_erased_call_leaves_is_late_however_late_it_is(record: AnyRecord) -> None:
    assert sifted([record], call=after(-99)).kept == []
    assert sifted([record], call=after(99)).kept == []
    assert sifted([record], message=after(99)).kept == [record]


@pytest.mark.parametrize(
    "record",
    [received("A"), edited("A", "x", at=5), deleted("A", at=5), fate(received("A").id, "read")],
)
def test_whatever_an_erased_message_leaves_is_late(record: AnyRecord) -> None:
    assert sifted([record], message=after(-99)).kept == []
    assert sifted([record], call=after(99)).kept == [record]


def test_a_wish_in_writing_of_an_erased_contact_is_late() -> None:
    assert sifted([IN_WRITING], contact=after(-99)).kept == []


@pytest.mark.parametrize("record", [announced("CA1", at=1), OUTBOUND])
def test_a_call_of_an_erased_number_is_late_when_it_rang_before(record: AnyRecord) -> None:
    late = sifted([record, turn("CA1", 0)], phone=after(1))
    assert late.found == {("call", "CA1"): after(1)}
    early = sifted([record], phone=after(0.5))
    assert (early.kept, early.found) == ([record], {})


def test_a_call_from_the_businesss_own_number_is_not_late() -> None:
    inbound = announced("CA1")
    assert sift([inbound], {("phone", BUSINESS): after(99)}).kept == [inbound]


def test_a_message_counts_by_when_it_was_written_if_that_is_told() -> None:
    told_late = received("A", at=50, sent_at=after(10))
    written_late = received("A", at=50, sent_at=after(40))
    assert sifted([told_late], phone=after(20)).kept == []
    assert sifted([written_late], phone=after(20)).kept == [written_late]
    assert sifted([received("A", at=10)], phone=after(20)).kept == []


def test_of_a_late_message_its_id_and_the_lid_are_found_out_but_no_number() -> None:
    message: Subject = ("message", str(received("A").id))
    by_number = sifted([received("A", lid=LID)], phone=after(9))
    assert by_number.found == {message: after(9), ("lid", LID): after(9)}
    by_lid = sifted([received("A", lid=LID)], lid=after(9))
    assert by_lid.found == {message: after(9)}
    assert sifted([received("A", lid=LID)], phone=after(9), lid=after(9), message=NOON).found == {}


def test_without_anybody_erased_everything_is_kept() -> None:
    records: list[AnyRecord] = [announced("CA1"), received("A")]
    assert sift(records, {}) == Sifted(records, {})


def test_every_record_is_about_something() -> None:
    records: list[AnyRecord] = [
        *(webhook("CA1"), announced("CA1"), turn("CA1", 0), callback("CA1"), IN_WRITING),
        *(received("A"), edited("A", "x", at=1), fate(UUID(int=1), "sent")),
    ]
    assert all(subjects_of(record) for record in records)
    withheld = announced("CA1", "anonymous", at=timedelta(seconds=1).total_seconds())
    assert subjects_of(withheld) == [("call", "CA1")]

"""Which records come too late: they tell of a call, a message or a person that was erased.

Records and what is remembered of the erased flow in, the records that may still be kept
flow out. Pure: it knows neither the database nor how an erased number is remembered.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal
from uuid import UUID

from voiceagent.crm.people.phone import identifying_number
from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallbackRequested,
    CallRecord,
    VoicemailLeft,
)
from voiceagent.crm.recording.engine_failures import EngineFailed
from voiceagent.crm.recording.message_models import (
    MessageChanged,
    MessageFateKnown,
    MessageReceived,
    MessageRecord,
    Sender,
)
from voiceagent.crm.recording.model_usage import ModelUsed

AnyRecord = CallRecord | MessageRecord | EngineFailed | ModelUsed
Kind = Literal["call", "message", "contact", "phone", "lid"]
Subject = tuple[Kind, str]
"""What a record is about: a call's sid, a message's or a contact's id, an E.164 number, a LID."""
Stops = Mapping[Subject, datetime]
"""Whose numbers and LIDs are those of somebody who wanted no more messages, and since when."""

Erased = Mapping[Subject, datetime]
"""When each was erased."""

PEOPLE: Final[Collection[Kind]] = frozenset({"phone", "lid"})
"""Whose these are may call or write again after having been erased; a call never comes back."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """Records, without those that come too late."""

    kept: Sequence[AnyRecord]
    found: Erased
    """What else turns out to be of the erased: calls and messages from before, the LID of an erased
    number. Other records of them do not say so, and may be in the tables by now."""
    stops: Stops = field(default_factory=dict)
    """What erased people wished goes on for them, also by what else they are known by."""


def subjects_of(record: AnyRecord) -> list[Subject]:
    """What a record is about."""
    match record:
        case CallAnnounced():
            other_side = record.caller if record.direction == "inbound" else record.called
            about: list[Subject] = [("call", record.call_sid)]
            if (number := identifying_number(other_side)) is not None:
                about.append(("phone", number))
            return about
        case CallbackRequested(contact_id=UUID() as contact_id):
            return [("contact", str(contact_id))]
        case VoicemailLeft():
            return [("call", record.call_sid), ("message", str(record.id))]
        case MessageReceived():
            return [("message", str(record.id)), *identities_of(record.sender)]
        case MessageFateKnown() | MessageChanged():
            return [("message", str(record.message_id))]
        case EngineFailed() | ModelUsed():
            return []
        case _:
            return [("call", record.call_sid)]


def identities_of(sender: Sender) -> list[Subject]:
    """A sender's number and LID, as far as they are told."""
    identities: list[Subject] = []
    if sender.phone is not None:
        identities.append(("phone", sender.phone))
    if sender.lid is not None:
        identities.append(("lid", sender.lid))
    return identities


def sift(
    records: Sequence[AnyRecord], erased: Erased, stops: Stops = MappingProxyType({})
) -> Sifted:
    """Leave out what is of an erased call, message or contact, and what is of an erased number
    or LID from before it was erased."""
    if not erased:
        return Sifted(records, {})
    found: dict[Subject, datetime] = {}
    kept: list[AnyRecord] = []
    for record in records:
        subjects = subjects_of(record)
        late = [erased[subject] for subject in subjects if _is_late(record, subject, erased)]
        if not late:
            kept.append(record)
            continue
        # Never a number: it may have called before, and its contact is another one's till now.
        found |= {s: max(late) for s in subjects if s not in erased and s[0] != "phone"}
    return Sifted(kept, found, _spread(records, stops))


def _spread(records: Sequence[AnyRecord], stops: Stops) -> Stops:
    """A number and a LID that one sender has are one person's."""
    spread = dict(stops)
    for record in records:
        if isinstance(record, MessageReceived):
            identities = identities_of(record.sender)
            told = [spread[identity] for identity in identities if identity in spread]
            spread |= {identity: max(told) for identity in identities if told}
    return spread


def _is_late(record: AnyRecord, subject: Subject, erased: Erased) -> bool:
    erased_at = erased.get(subject)
    if erased_at is None:
        return False
    return subject[0] not in PEOPLE or _happened_at(record) <= erased_at


def _happened_at(record: AnyRecord) -> datetime:
    """A message that was written before may be told of long after."""
    if isinstance(record, MessageReceived) and record.sent_at is not None:
        return min(record.at, record.sent_at)
    return record.at

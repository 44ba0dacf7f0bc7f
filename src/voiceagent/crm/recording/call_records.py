"""Applies the records of calls to the tables.

A batch of records goes in, rows come out. Every statement here is a merge: applying a
record twice, or records in another order, ends in the same rows, so replays and other
processes do no harm. Works inside a transaction of the caller.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID, uuid5

from voiceagent.crm.people.contacts import anonymous_contact, contact_of_number, learn
from voiceagent.crm.people.merging import absorb
from voiceagent.crm.people.phone import identifying_number
from voiceagent.crm.postgres.database import Connection
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallbackRequested,
    CallEnded,
    CallRecord,
    CallStarted,
    ContactLearnt,
    TurnSpoken,
    VoicemailLeft,
    WebhookAnswered,
)
from voiceagent.crm.recording.fields import LearntFields, stamp
from voiceagent.crm.recording.voicemail_records import apply_voicemail

_R = TypeVar("_R", bound=CallRecord)

_WEBHOOK = """
INSERT INTO webhook_answers (id, call_sid, at, route, status, event, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO NOTHING
"""

# The first record of a call makes its row, whichever it is; later ones complete it.
_CALL = """
INSERT INTO calls (call_sid, started_at) VALUES ($1, $2)
ON CONFLICT (call_sid) DO UPDATE SET started_at = excluded.started_at
WHERE excluded.started_at < calls.started_at
"""

_ANNOUNCED = """
UPDATE calls SET announced_at = $2, from_number = $3, to_number = $4, direction = $5
WHERE call_sid = $1
  AND (announced_at IS NULL OR (announced_at, from_number, to_number) > ($2, $3, $4))
"""

_STARTED = """
UPDATE calls
SET simulated = simulated OR $4,
    streamed_at = GREATEST(streamed_at, $2),
    stream_sid = CASE WHEN streamed_at IS NULL OR (streamed_at, stream_sid) < ($2, $3)
                      THEN $3 ELSE stream_sid END
WHERE call_sid = $1
"""

_TURN = """
INSERT INTO turns AS t
    (call_sid, seq, turn, who, text, heard, status, source, timings, at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (call_sid, seq) DO UPDATE
SET turn = CASE WHEN excluded.version > t.version THEN excluded.turn ELSE t.turn END,
    who = CASE WHEN excluded.version > t.version THEN excluded.who ELSE t.who END,
    text = CASE WHEN excluded.version > t.version THEN excluded.text ELSE t.text END,
    heard = CASE WHEN excluded.version > t.version THEN excluded.heard ELSE t.heard END,
    status = CASE WHEN excluded.version > t.version THEN excluded.status ELSE t.status END,
    source = CASE WHEN excluded.version > t.version THEN excluded.source ELSE t.source END,
    timings = CASE WHEN excluded.version > t.version THEN excluded.timings ELSE t.timings END,
    version = GREATEST(excluded.version, t.version),
    at = LEAST(excluded.at, t.at)
"""

_CALL_FIELD = """
INSERT INTO call_fields AS f (call_sid, name, value, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (call_sid, name) DO UPDATE SET value = excluded.value, at = excluded.at
WHERE (excluded.at, excluded.value COLLATE "C") > (f.at, f.value COLLATE "C")
"""

# Of two requests with one key, which belongs to one conversation, the earlier is the wish; what
# people did about it stays. A contact that was erased meanwhile is nobody, yet the wish is shown.
_CALLBACK = """
INSERT INTO callbacks AS b (id, key, call_sid, contact_id, at, about, created_at)
VALUES ($1, $2, NULLIF($3, ''),
        (SELECT id FROM contacts WHERE id = $4 AND erasing IS NULL FOR KEY SHARE), $5, $6, $7)
ON CONFLICT (key) DO UPDATE
SET at = excluded.at, about = excluded.about, created_at = excluded.created_at
WHERE (excluded.created_at, excluded.at, excluded.about COLLATE "C")
    < (b.created_at, b.at, b.about COLLATE "C")
"""

# Any constant will do, as long as every version of this service takes the same.
_CALLBACK_IDS: Final = UUID("5d0f3a57-6c0c-4e8b-9a53-2f6f1c7b1d11")

# A call ends once: a second end, e.g. of a socket that outlived it, changes nothing. An end that
# was only concluded gives way to one that was seen, and so does a transfer to the end of a call
# that came back. What was summarised without it is again.
_ENDED = """
UPDATE calls SET ended_at = $2, ended_status = $3, end_reason = $4, counters = $5,
    summarised_at = NULL, summary_lease_until = NULL
WHERE call_sid = $1
  AND (ended_at IS NULL
       OR (end_reason IN ('process_lost', 'never_connected', 'service_away', 'transferred'),
           ended_at, ended_status, end_reason)
          > ($4 IN ('process_lost', 'never_connected', 'service_away', 'transferred'),
             $2, $3, $4))
"""

_LOCK_CALL = """
SELECT c.contact_id, k.phone
FROM calls c LEFT JOIN contacts k ON k.id = c.contact_id
WHERE c.call_sid = $1
FOR UPDATE OF c
"""

# The contact has no summary of the call yet.
_SET_CONTACT = """
UPDATE calls SET contact_id = $2, summarised_at = NULL, summary_lease_until = NULL
WHERE call_sid = $1
"""

# What a later record of the same turn and the same time can be: more of it became known.
_STATUS_ORDER = {"speaking": 0, "abandoned": 1, "interrupted": 2, "complete": 3}


async def apply_records(connection: Connection, records: Sequence[CallRecord]) -> None:
    """Merge the records into the tables.

    They are taken by kind, not in their order, which the merging allows and which needs
    few round trips. Rows are touched in the order of their keys, so that two processes
    seldom wait for each other crosswise.
    """
    await _apply_webhooks(connection, _of(records, WebhookAnswered))
    await _make_calls(connection, [r for r in records if _makes_call(r)])
    await _apply_announced(connection, _of(records, CallAnnounced))
    await _apply_started(connection, _of(records, CallStarted))
    await _apply_turns(connection, _of(records, TurnSpoken))
    await _apply_learnt(connection, _of(records, ContactLearnt))
    await _apply_callbacks(connection, _of(records, CallbackRequested))
    await _apply_voicemails(connection, _of(records, VoicemailLeft))
    await _apply_ended(connection, _of(records, CallEnded))


def _makes_call(record: CallRecord) -> bool:
    """Twilio may ask about a call that nobody took; a wish in writing is of no call."""
    return not isinstance(record, WebhookAnswered) and record.call_sid != ""


def _of(records: Sequence[CallRecord], kind: type[_R]) -> list[_R]:
    return sorted((r for r in records if isinstance(r, kind)), key=lambda r: r.call_sid)


async def _many(connection: Connection, statement: str, rows: list[tuple[object, ...]]) -> None:
    if rows:
        await connection.executemany(statement, rows)


async def _apply_webhooks(connection: Connection, records: list[WebhookAnswered]) -> None:
    rows: list[tuple[object, ...]] = [
        (
            r.id,
            storable(r.call_sid),
            r.at,
            storable(r.route),
            r.status,
            storable(r.event),
            storable(r.detail),
        )
        for r in records
    ]
    await _many(connection, _WEBHOOK, rows)


async def _make_calls(connection: Connection, records: list[CallRecord]) -> None:
    first: dict[str, datetime] = {}
    for record in records:
        call_sid = storable(record.call_sid)
        first[call_sid] = min(record.at, first.get(call_sid, record.at))
    await _many(connection, _CALL, sorted(first.items()))


async def _apply_announced(connection: Connection, records: list[CallAnnounced]) -> None:
    rows: list[tuple[object, ...]] = [
        (storable(r.call_sid), r.at, storable(r.caller), storable(r.called), r.direction)
        for r in records
    ]
    await _many(connection, _ANNOUNCED, rows)
    for record in records:
        other_side = record.caller if record.direction == "inbound" else record.called
        if (phone := identifying_number(other_side)) is not None:
            await _attach(connection, storable(record.call_sid), phone, record.at)


async def _attach(connection: Connection, call_sid: str, phone: str, at: datetime) -> None:
    call = await connection.fetchrow(_LOCK_CALL, call_sid)
    assert call is not None  # noqa: S101 - its row was made in this transaction
    if call["phone"] is not None and call["phone"] != phone:
        return
    contact_id = await contact_of_number(connection, phone, at)
    if call["contact_id"] == contact_id:
        return
    await connection.execute(_SET_CONTACT, call_sid, contact_id)
    if call["contact_id"] is not None:
        # Something was learnt before the number was known here.
        await absorb(connection, call["contact_id"], contact_id)


async def _apply_started(connection: Connection, records: list[CallStarted]) -> None:
    rows: list[tuple[object, ...]] = [
        (storable(r.call_sid), r.at, storable(r.stream_sid), r.simulated) for r in records
    ]
    await _many(connection, _STARTED, rows)


async def _apply_turns(connection: Connection, records: list[TurnSpoken]) -> None:
    rows: list[tuple[object, ...]] = [
        (
            storable(r.call_sid),
            r.seq,
            r.turn,
            r.who,
            storable(r.text),
            storable(r.heard),
            r.status,
            storable(r.source),
            _json(r.timings),
            r.at,
            _version(r),
        )
        for r in records
    ]
    await _many(connection, _TURN, rows)


def _version(turn: TurnSpoken) -> str:
    """Text that is greater for the newer of two records of one turn, and never equal by chance."""
    content = hashlib.sha256(turn.model_dump_json().encode()).hexdigest()[:16]
    order = _STATUS_ORDER[turn.status]
    return f"{stamp(turn.at)} {order} {len(turn.heard):08d} {content}"


async def _apply_learnt(connection: Connection, records: list[ContactLearnt]) -> None:
    rows: list[tuple[object, ...]] = [
        (storable(r.call_sid), name, value, r.at)
        for r in records
        for name, value in _storable_fields(r.fields).items()
    ]
    await _many(connection, _CALL_FIELD, rows)
    for record in records:
        call_sid = storable(record.call_sid)
        contact_id = await _contact_of_call(connection, call_sid, record.at)
        learnt = LearntFields.at(record.at, _storable_fields(record.fields))
        await learn(connection, contact_id, learnt, record.at, record.at)


async def _contact_of_call(connection: Connection, call_sid: str, at: datetime) -> UUID:
    call = await connection.fetchrow(_LOCK_CALL, call_sid)
    assert call is not None  # noqa: S101 - its row was made in this transaction
    known: UUID | None = call["contact_id"]
    if known is None:
        known = await anonymous_contact(connection, at)
        await connection.execute(_SET_CONTACT, call_sid, known)
    return known


async def _apply_callbacks(connection: Connection, records: list[CallbackRequested]) -> None:
    rows: list[tuple[object, ...]] = [
        (
            # The same, whichever of its records comes first.
            uuid5(_CALLBACK_IDS, storable(r.key)),
            storable(r.key),
            storable(r.call_sid),
            r.contact_id,
            r.wished_at,
            storable(r.about),
            r.at,
        )
        for r in sorted(records, key=lambda r: r.key)
    ]
    await _many(connection, _CALLBACK, rows)


async def _apply_voicemails(connection: Connection, records: list[VoicemailLeft]) -> None:
    for record in records:
        contact_id = await _contact_of_call(connection, storable(record.call_sid), record.at)
        await apply_voicemail(connection, record, contact_id)


async def _apply_ended(connection: Connection, records: list[CallEnded]) -> None:
    rows: list[tuple[object, ...]] = [
        (storable(r.call_sid), r.at, r.status, storable(r.reason), _json(r.counters))
        for r in records
    ]
    await _many(connection, _ENDED, rows)


def _storable_fields(fields: Mapping[str, str]) -> dict[str, str]:
    return {storable(name): storable(value) for name, value in fields.items()}


def _json(values: Mapping[str, float]) -> str:
    return json.dumps({storable(name): value for name, value in values.items()}, ensure_ascii=False)

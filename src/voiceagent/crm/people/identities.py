"""Who is who at WhatsApp: a number and an id that hides it lead to one contact.

Senders flow in, contacts flow out, made where there are none. When it turns out that two
contacts are one person they become one. Works inside a transaction of the caller, and
holds each identity it answered for until that ends.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from voiceagent.crm.people.contacts import anonymous_contact, contact_of_number
from voiceagent.crm.people.merging import absorb
from voiceagent.crm.postgres.database import Connection, TransactionConflict
from voiceagent.crm.recording.message_models import Sender

Kind = Literal["phone", "lid"]
Identity = tuple[Kind, str]

_KNOWN = """
SELECT i.kind, i.value, i.contact_id
FROM contact_identities i
JOIN unnest($1::text[], $2::text[]) AS wanted (kind, value) USING (kind, value)
ORDER BY i.kind, i.value
"""

# Two batches of one person go on side by side; who joins contacts waits for both.
_HOLD = f"{_KNOWN} FOR SHARE OF i"

# Whoever meets somebody new, one after the other, before anything is held: two that each held what
# the other wants would wait for each other. Any constant will do, as long as every version of this
# service takes the same.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(1769234548)"

_LEAD = """
INSERT INTO contact_identities (kind, value, contact_id) VALUES ($1, $2, $3)
ON CONFLICT (kind, value) DO UPDATE SET contact_id = excluded.contact_id
"""

_PHONE = "SELECT phone FROM contacts WHERE id = $1"


async def contacts_of(
    connection: Connection, senders: Iterable[tuple[Sender, datetime]]
) -> dict[Sender, UUID]:
    """The contact of each sender, made at its time if need be.

    Raises `TransactionConflict` when others joined these contacts at the same moment.
    """
    first: dict[Sender, datetime] = {}
    for sender, at in senders:
        first[sender] = min(at, first.get(sender, at))
    wanted = [identity for sender in first for identity in identities_of(sender)]
    # One that is not there holds nothing: then the first question may be the second as well.
    known = {} if len(wanted) == 1 else await _known(connection, wanted)
    if len(wanted) == 1 or all(_contact(known, sender) for sender in first):
        held = await _known(connection, wanted, _HOLD)
        if all(_contact(held, sender) for sender in first):
            return {sender: held[identities_of(sender)[0]] for sender in first}
        if len(wanted) > 1:
            raise TransactionConflict  # joined between the two questions
    await connection.execute(_ONE_AT_A_TIME)
    for sender, at in sorted(first.items(), key=lambda item: identities_of(item[0])):
        await _settle(connection, sender, at)
    # Settling one may have joined the contact of an earlier one to another.
    held = await _known(connection, wanted, _HOLD)
    return {sender: held[identities_of(sender)[0]] for sender in first}


def _contact(known: Mapping[Identity, UUID], sender: Sender) -> UUID | None:
    """The one contact that all identities of a sender lead to; None while there is none."""
    contacts = {known.get(identity) for identity in identities_of(sender)}
    return contacts.pop() if len(contacts) == 1 else None


def identities_of(sender: Sender) -> list[Identity]:
    """Its number first, if there is one: that is what counts when the two disagree."""
    identities: list[Identity] = []
    if sender.phone is not None:
        identities.append(("phone", sender.phone))
    if sender.lid is not None:
        identities.append(("lid", sender.lid))
    return identities


async def _known(
    connection: Connection, identities: Collection[Identity], statement: str = _KNOWN
) -> dict[Identity, UUID]:
    kinds, values = [kind for kind, _ in identities], [value for _, value in identities]
    rows = await connection.fetch(statement, kinds, values)
    return {(row["kind"], row["value"]): row["contact_id"] for row in rows}


async def _settle(connection: Connection, sender: Sender, at: datetime) -> None:
    """Have all identities of a sender lead to one contact."""
    known = await _known(connection, identities_of(sender))
    if _contact(known, sender) is not None:
        return
    by_lid = known.get(("lid", sender.lid or ""))
    if sender.phone is None:
        made = await anonymous_contact(connection, at)
        await connection.execute(_LEAD, "lid", sender.lid, made)
        return
    by_phone = known.get(("phone", sender.phone))
    if by_phone is None:
        # Somebody who called has a contact already.
        by_phone = await contact_of_number(connection, sender.phone, at)
        await connection.execute(_LEAD, "phone", sender.phone, by_phone)
    if sender.lid is None or by_lid == by_phone:
        return
    if by_lid is not None and await connection.fetchval(_PHONE, by_lid) is None:
        await absorb(connection, by_lid, by_phone)
    else:
        # New, or an account that has another number now: what it wrote before stays where it was.
        await connection.execute(_LEAD, "lid", sender.lid, by_phone)

"""What can become of a payment.

A status and what happened flow in, the status from then on flows out. Pure, and the only
place that knows the order of things: whoever holds a payment's row applies it.
"""

from typing import Final, Literal, get_args

from voiceagent.errors import Conflict

Status = Literal[
    "created", "sent", "approved", "paid", "refunded", "failed", "expired", "cancelled"
]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

Change = Literal[
    "sent", "opened", "approved", "paid", "declined", "expired", "cancelled", "refunded"
]
"""`sent`: the link was given out. `opened`: the payer went to the provider. `approved`: the payer
agreed there, and the money is not taken yet. `paid`: proven. `declined`: the provider refused;
the payer may try again."""
CHANGES: Final[tuple[Change, ...]] = get_args(Change)

OPEN: Final[frozenset[Status]] = frozenset({"created", "sent", "approved", "failed"})
"""It can still be paid as it was meant."""
TAKEN: Final[frozenset[Status]] = frozenset({"paid", "refunded"})
"""Money came."""
CLOSED: Final[frozenset[Status]] = frozenset({"expired", "cancelled"})
"""Nobody waits for it. Money that was taken all the same makes it paid."""


class NotAllowed(Conflict):
    """That cannot happen to a payment with this status."""

    def __init__(self, status: Status, change: Change) -> None:
        super().__init__(f"a payment that is {status} cannot be {change}")


_SAME: Final = "same"
_REFUSED: Final = "refused"

# By change, then by status: the next status, or that news comes late or twice and changes nothing.
_TABLE: Final[dict[Change, dict[Status, str]]] = {
    "sent": {
        "created": "sent",
        "sent": _SAME,
        "approved": _SAME,
        "failed": _SAME,
        "paid": _REFUSED,
        "refunded": _REFUSED,
        "expired": _REFUSED,
        "cancelled": _REFUSED,
    },
    "opened": {
        "created": "sent",
        "sent": _SAME,
        "approved": _SAME,
        "failed": "sent",
        "paid": _REFUSED,
        "refunded": _REFUSED,
        "expired": _REFUSED,
        "cancelled": _REFUSED,
    },
    "approved": {
        "created": "approved",
        "sent": "approved",
        "approved": _SAME,
        "failed": "approved",
        "paid": _SAME,
        "refunded": _SAME,
        "expired": _SAME,
        "cancelled": _SAME,
    },
    "paid": {
        "created": "paid",
        "sent": "paid",
        "approved": "paid",
        "failed": "paid",
        "expired": "paid",
        "cancelled": "paid",
        "paid": _SAME,
        "refunded": _SAME,
    },
    "declined": {
        "created": "failed",
        "sent": "failed",
        "approved": "failed",
        "failed": _SAME,
        "paid": _SAME,
        "refunded": _SAME,
        "expired": _SAME,
        "cancelled": _SAME,
    },
    "expired": {
        "created": "expired",
        "sent": "expired",
        "failed": "expired",
        # The payer has agreed: the money may be on its way.
        "approved": _SAME,
        "expired": _SAME,
        "cancelled": _SAME,
        "paid": _SAME,
        "refunded": _SAME,
    },
    "cancelled": {
        "created": "cancelled",
        "sent": "cancelled",
        "approved": "cancelled",
        "failed": "cancelled",
        "expired": "cancelled",
        "cancelled": _SAME,
        "paid": _REFUSED,
        "refunded": _REFUSED,
    },
    "refunded": {
        "paid": "refunded",
        "refunded": _SAME,
        "created": _REFUSED,
        "sent": _REFUSED,
        "approved": _REFUSED,
        "failed": _REFUSED,
        "expired": _REFUSED,
        "cancelled": _REFUSED,
    },
}


def after(status: Status, change: Change) -> Status:
    """The status once this has happened; the same when it is no news.

    Raises `NotAllowed`.
    """
    found = _TABLE[change][status]
    if found == _REFUSED:
        raise NotAllowed(status, change)
    if found == _SAME:
        return status
    return _status(found)


def _status(text: str) -> Status:
    for status in STATUSES:
        if status == text:
            return status
    raise AssertionError(text)

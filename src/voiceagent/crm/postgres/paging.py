"""Cursors and search patterns of lists.

A cursor is the sort key of the last row that was seen, so a page costs the same however
deep it lies, and rows that arrive meanwhile shift nothing. Pure: text in, text out.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from voiceagent.errors import InvalidCursor

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR_CHARACTERS = 500
MAX_SEARCH_CHARACTERS = 100

ListName = Literal[
    "calls",
    "contacts",
    "notices",
    "callbacks",
    "appointments",
    "messages",
    "payments",
    "conversations",
    "timeline",
    "search",
]
_IDS_ARE_TEXT = frozenset({"calls", "timeline", "search"})


@dataclass(frozen=True, slots=True)
class Position:
    """The sort key of a row: its time, then its id."""

    at: datetime
    id: str


def to_cursor(name: ListName, position: Position) -> str:
    """The opaque text that stands for a position in the named list."""
    text = json.dumps([name, position.at.isoformat(), position.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def next_cursor(name: ListName, last: Position | None) -> str | None:
    """What the next page of that list is asked for with: where this one ended, if more follow."""
    return to_cursor(name, last) if last else None


def from_cursor(name: ListName, cursor: str | None) -> Position | None:
    """The position that `to_cursor` wrote for the same list. Raises `InvalidCursor`."""
    if cursor is None:
        return None
    if len(cursor) > MAX_CURSOR_CHARACTERS:
        raise InvalidCursor("the cursor is too long")
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        written_for, at, identity = json.loads(raw)
        if written_for not in _IDS_ARE_TEXT:
            UUID(identity)
        identity.encode()
        position = Position(datetime.fromisoformat(at), identity)
        position.at.astimezone(UTC)
    except (binascii.Error, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidCursor("the cursor is not one of this service") from error
    good = written_for == name and "\x00" not in identity
    if not good or position.at.tzinfo is None:
        raise InvalidCursor("the cursor is not one of this list")
    return position


def storable(text: str) -> str:
    """The text as PostgreSQL can hold it: it has no NUL character."""
    return text.replace("\x00", "\ufffd")


def contains_pattern(text: str) -> str:
    """A LIKE pattern for texts that contain this one literally."""
    escaped = re.sub(r"([\\%_])", r"\\\1", storable(text))
    return f"%{escaped}%"


def number_pattern(text: str) -> str | None:
    """A LIKE pattern for E.164 numbers, when the text looks like (a part of) a number.

    `054-123 45` finds `+9725412345…`: signs, and the zero that a country drops abroad, are
    left out.
    """
    if re.fullmatch(r"[0-9\s()+./-]+", text) is None:
        return None
    digits = re.sub(r"\D", "", text).lstrip("0")
    return f"%{digits}%" if len(digits) >= 3 else None

"""A call, a recording and a call's events as Twilio's REST API has them.

Resources flow in; what they tell of calls that this service was to answer flows out, or nothing
where they tell nothing that can be relied on. Pure.

Source: Twilio's "Call Resource", "Recordings Resource" and "Events Subresource".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

from voiceagent.twilio.number_setup import ECHO
from voiceagent.twilio.twiml import INCOMING_CALL_PATH

Resource = Mapping[str, Any]

Way = Literal["answered", "missed", "elsewhere", "untold"]
"""Of a call: this service answered it; it was asked and did not; nobody asked it; Twilio does not
say, or not yet."""

_SID: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_OVER: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
_MADE: Final = "completed"
_NEVER_MADE: Final = frozenset({"absent", "deleted"})
_MAX_NUMBER_CHARS: Final = 100
_MAX_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """A call that somebody placed to a number of ours."""

    sid: str
    caller: str
    """E.164, or what Twilio has; may be empty."""
    called: str
    began_at: datetime
    ended_at: datetime | None
    """None: it goes on."""


@dataclass(frozen=True, slots=True)
class SpokenMessage:
    """What somebody said to a `<Record>`."""

    sid: str
    call_sid: str
    at: datetime
    seconds: float | None
    is_made: bool
    """False: Twilio still works on it."""


def logged_call(resource: Resource) -> LoggedCall | None:
    """None: it did not come in, or cannot be told of."""
    sid, began_at = _sid(resource, "sid", "CA"), _moment(resource, "start_time")
    if sid is None or began_at is None or resource.get("direction") != "inbound":
        return None
    ended_at = None
    if _text(resource, "status") in _OVER:
        # An end before the beginning is none.
        ended_at = max(began_at, _moment(resource, "end_time") or began_at)
    return LoggedCall(
        sid=sid,
        caller=_text(resource, "from")[:_MAX_NUMBER_CHARS],
        called=_text(resource, "to")[:_MAX_NUMBER_CHARS],
        began_at=began_at,
        ended_at=ended_at,
    )


def spoken_message(resource: Resource) -> SpokenMessage | None:
    """None: it was made in another way, came to nothing, or cannot be told of."""
    sid, call_sid = _sid(resource, "sid", "RE"), _sid(resource, "call_sid", "CA")
    at = _moment(resource, "start_time") or _moment(resource, "date_created")
    status = _text(resource, "status")
    if sid is None or call_sid is None or at is None or status in _NEVER_MADE:
        return None
    if resource.get("source") != "RecordVerb":
        return None
    return SpokenMessage(sid, call_sid, at, _seconds(resource), is_made=status == _MADE)


def way_of(events: Sequence[Resource], base_url: str) -> Way:
    """What became of a call, by the requests that Twilio made for it. `base_url` is where it
    looks for this service."""
    if not events:
        return "untold"
    asked = [_request(event) for event in events]
    if any(url.startswith(ECHO) for url, _ in asked):
        return "missed"
    ours = [status for url, status in asked if url == base_url + INCOMING_CALL_PATH]
    if not ours:
        return "elsewhere"
    return "answered" if any(200 <= status < 300 for status in ours) else "missed"


def _request(event: Resource) -> tuple[str, int]:
    """Whom Twilio asked, and the HTTP status of the answer; 0: there was none."""
    request, response = event.get("request"), event.get("response")
    url = _text(request, "url") if isinstance(request, Mapping) else ""
    code = _text(response, "response_code") if isinstance(response, Mapping) else ""
    # Behind the `#` stands how Twilio is to ask.
    return url.partition("#")[0], int(code) if re.fullmatch(r"[0-9]{3}", code) else 0


def _sid(resource: Resource, name: str, prefix: str) -> str | None:
    sid = _text(resource, name)
    return sid if sid.startswith(prefix) and _SID.fullmatch(sid) else None


def _moment(resource: Resource, name: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(_text(resource, name))
        # A time that no other zone can hold is none.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _seconds(resource: Resource) -> float | None:
    text = _text(resource, "duration")
    if not re.fullmatch(r"[0-9]{1,6}", text):
        return None
    seconds = float(text)
    return seconds if seconds <= _MAX_SECONDS else None


def _text(resource: Resource, name: str) -> str:
    value = resource.get(name)
    return "" if value is None else str(value)

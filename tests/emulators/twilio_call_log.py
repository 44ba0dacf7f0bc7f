"""The lists of a Twilio account's calls and recordings, and what it asked for a call.

Part of `twilio_rest.py`, which checks who asks and serves them. Filters flow in, pages of the
documented resources flow out, the newest first and few at a time, as Twilio's own. Tests put in
what happened: calls that Twilio took while nobody answered its webhook.

Source: Twilio's "Call Resource", "Recordings Resource", "Events Subresource" and "Pagination".
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

MOST_ON_A_PAGE = 3
"""Fewer than anybody asks for."""
EVENTS_AFTER = timedelta(minutes=15)
"""Of a call's end: Twilio tells nothing of what it asked before."""
FALLBACK = "https://twimlets.com/echo?Twiml=%3CResponse%2F%3E"

_SOUND = re.compile(r"/2010-04-01/Accounts/(\w+)/Recordings/(RE\w+)(?:\.(?:wav|mp3))?")

Resource = dict[str, Any]


class CallLog:
    """One account's. Change what it holds at any time."""

    def __init__(self, account_sid: str, calls: dict[str, Resource]) -> None:
        """`calls`: by their sids, as the emulator has them."""
        self._account_sid = account_sid
        self._calls = calls
        self.recordings: dict[str, Resource] = {}
        self.sounds: dict[str, bytes] = {}
        """By the recording: a WAV file."""
        self.after_page: Callable[[str], None] = lambda _name: None
        """Called with `calls` or `recordings` when a page of them was made."""

    def take(self, call: Resource, began_at: datetime, seconds: float = 40.0) -> None:
        """A call that is over came in then."""
        ended_at = began_at + timedelta(seconds=seconds)
        self._calls[call["sid"]] = call | {
            "status": "completed",
            "start_time": format_datetime(began_at),
            "end_time": format_datetime(ended_at),
            "date_created": format_datetime(began_at),
            "date_updated": format_datetime(ended_at),
            "duration": str(round(seconds)),
        }

    def record(
        self,
        sid: str,
        call_sid: str,
        at: datetime,
        *,
        sound: bytes = b"RIFF",
        **more: object,
    ) -> None:
        """Somebody spoke to a `<Record>`; `more` is of the resource."""
        uri = f"/2010-04-01/Accounts/{self._account_sid}/Recordings/{sid}"
        self.sounds[sid] = sound
        self.recordings[sid] = {
            "account_sid": self._account_sid,
            "api_version": "2010-04-01",
            "call_sid": call_sid,
            "channels": 1,
            "conference_sid": None,
            "date_created": format_datetime(at),
            "date_updated": format_datetime(at),
            "duration": "12",
            "encryption_details": None,
            "error_code": None,
            "media_url": f"https://api.twilio.com{uri}",
            "price": None,
            "price_unit": "USD",
            "sid": sid,
            "source": "RecordVerb",
            "start_time": format_datetime(at),
            "status": "completed",
            "subresource_uris": {
                name: f"{uri}/{name.title().replace('_', '')}.json"
                for name in ("add_on_results", "transcriptions")
            },
            "uri": f"{uri}.json",
        } | more

    def tells_events_of(self, call_sid: str) -> bool:
        """Whether so much time has gone by since the call's end."""
        end_time = self._calls.get(call_sid, {}).get("end_time")
        return not end_time or datetime.now(UTC) - _moment(end_time) >= EVENTS_AFTER

    def sound(self, path: str) -> tuple[str, str, bytes | None] | None:
        """Account, type and content (None: no such recording); None: it is no sound's address."""
        match = _SOUND.fullmatch(path)
        if match is None:
            return None
        return match[1], "audio/x-wav", self.sounds.get(match[2])

    def calls_page(self, path: str, query: Mapping[str, str]) -> Resource:
        """`Calls.json`."""
        found = [
            call
            for call in self._calls.values()
            if call["to"] == query.get("To", call["to"])
            and call["from"] == query.get("From", call["from"])
            and call["status"] == query.get("Status", call["status"])
            and call["start_time"] is not None
            and _is_within(call["start_time"], query, "StartTime")
        ]
        page = _page("calls", found, path, query, lambda call: str(call["start_time"]))
        self.after_page("calls")
        return page

    def recordings_page(self, path: str, query: Mapping[str, str]) -> Resource:
        """`Recordings.json`."""
        found = [
            one
            for one in self.recordings.values()
            if one["call_sid"] == query.get("CallSid", one["call_sid"])
            and one["status"] != "deleted"
            and _is_within(one["date_created"], query, "DateCreated")
        ]
        page = _page("recordings", found, path, query, lambda one: str(one["date_created"]))
        self.after_page("recordings")
        return page


def asked(url: str, status: int | None, method: str = "POST") -> Resource:
    """One event of a call: Twilio asked there, and was answered so."""
    return {
        "request": {"method": method, "url": url, "parameters": {"direction": "inbound"}},
        "response": {
            "response_code": status,
            "request_duration": 15,
            "content_type": "text/xml",
            "response_body": "<Response/>",
            "date_created": format_datetime(datetime.now(UTC)),
        },
    }


def fell_back(url: str) -> list[Resource]:
    """Events of a call whose webhook did not answer and that heard the fallback then."""
    return [asked(url, None), asked(url, 502), asked(FALLBACK, 200, "GET")]


def _is_within(text: str, query: Mapping[str, str], name: str) -> bool:
    try:
        moment = _moment(text)
    except ValueError:
        return True  # what a test broke on purpose
    since = datetime.fromisoformat(query.get(f"{name}>", "1970-01-01T00:00:00Z"))
    until = datetime.fromisoformat(query.get(f"{name}<", "9999-01-01T00:00:00Z"))
    return since <= moment <= until


def _page(
    name: str,
    found: list[Resource],
    path: str,
    query: Mapping[str, str],
    made: Callable[[Resource], str],
) -> Resource:
    def order(one: Resource) -> datetime:
        try:
            return _moment(made(one))
        except ValueError:
            return datetime.min.replace(tzinfo=UTC)

    found = sorted(found, key=order, reverse=True)
    number, size = int(query.get("Page", "0")), int(query.get("PageSize", "50"))
    on_a_page = min(size, MOST_ON_A_PAGE)
    start = number * on_a_page
    shown = found[start : start + on_a_page]

    def uri(page: int) -> str:
        token = {"PageToken": f"PA{shown[-1]['sid']}"} if page and shown else {}
        plain = {key: value for key, value in query.items() if key not in {"Page", "PageToken"}}
        return f"{path}?{urlencode(plain | {'Page': str(page)} | token)}"

    return {
        name: shown,
        "page": number,
        "page_size": on_a_page,
        "start": start,
        "end": max(start, start + len(shown) - 1),
        "uri": uri(number),
        "first_page_uri": uri(0),
        "next_page_uri": uri(number + 1) if found[start + on_a_page :] else None,
        "previous_page_uri": uri(number - 1) if number else None,
    }


def _moment(text: str) -> datetime:
    return parsedate_to_datetime(text)

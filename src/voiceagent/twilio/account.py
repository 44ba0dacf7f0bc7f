"""One Twilio account as its owner sees it: its state, its numbers, its calls, its messages.

Questions flow in, plain JSON objects of Twilio's REST API flow out, each within a deadline. It
changes one thing only, who is asked about a number's calls, and never places or ends a call.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.http_clients import HttpDeadlines, HttpError, HttpResponse, http_client
from voiceagent.twilio.number_setup import VoiceSetup
from voiceagent.twilio.rest_faults import fault_of

DEADLINE_S: Final = 10.0
API: Final = "https://api.twilio.com"
MONITOR: Final = "https://monitor.twilio.com"
"""Alerts are at a host of their own; an emulator of the API has them as well."""
_PAGE: Final = 100
_LONG_PAGE: Final = "1000"
"""The most that Twilio gives at once, for lists that may be long."""
_MAX_PAGES: Final = 20

Resource = Mapping[str, Any]


class TwilioAccount:
    """Use it as an async context manager. Every method raises `ProviderError`."""

    def __init__(self, account_sid: str, auth_token: str, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._monitor_url = MONITOR if self._base_url == API else self._base_url
        self._path = f"/2010-04-01/Accounts/{quote(account_sid, safe='')}"
        self._auth = (account_sid, auth_token)
        self._client = http_client(
            HttpDeadlines(connect_s=3.0, send_s=3.0, receive_s=DEADLINE_S), connections=4
        )
        self.date = ""
        """The `Date` header of the last answer."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def account(self) -> Resource:
        """The account itself; `status` is `active`, `suspended` or `closed`."""
        return await self._resource("GET", f"{self._base_url}{self._path}.json")

    async def number(self, phone: str) -> Resource | None:
        """The account's number, exactly as given in E.164; None when it has no such number."""
        page = await self._resource(
            "GET",
            f"{self._base_url}{self._path}/IncomingPhoneNumbers.json",
            query={"PhoneNumber": phone},
        )
        # Twilio finds numbers by a part as well: the first may be somebody else's.
        return next(
            (
                one
                for one in page.get("incoming_phone_numbers") or ()
                if isinstance(one, dict) and one.get("phone_number") == phone
            ),
            None,
        )

    async def numbers(self) -> Sequence[Resource]:
        """Every number of the account."""
        path = f"{self._path}/IncomingPhoneNumbers.json"
        return await self._list(self._base_url + path, "incoming_phone_numbers")

    async def set_voice(self, number_sid: str, setup: VoiceSetup) -> Resource:
        """Have calls to that number handled so; the number as it stands then."""
        path = f"{self._path}/IncomingPhoneNumbers/{quote(number_sid, safe='')}.json"
        return await self._resource("POST", self._base_url + path, form=setup.form())

    async def call_events(self, call_sid: str) -> Sequence[Resource]:
        """Every request that Twilio made for a call, with the answer that it got."""
        path = f"{self._path}/Calls/{quote(call_sid, safe='')}/Events.json"
        return await self._list(self._base_url + path, "events")

    async def call_notifications(self, call_sid: str) -> Sequence[Resource]:
        """Every error and warning that Twilio noted of a call; `error_code` is its number."""
        path = f"{self._path}/Calls/{quote(call_sid, safe='')}/Notifications.json"
        return await self._list(self._base_url + path, "notifications")

    async def call_alerts(self, call_sid: str, since: datetime) -> Sequence[Resource]:
        """Every alert of Twilio's debugger about a call; `error_code` is its number. They come
        some seconds after what they tell of."""
        start = _stamp(since)
        alerts = await self._list(f"{self._monitor_url}/v1/Alerts", "alerts", {"StartDate": start})
        return [alert for alert in alerts if alert.get("resource_sid") == call_sid]

    async def calls_to(self, phone: str, since: datetime, until: datetime) -> Sequence[Resource]:
        """Calls to a number (E.164) that began between the two, the newest first."""
        query = {
            "To": phone,
            "StartTime>": _stamp(since),
            "StartTime<": _stamp(until),
            "PageSize": _LONG_PAGE,
        }
        return await self._list(f"{self._base_url}{self._path}/Calls.json", "calls", query)

    async def recordings(self, since: datetime, until: datetime) -> Sequence[Resource]:
        """Recordings of the account that were made between the two, the newest first."""
        query = {
            "DateCreated>": _stamp(since),
            "DateCreated<": _stamp(until),
            "PageSize": _LONG_PAGE,
        }
        url = f"{self._base_url}{self._path}/Recordings.json"
        return await self._list(url, "recordings", query)

    def sound_of(self, recording_sid: str) -> str:
        """Where the sound of a recording is, as a WAV file; asked for with the credentials."""
        return f"{self._base_url}{self._path}/Recordings/{quote(recording_sid, safe='')}.wav"

    async def messages_to(self, address: str, since: datetime) -> Sequence[Resource]:
        """Messages to an address, such as `whatsapp:+97231234567`, since then, the newest first."""
        query = {"To": address, "DateSent>": _stamp(since)}
        path = f"{self._path}/Messages.json"
        return await self._list(self._base_url + path, "messages", query)

    async def message(self, sid: str) -> Resource:
        """One message as it stands; `status` says what became of it."""
        path = f"{self._path}/Messages/{quote(sid, safe='')}.json"
        return await self._resource("GET", self._base_url + path)

    async def media_of(self, sid: str) -> Sequence[Resource]:
        """The files of a message; `uri` is their path with `.json` behind it."""
        path = f"{self._path}/Messages/{quote(sid, safe='')}/Media.json"
        return await self._list(self._base_url + path, "media_list")

    async def _list(
        self, url: str, name: str, query: Mapping[str, str] | None = None
    ) -> Sequence[Resource]:
        found: list[Resource] = []
        here = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        asked: Mapping[str, str] | None = {"PageSize": str(_PAGE), **(query or {})}
        for _ in range(_MAX_PAGES):
            page = await self._resource("GET", url, query=asked)
            found += [one for one in page.get(name) or () if isinstance(one, dict)]
            meta = page.get("meta")
            following = page.get("next_page_uri") or (
                meta.get("next_page_url") if isinstance(meta, dict) else None
            )
            if not isinstance(following, str):
                break
            # Our credentials go to the same host only, whatever a page says.
            parts = urlsplit(following)
            url, asked = f"{here}{parts.path}?{parts.query}", None
        return found

    async def _resource(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Resource:
        answer = await self._ask(method, url, query, form)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise ProviderError(
                f"Twilio's answer {answer.status_code} cannot be read", retryable=True
            )
        if not answer.is_success:
            raise fault_of(answer.status_code, body.get("code"), str(body.get("message") or ""))
        return body

    async def _ask(
        self,
        method: str,
        url: str,
        query: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
    ) -> HttpResponse:
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await self._client.request(
                    method,
                    url,
                    params=query,
                    data=form,
                    auth=self._auth,
                )
        except TimeoutError:
            raise EngineTimeout("Twilio did not answer in time") from None
        except HttpError as error:
            raise ProviderError(
                f"Twilio cannot be reached ({type(error).__name__})", retryable=True
            ) from None
        self.date = answer.headers.get("date", "")
        return answer


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

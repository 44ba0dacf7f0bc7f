"""The service under test, as it is reached from here: asked over HTTP, signed as Twilio signs.

Requests flow out, whole answers flow in, each within a deadline and kept as it came. Keys are
sent and never kept in what is shown.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from voiceagent.evidence.facts import HttpAnswer
from voiceagent.http_clients import HttpDeadlines, HttpError, HttpResponse, http_client
from voiceagent.simulator.webhooks import USER_AGENT, signature

DEADLINE_S: Final = 15.0
"""Twilio gives up on a webhook after so long."""
_MAX_BODY_CHARS: Final = 20_000
_SHOWN_HEADERS: Final = frozenset(
    {"content-type", "content-length", "date", "server", "x-message-id", "retry-after", "location"}
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the service is, and what proves that we may ask."""

    base_url: str
    """Where it is reached from here: `http(s)://host[:port]`."""
    public_base_url: str
    """What Twilio would reach, and sign."""
    auth_token: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    @property
    def host_headers(self) -> Mapping[str, str]:
        """Those of a proxy between Twilio and the service, where there is none."""
        public = urlsplit(self.public_base_url)
        if public.netloc == urlsplit(self.base_url).netloc:
            return {}
        return {"Host": public.netloc, "X-Forwarded-Proto": public.scheme}


class Service:
    """Use it as an async context manager."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._client = http_client(
            HttpDeadlines(connect_s=5.0, send_s=5.0, receive_s=DEADLINE_S), connections=4
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> HttpAnswer:
        """A question that anybody may ask."""
        return (await self._ask("GET", path))[0]

    async def api(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[HttpAnswer, Any]:
        """A question to `/api/*`, with the key; the answer, and its JSON or None."""
        key = {"Authorization": f"Bearer {self.target.api_key}"} if self.target.api_key else {}
        answer, response = await self._ask(
            method, path, json=body, headers={**key, **(headers or {})}
        )
        try:
            return answer, None if response is None else response.json()
        except ValueError:
            return answer, None

    async def webhook(self, path: str, form: Mapping[str, str]) -> HttpAnswer:
        """A webhook as Twilio posts it, signed when we have the token."""
        headers = {"User-Agent": USER_AGENT, **self.target.host_headers}
        if self.target.auth_token:
            headers["X-Twilio-Signature"] = signature(
                self.target.auth_token, self.target.public_base_url + path, form
            )
        return (await self._ask("POST", path, data=form, headers=headers))[0]

    async def unsigned(self, path: str, form: Mapping[str, str]) -> HttpAnswer:
        """A form from nobody in particular."""
        return (await self._ask("POST", path, data=form, headers=self.target.host_headers))[0]

    async def _ask(
        self, method: str, path: str, **options: Any
    ) -> tuple[HttpAnswer, HttpResponse | None]:
        asked = f"{method} {path}"
        begun_s = time.perf_counter()
        try:
            async with asyncio.timeout(DEADLINE_S):
                response = await self._client.request(
                    method, self.target.base_url + path, **options
                )
        except TimeoutError:
            return HttpAnswer(asked, 0, error=f"not within {DEADLINE_S:.0f} s"), None
        except HttpError as error:
            return HttpAnswer(asked, 0, error=str(error) or type(error).__name__), None
        answer = HttpAnswer(
            asked,
            response.status_code,
            {name: value for name, value in response.headers.items() if name in _SHOWN_HEADERS},
            response.text[:_MAX_BODY_CHARS],
            (time.perf_counter() - begun_s) * 1000,
        )
        return answer, response

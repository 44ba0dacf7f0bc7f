"""The owner's own server, told by signed webhooks.

A notice flows in, one HTTP request flows out, and its answer's status decides. Follows no
redirect and reads no answer's body; neither address nor secret ever comes into an error.
"""

import asyncio
import ipaddress
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.http_clients import HttpClient, HttpError
from voiceagent.notices.notices import Outgoing
from voiceagent.notices.standard_webhooks import WebhookKey

ATTEMPT_DEADLINE_S: Final = 10.0


class OwnerWebhook:
    """Delivers to one address. Close it at the end."""

    def __init__(
        self,
        url: str,
        secret: str,
        make_client: Callable[[], HttpClient],
        *,
        deadline_s: float = ATTEMPT_DEADLINE_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Raises `ValueError` for an address that would send notices readable over the network,
        and for a secret that is none."""
        _check(url)
        self._url = url
        self._key = WebhookKey.parse(secret)
        self._client = make_client()
        self._deadline_s = deadline_s
        self._now_s = now_s

    async def deliver(self, outgoing: Outgoing) -> None:
        """Have the notice taken; its id is the same in every attempt.

        Raises `ProviderError`, retryable unless the receiver wants no more of them.
        """
        body = json.dumps(outgoing.payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = self._key.headers(str(outgoing.id), int(self._now_s()), body)
        status = await self._post(body, headers)
        if 200 <= status < 300:
            return
        gone = status == HTTPStatus.GONE
        raise ProviderError(f"the receiver answered {status}", retryable=not gone)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._client.stream(
                    "POST",
                    self._url,
                    content=body,
                    headers=headers | {"content-type": "application/json"},
                    follow_redirects=False,
                ) as response,
            ):
                return response.status_code
        except TimeoutError as error:
            raise EngineTimeout("the receiver did not answer") from error
        except HttpError as error:
            # Its own words hold the address.
            raise ProviderError(
                f"the receiver cannot be reached: {type(error).__name__}", retryable=True
            ) from error


def _check(url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("the webhook's address must be https://host…")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("the webhook's address must begin with https://: notices are private")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

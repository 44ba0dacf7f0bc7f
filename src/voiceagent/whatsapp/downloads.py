"""Files fetched over HTTP, with a limit and a deadline.

An address that somebody else has checked flows in, the file flows out. Follows no redirect
by itself.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from voiceagent.errors import ProviderError
from voiceagent.http_clients import HttpClient, HttpError

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
"""WhatsApp's own limit for all but documents."""
DEADLINE_S: Final = 60.0

_GONE: Final = frozenset({HTTPStatus.GONE, HTTPStatus.NOT_FOUND})


@dataclass(frozen=True, slots=True)
class File:
    """A file as it came."""

    content: bytes
    mime_type: str
    """As its source calls it; may be empty."""


class Download(ProviderError):
    """A file could not be had; its words hold no address."""


class Redirected(Download):
    """The file is elsewhere."""

    def __init__(self, location: str) -> None:
        super().__init__("the file is elsewhere", retryable=False)
        self.location = location


async def limited(
    client: HttpClient,
    url: str,
    headers: Mapping[str, str],
    *,
    max_bytes: int = MAX_FILE_BYTES,
    deadline_s: float = DEADLINE_S,
) -> File:
    """The file at that address.

    Raises `Redirected`, and `Download`, which is retryable unless the file is too large or gone.
    """
    content = bytearray()
    try:
        async with (
            asyncio.timeout(deadline_s),
            client.stream("GET", url, headers=dict(headers), follow_redirects=False) as response,
        ):
            status = response.status_code
            if 300 <= status < 400 and "location" in response.headers:
                raise Redirected(response.headers["location"])
            if status != HTTPStatus.OK:
                too_large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                retryable = status not in _GONE and not too_large
                raise Download(f"its source answered {status}", retryable=retryable)
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > max_bytes:
                    raise Download(f"larger than {max_bytes // 1024 // 1024} MB", retryable=False)
            return File(bytes(content), response.headers.get("content-type", ""))
    except TimeoutError as error:
        raise Download("it did not come in time", retryable=True) from error
    except HttpError as error:
        # Its own words hold the address.
        raise Download(
            f"its source cannot be reached: {type(error).__name__}", retryable=True
        ) from error

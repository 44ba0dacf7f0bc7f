"""Files of messages that came by Twilio, and messages that were spoken to it.

An address that a webhook or a list named flows in, the file flows out. It is asked for only at
Twilio's own hosts, with the account's credentials only at its API: whoever could send a webhook
must not make this service ask anybody else for anything.
"""

import base64
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from voiceagent.http_clients import HttpClient, HttpDeadlines, http_client
from voiceagent.whatsapp.downloads import Download, File, Redirected, limited

_MOST_HOPS: Final = 3
_PATH: Final = re.compile(
    r"/2010-04-01/Accounts/(AC\w+)/(?:Messages/(?:MM|SM)\w+/Media/ME\w+|Recordings/RE\w+\.wav)"
)
_HOSTS: Final = re.compile(r"(?:[a-z0-9-]+\.)*(?:twilio\.com|twiliocdn\.com)")
_BUCKET: Final = ("s3-external-1.amazonaws.com", "/media.twiliocdn.com/")
"""Where Twilio's API still sends those who ask for old files."""


class TwilioMedia:
    """The files of one account. Implements `MediaSource`. Close it at the end."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        api_url: str,
        make_client: Callable[[], HttpClient] | None = None,
    ) -> None:
        """`api_url`: Twilio's REST API, or an emulator of it."""
        self._account_sid = account_sid
        self._api = urlsplit(api_url)
        credentials = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._headers = {"authorization": f"Basic {credentials}"}
        self._client = (make_client or _client)()

    async def fetch(self, source: str) -> File:
        """The file at that address. Raises `Download`."""
        url = _split(source)
        path = _PATH.fullmatch(url.path)
        if not self._is_api(url) or path is None or path[1] != self._account_sid:
            raise Download("not an address of this account's files", retryable=False)
        headers = self._headers
        for _ in range(_MOST_HOPS):
            try:
                return await limited(self._client, url.geturl(), headers)
            except Redirected as elsewhere:
                url = _split(urljoin(url.geturl(), elsewhere.location))
                if not (self._is_api(url) or _keeps_files(url)):
                    raise Download("it was sent to a strange host", retryable=False) from None
                headers = self._headers if self._is_api(url) else {}
        raise Download("it was sent on too often", retryable=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _is_api(self, url: SplitResult) -> bool:
        return (url.scheme, url.netloc) == (self._api.scheme, self._api.netloc)


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        raise Download("not an address", retryable=False) from None


def _keeps_files(url: SplitResult) -> bool:
    """Whether Twilio keeps files there; a port or a user in the address is none of Twilio's."""
    if url.scheme != "https":
        return False
    host, path = _BUCKET
    return bool(_HOSTS.fullmatch(url.netloc)) or (url.netloc == host and url.path.startswith(path))


def _client() -> HttpClient:
    return http_client(HttpDeadlines(receive_s=20.0), connections=4)

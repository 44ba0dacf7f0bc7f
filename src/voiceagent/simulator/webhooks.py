"""Twilio's HTTP side of a call: announces it, reads the TwiML, reports the stream.

Form posts flow out, signed when a token is given; the stream's address and
parameters flow in. It never answers a webhook and never opens the socket.
"""

import base64
import hashlib
import hmac
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from voiceagent.errors import ProtocolError, ProviderError
from voiceagent.http_clients import HttpDeadlines, HttpError, HttpResponse, http_client

USER_AGENT: Final = "TwilioProxy/1.1 (simulated phone)"
ACCOUNT_SID: Final = "AC" + "0" * 32
WEBHOOK_DEADLINE_S: Final = 15.0
"""Twilio gives up on a webhook after 15 s."""

_MAX_TWIML_BYTES: Final = 64 * 1024
_MAX_BODY_CHARS: Final = 4_000
"""So much of an answer is kept."""


@dataclass(frozen=True, slots=True)
class StreamOrder:
    """What the TwiML asks for."""

    url: str
    parameters: Mapping[str, str]
    status_callback: str | None
    action: str | None
    """Posted when the stream is over."""


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """How one webhook was answered."""

    path: str
    event: str
    status: int
    took_ms: float
    body: str = ""
    """The beginning of what was answered, e.g. the TwiML."""


def signature(token: str, url: str, form: Mapping[str, str] | None = None) -> str:
    """`X-Twilio-Signature`: base64 of HMAC-SHA1 over the URL and the sorted form."""
    signed = url + "".join(name + value for name, value in sorted((form or {}).items()))
    digest = hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def read_twiml(text: str) -> StreamOrder:
    """The stream that `<Response><Connect><Stream>` orders. Raises `ProtocolError`."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ProtocolError("TwiML with a document type")
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, bounded size
    except ET.ParseError as error:
        raise ProtocolError(f"the TwiML is not XML: {error}") from error
    connect = root.find("Connect")
    stream = connect.find("Stream") if connect is not None else None
    if root.tag != "Response" or connect is None or stream is None or not stream.get("url"):
        said = " ".join(say.text or "" for say in root.iter("Say"))
        raise ProtocolError(f"the TwiML has no stream{f': it says {said!r}' if said else ''}")
    return StreamOrder(
        url=stream.attrib["url"],
        parameters={
            parameter.attrib["name"]: parameter.attrib["value"]
            for parameter in stream.iter("Parameter")
        },
        status_callback=stream.get("statusCallback"),
        action=connect.get("action"),
    )


class TwilioWebhooks:
    """Posts one call's webhooks. Use it as an async context manager.

    `base_url` is where the service is reached from here; `public_base_url` the
    address that Twilio would use and sign, when it is another one.
    """

    def __init__(
        self,
        base_url: str,
        *,
        public_base_url: str | None = None,
        auth_token: str | None = None,
        account_sid: str = ACCOUNT_SID,
    ) -> None:
        self.answers: list[WebhookAnswer] = []
        self._base_url = base_url.rstrip("/")
        self._public_base_url = (public_base_url or base_url).rstrip("/")
        self._auth_token = auth_token
        self._account_sid = account_sid
        within = WEBHOOK_DEADLINE_S
        self._client = http_client(HttpDeadlines(within, within, within, within), connections=4)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def incoming_call(self, call_sid: str, caller: str, called: str) -> StreamOrder:
        """Announce a call. Raises `ProtocolError` when the answer is no stream."""
        answer = await self._post(
            "/webhook/incoming_call",
            "ringing",
            {
                "AccountSid": self._account_sid,
                "ApiVersion": "2010-04-01",
                "CallSid": call_sid,
                "CallStatus": "ringing",
                "Called": called,
                "Caller": caller,
                "Direction": "inbound",
                "From": caller,
                "To": called,
            },
        )
        if answer.status_code != 200:
            raise ProtocolError(f"/webhook/incoming_call was answered {answer.status_code}")
        return read_twiml(answer.text[:_MAX_TWIML_BYTES])

    async def stream_status(self, call_sid: str, stream_sid: str, event: str) -> None:
        """`stream-started`, `stream-stopped` or `stream-error`.

        A service that does not answer is noted with status 0: Twilio goes on, too.
        """
        await self._report(
            "/webhook/stream_status",
            event,
            {
                "AccountSid": self._account_sid,
                "CallSid": call_sid,
                "StreamSid": stream_sid,
                "StreamName": stream_sid,
                "StreamEvent": event,
                "Timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            },
        )

    async def stream_ended(self, call_sid: str, caller: str, called: str) -> None:
        """The `action` of `<Connect>`: what to do after the stream. Failures as above."""
        await self._report(
            "/webhook/stream_ended",
            "",
            {
                "AccountSid": self._account_sid,
                "CallSid": call_sid,
                "CallStatus": "in-progress",
                "Direction": "inbound",
                "From": caller,
                "To": called,
            },
        )

    async def _report(self, path: str, event: str, form: dict[str, str]) -> None:
        with suppress(ProviderError):
            await self._post(path, event, form)

    async def _post(self, path: str, event: str, form: dict[str, str]) -> HttpResponse:
        headers = {"User-Agent": USER_AGENT}
        if self._auth_token:
            headers["X-Twilio-Signature"] = signature(
                self._auth_token, self._public_base_url + path, form
            )
        public = urlsplit(self._public_base_url)
        if public.netloc != urlsplit(self._base_url).netloc:
            headers |= {"Host": public.netloc, "X-Forwarded-Proto": public.scheme}
        try:
            async with self._client.stream(
                "POST", self._base_url + path, data=form, headers=headers
            ) as answer:
                await answer.aread()
        except HttpError as error:
            self.answers.append(WebhookAnswer(path, event, 0, 0.0))
            raise ProviderError(
                f"{self._base_url}{path}: {error or type(error).__name__}", retryable=True
            ) from error
        took_ms = answer.elapsed.total_seconds() * 1000
        body = answer.text[:_MAX_BODY_CHARS]
        self.answers.append(WebhookAnswer(path, event, answer.status_code, took_ms, body))
        return answer


def reached_at(ordered_url: str, reachable: str) -> str:
    """The stream's address with scheme and host of another one, e.g. behind no proxy."""
    ordered, here = urlsplit(ordered_url), urlsplit(reachable)
    scheme = {"http": "ws", "https": "wss"}.get(here.scheme, here.scheme)
    return urlunsplit((scheme, here.netloc, ordered.path, "", ""))

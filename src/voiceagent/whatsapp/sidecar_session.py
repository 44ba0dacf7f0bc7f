"""The sidecar's session, asked and changed: its state, its QR code, a pairing code.

Questions of a person flow in, HTTP requests flow out; every answer that is no success
becomes a `ProviderError` that says what to do. It sends no message and reads none.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from voiceagent.errors import ProviderError
from voiceagent.http_clients import HttpDeadlines, HttpError, HttpResponse, http_client
from voiceagent.whatsapp.session_state import Session

DEADLINES: Final = HttpDeadlines(connect_s=2.0, send_s=2.0, receive_s=10.0, turn_s=1.0)
"""WhatsApp itself is asked for a pairing code, and told of a logout."""


class SidecarAway(ProviderError):
    """Nobody answers at that address."""


class TokenRefused(ProviderError):
    """The sidecar has another token than we."""


class QrCode(BaseModel):
    """A code that lives for some seconds."""

    model_config = ConfigDict(frozen=True)

    qr: str
    rows: tuple[str, ...]
    """Its modules, `1` for a dark one, without a margin."""


class SidecarSession:
    """One sidecar's session. Close it at the end, or use it as an async context manager."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"}
        self._client = http_client(DEADLINES, connections=2)

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

    async def state(self) -> Session:
        """How it stands. Raises `ProviderError`."""
        return _session(await self._ask("GET", ""))

    async def start(self) -> Session:
        """Have it connect now. Raises `ProviderError`."""
        return _session(await self._ask("POST", "/start", {}))

    async def logout(self) -> Session:
        """Unlink it. Raises `ProviderError`."""
        return _session(await self._ask("POST", "/logout", {}))

    async def qr_code(self) -> QrCode | None:
        """The code to scan; None while there is none. Raises `ProviderError`."""
        answer = await self._send("GET", "/qr")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        self._require_success(answer)
        try:
            return QrCode.model_validate_json(answer.content)
        except ValidationError:
            raise ProviderError(
                "the sidecar's QR code has no modules: update the sidecar", retryable=False
            ) from None

    async def pairing_code(self, phone: str) -> str:
        """Eight characters to type on the phone with that number (E.164).

        Raises `ProviderError`, a retryable one while there is no connection to WhatsApp yet.
        """
        answer = await self._ask("POST", "/pairing-code", {"phone": phone})
        code = _json(answer).get("code")
        if not isinstance(code, str):
            raise ProviderError("the sidecar's answer cannot be read", retryable=False)
        return code

    async def _ask(
        self, method: str, path: str, body: Mapping[str, str] | None = None
    ) -> HttpResponse:
        answer = await self._send(method, path, body)
        self._require_success(answer)
        return answer

    async def _send(
        self, method: str, path: str, body: Mapping[str, str] | None = None
    ) -> HttpResponse:
        url = f"{self._url}/v1/session{path}"
        try:
            return await self._client.request(method, url, json=body, headers=self._headers)
        except HttpError as error:
            raise SidecarAway(
                f"no sidecar answers at {self._url} ({type(error).__name__}):"
                " start it with ./start_all.sh, or set BAILEYS_URL",
                retryable=True,
            ) from None

    def _require_success(self, answer: HttpResponse) -> None:
        if answer.is_success:
            return
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise TokenRefused(
                f"the sidecar at {self._url} refuses our token: set the same BAILEYS_TOKEN on both"
                " sides, or give both the same DATA_DIR",
                retryable=False,
            )
        detail = str(_json(answer).get("detail") or f"it answered {answer.status_code}")[:300]
        raise ProviderError(
            f"the sidecar: {detail}",
            retryable=answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE,
        )


def _session(answer: HttpResponse) -> Session:
    try:
        return Session.model_validate_json(answer.content)
    except ValidationError:
        raise ProviderError(
            "what answers at BAILEYS_URL is not the sidecar", retryable=False
        ) from None


def _json(answer: HttpResponse) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

"""Who may ask: Twilio by its signature, people and programs by the API key.

Requests flow in; they go on, or end as 403 or 401. Every comparison takes the
same time wherever it fails. Nothing is logged but the address that a signature
was checked for, since that is what is wrong in practice.
"""

import hashlib
import hmac
import logging
import math
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers

from voiceagent.errors import ProtocolError
from voiceagent.settings import Settings
from voiceagent.twilio.signature import is_signed, is_upgrade_signed
from voiceagent.web.attempts import Attempts
from voiceagent.web.base_url import signed_urls
from voiceagent.web.forms import TwilioForm, read_form
from voiceagent.web.origins import from_page_elsewhere

_SIGNATURE_HEADER = "x-twilio-signature"

_log = logging.getLogger(__name__)


def signed_form(settings: Settings) -> Callable[[Request], Awaitable[TwilioForm]]:
    """A dependency that gives a webhook its form, once the signature is right.

    Answers 403 for a missing or wrong signature when signatures are checked, and for whatever
    a page of another site sends when they are not; 413 for a form beyond the limits.
    """

    async def form_of_twilio(request: Request) -> TwilioForm:
        if not settings.checks_signatures and from_page_elsewhere(request.scope, settings):
            raise HTTPException(HTTPStatus.FORBIDDEN, "This came from a page of another site.")
        form = await read_form(request)
        if form.cut:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too long or came too slowly."
            )
        if not webhook_signature_ok(request, form, settings):
            raise HTTPException(HTTPStatus.FORBIDDEN, "X-Twilio-Signature is missing or not right.")
        return form

    return form_of_twilio


def signature_of(request: Request, settings: Settings) -> str:
    """What stands for exactly this request, once it was found right; empty where nothing is
    signed."""
    return request.headers.get(_SIGNATURE_HEADER, "") if settings.checks_signatures else ""


def webhook_signature_ok(request: Request, form: TwilioForm, settings: Settings) -> bool:
    """Whether a webhook comes from Twilio; true when signatures are not checked."""
    if settings.twilio_auth_token is None or not settings.checks_signatures:
        return True
    try:
        urls = signed_urls(request.scope, settings)
    except ProtocolError:
        return False
    token = settings.twilio_auth_token.get_secret_value()
    signature = request.headers.get(_SIGNATURE_HEADER, "")
    if is_signed(token, urls, form.fields, signature):
        return True
    _tell(signature, urls[0].partition("?")[0])
    return False


def websocket_signature_ok(scope: Any, settings: Settings) -> bool:
    """Whether a WebSocket upgrade comes from Twilio; true when signatures are not checked.

    `scope` is the ASGI scope of the upgrade (`websocket.scope`).
    """
    if settings.twilio_auth_token is None or not settings.checks_signatures:
        return True
    try:
        urls = signed_urls(scope, settings)
    except ProtocolError:
        return False
    token = settings.twilio_auth_token.get_secret_value()
    signature = Headers(scope=scope).get(_SIGNATURE_HEADER, "")
    if is_upgrade_signed(token, urls, signature):
        return True
    _tell(signature, urls[0])
    return False


def _tell(signature: str, url: str) -> None:
    if signature:
        _log.warning(
            "X-Twilio-Signature is not right for %s: check TWILIO_AUTH_TOKEN and PUBLIC_BASE_URL",
            url,
        )
    else:
        _log.warning("No X-Twilio-Signature on %s", url)


_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="`Authorization: Bearer …` with the value of `API_KEY`.",
)


def api_key_required(
    api_key: str,
    attempts: Attempts | None = None,
    now_s: Callable[[], float] = time.monotonic,
) -> Callable[..., Awaitable[None]]:
    """A dependency that lets only requests with this key through; 401 otherwise, and 429 for an
    address from which too many wrong ones came: with the right one too, or guessing would not be
    slowed down. `attempts`: at every door that the key opens; None: at this one."""
    right = _digest(api_key)
    attempts = attempts or Attempts()

    async def require_api_key(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> None:
        address = request.client.host if request.client is not None else ""
        if given is not None:
            if (wait_s := attempts.wait_s(address, now_s())) > 0:
                raise HTTPException(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "Too many wrong API keys came from this address.",
                    headers={"Retry-After": str(math.ceil(wait_s))},
                )
            if hmac.compare_digest(_digest(given.credentials), right):
                return
            if attempts.failed(address, given.credentials, now_s()):
                _log.warning("too many wrong API keys came from %s: it has to wait", address)
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "An API key is needed: Authorization: Bearer …",
            headers={"WWW-Authenticate": 'Bearer realm="voiceagent"'},
        )

    return require_api_key


def _digest(secret: str) -> bytes:
    """Of equal length whatever the secret, so that comparing tells nothing of it."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()

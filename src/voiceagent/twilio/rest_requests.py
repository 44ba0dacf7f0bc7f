"""Requests to Twilio's REST API by Twilio's own library, which blocks.

What to do with which call flows in, the call's sid and status or an error flow out.
Importing this module imports that library, which takes longer than a webhook may: only
`rest.py` does so, and only in a thread, where every function here runs as well.
"""

import json
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from voiceagent.errors import ProviderError
from voiceagent.twilio.request_threads import THREADS
from voiceagent.twilio.rest_faults import OutcomeUnknown, fault_of

_CONNECT_S: Final = 3.0
_LEAST_S: Final = 0.1
"""What a request gets that has almost no time left; the library takes no zero."""
_FIRST_TRY: Final = 0.5
"""Of the time that there is, for the first try of what may be sent twice."""
_PAUSE_S: Final = 0.3
"""Before the second try of what may be sent twice."""

_T = TypeVar("_T")

_library_log = logging.getLogger("twilio.http_client")
# It tells every request with its address, which holds the account's sid.
_library_log.setLevel(logging.WARNING)


class RestRequests:
    """One account. Every method may be called in any thread; each raises `ProviderError`."""

    def __init__(self, account_sid: str, auth_token: str, base_url: str) -> None:
        self._account_sid = account_sid
        self._auth_token = auth_token
        self._base_url = base_url
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=THREADS)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        # Its first use imports the rest of the library.
        self._client(time.monotonic()).calls  # noqa: B018

    def create(self, deadline: float, parameters: Mapping[str, Any]) -> tuple[str, str]:
        """Place a call; its sid and status. Sent once only: a second one would ring twice.

        Raises `TwilioRefused`, `OutcomeUnknown`, or a plain `ProviderError` when the request
        never left.
        """

        def send(client: Client) -> tuple[str, str]:
            call = client.calls.create(**parameters)
            return call.sid, str(call.status)

        return self._once(deadline, send)

    def update(self, deadline: float, call_sid: str, change: Mapping[str, Any]) -> None:
        """Change a call on the line. Done twice it is the same: so it may be sent twice."""

        def send(client: Client) -> None:
            client.calls(call_sid).update(**change)

        # A connection that was kept open may be dead without a word: leave time for another one.
        first_by = time.monotonic() + (deadline - time.monotonic()) * _FIRST_TRY
        try:
            self._once(first_by, send)
        except ProviderError as error:
            may_heal = error.retryable or isinstance(error, OutcomeUnknown)
            if not may_heal or time.monotonic() + _PAUSE_S >= deadline:
                raise
            time.sleep(_PAUSE_S)
            self._once(deadline, send)

    def create_message(self, deadline: float, parameters: Mapping[str, Any]) -> str:
        """Send a message; its sid. Sent once only, with the errors of `create`."""

        def send(client: Client) -> str:
            return str(client.messages.create(**parameters).sid)

        return self._once(deadline, send)

    def close(self) -> None:
        self._session.close()

    def _once(self, deadline: float, send: Callable[[Client], _T]) -> _T:
        try:
            return send(self._client(deadline))
        except TwilioRestException as error:
            raise fault_of(error.status, error.code, error.msg) from None
        except TwilioServiceException as error:
            words = f"{error.title} {error.detail or ''}"
            raise fault_of(error.status, error.code, words) from None
        except requests.RequestException as error:
            if _never_left(error):
                why = f"Twilio cannot be reached ({type(error).__name__})"
                raise ProviderError(why, retryable=True) from None
            raise OutcomeUnknown(f"no answer of Twilio ({type(error).__name__})") from None
        except TwilioException as error:
            raise ProviderError(
                f"Twilio's library: {type(error).__name__}", retryable=False
            ) from None

    def _client(self, deadline: float) -> Client:
        return Client(
            self._account_sid,
            self._auth_token,
            http_client=_Connection(self._session, self._base_url, deadline),
            # Not the process's own: settings are handed down.
            environment={"TWILIO_ACCOUNT_SID": self._account_sid},
        )


class _Connection(TwilioHttpClient):  # type: ignore[misc] # the library has no types
    """The library's way to the API, to another host and within a deadline."""

    def __init__(self, session: requests.Session, base_url: str, deadline: float) -> None:
        super().__init__(pool_connections=False, logger=_library_log)
        self.session = session
        self._base_url = base_url
        self._deadline = deadline

    def request(self, method: str, url: str, **options: Any) -> Response:
        left_s = max(_LEAST_S, self._deadline - time.monotonic())
        # To connect, and for each piece of the answer; goes to `requests` as it is.
        self.timeout = (min(left_s, _CONNECT_S), left_s)
        response = super().request(method, self._base_url + urlsplit(url).path, **options)
        if response.ok and not _is_resource(response.text):
            raise OutcomeUnknown("an answer of Twilio that cannot be read")
        return response


def _is_resource(text: str) -> bool:
    """Whether the library can take it for a call: it would stumble over anything else."""
    try:
        resource = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(resource, dict) and isinstance(resource.get("sid"), str)


def _never_left(error: requests.RequestException) -> bool:
    """Whether no connection was made, so that nothing was sent."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.SSLError):
        return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in reason.args)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ProxyError)

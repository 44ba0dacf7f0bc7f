"""Twilio's REST API: calls are placed, put through and ended.

Orders flow in from the event loop, errors of ours flow out. Twilio's library blocks and is
slow to import, so it lives in a few threads and is never met here: `rest_requests.py` talks
to it. Nothing is sent twice that could be done twice.
"""

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.twilio.request_threads import DEADLINE_S, RequestThreads
from voiceagent.twilio.rest_faults import CALL_IS_OVER, OutcomeUnknown, TwilioRefused
from voiceagent.twilio.twiml import (
    ANSWERING_MACHINE_PATH,
    CALL_STATUS_PATH,
    INCOMING_CALL_PATH,
    dial,
    say_and_hang_up,
)

if TYPE_CHECKING:
    from voiceagent.twilio.rest_requests import RestRequests

OnMachine = Literal["hang_up", "leave_message", "talk"]
"""What to do when no person answers but a machine: end the call, leave the agent's message
after the machine's greeting, or talk to it as to anybody."""

_DETECTION: Final[Mapping[OnMachine, str]] = {
    "hang_up": "Enable",
    "leave_message": "DetectMessageEnd",
}
TRANSFER_S: Final = 4.0
"""For the order to put a caller through: the caller hears nothing meanwhile."""
_CALL_SID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A sid becomes a part of an address."""
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """A call to be placed."""

    to: str
    """E.164."""
    caller_id: str
    """E.164: a number of the account."""
    base_url: str
    """Where Twilio reaches this service: `https://host[:port][/path]`."""
    on_machine: OnMachine = "hang_up"
    max_ring_s: int = 30


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """A call that Twilio has taken."""

    call_sid: str
    status: str
    """Twilio's word, at first `queued`."""


class TwilioRest:
    """One account. For the event loop; a `CallControl`."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        base_url: str,
        caller_id: str | None,
        public_base_url: str | None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`base_url` is that of the API. `caller_id` is shown to the people to whom callers are
        put through; `public_base_url` is where Twilio reaches this service. Either may be None,
        see `transfer`. `deadline_s` bounds every request."""
        self._account = (account_sid, auth_token, base_url)
        self._caller_id = caller_id
        self._public_base_url = public_base_url
        self._seen_base_url: str | None = None
        self._threads = RequestThreads("Twilio", deadline_s)
        self._transfer_s = min(TRANSFER_S, deadline_s)
        self._requests: RestRequests | None = None
        self._making = threading.Lock()

    async def warm_up(self) -> None:
        """Import the library, so that the first call to put through need not. Asks nobody."""
        await self._threads.run(lambda _: self._made())

    def reached_at(self, base_url: str) -> None:
        """A webhook that is proved to be Twilio's came in at this address: it is the one to use
        when none was set."""
        self._seen_base_url = base_url

    @property
    def seen_base_url(self) -> str | None:
        """The last address of which `reached_at` was told."""
        return self._seen_base_url

    async def place(self, call: OutboundCall) -> PlacedCall:
        """Call somebody. Sent once.

        Raises `TwilioRefused` when Twilio does not do it, `OutcomeUnknown` when the telephone
        may be ringing all the same, any other `ProviderError` when nothing was sent.
        """
        parameters = _parameters_of(call)
        try:
            placed = await self._threads.run(
                lambda deadline: self._made().create(deadline, parameters)
            )
        except EngineTimeout as error:
            raise OutcomeUnknown(str(error)) from error
        _log.info("call %s is placed", placed[0])
        return PlacedCall(*placed)

    async def transfer(self, call_sid: str, number: str) -> None:
        """Connect the caller to this E.164 number.

        The person sees `caller_id`, or the caller's number when there is none. Twilio is told to
        ask `/webhook/transfer_ended` how to go on; so the order is refused while no public
        address is known. Raises `ProviderError` when the call stays where it is.
        """
        if not _E164.fullmatch(number):
            raise ProviderError("the number to connect to is not E.164", retryable=False)
        base_url = self._public_base_url or self._seen_base_url
        if base_url is None:
            raise ProviderError("no public address is known: set PUBLIC_BASE_URL", retryable=False)
        change = {"twiml": dial(base_url, number, self._caller_id)}
        await self._update(call_sid, change, deadline_s=self._transfer_s)
        _log.info("call %s is put through", call_sid)

    async def hang_up(self, call_sid: str) -> None:
        """End the call; one that is over already is no error. Raises `ProviderError`."""
        try:
            await self._update(call_sid, {"status": "completed"})
        except TwilioRefused as error:
            if error.code != CALL_IS_OVER:
                raise

    async def leave_message(self, call_sid: str, phrase: str, language: str) -> None:
        """Say one phrase with Twilio's voice, then end the call. Raises `ProviderError`."""
        await self._update(call_sid, {"twiml": say_and_hang_up(phrase, language)})

    async def close(self) -> None:
        """Ask nothing any more. What is under way ends by its own deadline."""
        self._threads.close()
        if self._requests is not None:
            self._requests.close()

    async def _update(
        self, call_sid: str, change: Mapping[str, Any], *, deadline_s: float | None = None
    ) -> None:
        if not _CALL_SID.fullmatch(call_sid):
            raise ProviderError("that is no sid of a call", retryable=False)
        await self._threads.run(
            lambda deadline: self._made().update(deadline, call_sid, change),
            deadline_s=deadline_s,
        )

    def _made(self) -> "RestRequests":
        """The library, imported. In a thread only."""
        with self._making:
            if self._requests is None:
                from voiceagent.twilio.rest_requests import RestRequests  # noqa: PLC0415

                self._requests = RestRequests(*self._account)
            return self._requests


def _parameters_of(call: OutboundCall) -> dict[str, Any]:
    """The call as Twilio's `POST /Calls` wants it."""
    parameters: dict[str, Any] = {
        "to": call.to,
        "from_": call.caller_id,
        "url": call.base_url + INCOMING_CALL_PATH,
        "method": "POST",
        "timeout": call.max_ring_s,
        "status_callback": call.base_url + CALL_STATUS_PATH,
        "status_callback_method": "POST",
    }
    if call.on_machine in _DETECTION:
        parameters |= {
            "machine_detection": _DETECTION[call.on_machine],
            # The person who answers is talked to at once, not after the detection.
            "async_amd": "true",
            "async_amd_status_callback": (
                f"{call.base_url}{ANSWERING_MACHINE_PATH}?do={call.on_machine}"
            ),
            "async_amd_status_callback_method": "POST",
        }
    return parameters

"""Twilio's REST API: WhatsApp messages are sent.

A text flows in from the event loop, the sid of a message that Twilio has taken flows out.
Like `rest.py` it meets Twilio's library in a few threads only. Each message is sent once.
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from voiceagent.errors import EngineTimeout
from voiceagent.twilio.request_threads import RequestThreads
from voiceagent.twilio.rest_faults import OutcomeUnknown

if TYPE_CHECKING:
    from voiceagent.twilio.rest_requests import RestRequests

DEADLINE_S: Final = 7.0


@dataclass(frozen=True, slots=True)
class WhatsAppText:
    """A message to be sent."""

    to: str
    """E.164."""
    text: str
    status_callback: str | None
    """Where Twilio tells what becomes of it; None: nowhere."""


class TwilioMessaging:
    """One account and one of its WhatsApp senders. For the event loop."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        base_url: str,
        sender: str,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`base_url` is that of the API; `sender` E.164; `deadline_s` bounds every request."""
        self._account = (account_sid, auth_token, base_url)
        self._sender = sender
        self._threads = RequestThreads("Twilio messages", deadline_s)
        self._requests: RestRequests | None = None
        self._making = threading.Lock()

    async def warm_up(self) -> None:
        """Import the library, so that the first message need not wait. Asks nobody."""
        await self._threads.run(lambda _: self._made())

    async def send(self, message: WhatsAppText) -> str:
        """Send it; its sid.

        Raises `TwilioRefused` when Twilio does not do it, `OutcomeUnknown` when it may be sent all
        the same, any other `ProviderError` when nothing was sent.
        """
        parameters = {
            "to": f"whatsapp:{message.to}",
            "from_": f"whatsapp:{self._sender}",
            "body": message.text,
        }
        if message.status_callback is not None:
            parameters["status_callback"] = message.status_callback
        try:
            return await self._threads.run(
                lambda deadline: self._made().create_message(deadline, parameters)
            )
        except EngineTimeout as error:
            raise OutcomeUnknown(str(error)) from error

    async def close(self) -> None:
        """Ask nothing any more. What is under way ends by its own deadline."""
        self._threads.close()
        if self._requests is not None:
            self._requests.close()

    def _made(self) -> "RestRequests":
        """The library, imported. In a thread only."""
        with self._making:
            if self._requests is None:
                from voiceagent.twilio.rest_requests import RestRequests  # noqa: PLC0415

                self._requests = RestRequests(*self._account)
            return self._requests

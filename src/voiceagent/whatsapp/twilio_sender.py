"""Twilio as a carrier of WhatsApp messages: the second way out.

Letters flow in, Twilio's answers become outcomes. Twilio knows no id of ours, so what nobody
saw the answer to is never sent again: its status callback, which carries our id, tells.
"""

import logging
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from voiceagent.crm.messages.outbox import Letter
from voiceagent.errors import ProviderError
from voiceagent.twilio.messaging import DEADLINE_S, TwilioMessaging, WhatsAppText
from voiceagent.twilio.request_threads import THREADS
from voiceagent.twilio.rest_faults import OutcomeUnknown, TwilioRefused
from voiceagent.twilio.signature import RETRIES
from voiceagent.whatsapp.ports import HandedOver, NotSent, Outcome, Settled, Unclear

STATUS_PATH: Final = "/webhook/whatsapp/twilio/status"
MAX_CHARS: Final = 1600
"""Of one message; Twilio refuses longer ones (error 21617)."""

_BUSY_S: Final = 1.0
_ACCOUNT_S: Final = 60.0
_ACCOUNT: Final = frozenset({20003, 20005, 20404, 63007})
"""Faults of the account and its sender, not of a message: authentication, suspended, unknown, no
such WhatsApp sender (https://www.twilio.com/docs/api/errors)."""

_log = logging.getLogger(__name__)


class TwilioSender:
    """One WhatsApp sender. Implements `Carrier`."""

    at_once: Final = THREADS
    deadline_s: Final = DEADLINE_S

    def __init__(self, messaging: TwilioMessaging, base_url: Callable[[], str | None]) -> None:
        """`base_url` is where Twilio reaches this service, as far as it is known by then."""
        self._messaging = messaging
        self._base_url = base_url

    async def send(self, letter: Letter) -> Outcome:
        """Send it, once; one that is too long has failed at once."""
        if len(letter.text) > MAX_CHARS:
            why = f"the text has {len(letter.text)} characters, and Twilio takes {MAX_CHARS}"
            return Settled("failed", error=f"{why}: send it in parts")
        base_url = self._base_url()
        callback = None
        if base_url is not None:
            query = urlencode({"message_id": str(letter.message_id)})
            callback = f"{base_url}{STATUS_PATH}?{query}{RETRIES}"
        try:
            sid = await self._messaging.send(WhatsAppText(letter.recipient, letter.text, callback))
        except OutcomeUnknown as error:
            return Unclear(str(error))
        except TwilioRefused as error:
            return _refused(error)
        except ProviderError as error:
            return NotSent(str(error), everyone=True)
        return HandedOver(sid)

    async def ask(self, letter: Letter) -> Outcome:  # noqa: ARG002 - Twilio knows no id of ours
        """Nobody can tell, unless Twilio does by itself."""
        return Settled(
            "unknown", error="no answer of Twilio was seen: it may have been sent or not"
        )


def _refused(error: TwilioRefused) -> Outcome:
    if error.code in _ACCOUNT:
        _log.error("Twilio sends no WhatsApp messages: %s", error)
        return NotSent(str(error), _ACCOUNT_S, everyone=True)
    if error.retryable:
        return NotSent(str(error), _BUSY_S, everyone=True)
    return Settled("failed", error=str(error))

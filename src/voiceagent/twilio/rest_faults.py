"""What can go wrong with a request to Twilio, as errors of ours.

Twilio's status, code and words flow in; an error that says whether anything was done
flows out. Its words are cut, and numbers and sids in them hidden: they may reach a log. Pure.
"""

import re
from http import HTTPStatus
from typing import Final

from voiceagent.errors import ProviderError
from voiceagent.telemetry import mask_number

CALL_IS_OVER: Final = 21220
"""Twilio's code for a call that is not in progress (any more)."""

NO_SUCH_RESOURCE: Final = 20404

_MAX_WORDS: Final = 160
_SID: Final = re.compile(r"\b([A-Z]{2})[0-9a-f]{32}\b")
_LIBRARYS_OWN: Final = re.compile(r"^(?:HTTP \d+ error: )?Unable to \w+ record(?:: )?")
"""What Twilio's library puts in front of the words of the API."""


class TwilioRefused(ProviderError):
    """Twilio answered that it does not do it; nothing was done.

    `code` is Twilio's own number (https://www.twilio.com/docs/errors/CODE), or the HTTP status
    where it gave none.
    """

    def __init__(self, message: str, *, code: int, retryable: bool) -> None:
        super().__init__(message, retryable=retryable)
        self.code = code


class OutcomeUnknown(ProviderError):
    """The request went out and no answer came that can be understood: it may have been done.

    Not `retryable`, since the same request may then be done twice.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


def fault_of(status: object, code: object, words: str) -> TwilioRefused | OutcomeUnknown:
    """The error of an answer that is no success; `status` and `code` as its body gives them."""
    if not isinstance(status, int) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OutcomeUnknown(f"Twilio failed with HTTP {status}")
    number = code if isinstance(code, int) else status
    return TwilioRefused(
        f"Twilio refuses: {number} {_short(words)}".rstrip(),
        code=number,
        retryable=status == HTTPStatus.TOO_MANY_REQUESTS,
    )


def _short(words: str) -> str:
    """The API's own words without what no log may show."""
    plain = " ".join(_LIBRARYS_OWN.sub("", words).split())
    return mask_number(_SID.sub(r"\1…", plain))[:_MAX_WORDS]

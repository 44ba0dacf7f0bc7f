"""What went wrong with the language model, in one clear sentence.

An exception of the vendor's library flows in, a `ProviderError` flows out. A server's own
words are left out, since they may quote the prompt or the key: its status and code must do.
"""

import re
from typing import Any, Final

from voiceagent.errors import EngineTimeout, ProviderError

ENGINE: Final = "the language model"
_SENTENCES: Final = {
    400: "does not take the request",
    401: "does not accept the key",
    402: "wants to be paid first",
    403: "does not permit it",
    404: "is not known at that address, or not by that name",
    408: "did not get the request in time",
    413: "finds the request too long",
    422: "does not take the request",
    429: "has no capacity left for us",
}
_MAY_HEAL: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_NEVER_HEALS: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Codes of a 429 that no waiting cures."""
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_UNREADABLE: Final = (ValueError, TypeError, AttributeError, LookupError)
"""What the library, or the reading of its objects, makes of an answer that is none."""


def provider_error(error: BaseException) -> ProviderError:
    """The sentence, and whether the same request may succeed later."""
    if isinstance(error, ProviderError):
        return error
    status, code = getattr(error, "status_code", None), _code(error)
    if isinstance(status, int):
        sentence = _SENTENCES.get(status, "failed" if status >= 500 else "refused the request")
        return ProviderError(
            f"{ENGINE} {sentence} ({status}{' ' if code else ''}{code})",
            retryable=status in _MAY_HEAL and code not in _NEVER_HEALS,
        )
    name = type(error).__name__
    if "Timeout" in name:
        return EngineTimeout(f"{ENGINE} did not answer in time")
    if "Connect" in name or isinstance(error, OSError):
        return ProviderError(f"{ENGINE} cannot be reached, or broke off", retryable=True)
    if isinstance(error, _UNREADABLE):
        return ProviderError(f"{ENGINE} answered something unreadable ({name})", retryable=False)
    return ProviderError(f"{ENGINE} failed ({code or name})", retryable=True)


def retry_after_s(error: BaseException) -> float:
    """How long the server wants to be left alone; 0 when it does not say."""
    response: Any = getattr(error, "response", None)
    told = response.headers.get("retry-after", "") if response is not None else ""
    try:
        wait_s = float(told)
    except ValueError:
        return 0.0
    return wait_s if 0 <= wait_s < float("inf") else 0.0


def _code(error: BaseException) -> str:
    for name in ("code", "type"):
        value = getattr(error, name, None)
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return ""

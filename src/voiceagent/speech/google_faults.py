"""What went wrong at Google, in the service's own words.

An exception of the vendor's libraries flows in, a `ProviderError` with one clear sentence
flows out. It never shows a key, nor a long number that the vendor quotes.
"""

import re
from typing import Any, Final

from voiceagent.errors import EngineTimeout, ProviderError

_SENTENCES: Final = {
    "CANCELLED": "broke off",
    "UNKNOWN": "failed for a reason it does not know",
    "INVALID_ARGUMENT": "does not take the request",
    "DEADLINE_EXCEEDED": "did not answer in time",
    "NOT_FOUND": "does not know what was asked for",
    "ALREADY_EXISTS": "refused the request",
    "PERMISSION_DENIED": "does not permit it: is the API enabled for the key's project?",
    "RESOURCE_EXHAUSTED": "has no quota left",
    "FAILED_PRECONDITION": "refused the request",
    "ABORTED": "gave the request up",
    "OUT_OF_RANGE": "ended the request",
    "UNIMPLEMENTED": "does not offer this",
    "INTERNAL": "failed",
    "UNAVAILABLE": "cannot be reached",
    "DATA_LOSS": "lost data",
    "UNAUTHENTICATED": "does not accept the key",
}
_RETRYABLE: Final = frozenset(
    {
        "CANCELLED",
        "UNKNOWN",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "INTERNAL",
        "UNAVAILABLE",
    }
)
_LONG_NUMBER: Final = re.compile(r"\+?\d[\d -]{4,}\d")
_DETAIL_CHARS: Final = 160


def status_of(error: BaseException) -> str | None:
    """The name of the gRPC status that a vendor's exception carries; None without one."""
    code: Any = getattr(error, "grpc_status_code", None)
    if code is None:
        tell = getattr(error, "code", None)
        code = tell() if callable(tell) else None
    name = getattr(code, "name", None)
    return name if isinstance(name, str) else None


def provider_error(engine: str, error: BaseException) -> ProviderError:
    """`engine` is its name in the sentence, e.g. "Google's text-to-speech"."""
    status = status_of(error)
    if status is None:
        # The key's own library, a broken channel: its words may hold parts of the key.
        return ProviderError(f"{engine} failed ({type(error).__name__})", retryable=True)
    if status == "DEADLINE_EXCEEDED":
        return EngineTimeout(f"{engine} did not answer in time")
    sentence = _SENTENCES.get(status, "failed")
    detail = _detail(error)
    return ProviderError(
        f"{engine} {sentence} ({status}{': ' if detail else ''}{detail})",
        retryable=status in _RETRYABLE,
    )


def _detail(error: BaseException) -> str:
    tell = getattr(error, "details", None)
    text = getattr(error, "message", None) or (tell() if callable(tell) else "")
    line = " ".join(text.split()) if isinstance(text, str) else ""
    return _LONG_NUMBER.sub("…", line)[:_DETAIL_CHARS]

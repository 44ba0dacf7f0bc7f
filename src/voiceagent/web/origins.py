"""Whose page a browser acts for: one of ours, another's, or no browser at all.

The scope of a request or an upgrade flows in, a yes or a no flows out. Twilio, the sidecar and
programs tell no origin; a browser tells it of every upgrade and of every form.
"""

import re
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from voiceagent.errors import ProtocolError
from voiceagent.settings import Settings
from voiceagent.web.base_url import host_of
from voiceagent.web.networks import is_public

_ORIGIN: Final = re.compile(rb"https?://(?P<host>[^/?#@\s]+?)(?::80|:443)?")
_OTHERS: Final = frozenset({b"cross-site", b"same-site"})
"""`Sec-Fetch-Site`."""
_FORWARDED: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"forwarded", b"via"})
_NO_STRANGERS_NAME: Final = re.compile(r"[^.]+|.*\.(localhost|local|lan|internal|home\.arpa)")
"""Names that nobody can have on the open internet."""


def from_own_page(scope: Any, settings: Settings) -> bool:
    """Whether a browser sent this from a page of this service.

    `scope` is the ASGI scope of a request or an upgrade. True only with an Origin, whose host
    must be the one that was asked or that of `PUBLIC_BASE_URL`.
    """
    origins = _all(scope, b"origin")
    match = _ORIGIN.fullmatch(origins[0]) if len(origins) == 1 else None
    if match is None:
        return False
    own = set()
    with suppress(ProtocolError):
        asked = host_of(scope, settings)
        if not _may_be_rebound(scope, asked):
            own.add(asked)
    if settings.public_base_url is not None:
        own.add(urlsplit(settings.public_base_url).netloc)
    return match["host"].decode("latin-1").lower() in {host.lower() for host in own}


def from_page_elsewhere(scope: Any, settings: Settings) -> bool:
    """Whether a browser sent this from somebody else's page, be it shown on this very machine."""
    if not _OTHERS.isdisjoint(_all(scope, b"sec-fetch-site")):
        return True
    return bool(_all(scope, b"origin")) and not from_own_page(scope, settings)


def _may_be_rebound(scope: Any, host: str) -> bool:
    """Whether the host may be a stranger's, who has led the name of his page to an address of
    this network (DNS rebinding): asked without TLS, without a proxy, from close by."""
    if scope.get("scheme") in {"https", "wss"} or _is_safe_name(host):
        return False
    if any(name in _FORWARDED for name, _ in scope["headers"]):
        return False
    return not any(is_public(end[0]) for end in (scope.get("client"), scope.get("server")) if end)


def _is_safe_name(host: str) -> bool:
    name = re.sub(r":[0-9]+$", "", host).strip("[]").lower()
    with suppress(ValueError):
        ip_address(name)
        return True
    return _NO_STRANGERS_NAME.fullmatch(name) is not None


def _all(scope: Any, wanted: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == wanted]

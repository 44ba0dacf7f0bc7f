"""Where the outside reaches this service: the address that goes into TwiML and signatures.

A request's scope flows in, `https://host[:port][/path]` flows out, from
`PUBLIC_BASE_URL` when it is set, else from the request's own Host. A forwarded
host is believed from trusted proxies only; a host that is no host name is
refused, so that nothing from a header is ever printed into TwiML.
"""

import re
from typing import Any, Final

from voiceagent.errors import ProtocolError
from voiceagent.settings import Settings
from voiceagent.web.networks import is_one_of

_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)

Scope = Any
"""An ASGI scope: of a request or of a WebSocket upgrade."""


def public_base_url(scope: Scope, settings: Settings) -> str:
    """The address without a trailing slash, always `https`.

    Raises `ProtocolError` when the request names no proper host and
    `PUBLIC_BASE_URL` is not set.
    """
    if settings.public_base_url is not None:
        return settings.public_base_url
    return f"https://{host_of(scope, settings)}"


def is_host(text: str) -> bool:
    """Whether it is a host's name or address, perhaps with a port, and nothing else."""
    return _HOST.fullmatch(text) is not None


def signed_urls(scope: Scope, settings: Settings) -> tuple[str, ...]:
    """The addresses that Twilio may have signed for this request or upgrade.

    One when `PUBLIC_BASE_URL` is set. Else the scheme is open, because a proxy
    that ends TLS need not say so; a signature for the other one is worth no more.
    """
    base = public_base_url(scope, settings).removeprefix("https")
    path = _path_and_query(scope)
    secure, plain = ("wss", "ws") if scope["type"] == "websocket" else ("https", "http")
    if settings.public_base_url is not None:
        return (secure + base + path,)
    return (secure + base + path, plain + base + path)


def _path_and_query(scope: Scope) -> str:
    """The path as it came, still percent-encoded; an upgrade is signed without its query."""
    raw_path = scope.get("raw_path") or scope["path"].encode()
    # httptools and httpx differ in whether raw_path keeps the query.
    path: str = raw_path.partition(b"?")[0].decode("latin-1")
    root: str = scope.get("root_path") or ""
    if root and path.startswith(root):
        path = path[len(root) :]
    query: bytes = scope.get("query_string", b"")
    if scope["type"] == "websocket" or not query:
        return path
    return f"{path}?{query.decode('latin-1')}"


def host_of(scope: Scope, settings: Settings) -> str:
    """The host that was asked, with its port unless that is the scheme's own.

    Raises `ProtocolError` when the request names no proper host.
    """
    host = None
    if _came_through_trusted_proxy(scope, settings.forwarded_allow_ips):
        # A proxy that appends leaves its own word last.
        forwarded = _header(scope, b"x-forwarded-host")
        host = forwarded.rpartition(",")[2].strip() if forwarded else None
    host = host or _header(scope, b"host")
    if not host and scope.get("server"):
        name, port = scope["server"]
        host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    if not host or not is_host(host):
        raise ProtocolError("the Host header is not a host name")
    # These are the ports of a scheme, not of this address: TLS may end at a proxy.
    return re.sub(r":(80|443)$", "", host)


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1")).strip()
    return ""


def _came_through_trusted_proxy(scope: Scope, trusted: str) -> bool:
    """Whether the peer of this connection is one of `FORWARDED_ALLOW_IPS`.

    The server itself puts the caller's address in the place of a trusted
    proxy's when that sends X-Forwarded-For; the port is then 0, which no
    connection has.
    """
    if trusted.strip() == "*":
        return True
    client = scope.get("client")
    if not client:
        return False
    address, port = client
    return port == 0 or is_one_of(address, trusted.split(","))

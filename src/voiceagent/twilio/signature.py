"""Twilio's signature on webhooks and on the upgrade of the media socket.

An address, the form's fields and the signature flow in, yes or no flows out.
The rule is that of Twilio's own `RequestValidator` (HMAC-SHA1 with the account's
auth token, tested to be equal): written here because importing Twilio's library
takes longer than the whole start may, and because fifty lines answer faster.
Pure; it never logs and never tells why it said no.

Source: Twilio's "Webhooks security".
"""

import base64
import hmac
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS: Final = {"https": 443, "wss": 443, "http": 80, "ws": 80}

RETRIES: Final = "#rc=5&rp=ct,rt,5xx"
"""Behind the address of a webhook it has Twilio ask up to five times more when no connection is
made, when no answer comes and when the answer is a 5xx. Without it only a connection that fails is
tried once more. (Twilio's "Webhook connection overrides".)"""

Fields = Sequence[tuple[str, str]]
"""A form's fields, all of them, blank values kept, in any order."""


def sign(auth_token: str, url: str, fields: Fields = ()) -> str:
    """The signature of a request: base64 of HMAC-SHA1 over the URL and the sorted fields.

    A field that is given twice with the same value counts once.
    """
    return _sign(auth_token, url, _joined(fields))


def is_signed(auth_token: str, urls: Iterable[str], fields: Fields, signature: str) -> bool:
    """Whether the signature is right for one of the addresses the request may have had.

    Each address counts with and without its port, since Twilio is not of one
    mind about it, and with `RETRIES`, which no request carries and of which Twilio does not say
    whether it is signed. A comparison takes the same time wherever it fails.
    """
    given = signature.strip().encode(errors="replace")
    joined = _joined(fields)
    return any(
        hmac.compare_digest(_sign(auth_token, variant + retries, joined).encode(), given)
        for retries in ("", RETRIES)
        for url in urls
        for variant in _with_and_without_port(url)
    )


def is_upgrade_signed(auth_token: str, urls: Iterable[str], signature: str) -> bool:
    """The same for a WebSocket upgrade: no fields, with and without a trailing slash."""
    bare = [url.rstrip("/") for url in urls]
    return is_signed(auth_token, (form for url in bare for form in (url, url + "/")), (), signature)


def _joined(fields: Fields) -> str:
    return "".join([name + value for name, value in sorted(set(fields))])


def _sign(auth_token: str, url: str, joined: str) -> str:
    signed = (url + joined).encode(errors="replace")
    digest = hmac.digest(auth_token.encode(), signed, "sha1")
    return base64.b64encode(digest).decode("ascii")


def _with_and_without_port(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    host, port = _host_and_port(parts)
    default = _DEFAULT_PORTS.get(parts.scheme, 80)
    without = parts._replace(netloc=host).geturl()
    with_port = parts._replace(netloc=f"{host}:{port or default}").geturl()
    return (without, with_port)


def _host_and_port(parts: SplitResult) -> tuple[str, str]:
    host, colon, port = parts.netloc.rpartition(":")
    if colon and port.isdecimal() and (not host.startswith("[") or host.endswith("]")):
        return host, port
    return parts.netloc, ""

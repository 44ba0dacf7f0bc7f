"""Every HTTP client of the service is made here: the library has its name in one place.

Deadlines flow in, a client flows out that waits for nothing without one of them, follows
no redirect (its requests carry secrets) and goes through no proxy that the environment
happens to name. It sends nothing by itself.
"""

import functools
import ssl
from dataclasses import dataclass
from typing import Final

import httpx

HttpClient = httpx.AsyncClient
HttpResponse = httpx.Response
HttpError = httpx.HTTPError
"""Root of what a client raises, deadlines included."""
HttpNeverSent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Those of them after which it is certain that nothing of the request left."""

_IDLE_S: Final = 60.0
"""How long an unused connection is kept: a caller's turn comes every few seconds, and a new
connection costs two or three round trips."""
_IDLE: Final = 20
"""How many are kept: the library looks at each of them for every request."""


@dataclass(frozen=True, slots=True)
class HttpDeadlines:
    """What one request may wait for, in seconds. None of them bounds the whole request."""

    connect_s: float = 2.0
    send_s: float = 5.0
    receive_s: float = 10.0
    """For the next piece of the answer."""
    turn_s: float = 2.0
    """For a free connection, when all are in use."""


def http_client(
    deadlines: HttpDeadlines = HttpDeadlines(),
    *,
    connections: int = 100,
) -> HttpClient:
    """A client of at most so many connections; to be closed by its owner.

    The first one made in a process reads the certificates, about 20 ms: make it at the start
    or in a thread. `SSL_CERT_FILE` names others than those that come with the library.
    """
    return httpx.AsyncClient(
        timeout=httpx.Timeout(
            connect=deadlines.connect_s,
            write=deadlines.send_s,
            read=deadlines.receive_s,
            pool=deadlines.turn_s,
        ),
        limits=httpx.Limits(
            max_connections=connections,
            max_keepalive_connections=min(connections, _IDLE),
            keepalive_expiry=_IDLE_S,
        ),
        verify=_certificates(),
        follow_redirects=False,
        trust_env=False,
    )


@functools.cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()

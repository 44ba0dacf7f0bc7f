"""Every HTTP client of the service is made here: the library has its name in one place.

Deadlines flow in, a client flows out that waits for nothing without one of them, follows
no redirect (its requests carry secrets) and goes through no proxy that the environment
happens to name. It sends nothing by itself, and until it sends it has cost nothing: a
service must listen before it reads certificates.
"""

import asyncio
import functools
import ssl
from collections.abc import Callable
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

_MAKING_S: Final = 5.0
"""For the certificates to be read in a thread, once in a process: 20 ms."""


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

    `SSL_CERT_FILE` names other certificates than those that come with the library.
    """
    limits = httpx.Limits(
        max_connections=connections,
        max_keepalive_connections=min(connections, _IDLE),
        keepalive_expiry=_IDLE_S,
    )
    return httpx.AsyncClient(
        timeout=httpx.Timeout(
            connect=deadlines.connect_s,
            write=deadlines.send_s,
            read=deadlines.receive_s,
            pool=deadlines.turn_s,
        ),
        transport=_MadeAtFirstUse(functools.partial(_transport, limits)),
        follow_redirects=False,
        trust_env=False,
    )


class _MadeAtFirstUse(httpx.AsyncBaseTransport):
    """A transport that is made, in a thread, when the first request is sent."""

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self._making = asyncio.Lock()
        self._made: httpx.AsyncBaseTransport | None = None
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        made = self._made or await self._first()
        return await made.handle_async_request(request)

    async def _first(self) -> httpx.AsyncBaseTransport:
        try:
            async with asyncio.timeout(_MAKING_S), self._making:
                if self._made is None:
                    made = await asyncio.to_thread(self._make)
                    if self._is_closed:
                        await made.aclose()
                        raise httpx.PoolTimeout("the client is closed")
                    self._made = made
                return self._made
        except TimeoutError:
            raise httpx.PoolTimeout("no thread was free to make the connections") from None

    async def aclose(self) -> None:
        self._is_closed = True
        if self._made is not None:
            await self._made.aclose()


def _transport(limits: httpx.Limits) -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(verify=_certificates(), limits=limits, trust_env=False)


@functools.cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()

"""Streams to Google's recogniser over gRPC: their connections, messages and ends.

Request messages flow in, response messages flow out, and at the end a status becomes a
`StreamFailed`. Every wait ends with the stream's own deadline or with cancellation; which
stream is opened when, and what a message says, is decided elsewhere.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from voiceagent.errors import ProviderError
from voiceagent.speech.google_channel import GoogleCredentials, GoogleHost, load, open_channel
from voiceagent.speech.google_stream import ended_with
from voiceagent.speech.google_stt_policy import Failure
from voiceagent.speech.google_stt_wire import Wire, failure_of

STREAM_DEADLINE_S: Final = 320.0
"""Google ends a stream at 305 s."""
_STREAMS_A_CONNECTION: Final = 50
"""A server allows about 100; more would wait without a word."""
_CONNECTIONS: Final = 16
_CLOSE_S: Final = 0.8
_REFUSAL_S: Final = 0.02
"""A refusal of the first request mostly arrives within this. When it meets a message that is
being written, the library loses its status."""


class StreamFailed(Exception):
    """A stream ended with a status other than OK."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Connections:
    """As many channels as the streams under way need, for one process."""

    def __init__(self, wire: Wire, host: GoogleHost, credentials: GoogleCredentials | None) -> None:
        self._wire = wire
        self._host = host
        self._credentials = credentials
        self._vendor: Any = None
        self._loading = asyncio.Lock()
        self._open: list[_Connection] = []
        self._closed = False

    @property
    def count(self) -> int:
        return len(self._open)

    @contextlib.asynccontextmanager
    async def stream(self) -> AsyncIterator["RecognizeCall"]:
        """A fresh stream, ended with the block. Raises `ProviderError` and `StreamFailed`."""
        connection = await self._with_room()
        connection.streams += 1
        try:
            # Without `retry=None` the library goes on for minutes with a dead endpoint.
            call = connection.client.streaming_recognize(retry=None, timeout=STREAM_DEADLINE_S)
            with ended_with(call) as opening:
                with _statuses():
                    opened = await opening
                yield RecognizeCall(opened, connection)
        finally:
            connection.streams -= 1
            if not connection.trusted and connection.streams == 0 and connection in self._open:
                self._open.remove(connection)
                await connection.channel.close()

    async def close(self) -> None:
        """Close all connections; idempotent, within a second."""
        self._closed = True
        connections, self._open = self._open, []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                for connection in connections:
                    await connection.channel.close()

    async def _with_room(self) -> "_Connection":
        if self._vendor is None:
            async with self._loading:
                self._vendor = await load(self._wire.module)
        if self._closed:
            raise ProviderError("the recogniser was closed", retryable=False)
        trusted = [connection for connection in self._open if connection.trusted]
        emptiest = min(trusted, key=lambda connection: connection.streams, default=None)
        if emptiest is not None and (
            emptiest.streams < _STREAMS_A_CONNECTION or len(trusted) >= _CONNECTIONS
        ):
            return emptiest
        channel = open_channel(self._host, self._credentials)
        connection = _Connection(self._wire.client(self._vendor, channel), channel)
        self._open.append(connection)
        return connection


class _Connection:
    def __init__(self, client: Any, channel: Any) -> None:
        self.client = client
        self.channel = channel
        self.streams = 0
        self.trusted = True
        """Once a stream on it has hung, no other one is begun there: a connection whose other
        side has vanished tells nothing of it for a quarter of an hour."""


class RecognizeCall:
    """One stream under way. One task writes, another one reads."""

    def __init__(self, call: Any, connection: _Connection) -> None:
        self._call = call
        self._connection = connection

    def hung(self) -> None:
        """Nothing came back on it in time: have others use another connection."""
        self._connection.trusted = False

    async def begin(self, first: Any) -> bool:
        """Write the first request, and see whether it is refused at once."""
        begun = await self.write(first)
        await asyncio.sleep(_REFUSAL_S)
        return begun

    async def write(self, message: Any) -> bool:
        """False when the stream is over; the reader is told why."""
        return await self._over_or(self._call.write(message))

    async def half_close(self) -> bool:
        """Nothing will be written any more."""
        return await self._over_or(self._call.done_writing())

    async def _over_or(self, sending: Any) -> bool:
        try:
            with _statuses():
                await sending
        except StreamFailed:
            return False
        return True

    async def read(self) -> Any:
        """The next response; None when the stream has ended in order. Raises `StreamFailed`."""
        from grpc.aio import EOF  # noqa: PLC0415

        with _statuses():
            response = await self._call.read()
        return None if response is EOF else response


@contextlib.contextmanager
def _statuses() -> Any:
    """Turn what gRPC and Google's libraries raise into `StreamFailed`."""
    from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
    from grpc.aio import AioRpcError, UsageError  # noqa: PLC0415

    try:
        yield
    except GoogleAPICallError as error:
        code = error.grpc_status_code
        status = code.name if code is not None else "UNKNOWN"
        raise StreamFailed(failure_of(status, error.message or "")) from None
    except AioRpcError as error:
        raise StreamFailed(failure_of(error.code().name, error.details() or "")) from None
    except GoogleAuthError as error:
        # Its words may hold parts of the key.
        reason = f"Google's credentials cannot be used now ({type(error).__name__})"
        raise StreamFailed(Failure(reason)) from None
    except (UsageError, asyncio.InvalidStateError):
        raise StreamFailed(Failure("the stream is over")) from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Not this task: the stream was cancelled, by the other side or under our feet.
        raise StreamFailed(Failure("Google: CANCELLED: the stream was cancelled")) from None

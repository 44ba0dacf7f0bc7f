"""Google's speech services in one gRPC server on this machine, for tests and benches.

    PYTHONPATH=tests python -m emulators.google --port 9001

Services flow in, an address for `GOOGLE_STT_ENDPOINT` and `GOOGLE_TTS_ENDPOINT` flows out.
What each service does is in its own module.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import grpc.aio

HOST = "127.0.0.1"


class Service(Protocol):
    def add_to(self, server: grpc.aio.Server) -> None:
        """Offer yourself there."""


@asynccontextmanager
async def serving(*services: Service, port: int = 0) -> AsyncIterator[str]:
    """`insecure://127.0.0.1:port` of a server that offers these services."""
    server = grpc.aio.server()
    for service in services:
        service.add_to(server)
    bound = server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    try:
        yield f"insecure://{HOST}:{bound}"
    finally:
        await server.stop(None)


async def _main(port: int, limit_s: float) -> None:
    from emulators.google_speech import SpeechEmulator
    from emulators.google_texttospeech import TextToSpeechEmulator

    speech = SpeechEmulator(limit_ms=limit_s * 1000)
    async with serving(speech, TextToSpeechEmulator(), port=port) as endpoint:
        print(endpoint, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9001)
    parser.add_argument("--limit", type=float, default=305.0, help="s of a recognition stream")
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.port, arguments.limit))


async def until_no_stream_opens() -> None:
    """Wait until the library opens no stream any more in this process."""
    async with asyncio.timeout(30):
        while any(  # noqa: ASYNC110 - the library tells nobody
            _opens_a_stream(task) for task in asyncio.all_tasks()
        ):
            await asyncio.sleep(0.01)


def _opens_a_stream(task: "asyncio.Task[Any]") -> bool:
    """The library's own task: it lasts until the other side has begun to answer."""
    coroutine: Any = task.get_coro()
    return str(coroutine.__qualname__) == "StreamStreamCall._prepare_rpc"

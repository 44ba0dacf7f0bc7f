"""The floor: what the protocol alone costs, with nothing of an agent.

Media Streams flow in and out at `/ws`, on the same server as the service. Loudness ends an
utterance after 300 ms, the answer is three seconds of a tone in bursts of 100 ms, loudness while
it plays sends `clear`. No voice activity detector, no words, no memory, no records: no product
can be cheaper than this in Python.

    python bench/peer/floor.py --port 8100
"""

import argparse
import asyncio
import base64
import json
from typing import Any

import numpy as np
import uvicorn

SILENCE_FRAMES = 15
ONSET_FRAMES = 6
LOUD = 200.0
BURST_FRAMES = 5
LEAD_BURSTS = 3
REPLY_FRAMES = 150


def _samples(code: int) -> int:
    code = ~code & 0xFF
    value = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return -value if code & 0x80 else value


ENERGY = np.array([_samples(code) ** 2 for code in range(256)], dtype=np.float64)
TONE = base64.b64encode(bytes((0x9A, 0x8B, 0x9A, 0xD0, 0x1A, 0x0B, 0x1A, 0x50) * 20)).decode()


class Call:
    """One call: a counter of loud and of silent frames, and a timer while it speaks."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._stream = ""
        self._loud = self._silent = 0
        self._heard = False
        self._speaking: asyncio.Task[None] | None = None

    async def take(self, text: str) -> None:
        """One message of Twilio's."""
        message = json.loads(text)
        if message["event"] == "start":
            self._stream = message["streamSid"]
        if message["event"] != "media":
            return
        audio = np.frombuffer(base64.b64decode(message["media"]["payload"]), dtype=np.uint8)
        if ENERGY[audio].mean() > LOUD**2:
            self._loud, self._silent = self._loud + 1, 0
            if self._loud == ONSET_FRAMES:
                self._heard = True
                if self._speaking is not None:
                    self._speaking.cancel()
                    self._speaking = None
                    await self._tell({"event": "clear", "streamSid": self._stream})
            return
        self._silent += 1
        if self._silent == SILENCE_FRAMES:
            self._loud = 0
            if self._heard:
                self._heard = False
                self._speaking = asyncio.create_task(self._speak())

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        media = {"event": "media", "streamSid": self._stream, "media": {"payload": TONE}}
        for burst in range(REPLY_FRAMES // BURST_FRAMES):
            ahead = began + (burst - LEAD_BURSTS) * BURST_FRAMES * 0.02 - loop.time()
            if ahead > 0:
                await asyncio.sleep(ahead)
            for _ in range(BURST_FRAMES):
                await self._tell(media)
            await self._tell(
                {"event": "mark", "streamSid": self._stream, "mark": {"name": str(burst)}}
            )
        self._speaking = None

    async def _tell(self, message: dict[str, Any]) -> None:
        await self._send({"type": "websocket.send", "text": json.dumps(message)})

    def end(self) -> None:
        """Say nothing more."""
        if self._speaking is not None:
            self._speaking.cancel()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The whole server."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
    else:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "audio.twilio.com"})
        call = Call(send)
        while (message := await receive())["type"] == "websocket.receive":
            await call.take(message["text"])
        call.end()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8100)
    arguments = parser.parse_args()
    uvicorn.run(
        app,
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="error",
    )


if __name__ == "__main__":
    main()

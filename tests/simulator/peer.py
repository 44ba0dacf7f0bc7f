"""A small real peer that speaks Twilio Media Streams from the server's side.

It answers each burst of the caller's speech (judged by energy) with a tone, in
160-byte frames, with progress and end marks, and stops with `clear` when the
caller speaks into it. A tone is sent all at once: a peer that paced it would let
the phone hear a silence whenever the machine is busy. `quirks` make it misbehave.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from voiceagent.call.audio import pcm16_to_ulaw, ulaw_to_pcm16
from voiceagent.simulator.sounds import tone

TONE = pcm16_to_ulaw((tone(440, 800, -15) * 32767).astype(np.int16))
LOUD = 600
SILENT_FRAMES_TO_ANSWER = 15


@dataclass
class Seen:
    """What the peer was sent."""

    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    messages: list[dict] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    sent_marks: list[str] = field(default_factory=list)

    def events(self) -> list[str]:
        return [message["event"] for message in self.messages]

    def media(self) -> list[dict]:
        return [message["media"] for message in self.messages if message["event"] == "media"]


class Agent:
    """One call of the peer."""

    def __init__(self, ws: ServerConnection, seen: Seen, answers: int) -> None:
        self.ws = ws
        self.seen = seen
        self.answers_left = answers
        self.sid = ""
        self.generation = 0
        self.voiced = 0
        self.silent = 0
        self.speech: asyncio.Task[None] | None = None
        self.ending = False

    async def send(self, message: dict) -> None:
        await self.ws.send(json.dumps({**message, "streamSid": self.sid}))

    async def speak(self, ulaw: bytes = TONE) -> None:
        self.generation += 1
        generation = self.generation
        for at in range(0, len(ulaw), 160):
            payload = base64.b64encode(ulaw[at : at + 160]).decode()
            await self.send({"event": "media", "media": {"payload": payload}})
            if at % 1600 == 0:
                await self.mark(f"g{generation}:{at // 8}")
        await self.mark(f"g{generation}:end0")

    async def mark(self, name: str) -> None:
        self.seen.sent_marks.append(name)
        await self.send({"event": "mark", "mark": {"name": name}})

    async def run(self) -> None:
        async for text in self.ws:
            message = json.loads(text)
            self.seen.messages.append(message)
            await self.take(message)

    async def take(self, message: dict) -> None:
        event = message["event"]
        if event == "start":
            self.sid = message["start"]["streamSid"]
            self.begin()
        elif event == "mark":
            self.seen.marks.append(message["mark"]["name"])
            if self.ending and message["mark"]["name"] == f"g{self.generation}:end0":
                await self.ws.close()
        elif event == "dtmf":
            self.begin()
        elif event == "media":
            await self.hear(base64.b64decode(message["media"]["payload"]))

    async def hear(self, ulaw: bytes) -> None:
        loud = np.abs(ulaw_to_pcm16(ulaw).astype(np.int32)).mean() > LOUD
        if loud:
            self.voiced += 1
            self.silent = 0
            if self.voiced == 5 and len(self.seen.sent_marks) > len(self.seen.marks):
                if self.speech:
                    self.speech.cancel()
                await self.send({"event": "clear"})
        else:
            self.silent += 1
            if self.voiced and self.silent == SILENT_FRAMES_TO_ANSWER:
                self.voiced = 0
                self.answers_left -= 1
                self.ending = self.answers_left == 0
                self.begin()

    def begin(self) -> None:
        self.speech = asyncio.ensure_future(self.speak())

    async def close(self) -> None:
        if self.speech:
            self.speech.cancel()
            await asyncio.gather(self.speech, return_exceptions=True)


@asynccontextmanager
async def serving(
    *,
    answers: int = -1,
    quirk: Callable[[Agent], object] | None = None,
) -> AsyncIterator[tuple[str, list[Seen]]]:
    """A peer on a free port: its URL and what each of its calls saw.

    After `answers` answers it hangs up, once the last one was played.
    """
    calls: list[Seen] = []

    async def handle(ws: ServerConnection) -> None:
        assert ws.request is not None
        seen = Seen(ws.request.path, dict(ws.request.headers.raw_items()))
        calls.append(seen)
        agent = Agent(ws, seen, answers)
        if quirk:
            quirk(agent)
        try:
            await agent.run()
        except ConnectionClosed:
            pass
        finally:
            await agent.close()

    def offered(_ws: ServerConnection, subprotocols: list[str]) -> str | None:
        return "audio.twilio.com" if "audio.twilio.com" in subprotocols else None

    async with serve(handle, "127.0.0.1", 0, select_subprotocol=offered) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws/twilio-media", calls

"""Many telephones in one process, cheap enough never to be what limits a measurement.

    python bench/phones.py --url ws://127.0.0.1:8000/ws/twilio-media --calls 100 --seconds 40

Each phone is a Twilio media stream over a bare socket: frames of the caller are coded once and
shared, one wheel turns for all phones, and of what comes in no more is read than is needed. A
phone speaks, hears the answer out and speaks again; every third answer it interrupts. It plays
what it gets like Twilio (a buffer, marks, `clear`) and prints one JSON object: what was late,
how soon answers came, how soon the agent fell silent. It judges no protocol: `voiceagent call`
does.
"""

import argparse
import asyncio
import gc
import json
import os
import secrets
import struct
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, cast
from urllib.parse import urlsplit

import uvloop

from voiceagent.simulator import messages, sounds
from voiceagent.simulator.load import spoken

FRAME_S: Final = 0.02
SPOKES: Final = 8
"""Phones are spread over the 20 ms, so that no two bursts of theirs meet."""
FIRST_WORD_S: Final = 1.0
GAP_S: Final = 0.7
"""From the end of an answer to the caller's next word."""
INTERRUPT_AFTER_S: Final = 1.2
INTERRUPT_EVERY: Final = 3
PATIENCE_S: Final = 6.0
"""After that an answer is missed, and the caller speaks again."""
REPLY_BYTES: Final = 3 * 8000
"""What every server under test says: three seconds."""
MEDIA: Final = b'"event":"media"'
MEDIA_SPACED: Final = b'"event": "media"'
PAYLOAD: Final = b'"payload":'


@dataclass(slots=True)
class Tally:
    """What all phones together have seen; times in seconds."""

    turns: int = 0
    answered: int = 0
    interrupted: int = 0
    lost: int = 0
    lateness: list[float] = field(default_factory=list)
    responses: list[float] = field(default_factory=list)
    clears: list[float] = field(default_factory=list)


class Doing(Enum):
    """What the caller does."""

    WAITS = auto()
    SPEAKS = auto()
    AWAITS_ANSWER = auto()
    LISTENS = auto()


class Phone(asyncio.Protocol):
    """One call, from the upgrade to the end of the measurement."""

    def __init__(self, host: str, path: str, sound: sounds.Sound, tally: Tally) -> None:
        self._host, self._path = host, path
        self._frames = [frame.payload.encode() for frame in sound.frames]
        self._onset_s, self._end_s = sound.onset_ms / 1000, sound.end_ms / 1000
        self.tally = tally
        """Where what is seen is counted; another one from when the measurement begins."""
        self._sid = f"MZ{secrets.token_hex(16)}"
        self._silence = [frame.payload.encode() for frame in sounds.line_noise()]
        self._in = b""
        self._upgraded = False
        self._transport: asyncio.Transport | None = None
        self._sequence = 1
        self._doing = Doing.WAITS
        self._speak_at = time.monotonic() + FIRST_WORD_S
        self._word = 0
        self._said = 0
        self._onset = self._ended = 0.0
        self._interrupting = False
        self._cleared = True
        self._buffer_ends = 0.0
        self._reply_bytes = 0
        self._marks: deque[tuple[float, str]] = deque()
        self.closing = False

    # -- the socket -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {'A' * 22}==\r\n"
            "Sec-WebSocket-Protocol: audio.twilio.com\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        data = self._in + data if self._in else data
        if not self._upgraded:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._in = head
                return
            if b" 101 " not in head[:16]:
                raise SystemExit(f"no media stream here: {head[:80]!r}")
            self._upgraded = True
            self._send(messages.CONNECTED.encode())
            call_sid = f"CA{secrets.token_hex(16)}"
            self._send(messages.start("AC" + "0" * 32, self._sid, call_sid, {}).encode())
        at = 0
        while len(data) - at >= 2:
            length, body = data[at + 1], at + 2
            if length == 126:
                if len(data) - at < 4:
                    break
                length, body = struct.unpack_from("!H", data, at + 2)[0], at + 4
            elif length == 127:
                raise SystemExit("a message of more than 64 kB")
            if len(data) < body + length:
                break
            if data[at] & 15 == 9:
                self._frame(0x8A, data[body : body + length])
            elif data[at] & 15 == 1:
                self._message(data[body : body + length], now)
            at = body + length
        self._in = data[at:]

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if not self.closing:
            self.tally.lost += 1

    def hang_up(self) -> None:
        """End the call."""
        self.closing = True
        if self._transport is not None:
            stop = {"event": "stop", "streamSid": self._sid, "sequenceNumber": str(self._sequence)}
            self._send(json.dumps(stop).encode())
            self._frame(0x88, struct.pack("!H", 1000))
            self._transport.close()

    def _send(self, text: bytes) -> None:
        self._frame(0x81, text)

    def _frame(self, opcode: int, payload: bytes) -> None:
        # A mask of zeros: it leaves the bytes as they are and is taken off like any other.
        if self._transport is None:
            return
        if len(payload) < 126:
            head = bytes((opcode, 0x80 | len(payload)))
        else:
            head = struct.pack("!BBH", opcode, 0x80 | 126, len(payload))
        self._transport.write(b"%b\0\0\0\0%b" % (head, payload))

    # -- what the agent says ----------------------------------------------------------------

    def _message(self, text: bytes, now: float) -> None:
        if MEDIA in text or MEDIA_SPACED in text:
            begin = text.index(b'"', text.index(PAYLOAD) + len(PAYLOAD)) + 1
            size = (text.index(b'"', begin) - begin) * 3 // 4
            size -= text.count(b"=", begin)
            self._plays(size, now)
            return
        message = json.loads(text)
        if message["event"] == "mark":
            self._marks.append((max(now, self._buffer_ends), message["mark"]["name"]))
        elif message["event"] == "clear":
            self._clear(now)

    def _plays(self, size: int, now: float) -> None:
        if self._reply_bytes == 0:
            if self._doing is Doing.AWAITS_ANSWER:
                self.tally.answered += 1
                self.tally.responses.append(now - self._ended)
                self._doing = Doing.LISTENS
                self._cleared = True
        else:
            self.tally.lateness.append(now - self._buffer_ends)
        self._buffer_ends = max(now, self._buffer_ends) + size / 8000
        self._reply_bytes += size
        if self._reply_bytes >= REPLY_BYTES:
            self._reply_bytes = 0
            if self._doing is Doing.LISTENS:
                self._doing, self._speak_at = Doing.WAITS, self._buffer_ends + GAP_S

    def _clear(self, now: float) -> None:
        if not self._cleared:
            self._cleared = True
            self.tally.clears.append(now - self._onset)
        self._buffer_ends, self._reply_bytes = now, 0
        while self._marks:
            self._mark(self._marks.popleft()[1])

    def _mark(self, name: str) -> None:
        self._sequence += 1
        self._send(messages.mark(self._sid, self._sequence, name).encode())

    # -- what the caller says ---------------------------------------------------------------

    def turn(self, now: float) -> None:
        """Twenty milliseconds went by."""
        if not self._upgraded or self._transport is None:
            return
        while self._marks and self._marks[0][0] <= now:
            self._mark(self._marks.popleft()[1])
        self._sequence += 1
        number = self._sequence
        self._send(
            b'{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d",'
            b'"timestamp":"%d","payload":"%b"},"streamSid":"%b"}'
            % (number, number - 1, 20 * number, self._payload(now), self._sid.encode())
        )

    def _payload(self, now: float) -> bytes:
        if self._doing is Doing.AWAITS_ANSWER and now - self._ended > PATIENCE_S:
            self._doing, self._speak_at = Doing.WAITS, now
        elif self._doing is Doing.LISTENS and self._wants_to_interrupt(now):
            self._cleared = False
            self.tally.interrupted += 1
            self._begin(now)
        if self._doing is Doing.WAITS and now >= self._speak_at:
            self._begin(now)
        if self._doing is not Doing.SPEAKS:
            return self._silence[self._sequence % len(self._silence)]
        payload = self._frames[self._word]
        self._word += 1
        if self._word == len(self._frames):
            self._doing, self._reply_bytes = Doing.AWAITS_ANSWER, 0
            self._ended = now - (len(self._frames) - 1) * FRAME_S + self._end_s
        return payload

    def _wants_to_interrupt(self, now: float) -> bool:
        began = self._buffer_ends - self._reply_bytes / 8000
        return self._interrupting and now - began > INTERRUPT_AFTER_S

    def _begin(self, now: float) -> None:
        self._doing, self._word = Doing.SPEAKS, 0
        # A frame is sent when its last sample was spoken.
        self._onset = now - FRAME_S + self._onset_s
        self.tally.turns += 1
        self._said += 1
        self._interrupting = self._said % INTERRUPT_EVERY == INTERRUPT_EVERY - 1


async def ring(url: str, calls: int, seconds: float, ramp_s: float) -> dict[str, object]:
    """Place the calls, let them talk for `seconds` after the last began, and tell."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise SystemExit(f"{url} has no host or no port")
    loop = asyncio.get_running_loop()
    [sound] = spoken(["I want to buy a house"])
    warming, tally = Tally(), Tally()
    phones: list[Phone] = []
    wheel: list[list[Phone]] = [[] for _ in range(SPOKES)]
    worst_lag, began_cpu, began = 0.0, 0.0, 0.0
    measuring_from = time.monotonic() + ramp_s + 2.0
    ends = measuring_from + seconds
    joined, step = 0, 0
    start = time.monotonic()
    measuring = False
    while (now := time.monotonic()) < ends:
        if not measuring and now >= measuring_from:
            measuring = True
            for phone in phones:
                phone.tally = tally
            began_cpu, began = time.process_time(), now
        while joined < calls and now - start >= ramp_s * joined / calls:
            phone = Phone(f"{parts.hostname}:{parts.port}", parts.path, sound, warming)
            phones.append(phone)
            wheel[joined % SPOKES].append(phone)
            joined += 1
            await loop.create_connection(lambda phone=phone: phone, parts.hostname, parts.port)
        for phone in wheel[step % SPOKES]:
            phone.turn(now)
        step += 1
        due = start + step * FRAME_S / SPOKES
        lag = time.monotonic() - due
        if lag > 0:
            if measuring:
                worst_lag = max(worst_lag, lag)
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(-lag)
    spent = (time.process_time() - began_cpu) / (time.monotonic() - began)
    for phone in phones:
        phone.hang_up()
    await asyncio.sleep(0.3)
    return _told(tally, calls, seconds) | {
        "generator_core_share": round(spent, 3),
        "generator_worst_lag_ms": round(worst_lag * 1000, 1),
    }


def _told(tally: Tally, calls: int, seconds: float) -> dict[str, object]:
    late = sorted(tally.lateness)
    return {
        "calls": calls,
        "call_minutes": calls * seconds / 60,
        "turns": tally.turns,
        "answered": tally.answered,
        "lost": tally.lost,
        "frames": len(late),
        "late_frames": sum(value > 0 for value in late),
        "lateness_p99_ms": _ms(late, 0.99),
        "lateness_worst_ms": _ms(late, 1.0),
        "response_p50_ms": _ms(tally.responses, 0.5),
        "response_p95_ms": _ms(tally.responses, 0.95),
        "interruptions": tally.interrupted,
        "clears": len(tally.clears),
        "clear_p50_ms": _ms(tally.clears, 0.5),
        "clear_p95_ms": _ms(tally.clears, 0.95),
    }


def _ms(seconds: Sequence[float], share: float) -> float | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def main() -> int:
    """Ring and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--ramp", type=float, default=5.0, help="begin the calls over so many s")
    given = parser.parse_args()
    gc.disable()
    os.nice(-5) if os.geteuid() == 0 else None
    print(json.dumps(uvloop.run(ring(given.url, given.calls, given.seconds, given.ramp))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One telephone on a bare socket: a Twilio media stream, cheap enough for hundreds of them.

Prepared frames of the caller and what the server sends flow in, messages of Twilio's flow out;
what was seen is counted in a `Tally`. The caller speaks, hears the answer out and speaks again;
every third answer is interrupted. It plays what it gets like Twilio (a buffer, marks, `clear`),
reads no more of what comes in than it needs, and judges no protocol: `voiceagent call` does.
"""

import asyncio
import json
import math
import secrets
import struct
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, cast

from voiceagent.simulator import messages, sounds

FRAME_S: Final = 0.02
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
    """What all phones together have seen; times in seconds unless they say otherwise."""

    placed: int = 0
    turns: int = 0
    answered: int = 0
    interrupted: int = 0
    lost: int = 0
    lateness: Counter[int] = field(default_factory=Counter)
    """Of frames, in tenths of a millisecond: below 0 they came before the buffer was empty."""
    responses: list[float] = field(default_factory=list)
    clears: list[float] = field(default_factory=list)

    def told(self) -> dict[str, object]:
        """All of it for a report, in milliseconds; None where there was nothing."""
        return {
            "placed": self.placed,
            "turns": self.turns,
            "answered": self.answered,
            "lost": self.lost,
            "frames": self.lateness.total(),
            "late_frames": sum(count for late, count in self.lateness.items() if late > 0),
            "lateness_p99_ms": _lateness_ms(self.lateness, 0.99),
            "lateness_worst_ms": _lateness_ms(self.lateness, 1.0),
            "response_p50_ms": _ms(self.responses, 0.5),
            "response_p95_ms": _ms(self.responses, 0.95),
            "response_p99_ms": _ms(self.responses, 0.99),
            "interruptions": self.interrupted,
            "clears": len(self.clears),
            "clear_p50_ms": _ms(self.clears, 0.5),
            "clear_p95_ms": _ms(self.clears, 0.95),
        }


def _ms(seconds: Sequence[float], share: float) -> float | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def _lateness_ms(tenths: Counter[int], share: float) -> float | None:
    wanted = min(tenths.total() - 1, int(share * tenths.total()))
    for late in sorted(tenths):
        wanted -= tenths[late]
        if wanted < 0:
            return late / 10
    return None


@dataclass(frozen=True, slots=True)
class Voice:
    """What every caller says, coded once: base64, 20 ms each."""

    words: Sequence[bytes]
    silence: Sequence[bytes]
    onset_s: float
    """Where the words begin to be heard."""
    end_s: float
    """Where they fall silent."""

    @classmethod
    def of(cls, sound: sounds.Sound) -> "Voice":
        """The voice that says just this."""
        return cls(
            [frame.payload.encode() for frame in sound.frames],
            [frame.payload.encode() for frame in sounds.line_noise()],
            sound.onset_ms / 1000,
            sound.end_ms / 1000,
        )


class Doing(Enum):
    """What the caller does."""

    WAITS = auto()
    SPEAKS = auto()
    AWAITS_ANSWER = auto()
    LISTENS = auto()


class Phone(asyncio.Protocol):
    """One call, from the upgrade until it hangs up."""

    def __init__(
        self, host: str, path: str, voice: Voice, tally: Tally, ends: float = math.inf
    ) -> None:
        self._host, self._path, self._voice = host, path, voice
        self.tally = tally
        """Where what is seen is counted; another one for every report."""
        self.ends = ends
        """When the caller hangs up, by `time.monotonic`."""
        self._sid = f"MZ{secrets.token_hex(16)}"
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
        self.tally.placed += 1
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
                self._give_up(f"no media stream here: {head[:80]!r}")
                return
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
                self._give_up("a message of more than 64 kB")
                return
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

    def _give_up(self, why: str) -> None:
        """A lost call."""
        print(why, file=sys.stderr)
        if self._transport is not None:
            self._transport.abort()

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
            self.tally.lateness[round((now - self._buffer_ends) * 10_000)] += 1
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
            silence = self._voice.silence
            return silence[self._sequence % len(silence)]
        words = self._voice.words
        payload = words[self._word]
        self._word += 1
        if self._word == len(words):
            self._doing, self._reply_bytes = Doing.AWAITS_ANSWER, 0
            self._ended = now - (len(words) - 1) * FRAME_S + self._voice.end_s
        return payload

    def _wants_to_interrupt(self, now: float) -> bool:
        began = self._buffer_ends - self._reply_bytes / 8000
        return self._interrupting and now - began > INTERRUPT_AFTER_S

    def _begin(self, now: float) -> None:
        self._doing, self._word = Doing.SPEAKS, 0
        # A frame is sent when its last sample was spoken.
        self._onset = now - FRAME_S + self._voice.onset_s
        self.tally.turns += 1
        self._said += 1
        self._interrupting = self._said % INTERRUPT_EVERY == INTERRUPT_EVERY - 1

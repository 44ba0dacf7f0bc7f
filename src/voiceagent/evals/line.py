"""The telephone of a scenario: the call's media socket, and what was heard at its other end.

Frames of the caller flow into the service in real time, its messages flow out and are
played as Twilio plays them; marks go back when what was before them has been played. What
was really heard is kept, word by word. It decides nothing.
"""

import asyncio
import base64
import json
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from voiceagent.call.audio import FRAME_BYTES, FRAME_MS
from voiceagent.call.media_socket import TakeMessage
from voiceagent.evals.agent_voice import CodedWord
from voiceagent.evals.caller_voice import LINE_NOISE, Uttered
from voiceagent.evals.evidence import HeardWord
from voiceagent.simulator import messages
from voiceagent.simulator.phone import PhoneLine
from voiceagent.speech.ports import Recognition

ReadWord = Callable[[bytes], CodedWord | None]
"""Which word 20 ms of µ-law are of."""

_CATCHING_UP_S: Final = 0.005
"""Between two frames that are late: what a machine without a moment to spare has held up is no
burst, in which the words would come behind their sound."""
_MEDIA: Final = '{"event":"media"'
_UNREAD_MESSAGES: Final = 20_000
"""Some five minutes; a service that reads nothing for so long has lost the call."""


@dataclass(slots=True)
class _Playing:
    number: int
    word: HeardWord


class TextLine:
    """Implements `MediaSocket`, and the caller's side of it. Times are ms since `live` began."""

    def __init__(self, stream_sid: str, call_sid: str, read_word: ReadWord) -> None:
        self.phone = PhoneLine(stream_sid, keep_audio=False)
        self.closed = asyncio.Event()
        self._stream_sid, self._call_sid = stream_sid, call_sid
        self._read_word = read_word
        self._inbound: asyncio.Queue[str | None] = asyncio.Queue(_UNREAD_MESSAGES)
        self._frames: deque[bytes] = deque()
        self._frames_sent = 0
        self._frames_taken = 0
        """By the service, which may lag."""
        self._playing: list[_Playing] = []
        self._is_cleared = False
        """Nothing was played since the last `clear`: the next word begins, whatever it is."""
        self._told: list[tuple[float, Recognition]] = []
        self._is_silent = asyncio.Event()
        self._is_silent.set()
        self._loop = asyncio.get_running_loop()
        self._born_s = self._loop.time()

    @property
    def now_ms(self) -> float:
        return (self._loop.time() - self._born_s) * 1000.0

    # --- the service's side -----------------------------------------------------------------

    async def deliver(self, take: TakeMessage) -> None:
        while (message := await self._inbound.get()) is not None:
            if message.startswith(_MEDIA):
                self._frames_taken += 1
            await asyncio.sleep(take(message))

    async def send(self, text: str) -> None:
        if self.closed.is_set():
            raise ConnectionError("the caller has gone")
        now_ms = self.now_ms
        body = json.loads(text)
        if body["event"] == "media":
            self._play(body, now_ms)
        elif body["event"] == "clear":
            self._silence(now_ms)
        self._return(self.phone.receive(text, now_ms))

    async def close(self, code: int, reason: str) -> None:  # noqa: ARG002 - a phone just goes
        self.closed.set()
        self._is_silent.set()

    # --- the caller's side ------------------------------------------------------------------

    async def live(self) -> None:
        """Send a frame each 20 ms and return marks in time, until the service closes."""
        self._born_s = self._loop.time()
        while not self.closed.is_set():
            self._return(self.phone.marks_due(self.now_ms))
            if int(self.now_ms) // FRAME_MS > self._frames_sent:
                self._send_frame()
            next_ms = (self._frames_sent + 1) * FRAME_MS
            await asyncio.sleep(max(_CATCHING_UP_S, (next_ms - self.now_ms) / 1000.0))

    async def utter(self, uttered: Uttered) -> None:
        """Send that, and return once it has been sent or the call is over."""
        start_ms = float((self._frames_sent + len(self._frames)) * FRAME_MS)
        self._frames += uttered.frames
        self._told += [
            (
                start_ms + told.at_ms,
                Recognition(
                    told.text, told.is_final, told.stability, start_ms, start_ms + told.end_ms
                ),
            )
            for told in uttered.told
        ]
        if not self.closed.is_set():
            self._is_silent.clear()
        await self._is_silent.wait()

    def press(self, keys: str) -> None:
        for key in keys:
            self._put(messages.dtmf(self._stream_sid, 2, key))

    def put_down(self) -> None:
        """The call is over at the telephone's end: the caller hung up, or was connected to a
        person."""
        self._put(messages.stop(self._stream_sid, 2, "AC", self._call_sid))
        self._put(None)

    # --- `Speaker` --------------------------------------------------------------------------

    @property
    def audio_ms(self) -> float:
        return float(self._frames_taken * FRAME_MS)

    def recognitions(self, after_ms: float, until_ms: float) -> Sequence[Recognition]:
        times = [at_ms for at_ms, _ in self._told]
        told = self._told[bisect_right(times, after_ms) : bisect_right(times, until_ms)]
        return [recognition for _, recognition in told]

    # --- what was heard ---------------------------------------------------------------------

    def heard(self, since_ms: float = 0.0) -> list[HeardWord]:
        """The agent's words that began to be heard since then, in order."""
        now_ms = self.now_ms
        return [
            _until(playing.word, now_ms)
            for playing in self._playing
            if since_ms <= playing.word.start_ms < now_ms
        ]

    def last_mark_ms(self, before_ms: float) -> float:
        """When the last mark until then came back whose audio was really played."""
        played = (mark.at_ms for mark in self.phone.returned if mark.played)
        return max((at_ms for at_ms in played if at_ms <= before_ms), default=0.0)

    def ms_of(self, loop_s: float) -> float:
        """A time of the event loop's clock on this line's."""
        return (loop_s - self._born_s) * 1000.0

    @property
    def is_quiet(self) -> bool:
        """Nothing waits to be played."""
        return self.phone.buffered_ms(self.now_ms) == 0

    def _play(self, body: dict[str, Any], now_ms: float) -> None:
        start_ms = now_ms + self.phone.buffered_ms(now_ms)
        ulaw = base64.b64decode(body["media"]["payload"])
        read = self._read_word(ulaw) if len(ulaw) == FRAME_BYTES else None
        if read is None:
            return
        last = self._playing[-1] if self._playing else None
        if last is None or last.number != read.number or self._is_cleared:
            length_ms = float(read.frames * FRAME_MS)
            last = _Playing(read.number, HeardWord(read.text, start_ms, start_ms, 0.0, length_ms))
            self._playing.append(last)
        self._is_cleared = False
        last.word = replace(
            last.word, end_ms=start_ms + FRAME_MS, played_ms=last.word.played_ms + FRAME_MS
        )

    def _silence(self, now_ms: float) -> None:
        while self._playing and self._playing[-1].word.start_ms >= now_ms:
            self._playing.pop()
        if self._playing:
            last = self._playing[-1]
            last.word = _until(last.word, now_ms)
        self._is_cleared = True

    def _send_frame(self) -> None:
        noise = LINE_NOISE[self._frames_sent % len(LINE_NOISE)]
        frame = self._frames.popleft() if self._frames else noise
        self._frames_sent += 1
        payload = base64.b64encode(frame).decode()
        self._put(messages.media(self._stream_sid, 2, 1, 0, payload))
        if not self._frames:
            self._is_silent.set()

    def _return(self, names: Sequence[str]) -> None:
        for name in names:
            self._put(messages.mark(self._stream_sid, 2, name))

    def _put(self, message: str | None) -> None:
        if not self.closed.is_set() and not self._inbound.full():
            self._inbound.put_nowait(message)


def _until(word: HeardWord, now_ms: float) -> HeardWord:
    """What is played of the word by then, if the rest is not."""
    unplayed_ms = max(0.0, word.end_ms - now_ms)
    return replace(word, end_ms=word.end_ms - unplayed_ms, played_ms=word.played_ms - unplayed_ms)

"""What every engine's worker process has in common: the far end of the pipes.

Requests flow in from standard input, replies flow out on what was standard output;
what an engine's library prints goes to standard error instead. A thread reads, so
that a request can be cancelled while the engine works and so that the process ends
with its parent: end of input, which a killed parent causes as well, is the end.
"""

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, Final

from voiceagent.errors import ProtocolError, VoiceAgentError
from voiceagent.speech.frames import PREFIX, Frame, decode, encode, lengths_of

_NICENESS: Final = 5
"""An engine's work must never take the processor from the loop that moves the media."""
_WAITING_REQUESTS: Final = 64


class Cancelled(Exception):
    """Nobody waits for this request any more."""


class Job:
    """One request and the way to answer it."""

    def __init__(self, request: Frame, program: "_Program") -> None:
        self.header: dict[str, Any] = request.header
        self.body = request.body
        self._program = program
        self._id: int = request.header["id"]

    @property
    def cancelled(self) -> bool:
        return self._program.cancelled_id >= self._id

    def reply(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send a piece of the answer. Raises `Cancelled` when nobody waits for it."""
        if self.cancelled:
            raise Cancelled
        self._program.send(Frame({"id": self._id, **header}, body))


Handler = Callable[[Job], None]


def run(open_engine: Callable[[], Handler]) -> None:
    """Open the engine, say so, and handle one request after the other until input ends."""
    program = _Program()
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    threading.Thread(target=program.read, name="requests", daemon=True).start()
    try:
        handler = open_engine()
    except (ImportError, OSError, RuntimeError, VoiceAgentError) as error:
        program.send(Frame({"failed": f"{type(error).__name__}: {error}"}))
        raise SystemExit(1) from error
    program.send(Frame({"ready": True}))
    program.work(handler)


class _Program:
    def __init__(self) -> None:
        self._requests: queue.Queue[Frame] = queue.Queue(_WAITING_REQUESTS)
        self._input: BinaryIO = sys.stdin.buffer
        self._output: BinaryIO = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self.cancelled_id = -1
        """Requests up to this one are cancelled: the parent numbers them upwards."""

    def read(self) -> None:
        try:
            while True:
                header_bytes, body_bytes = lengths_of(self._exactly(PREFIX.size))
                frame = decode(self._exactly(header_bytes), self._exactly(body_bytes))
                cancel = frame.header.get("cancel")
                if cancel is not None:
                    self.cancelled_id = max(self.cancelled_id, int(cancel))
                else:
                    self._requests.put(frame)
        except EOFError:
            os._exit(0)  # at once: the engine may be deep in a library's call
        except ProtocolError:
            os._exit(2)

    def _exactly(self, count: int) -> bytes:
        read = self._input.read(count)
        if len(read) < count:
            raise EOFError
        return read

    def send(self, frame: Frame) -> None:
        try:
            rest = memoryview(encode(frame))
            while rest:
                rest = rest[self._output.write(rest) or 0 :]
        except OSError:
            os._exit(0)  # nobody is left to read

    def work(self, handler: Handler) -> None:
        while True:
            job = Job(self._requests.get(), self)
            end: dict[str, Any] = {"id": job.header["id"], "done": True}
            try:
                if not job.cancelled:
                    handler(job)
            except Cancelled:
                pass
            except VoiceAgentError as error:
                end["error"] = str(error)
                end["retryable"] = getattr(error, "retryable", False)
            self.send(Frame(end))

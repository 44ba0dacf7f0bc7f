"""Owns the worker processes of one engine and speaks with them over pipes.

Requests flow in from any number of calls, frames flow back. One worker does one
request at a time; waiting requests are served in order by whichever worker is free.
A worker that dies or stays silent for longer than the deadline is replaced by a fresh
one; nothing here ever waits without a deadline, and no engine is loaded here.
"""

import asyncio
import contextlib
import functools
import itertools
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import voiceagent
from voiceagent.errors import EngineTimeout, ProtocolError, ProviderError
from voiceagent.speech.frames import MAX_BODY_BYTES, PREFIX, Frame, decode, encode, lengths_of

START_DEADLINE_S: Final = 15.0
"""Importing and opening an engine takes 0.2 to 1 s; much longer on a crowded machine."""
_CLOSE_DEADLINE_S: Final = 0.8
_BACKOFF_S: Final = 0.1
_BACKOFF_LIMIT_S: Final = 5.0
_WAITING_REQUESTS: Final = 256
"""More than this many at once are refused: each would time out anyway."""
_REPLY_FRAMES: Final = 512
"""A request that brings more is cut off."""
_KEPT_VARIABLES: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV",
)  # fmt: skip
"""What a worker may know of the environment: no secret of the service is among it."""

_log = logging.getLogger(__name__)


class WorkerDied(ProviderError):
    """The worker process ended in the middle of a request."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class Exchange:
    """One request under way: iterate it for the frames of its answer.

    Raises `ProviderError` while iterated, `EngineTimeout` when no frame comes within the
    deadline. Leaving the `async with` block abandons what has not come yet.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._frames: asyncio.Queue[Frame | ProviderError | None] = asyncio.Queue(_REPLY_FRAMES)
        self.abandoned = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abandoned.set()

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        try:
            async with asyncio.timeout(self._deadline_s):
                frame = await self._frames.get()
        except TimeoutError:
            self.abandoned.set()
            raise EngineTimeout(
                f"the engine did not answer within {self._deadline_s:g} s"
            ) from None
        if frame is None:
            raise StopAsyncIteration
        if isinstance(frame, ProviderError):
            raise frame
        return frame

    def put(self, item: Frame | ProviderError | None) -> None:
        """Owner of the worker only: the next frame, an error, or the end."""
        if self.abandoned.is_set():
            return
        try:
            self._frames.put_nowait(item)
        except asyncio.QueueFull:
            self.abandoned.set()


class WorkerPool:
    """The worker processes of one engine. Belongs to the event loop that first uses it."""

    def __init__(self, module: str, size: int, *, deadline_s: float) -> None:
        """`module` is run with `python -m`; `deadline_s` is how long a worker may be silent
        with a request, and how long a request waits for its first frame."""
        self._module = module
        self._size = size
        self._deadline_s = deadline_s
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue(size)
        self._keepers: list[asyncio.Task[None]] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._ids = itertools.count(1)
        self._start_failure: ProviderError | None = None
        self._settled = asyncio.Event()
        """A worker has started or failed to."""
        self._closed = False
        self.pids: set[int] = set()
        """Of the workers that are alive."""
        self.restarts = 0
        """Workers started to replace one that ended."""

    def request(self, header: dict[str, Any], body: bytes = b"") -> Exchange:
        """Ask a worker. A request whose worker dies before its first frame is asked once more.

        Raises `ProviderError` when too many requests wait or the pool is closed.
        """
        self._start()
        if len(self._serving) >= _WAITING_REQUESTS:
            raise ProviderError(f"too many requests wait for {self._module}", retryable=True)
        exchange = Exchange(self._deadline_s)
        task = asyncio.create_task(self._serve(exchange, header, body), name=f"{self._module} ask")
        self._serving.add(task)
        task.add_done_callback(functools.partial(self._served, exchange))
        return exchange

    async def open(self) -> None:
        """Until a worker is ready. Raises `ProviderError` when none can be started."""
        self._start()
        self._settled.clear()
        if not self.pids:
            try:
                async with asyncio.timeout(START_DEADLINE_S):
                    await self._settled.wait()
            except TimeoutError:
                raise EngineTimeout(f"{self._module} did not start") from None
            self._raise_start_failure()

    async def close(self) -> None:
        """End all workers; idempotent, within a second."""
        self._closed = True
        tasks = [*self._serving, *self._keepers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_DEADLINE_S)
        self._keepers = []

    def _start(self) -> None:
        if self._closed:
            raise ProviderError(f"{self._module} is closed", retryable=False)
        if not self._keepers:
            self._keepers = [
                asyncio.create_task(self._keep_one(), name=f"{self._module} {number}")
                for number in range(self._size)
            ]

    def _raise_start_failure(self) -> None:
        if self._start_failure is not None:
            raise ProviderError(
                str(self._start_failure), retryable=self._start_failure.retryable
            ) from None

    def _served(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        if task.cancelled():
            exchange.put(ProviderError(f"{self._module} was closed", retryable=False))

    async def _serve(self, exchange: Exchange, header: dict[str, Any], body: bytes) -> None:
        """Find a worker for one request and see it through, even when nobody waits any more."""
        try:
            for attempt in (1, 2):
                worker = await self._free_worker(exchange)
                if worker is None:
                    return
                try:
                    await worker.answer(exchange, next(self._ids), header, body, self._deadline_s)
                except WorkerDied:
                    if attempt == 2 or exchange.abandoned.is_set():
                        raise
                    _log.warning("a worker of %s died with a request; asked again", self._module)
                else:
                    return
                finally:
                    self._release(worker)
        except ProviderError as error:
            exchange.put(error)

    async def _free_worker(self, exchange: Exchange) -> "_Worker | None":
        """A live worker, or None when the request was given up meanwhile.

        Raises `EngineTimeout`, or the reason why workers do not start.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                while True:
                    worker = await self._idle.get()
                    if worker.ended.is_set():
                        continue
                    if exchange.abandoned.is_set():
                        self._release(worker)
                        return None
                    return worker
        except TimeoutError:
            self._raise_start_failure()
            raise EngineTimeout(
                f"no worker of {self._module} was free within {self._deadline_s:g} s"
            ) from None

    def _release(self, worker: "_Worker") -> None:
        if worker.ended.is_set() or worker.busy:
            worker.kill()
        else:
            self._idle.put_nowait(worker)

    async def _keep_one(self) -> None:
        """Keep one worker alive."""
        backoff_s = _BACKOFF_S
        started_before = False
        while True:
            worker = _Worker(self._module)
            try:
                await worker.start()
                self._start_failure = None
                backoff_s = _BACKOFF_S
                self.restarts += started_before
                started_before = True
                self.pids.add(worker.pid)
                self._settled.set()
                try:
                    self._forget_ended()
                    self._idle.put_nowait(worker)
                    code = await worker.wait()
                finally:
                    self.pids.discard(worker.pid)
                _log.warning("a worker of %s ended (code %s); starting another", self._module, code)
            except ProviderError as error:
                self._start_failure = error
                self._settled.set()
                _log.error("%s; trying again in %.1f s", error, backoff_s)
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _BACKOFF_LIMIT_S)
            finally:
                await worker.stop()

    def _forget_ended(self) -> None:
        """Make room: workers that ended while idle stand in the queue until somebody looks."""
        for _ in range(self._idle.qsize()):
            worker = self._idle.get_nowait()
            if not worker.ended.is_set():
                self._idle.put_nowait(worker)


class _Worker:
    """One worker process."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: asyncio.subprocess.Process | None = None
        self.ended = asyncio.Event()
        self.busy = False
        """In the middle of a request: what comes from it next would belong to that one."""

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start the process and wait until its engine is open. Raises `ProviderError`."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # A reader that paused would not notice the end of the process.
                limit=MAX_BODY_BYTES,
                env=_environment(),
                start_new_session=True,  # a Ctrl-C at the terminal is for the service
            )
            async with asyncio.timeout(START_DEADLINE_S):
                hello = (await self._read()).header
        except TimeoutError:
            raise EngineTimeout(f"{self._module} did not start") from None
        except OSError as error:
            raise ProviderError(f"{self._module} cannot be run: {error}", retryable=True) from None
        except WorkerDied:
            raise ProviderError(f"{self._module} ended while starting", retryable=True) from None
        if "failed" in hello:
            raise ProviderError(f"{self._module} cannot open: {hello['failed']}", retryable=False)

    async def wait(self) -> int:
        """Until the process has ended; its exit code."""
        assert self._process is not None  # noqa: S101 - for the type checker: it was started
        try:
            return await self._process.wait()
        finally:
            self.ended.set()

    def kill(self) -> None:
        """End the process, whatever it is doing (also when it is stopped)."""
        self.ended.set()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def stop(self) -> None:
        """End the process and close its pipes."""
        self.kill()
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_DEADLINE_S):
                await self._process.wait()

    async def answer(
        self, exchange: Exchange, number: int, header: dict[str, Any], body: bytes, silent_s: float
    ) -> None:
        """Put one request to the process and its frames into the exchange, up to the last.

        Raises `WorkerDied` when it ends before the first frame, `EngineTimeout` when it says
        nothing for `silent_s`; the worker is then no more of use.
        """
        self.busy = True
        replied = False
        told = asyncio.create_task(self._tell_when_abandoned(exchange, number))
        try:
            async with asyncio.timeout(silent_s):
                await self._write(Frame({**header, "id": number}, body))
            while True:
                async with asyncio.timeout(silent_s):
                    frame = await self._read()
                if frame.header.get("id") != number:
                    raise ProviderError(f"{self._module} answered out of turn", retryable=True)
                if frame.header.get("done"):
                    break
                replied = True
                exchange.put(frame)
            self.busy = False
            error = frame.header.get("error")
            exchange.put(
                ProviderError(error, retryable=frame.header["retryable"]) if error else None
            )
        except TimeoutError:
            self.kill()
            raise EngineTimeout(f"{self._module} said nothing for {silent_s:g} s") from None
        except WorkerDied:
            self.kill()
            if replied:
                raise ProviderError(
                    f"{self._module} died in the middle of an answer", retryable=True
                ) from None
            raise
        finally:
            told.cancel()
            await asyncio.wait([told])

    async def _tell_when_abandoned(self, exchange: Exchange, number: int) -> None:
        await exchange.abandoned.wait()
        with contextlib.suppress(WorkerDied):
            await self._write(Frame({"cancel": number}))

    async def _write(self, frame: Frame) -> None:
        assert self._process is not None  # noqa: S101 - for the type checker
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(encode(frame))
            await self._process.stdin.drain()
        except OSError:
            raise WorkerDied(f"{self._module} has ended") from None

    async def _read(self) -> Frame:
        assert self._process is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101
        pipe = self._process.stdout
        try:
            header_bytes, body_bytes = lengths_of(await pipe.readexactly(PREFIX.size))
            return decode(await pipe.readexactly(header_bytes), await pipe.readexactly(body_bytes))
        except (asyncio.IncompleteReadError, OSError):
            raise WorkerDied(f"{self._module} has ended") from None
        except ProtocolError as error:
            raise ProviderError(f"{self._module} is broken: {error}", retryable=True) from None


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    here = str(Path(voiceagent.__file__).parent.parent)
    paths = [here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    # One thread: the workers are as many as may compute at once.
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}

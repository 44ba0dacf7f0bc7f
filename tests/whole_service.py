"""The whole service in a process of its own, and callers on simulated phones, for tests."""

import asyncio
import functools
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from serving import Server
from voiceagent.simulator import load
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye, Step
from voiceagent.simulator.caller import CallPlan, Destination, Exchange, SimulatedCall
from voiceagent.simulator.results import CallResult
from voiceagent.simulator.sounds import Sound

ROOT = Path(__file__).resolve().parent.parent
DEADLINE_S = 90.0
OK = {"ws": "ok", "db": "ok", "stt": "ok", "tts": "ok"}


class Service(Server):
    """`asgi:app` as the Procfile runs it, on a free port of the loopback."""

    def __init__(
        self,
        data_dir: Path,
        *,
        python: Sequence[str] = (),
        cwd: Path = ROOT,
        **environ: str,
    ) -> None:
        self.data_dir = data_dir
        super().__init__(
            [sys.executable, *python, *run_line(), "--host", "127.0.0.1", "--port", "0"],
            cwd=cwd,
            environ={
                "DATA_DIR": str(data_dir),
                "DRAIN_SECONDS": "30",
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
            }
            | environ,
        )
        self.client = httpx.Client(timeout=10, trust_env=False)

    def __exit__(self, *failure: Any) -> None:
        self.client.close()
        super().__exit__(*failure)

    @functools.cached_property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(self.url + path, **options)

    def post(self, path: str, **form: str) -> httpx.Response:
        return self.client.post(self.url + path, data=form)

    def readyz(self) -> tuple[int, dict[str, Any]]:
        answer = self.get("/readyz")
        return answer.status_code, answer.json()

    def parts(self) -> dict[str, str]:
        _, told = self.readyz()
        return {part: told[part] for part in OK}

    async def until_ready(self) -> None:
        await until(lambda: self.readyz()[0] == 200 and self.parts() == OK)

    def api(self, path: str) -> httpx.Response:
        key = (self.data_dir / "api_key").read_text().strip()
        return self.get(path, headers={"Authorization": f"Bearer {key}"})

    def call_record(self, call_sid: str) -> dict[str, Any]:
        answer = self.api(f"/api/crm/calls/{call_sid}")
        return answer.json() if answer.status_code == 200 else {}

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        await until(lambda: self._process.poll() is not None)
        return self._process.wait()

    def workers(self, module: str) -> list[int]:
        """Its living worker processes of that engine."""
        return [
            pid
            for pid, parent, command in processes()
            if parent == self.pid and module in command.split("\0")
        ]


def run_line() -> list[str]:
    """The `web:` line of the Procfile from `-m` on, but for host and port."""
    line = next(
        line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web:")
    )
    words = shlex.split(line)
    words = words[words.index("-m") :]
    for option in ("--host", "--port"):
        at = words.index(option)
        del words[at : at + 2]
    return words


def processes() -> list[tuple[int, int, str]]:
    """(pid, parent's pid, command line with NULs) of every living process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found.append((int(entry.name), int(parent), (entry / "cmdline").read_text()))
        except (OSError, ValueError):
            continue
    return found


def postmaster(data_dir: Path) -> int | None:
    """The embedded database's process, while there is one."""
    for pid, _, command in processes():
        words = command.split("\0")
        if words[0].endswith("/postgres") and str(data_dir / "pgdata") in words:
            return pid
    return None


async def until(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Ask from time to time, in a thread, until it is so."""
    async with asyncio.timeout(deadline_s):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


@functools.cache
def speech(text: str) -> Sound:
    """A phrase as a caller says it."""
    return load.spoken([text])[0]


def talk(turns: int, text: str = "good morning") -> list[Step]:
    """Say it so many times, each when the agent has fallen silent; stay on the line then."""
    first = Answer(speech(text), patience_ms=300)
    return [first, *[Answer(speech(text), gap_ms=200) for _ in range(turns - 1)], AwaitGoodbye()]


class Line:
    """One caller on the line."""

    def __init__(self, call: SimulatedCall, result: "asyncio.Task[CallResult]") -> None:
        self.call = call
        self.result = result

    @property
    def call_sid(self) -> str:
        return self.call.call_sid

    async def answers(self, count: int) -> None:
        """Until the agent has begun to speak so many times more than now."""
        before = len(self.call.line.spans)
        async with asyncio.timeout(DEADLINE_S):
            while (  # noqa: ASYNC110 - the line tells nobody
                len(self.call.line.spans) < before + count and not self.result.done()
            ):
                await asyncio.sleep(0.01)
        assert not self.result.done(), self.result.result()

    async def hang_up(self) -> CallResult:
        hung_up = self.call._hung_up
        assert hung_up is not None
        if not hung_up.done():
            hung_up.set_result(None)
        return await self.over()

    async def over(self) -> CallResult:
        async with asyncio.timeout(DEADLINE_S):
            return await self.result


@asynccontextmanager
async def on_the_line(
    service: Service,
    steps: Sequence[Step],
    calls: int = 1,
    *,
    keep_audio: bool = False,
    **destination: Any,
) -> AsyncIterator[list[Line]]:
    """So many callers; whoever is still talking at the end is cut off."""
    exchange = Exchange()
    clock = asyncio.create_task(exchange.run())
    lines = []
    for index in range(calls):
        call = SimulatedCall(
            CallPlan(steps, caller=f"+97250000{index:04d}", keep_audio=keep_audio),
            Destination(**({"base_url": service.url} | destination)),
        )
        lines.append(Line(call, asyncio.create_task(call.place(exchange))))
    try:
        yield lines
    finally:
        for task in (clock, *(line.result for line in lines)):
            task.cancel()
        await asyncio.gather(clock, *(line.result for line in lines), return_exceptions=True)


def agent_of(questions: int) -> str:
    """An agent file of so many short questions, `q1` and on, answered by "tomorrow morning"."""
    head = 'business = "Test"\nlanguage = "en-US"\ngreeting = "Hello."\nclosing = "Goodbye."\n'
    return head + "".join(
        f"""
[[questions]]
id = "q{number}"
save_as = "q{number}"
ask = "This is question number {number}?"

  [[questions.answers]]
  value = "morning"
  say = ["tomorrow morning", "the day after tomorrow"]
"""
        for number in range(1, questions + 1)
    )


def run(program: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A Python program that ends by itself."""
    return subprocess.run(
        [sys.executable, *arguments, "-c", program],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

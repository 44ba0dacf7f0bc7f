"""The service, run for a demonstration in a process of its own.

It is started with the very options of the Procfile on a free port, asked only
over HTTP, and stopped by SIGTERM as a platform would. Its log goes to a file. It
never touches the service's database or code.
"""

import asyncio
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx

from voiceagent.errors import EngineTimeout, ProviderError

PUBLIC_BASE_URL: Final = "https://demo.voiceagent.example"
"""What Twilio would reach: the TwiML carries it and every signature is made over it."""

PARTS: Final = ("ws", "db", "stt", "tts")
_READY_DEADLINE_S: Final = 60.0
_STOP_DEADLINE_S: Final = 20.0
_POLL_S: Final = 0.2
_START_TRIES: Final = 3

_OURS: Final = tuple(
    "AGENT_ API_KEY BAILEYS_ BARGE_IN_ BENCH_ DATABASE_URL DATA_DIR DEPLOY_ DRAIN_ EOU_ FORWARDED_"
    " GCP_ GOOGLE_ HOST LLM_ LOG_FORMAT MAX_CALLS PAYPAL_ PORT PUBLIC_BASE_URL STT_ TRANZILA_ TTS_"
    " TWILIO_ UVICORN_ WEB_".split()
)
"""Beginnings of variables that configure the service: the demonstration sets its own."""


class DemoService:
    """One run of the service; use it as `start`, `wait_ready`, questions, `stop`."""

    def __init__(
        self, data_dir: Path, log: Path, auth_token: str, environ: Mapping[str, str]
    ) -> None:
        self.log = log
        self.base_url = ""
        self._data_dir = data_dir.resolve()
        self._environ = {
            name: value for name, value in environ.items() if not name.startswith(_OURS)
        } | {
            "AGENT_LANGUAGE": "en-US",
            "DATA_DIR": str(self._data_dir),
            "FORWARDED_ALLOW_IPS": "127.0.0.1",
            "HOST": "127.0.0.1",
            "LOG_FORMAT": "logfmt",
            "PUBLIC_BASE_URL": PUBLIC_BASE_URL,
            "PYTHONUNBUFFERED": "1",
            "STT_ENGINE": "local",
            "STT_LANGUAGE": "en-US",
            "TTS_ENGINE": "local",
            "TWILIO_AUTH_TOKEN": auth_token,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._client = httpx.AsyncClient(timeout=5.0, trust_env=False)

    async def start(self) -> None:
        """Start it and wait until the port answers. Raises `ProviderError`."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        for attempt in range(_START_TRIES):
            port = _free_port()
            self.base_url = f"http://127.0.0.1:{port}"
            await self._spawn(port)
            if await self._answers():
                return
            # Somebody else may have taken the port in between: then another one serves.
            if "address already in use" not in self.log_tail() or attempt + 1 == _START_TRIES:
                break
        raise ProviderError(
            f"the service did not start; the end of {self.log}:\n{self.log_tail()}", retryable=False
        )

    async def wait_ready(self, progress: Callable[[str], None]) -> None:
        """Wait until every part is warm. Raises `EngineTimeout` or `ProviderError`."""
        told = ""
        try:
            async with asyncio.timeout(_READY_DEADLINE_S):
                while True:
                    answer = await self._get("/readyz")
                    state = answer.json()
                    line = warm_up_line(state)
                    if line != told:
                        progress(line)
                        told = line
                    if answer.status_code == 200 and {state.get(name) for name in PARTS} == {"ok"}:
                        return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise EngineTimeout(
                f"not ready after {_READY_DEADLINE_S:.0f} s ({told});"
                f" the end of {self.log}:\n{self.log_tail()}"
            ) from None

    async def call_record(self, call_sid: str) -> dict[str, Any] | None:
        """What `/api/crm/calls/{call_sid}` tells; None while there is no such record."""
        key = (self._data_dir / "api_key").read_text(encoding="utf-8").strip()
        answer = await self._get(f"/api/crm/calls/{call_sid}", f"Bearer {key}")
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise ProviderError(f"/api/crm/calls answered {answer.status_code}", retryable=True)
        record: dict[str, Any] = answer.json()
        return record

    async def version(self) -> dict[str, Any]:
        """What `/version` tells."""
        told: dict[str, Any] = (await self._get("/version")).json()
        return told

    async def stop(self) -> bool:
        """Stop it by SIGTERM; true when it ended by itself within 20 s."""
        await self._client.aclose()
        process = self._process
        if process is None:
            return True
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_DEADLINE_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            return False
        # uvicorn ends by the signal itself once everything is closed.
        return process.returncode in {0, -signal.SIGTERM}

    def log_lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def log_tail(self) -> str:
        return "\n".join(self.log_lines()[-15:])

    async def _spawn(self, port: int) -> None:
        command, folder = _run_line(port)
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env=self._environ | {"PORT": str(port)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                # Ctrl-C is for the demonstration, which then stops the service in order.
                start_new_session=True,
            )

    async def _answers(self) -> bool:
        process = self._process
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_DEADLINE_S):
                while process is not None and process.returncode is None:
                    with suppress(httpx.HTTPError):
                        await self._client.get(f"{self.base_url}/healthz")
                        return True
                    await asyncio.sleep(_POLL_S)
        return False

    async def _get(self, path: str, authorization: str = "") -> httpx.Response:
        headers = {"Authorization": authorization} if authorization else {}
        try:
            return await self._client.get(self.base_url + path, headers=headers)
        except httpx.HTTPError as error:
            if self._process is not None and self._process.returncode is not None:
                raise ProviderError(
                    f"the service ended; the end of {self.log}:\n{self.log_tail()}", retryable=False
                ) from error
            raise ProviderError(
                f"{path}: {error or type(error).__name__}", retryable=True
            ) from error


def warm_up_line(state: Mapping[str, Any]) -> str:
    """What `/readyz` tells, for a person: what has not come before the first warm-up has ended is
    still to come."""
    parts = {name: str(state.get(name, "?")) for name in PARTS}
    if not state.get("warmed_up"):
        parts = {name: "pending" if told == "err" else told for name, told in parts.items()}
    return ", ".join(f"{name} {told}" for name, told in parts.items())


def _run_line(port: int) -> tuple[list[str], Path]:
    """The `web:` line of the Procfile with this interpreter and port, and where to run it."""
    root = Path(__file__).resolve().parents[3]
    procfile = root / "Procfile"
    if not procfile.exists():
        return [sys.executable, "-m", "voiceagent.cli", "serve"], Path.cwd()
    lines = procfile.read_text(encoding="utf-8").splitlines()
    web = next(line for line in lines if line.startswith("web:"))
    words = shlex.split(web.replace("${PORT}", str(port)).replace("$PORT", str(port)))
    options = words[words.index("uvicorn") + 1 :]
    # The last `--host` counts: a demonstration is nobody else's business.
    return [sys.executable, "-m", "uvicorn", *options, "--host", "127.0.0.1"], root


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

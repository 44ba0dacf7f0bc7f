"""A server in a process of its own, for tests: its address and its lines."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

DEADLINE_S = 30.0
_RUNNING = r"Uvicorn running on http://[0-9.]+:(\d+)"


class Server:
    """Runs a command until the end of a `with` block; it must say where it listens."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self._command = command
        self._cwd = cwd
        self._environ = os.environ | {"PYTHONUNBUFFERED": "1"} | dict(environ or {})
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise
        finally:
            self._reader.join(DEADLINE_S)
            assert self._process.stdout is not None
            self._process.stdout.close()

    @property
    def output(self) -> str:
        """Everything said so far, standard error included."""
        with self._news:
            return "".join(self._lines)

    @property
    def port(self) -> int:
        """Waits until the server listens."""
        return int(self.wait_for(_RUNNING).group(1))

    def wait_for(self, pattern: str, deadline_s: float = DEADLINE_S) -> re.Match[str]:
        """The first line, said or yet to come, that matches; no more than `deadline_s` pass
        between two lines."""
        seen = 0
        with self._news:
            while True:
                for line in self._lines[seen:]:
                    if match := re.search(pattern, line):
                        return match
                seen = len(self._lines)
                if self._ended or not self._news.wait(deadline_s):
                    raise AssertionError(f"no {pattern!r} in:\n{''.join(self._lines)}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

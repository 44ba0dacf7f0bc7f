"""What the service says about itself while it runs: log lines and log words.

Records of the standard logging package flow in from any thread, lines of
logfmt or JSON flow out to one stream. One writer thread renders and writes
them; callers only put a record into a bounded queue, so nothing here ever
blocks the event loop, however slow the stream is. When the queue is full the
record is dropped and counted, and a line says how many were lost.

The log words (`WS_START`, `EoU_ms=320`, ...) are the ones that the acceptance
checks look for: each stands as a token of its own beside `call_sid=CA...`.
"""

import atexit
import json
import logging
import re
import sys
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, Protocol, TextIO

LogFormat = Literal["logfmt", "json"]
Value = str | int | float | bool | None

_QUEUE_LINES: Final = 10_000
_BATCH_LINES: Final = 500
_GATHER_SECONDS: Final = 0.02
"""Lines are written together that come within this time: waking a thread for each costs more
than writing it, and takes the interpreter from the loop."""
_FLUSH_SECONDS: Final = 2.0
"""How long a stop waits for the writer; a stream that hangs longer loses its lines."""
_MAX_VALUE_CHARS: Final = 8_000
_SERVER_LOGGERS: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")

# --- masking -------------------------------------------------------------------------------------

_PHONE: Final = re.compile(r"(?P<plus>\+|%2[Bb])?(?P<digits>\d(?:(?:[-. ()]|%20){0,2}\d){6,19})")
_PLUS_PHONE: Final = re.compile(r"(?:\+|%2[Bb])\d(?:(?:[-. ()]|%20){0,2}\d){6,19}")
# Eight digits or more in a server's line, also as a form sends them (`+` for a space, `%28` for a
# bracket), but no pieces of a sid, a UUID or an IP address and no process id (seven digits at
# most).
_URL_PHONE: Final = re.compile(
    r"(?<![0-9A-Za-z.-])(?:\+|%2[Bb])?\d(?:(?:[- +]|%2[089]){0,2}\d){7,19}"
    r"(?![0-9A-Za-z]|[-.][0-9A-Za-z])"
)
_SECRET_PARAMETER: Final = re.compile(
    r"(?i)([?&;](?:[a-z_-]*(?:key|token|ticket|secret|password|signature|pw)|thtk|code)=)[^&;\s\"]+"
)
_SECRET_PATH: Final = re.compile(r"(?i)(/(?:calendar|pay)/)[^\s/?#\"]+?(?=\.ics\b|[\s/?#\"]|$)")
"""Whoever has such an address needs no key."""
_URL_PASSWORD: Final = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")


def mask_number(text: str) -> str:
    """The text with the middle of every phone number in it hidden.

    `+972501234567` becomes `+97250•••4567`; fewer than seven digits in a row
    (short codes, "anonymous") are no number and stay.
    """
    return _PHONE.sub(_masked, text)


def _masked(match: re.Match[str]) -> str:
    number = match.group()
    plus = "+" if number[0] in "+%" else ""
    digits = re.sub(r"%2.|\D", "", number)
    shown = min(5, len(digits) - 7)
    return f"{plus}{digits[:shown]}•••{digits[-4:]}"


def _mask_line(message: str, *, from_server: bool) -> str:
    """Hide what no log may show: international numbers, passwords in URLs, secrets in paths and
    query strings; in the server's own lines also plain numbers."""
    if "+" in message or "%2" in message:
        message = _PLUS_PHONE.sub(_masked, message)
    if "@" in message:
        message = _URL_PASSWORD.sub(r"\1•••@", message)
    if "=" in message:
        message = _SECRET_PARAMETER.sub(r"\1•••", message)
    if "/" in message:
        message = _SECRET_PATH.sub(r"\1•••", message)
    if from_server:
        message = _URL_PHONE.sub(_masked, message)
    return message


# --- log words -----------------------------------------------------------------------------------


class _Word:
    """One log word with its fields; rendered by whoever writes it."""

    __slots__ = ("call_sid", "fields", "name", "value")

    def __init__(
        self, name: str, value: int | str | None, call_sid: str, fields: Mapping[str, Value]
    ) -> None:
        self.name = name
        self.value = value
        self.call_sid = call_sid
        self.fields = fields

    def items(self) -> Iterable[tuple[str, Value]]:
        yield "call_sid", _UNSAFE_IN_SID.sub("_", self.call_sid[:64]) or "-"
        for key, value in self.fields.items():
            if value is not None:
                yield key, _mask_line(value, from_server=False) if type(value) is str else value

    def __str__(self) -> str:
        token = self.name if self.value is None else f"{self.name}={_logfmt_value(self.value)}"
        return " ".join((token, *(f"{key}={_logfmt_value(value)}" for key, value in self.items())))


_UNSAFE_IN_SID: Final = re.compile(r"[^A-Za-z0-9_.:-]")
"""A call_sid comes from outside: it must stay one token, whatever is in it."""
_words = logging.getLogger("voiceagent.words")


class WordListener(Protocol):
    """Is told of every log word; must answer at once and never raise."""

    def heard(
        self, name: str, value: object, call_sid: str, fields: Mapping[str, object]
    ) -> None: ...


_listeners: "weakref.WeakSet[WordListener]" = weakref.WeakSet()


def listen_to_words(listener: WordListener) -> None:
    """Tell it of every word from now on, for as long as somebody else holds it."""
    _listeners.add(listener)


def word(name: str, /, value: int | str | None = None, *, call_sid: str, **fields: Value) -> None:
    """Log one of the words of a call, e.g. `word("EoU_ms", 320, call_sid=sid, turn=3)`.

    Fields that are `None` are left out. Never blocks and never raises.
    """
    for listener in _listeners:
        listener.heard(name, value, call_sid, fields)
    if _words.isEnabledFor(logging.INFO):
        # Made by hand: `_words.info` would walk the stack for a file name nobody reads.
        _words.handle(
            logging.LogRecord(
                _words.name, logging.INFO, "", 0, _Word(name, value, call_sid, fields), (), None
            )
        )


# --- rendering -----------------------------------------------------------------------------------

_BARE: Final = re.compile(r"[^\s\"=\\]+")


def _logfmt_value(value: Value) -> str:
    """The value as one logfmt token; quoted and escaped where it must be."""
    if type(value) is str:
        if _BARE.fullmatch(value) and value.isprintable() and len(value) <= _MAX_VALUE_CHARS:
            return value
        return _quoted(value)
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float:
        return f"{value:.6g}"
    return str(value)


def _quoted(text: str) -> str:
    text = text[:_MAX_VALUE_CHARS].replace("\\", "\\\\").replace('"', '\\"')
    if not text.isprintable():
        # Line breaks, control and bidirectional signs could forge or hide lines.
        text = "".join(
            char if char.isprintable() else _ESCAPES.get(char) or f"\\u{ord(char):04x}"
            for char in text
        )
    return f'"{text}"'


_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _render(record: logging.LogRecord, log_format: LogFormat) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    time = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
    level = record.levelname.lower()
    if type(record.msg) is _Word:
        if log_format == "logfmt":
            return f"time={time} level={level} {record.msg}"
        told = record.msg
        value = {} if told.value is None else {told.name: told.value}
        return _json(
            {"time": time, "level": level, "event": told.name, **value, **dict(told.items())}
        )
    from_server = record.name.startswith("uvicorn")
    fields: dict[str, Value] = {
        "time": time,
        "level": level,
        "logger": record.name,
        "msg": _mask_line(record.getMessage(), from_server=from_server),
    }
    if record.exc_info and record.exc_info[1] is not None:
        trace = "".join(traceback.format_exception(record.exc_info[1]))
        fields["exc"] = _mask_line(trace, from_server=from_server)[-_MAX_VALUE_CHARS:]
    if log_format == "json":
        return _json(fields)
    return " ".join(f"{key}={_logfmt_value(value)}" for key, value in fields.items())


def _json(fields: Mapping[str, Value]) -> str:
    line = json.dumps(fields, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(fields)


# --- the writer ----------------------------------------------------------------------------------


class _Writer(logging.Handler):
    """Takes records from any thread and writes them in one of its own."""

    def __init__(self, log_format: LogFormat, stream: TextIO, capacity: int) -> None:
        super().__init__()
        self._format: LogFormat = log_format
        self._stream = stream
        self._capacity = capacity
        self._records: deque[logging.LogRecord] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.dropped = 0
        self._dropping = threading.Lock()
        self._told_dropped = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def createLock(self) -> None:  # noqa: N802 - logging's own name
        """No lock: a deque takes appends from any thread, and `handle` must not wait."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._records) >= self._capacity:
            with self._dropping:
                self.dropped += 1
            return
        self._records.append(record)
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Write what is queued, for at most two seconds, and end the thread."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(_FLUSH_SECONDS)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            is_last = self._stopping.wait(_GATHER_SECONDS)
            self._wake.clear()
            while lines := self._next_lines():
                self._write(lines)
            if is_last:
                return

    def _next_lines(self) -> list[str]:
        lines: list[str] = []
        while self._records and len(lines) < _BATCH_LINES:
            lines.append(self._line(self._records.popleft()))
        if self.dropped > self._told_dropped:
            lost = self.dropped - self._told_dropped
            self._told_dropped += lost
            lines.append(self._line(_own_warning("%d log lines were dropped", lost)))
        return lines

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return _render(record, self._format)
        except Exception as error:  # one bad record must not end all logging
            fault = _own_warning("a log record of %s could not be written: %r", record.name, error)
            return _render(fault, self._format)

    def _write(self, lines: list[str]) -> None:
        text = "\n".join(lines) + "\n"
        try:
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                self._stream.write(text.encode("ascii", "backslashreplace").decode())
            self._stream.flush()
        except (OSError, ValueError):
            # The reader of the stream is gone: there is nobody to tell.
            with self._dropping:
                self.dropped += len(lines)
            self._told_dropped += len(lines)


def _own_warning(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, "", 0, message, arguments, None)


_installed: list[_Writer] = []


def configure_logging(
    log_format: LogFormat, stream: TextIO | None = None, *, capacity: int = _QUEUE_LINES
) -> None:
    """Send every record of the process, at info and above, to the stream (standard output).

    Replaces an earlier configuration. `capacity` is the number of records that
    may wait for the writer. The server's own loggers are taken over, see
    `adopt_server_loggers`.
    """
    shutdown_logging()
    writer = _Writer(log_format, stream or sys.stdout, capacity)
    root = logging.getLogger()
    root.addHandler(writer)
    root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore"):
        # They log whole URLs, with numbers and keys in them.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    _installed.append(writer)
    adopt_server_loggers()
    atexit.unregister(shutdown_logging)
    atexit.register(shutdown_logging)


def adopt_server_loggers() -> None:
    """Let uvicorn's loggers speak through our handler instead of their own.

    A logger that was silenced on purpose (`--no-access-log`: no handler, no
    propagation) stays silent; levels stay as the server set them.
    """
    for name in _SERVER_LOGGERS:
        logger = logging.getLogger(name)
        if logger.handlers:
            logger.handlers.clear()
            logger.propagate = True


def shutdown_logging() -> None:
    """Write what is queued and stop the writer; idempotent, takes at most two seconds."""
    while _installed:
        writer = _installed.pop()
        logging.getLogger().removeHandler(writer)
        writer.stop()


def dropped_lines() -> int:
    """How many log lines were lost since the logging was configured."""
    return sum(writer.dropped for writer in _installed)

"""Hands traces over to a receiver of OTLP over HTTP, in a thread of its own.

Stories of calls flow in without a wait, requests flow out, some calls in each. The queue is
bounded: what finds no room is counted and forgotten. A receiver that is away is asked again
less and less often, and costs one line in the log; one that refuses a body is not asked again
with it. No call ever waits for any of it.
"""

import http.client
import logging
import queue
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from voiceagent.observability.call_trace import CallStory, Value, spans_of
from voiceagent.observability.otlp import CONTENT_TYPE, encoded

QUEUE_CALLS: Final = 256
_CALLS_AT_ONCE: Final = 32
_DEADLINE_S: Final = 5.0
"""Of each step: connecting, sending, being answered."""
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_CLOSE_S: Final = 2.0
_BREATH_S: Final = 0.02
_MOST_ANSWER_BYTES: Final = 64 * 1024
_AGAIN: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Of which the protocol says that the same body may be sent once more."""

_log = logging.getLogger(__name__)


class TraceExporter:
    """One per process. `start` begins the thread, `close` ends it."""

    def __init__(
        self,
        endpoint: str,
        resource: Mapping[str, Value],
        headers: Mapping[str, str],
        *,
        deadline_s: float = _DEADLINE_S,
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        """`endpoint`: `http(s)://host[:port][/path]`; `/v1/traces` is added."""
        self.dropped = 0
        """Calls whose traces nobody has got."""
        url = urlsplit(endpoint)
        self._secure = url.scheme.lower() == "https"
        self._host, self._port = url.hostname or "", url.port
        self._path = f"{url.path.rstrip('/')}/v1/traces"
        self._resource = resource
        self._headers = {"Content-Type": CONTENT_TYPE, **headers}
        self._deadline_s = deadline_s
        self._first_pause_s = first_pause_s
        self._queue: queue.Queue[CallStory | None] = queue.Queue(QUEUE_CALLS)
        self._closing = threading.Event()
        self._works = True
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, story: CallStory) -> None:
        """Take a call that is over; never blocks."""
        try:
            self._queue.put_nowait(story)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Send what there is, if that takes no longer than 2 s. Blocks: not for the loop."""
        self._closing.set()
        # A full queue wakes the thread as well.
        with suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(_CLOSE_S)

    # Everything below runs in the thread.

    def _run(self) -> None:
        while (story := self._queue.get()) is not None:
            stories, is_last = self._more(story)
            try:
                if not self._sent(self._body(stories)):
                    self.dropped += len(stories)
            except Exception:
                # A fault of ours in one call must not cost the others their traces.
                _log.exception("traces could not be made")
                self.dropped += len(stories)
            if is_last or (self._closing.is_set() and self._queue.empty()):
                return

    def _more(self, first: CallStory) -> tuple[list[CallStory], bool]:
        """What else is there already, and whether nothing will come after it."""
        stories = [first]
        while len(stories) < _CALLS_AT_ONCE:
            try:
                story = self._queue.get_nowait()
            except queue.Empty:
                break
            if story is None:
                return stories, True
            stories.append(story)
        return stories, False

    def _body(self, stories: list[CallStory]) -> bytes:
        # One message after the other is one message, as protobuf has it. The thread takes the
        # interpreter from the calls for one call's spans at a time, some milliseconds at most.
        body = bytearray()
        for story in stories:
            if body:
                time.sleep(_BREATH_S)
            body += encoded(spans_of(story), self._resource)
        return bytes(body)

    def _sent(self, body: bytes) -> bool:
        pause_s = self._first_pause_s
        while True:
            try:
                status = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                why, again = type(error).__name__, True
            else:
                if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                    self._told(works=True)
                    return True
                why, again = f"it answered {status}", status in _AGAIN
            self._told(works=False, why=why)
            if not again or self._closing.wait(pause_s):
                return False
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _post(self, body: bytes) -> int:
        connection = (
            http.client.HTTPSConnection(
                self._host,
                self._port,
                timeout=self._deadline_s,
                context=ssl.create_default_context(),
            )
            if self._secure
            else http.client.HTTPConnection(self._host, self._port, timeout=self._deadline_s)
        )
        try:
            connection.request("POST", self._path, body, self._headers)
            answer = connection.getresponse()
            answer.read(_MOST_ANSWER_BYTES)
            return answer.status
        finally:
            connection.close()

    def _told(self, *, works: bool, why: str = "") -> None:
        if works == self._works:
            return
        self._works = works
        if works:
            _log.info("traces are taken again")
        else:
            _log.warning("traces are not taken at %s:%s why=%r", self._host, self._port, why)

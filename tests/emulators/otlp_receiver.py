"""A receiver of OpenTelemetry's traces: OTLP over HTTP, protobuf, on the loopback.

It decodes what it is sent with the protocol's own library and can be away, slow or unwilling.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True, slots=True)
class Received:
    """One span, with what it came from."""

    resource: dict[str, Any]
    span: Span

    @property
    def attributes(self) -> dict[str, Any]:
        return values(self.span.attributes)


class OtlpReceiver:
    """Answers from the start of a `with` block to its end."""

    def __init__(self, port: int = 0) -> None:
        self.status = 200
        self.headers: list[dict[str, str]] = []
        """Of each request, names in small letters."""
        self.bodies: list[bytes] = []
        """Those that were taken."""
        self.asked = 0
        self._open = threading.Event()
        self._open.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[Received]:
        """All that have come."""
        return [
            Received(values(of_resource.resource.attributes), span)
            for body in list(self.bodies)
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    def hang(self) -> None:
        """Take requests and answer none."""
        self._open.clear()

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        body = request.rfile.read(int(request.headers["content-length"]))
        self._open.wait(30)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        right = request.path == "/v1/traces" and (
            request.headers["content-type"] == "application/x-protobuf"
        )
        status = self.status if right else 404
        if status == 200:
            self.bodies.append(body)
        answer = ExportTraceServiceResponse().SerializeToString()
        try:
            request.send_response(status)
            request.send_header("content-type", "application/x-protobuf")
            request.send_header("content-length", str(len(answer)))
            request.end_headers()
            request.wfile.write(answer)
        except OSError:
            pass  # Whoever asked has not waited.


def values(attributes: Any) -> dict[str, Any]:
    """Attributes as a mapping."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


def until(condition: Callable[[], object], deadline_s: float = 20.0) -> None:
    """Look until it is so; for tests without a loop."""
    ends_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < ends_s
        time.sleep(0.005)

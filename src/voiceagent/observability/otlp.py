"""Spans in the wire format of OpenTelemetry: protobuf of OTLP 1.

Spans flow in, the body of a request to `/v1/traces` flows out. The format's library is an
extra (`voiceagent[otel]`) and is imported when the first body is made.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from voiceagent.observability.call_trace import Span, Value

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

CONTENT_TYPE: Final = "application/x-protobuf"
_SCOPE: Final = "voiceagent"


def is_installed() -> bool:
    """Whether the extra is there."""
    try:
        return find_spec("opentelemetry.proto.collector.trace.v1") is not None
    except ModuleNotFoundError:
        return False


def encoded(spans: Sequence[Span], resource: Mapping[str, Value]) -> bytes:
    """The body. `resource`: what all spans come from."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - an extra
        ExportTraceServiceRequest,
    )

    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(_attributes(resource))
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = _SCOPE
    for span in spans:
        told = of_scope.spans.add(
            trace_id=span.trace_id,
            span_id=span.span_id,
            parent_span_id=span.parent_id,
            name=span.name,
            start_time_unix_nano=span.start_ns,
            end_time_unix_nano=span.end_ns,
            attributes=_attributes(span.attributes),
        )
        told.kind = told.SPAN_KIND_INTERNAL if span.parent_id else told.SPAN_KIND_SERVER
        if span.failed:
            told.status.code = told.status.STATUS_CODE_ERROR
        for event in span.events:
            told.events.add(
                name=event.name,
                time_unix_nano=event.at_ns,
                attributes=_attributes(event.attributes),
            )
    body: bytes = request.SerializeToString()
    return body


def _attributes(values: Mapping[str, Value]) -> "list[KeyValue]":
    from opentelemetry.proto.common.v1.common_pb2 import (  # noqa: PLC0415 - an extra
        AnyValue,
        KeyValue,
    )

    told = []
    for key, value in values.items():
        match value:
            case bool():
                any_value = AnyValue(bool_value=value)
            case int():
                any_value = AnyValue(int_value=value)
            case float():
                any_value = AnyValue(double_value=value)
            case _:
                any_value = AnyValue(string_value=value)
        told.append(KeyValue(key=key, value=any_value))
    return told

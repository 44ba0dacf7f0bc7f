"""What a webhook of Twilio's is answered, and the record that each answer leaves.

A form and an answer flow in, a `WebhookAnswered` flows out to the recorder, which never
blocks. Whatever the form says is made printable and short first.
"""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi import Response

from voiceagent.crm.identity import uuid7
from voiceagent.crm.recording.call_models import WebhookAnswered
from voiceagent.crm.recording.ports import Recorder
from voiceagent.metrics import Metrics
from voiceagent.telemetry import mask_number
from voiceagent.web.forms import TwilioForm

_CALL_SID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_DETAIL_CHARS: Final = 200
_NO_LOG_FIELD: Final = re.compile(r"[^ -~\u00a0-\uffff]")


class XmlResponse(Response):
    """TwiML."""

    media_type = "application/xml"


class NoContentResponse(Response):
    """Heard, nothing to say."""

    def __init__(self) -> None:
        super().__init__(status_code=HTTPStatus.NO_CONTENT)


class WebhookRecords:
    """Counts and records answers."""

    def __init__(self, recorder: Recorder, metrics: Metrics) -> None:
        self._recorder = recorder
        self._metrics = metrics

    def keep(
        self, route: str, status: int, form: TwilioForm, event: str = "", detail: str = ""
    ) -> None:
        """An answer was given; `event` is Twilio's own word, `detail` one short sentence."""
        self._metrics.webhook_answers.labels(route=route, status=status).inc()
        call_sid = call_sid_of(form)
        if call_sid is not None:
            self._recorder.record(
                WebhookAnswered(
                    call_sid=call_sid,
                    at=datetime.now(UTC),
                    id=str(uuid7()),
                    route=route,
                    status=status,
                    event=plain(event),
                    detail=mask_number(plain(detail)),
                )
            )


def call_sid_of(form: TwilioForm) -> str | None:
    """The call that a form is about, when that is worth a record; whatever else comes as a CallSid
    is answered and forgotten."""
    call_sid = form.get("CallSid")
    return call_sid if _CALL_SID.fullmatch(call_sid) else None


def plain(text: str) -> str:
    """Text from outside as a record may hold it: short, printable, no NUL."""
    return _NO_LOG_FIELD.sub("", text[:_MAX_DETAIL_CHARS])


def form_of(*fields: str) -> dict[str, Any]:
    """The request body for OpenAPI: the fields we read; others are welcome."""
    schema = {
        "type": "object",
        "properties": {field: {"type": "string"} for field in fields},
        "additionalProperties": {"type": "string"},
    }
    return {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}}

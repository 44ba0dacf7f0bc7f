"""What the service answered in a call, as its page tells it: webhooks, and the socket's events.

Recorded answers and the words of one language flow in, rows flow out: when, what, whether that is
as it should be. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from voiceagent.crm.views import CallDetailView, WebhookView
from voiceagent.telemetry import mask_number
from voiceagent.web.console.call_texts import CallTexts
from voiceagent.word_record import LOG_WORDS

_CLOSED_WELL: Final = frozenset({1000, 1001, 1005})
"""Close codes of a socket: done, gone, and none given."""


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One answer, or one event."""

    at: datetime
    what: str
    route: str
    status: int
    tone: Literal["good", "bad"]
    detail: str


@dataclass(frozen=True, slots=True)
class CallRecords:
    """In their order; and the log words of the call, where there are any."""

    rows: Sequence[RecordRow]
    log_words: Sequence[str]


def records_of(call: CallDetailView, words: CallTexts) -> CallRecords:
    """What the page shows of them."""
    told = [webhook for webhook in call.webhooks if webhook.event != LOG_WORDS]
    logged = [webhook for webhook in call.webhooks if webhook.event == LOG_WORDS]
    return CallRecords(
        [_row(webhook, words) for webhook in told],
        [word for webhook in logged for word in webhook.detail.split()],
    )


def _row(webhook: WebhookView, words: CallTexts) -> RecordRow:
    detail = " · ".join(part for part in (webhook.event, webhook.detail) if part)
    return RecordRow(
        at=webhook.at,
        what=words.events.get(webhook.event) or words.routes.get(webhook.route, webhook.route),
        route=webhook.route,
        status=webhook.status,
        tone="good" if _is_good(webhook.status) else "bad",
        detail=mask_number(detail),
    )


def _is_good(status: int) -> bool:
    return 100 <= status < 400 or status in _CLOSED_WELL

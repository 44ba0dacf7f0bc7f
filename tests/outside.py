"""An application of the outside's own parts, for tests: routers, handlers, a recorder's list."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
from fastapi import FastAPI

from voiceagent.crm.recording.call_models import CallAnnounced, CallRecord, WebhookAnswered
from voiceagent.limits.front_door import Ringing, TurnedAway
from voiceagent.metrics import Metrics
from voiceagent.observability.exposition import exposition
from voiceagent.settings import Settings, load_settings
from voiceagent.web.health import Readiness, install_health_routes, version_report
from voiceagent.web.problems import install_problem_handlers
from voiceagent.web.telephony_webhooks import telephony_router


class Records(list[CallRecord]):
    """A recorder that keeps what it is given."""

    def record(self, record: CallRecord) -> None:
        self.append(record)

    @property
    def answers(self) -> list[WebhookAnswered]:
        return [record for record in self if isinstance(record, WebhookAnswered)]

    @property
    def announced(self) -> list[CallAnnounced]:
        return [record for record in self if isinstance(record, CallAnnounced)]


@dataclass
class Door:
    """Lets calls in or not."""

    is_open: bool = True

    def open_for_calls(self) -> bool:
        return self.is_open


@dataclass
class Outside:
    settings: Settings
    records: Records = field(default_factory=Records)
    door: Door = field(default_factory=Door)
    metrics: Metrics = field(default_factory=Metrics)
    readiness: Readiness = field(
        default_factory=lambda: Readiness(max_calls=2, live_calls=lambda: 0)
    )
    seen_at: list[str] = field(default_factory=list)
    """Where signed webhooks came in."""
    away: TurnedAway | None = None
    """What becomes of callers though there is room."""
    rang: list[Ringing] = field(default_factory=list)
    """Of whom that was asked."""
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.app = FastAPI(title="outside")
        install_problem_handlers(self.app)
        install_health_routes(
            self.app,
            self.readiness,
            version_report(self.settings, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            partial(exposition, self.metrics),
            self.settings.metrics_token,
        )
        self.app.include_router(
            telephony_router(
                self.settings,
                self.records,
                self.door,
                self.metrics,
                busy_phrase=lambda: ("כל הקווים תפוסים", "he-IL"),
                turned_away=self._turned_away,
                seen_at=self.seen_at.append,
            )
        )

    async def _turned_away(self, call: Ringing) -> TurnedAway | None:
        self.rang.append(call)
        return self.away

    def client(self, peer: str = "203.0.113.9", **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(
            self.app, raise_app_exceptions=False, client=(peer, 40_000), **options
        )
        return httpx.AsyncClient(transport=transport, base_url="http://voice.example.com")


def outside(environ: Mapping[str, str] | None = None) -> Outside:
    return Outside(load_settings(environ or {}))

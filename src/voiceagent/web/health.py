"""What probes and people ask first: alive, ready, which version, what was counted.

The state that `app.py` keeps in memory flows out as `/healthz`, `/readyz`,
`/version` and `/metrics`. No request starts, opens or waits for anything.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal

from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import PlainTextResponse

from voiceagent.metrics import CONTENT_TYPE
from voiceagent.settings import Settings
from voiceagent.web.security import api_key_required

Part = Literal["ok", "pending"]


@dataclass(slots=True)
class Readiness:
    """The last known state of the parts; whoever learns something new writes it here."""

    max_calls: int
    live_calls: Callable[[], int]
    ws: Part = "pending"
    db: Literal["ok", "err"] = "err"
    stt: Part = "pending"
    tts: Part = "pending"
    warmed_up: bool = False
    """The first warm-up has ended, with whatever state it found."""
    draining: bool = False

    @property
    def serving(self) -> bool:
        """Whether new calls are wanted here at all (there may still be no room)."""
        return self.warmed_up and not self.draining


class CallsReport(BaseModel):
    live: int = Field(examples=[3])
    max: int = Field(examples=[100])


class ReadinessReport(BaseModel):
    """What `/readyz` tells."""

    ws: Part
    db: Literal["ok", "err"]
    stt: Part
    tts: Part
    warmed_up: bool
    draining: bool
    calls: CallsReport
    accepting_calls: bool = Field(description="A call that came now would be taken.")


class VersionReport(BaseModel):
    """What `/version` tells."""

    deploy_id: str
    commit: str = Field(description="The commit of the checkout, or `unknown`.")
    time: str = Field(description="When this process started, ISO 8601, UTC.")
    version: str = Field(description="Of the package.")


def version_report(settings: Settings, started_at: datetime) -> VersionReport:
    """The version of this process; reads the checkout once, so call it at start."""
    try:
        version = installed_version("voiceagent")
    except PackageNotFoundError:
        version = "unknown"
    return VersionReport(
        deploy_id=settings.deploy_id,
        commit=settings.git_commit or _own_commit() or "unknown",
        time=started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        version=version,
    )


def install_health_routes(
    app: FastAPI,
    readiness: Readiness,
    version: VersionReport,
    metrics_text: Callable[[], Awaitable[bytes]],
    metrics_token: SecretStr | None = None,
) -> None:
    """Put the four routes on the application itself. `metrics_token`: what `/metrics` is shown
    for; None: to whoever asks."""
    shown_for = metrics_token.get_secret_value() if metrics_token is not None else None

    @app.get(
        "/healthz",
        tags=["health"],
        summary="Alive: answers as long as the process does",
        response_class=PlainTextResponse,
    )
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get(
        "/readyz",
        tags=["health"],
        summary="Ready: the last known state of every part",
        response_model=ReadinessReport,
        responses={
            503: {
                "model": ReadinessReport,
                "description": "Before the first warm-up has ended, and while draining.",
            }
        },
    )
    async def readyz(response: Response) -> ReadinessReport:
        if not readiness.serving:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Cache-Control"] = "no-store"
        return readiness_report(readiness)

    @app.get("/version", tags=["health"], summary="Which deployment this is, since when")
    async def version_() -> VersionReport:
        return version

    @app.get(
        "/metrics",
        tags=["health"],
        summary="What was counted, as Prometheus text",
        response_class=PlainTextResponse,
        dependencies=[Depends(api_key_required(shown_for))] if shown_for is not None else [],
    )
    async def metrics_() -> Response:
        return Response(await metrics_text(), headers={"Content-Type": CONTENT_TYPE})

    for path, endpoint in (("/healthz", healthz), ("/readyz", readyz), ("/version", version_)):
        # Uptime checkers like to ask with HEAD.
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)


def readiness_report(readiness: Readiness) -> ReadinessReport:
    """The report for the state as it is now."""
    live = readiness.live_calls()
    return ReadinessReport(
        ws=readiness.ws,
        db=readiness.db,
        stt=readiness.stt,
        tts=readiness.tts,
        warmed_up=readiness.warmed_up,
        draining=readiness.draining,
        calls=CallsReport(live=live, max=readiness.max_calls),
        accepting_calls=readiness.serving and live < readiness.max_calls,
    )


def _own_commit() -> str | None:
    """The commit of the checkout this runs from: beside the package, or where it was started.

    Another project's checkout, which the package may be installed inside of, is not ours.
    """
    for root in (Path(__file__).resolve().parents[3], Path.cwd()):
        if (root / "main app").is_file():
            return checkout_commit(root)
    return None


def checkout_commit(root: Path) -> str | None:
    """The commit that a git checkout is at, read from its files; `None` when there is none."""
    try:
        git = root / ".git"
        if git.is_file():  # a linked worktree
            git = root / git.read_text().removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return _commit_or_none(head)
        ref = head.removeprefix("ref: ")
        common = git / "commondir"
        shared = git / common.read_text().strip() if common.is_file() else git
        for directory in (git, shared):
            if (directory / ref).is_file():
                return _commit_or_none((directory / ref).read_text().strip())
        for line in (shared / "packed-refs").read_text().splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return _commit_or_none(commit)
    except (OSError, ValueError):
        pass
    return None


def _commit_or_none(text: str) -> str | None:
    return text if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) else None

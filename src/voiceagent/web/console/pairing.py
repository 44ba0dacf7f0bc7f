"""`/console/pairing`: how the business is connected to WhatsApp, and how a phone is linked.

What the sidecar knows of its session flows in; a page flows out that says what a state means and
what to do, with the code to scan as a picture. Without a sidecar it says that. Orders go to the
sidecar and lead back to the page.
"""

import base64
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import RedirectResponse

from voiceagent.errors import ProviderError
from voiceagent.web.console.door import Door, Posted
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.pairing_texts import PairingTexts, StateTexts
from voiceagent.web.console.sessions import Session
from voiceagent.whatsapp.numbers import e164
from voiceagent.whatsapp.session_state import Session as WhatsAppSession
from voiceagent.whatsapp.sidecar_session import SidecarSession, TokenRefused

PATH: Final = "/console/pairing"

_TONES: Final = {
    "open": "good",
    "connecting": "accent",
    "pairing": "accent",
    "waiting": "warn",
    "paused": "warn",
    "standby": "accent",
    "draining": "warn",
    "logged_out": "warn",
}
"""Of states; all others are bad."""
_MARGIN: Final = 4
"""Modules around a QR code."""
_STARTED: Final = frozenset({"waiting", "stopped", "failed", "logged_out"})
"""States that `start` brings forward."""
_LINKED: Final = frozenset({"open", "waiting", "stopped", "failed", "paused", "connecting"})
"""States in which there may be a device to unlink."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The sidecar, as far as it can be asked."""

    name: str
    """Its state, or `away`, `refused`."""
    tone: str
    words: StateTexts
    session: WhatsAppSession | None = None
    qr: str = ""
    """A picture's address that holds the picture; empty when there is none."""
    advice: str = ""
    why: str = ""
    since: datetime | None = None
    last_inbound_at: datetime | None = None
    next_attempt_at: datetime | None = None
    new_chats_paused_until: datetime | None = None

    @property
    def can_start(self) -> bool:
        """Whether starting would change something."""
        return self.name in _STARTED

    @property
    def can_log_out(self) -> bool:
        """Whether there is a device to unlink."""
        return self.name in _LINKED and self.session is not None and bool(self.session.account)


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of asking for a pairing code."""

    phone: str = ""
    code: str = ""
    fault: str = ""


def pairing_router(pages: Pages, door: Door, session: SidecarSession) -> APIRouter:
    """The routes."""
    router = pages.router()

    async def page(
        request: Request,
        who: Session,
        *,
        asked: Asked = Asked(),
        status: int = HTTPStatus.OK,
    ) -> Response:
        standing = await standing_of(session, pages.texts(request).pairing)
        return pages.show(
            request,
            "pairing.html",
            who,
            status=status,
            at=PATH if request.method == "POST" else "",
            standing=standing,
            asked=asked,
        )

    @router.get(PATH, summary="How WhatsApp is connected, and how a phone is linked")
    async def show(request: Request, who: Annotated[Session, Depends(door.signed_in)]) -> Response:
        return await page(request, who)

    @router.post(f"{PATH}/code", summary="Ask for a code to type on the phone")
    async def code(request: Request, posted: Annotated[Posted, Depends(door.posted)]) -> Response:
        texts = pages.texts(request).pairing
        given = posted.form.get("phone").strip()[:60]
        phone = e164(given)
        if phone is None:
            asked = Asked(given, fault=texts.bad_number)
        else:
            try:
                asked = Asked(phone, code=await session.pairing_code(phone))
            except ProviderError:
                asked = Asked(phone, fault=texts.no_code)
        status = HTTPStatus.UNPROCESSABLE_ENTITY if asked.fault else HTTPStatus.OK
        return await page(request, posted.session, asked=asked, status=status)

    async def done(order: Callable[[], Awaitable[object]]) -> Response:
        with suppress(ProviderError):  # the page tells how it stands
            await order()
        return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)

    @router.post(
        f"{PATH}/start",
        summary="Connect to WhatsApp now",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def start(
        posted: Annotated[Posted, Depends(door.posted)],  # noqa: ARG001
    ) -> Response:
        return await done(session.start)

    @router.post(
        f"{PATH}/log-out",
        summary="Unlink the device",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def log_out(
        posted: Annotated[Posted, Depends(door.posted)],  # noqa: ARG001
    ) -> Response:
        return await done(session.logout)

    return router


async def standing_of(sidecar: SidecarSession, texts: PairingTexts) -> Standing:
    """How it stands, in words. Never raises for a sidecar that is away."""
    try:
        session = await sidecar.state()
        code = await sidecar.qr_code() if session.state == "pairing" else None
    except TokenRefused:
        return Standing("refused", "bad", texts.refused)
    except ProviderError:
        return Standing("away", "bad", texts.away)
    reason = session.reason.code if session.reason is not None else None
    ours = texts.advice.get(reason) if isinstance(reason, int) else None
    return Standing(
        name=session.state,
        tone=_TONES.get(session.state, "bad"),
        words=texts.states[session.state],
        session=session,
        qr=_picture(code.rows) if code is not None else "",
        advice="" if session.state == "open" else ours or session.advice or "",
        why=_why(session),
        since=_moment(session.since),
        last_inbound_at=_moment(session.last_inbound_at),
        next_attempt_at=_moment(session.next_attempt_at),
        new_chats_paused_until=_moment(session.new_chats_paused_until),
    )


def _why(session: WhatsAppSession) -> str:
    if session.reason is None or session.state == "open":
        return ""
    code = str(session.reason.code) if session.reason.code is not None else ""
    text = session.reason.text
    # The sidecar's own sentences have it already.
    return text if f"({code})" in text else " · ".join(part for part in (code, text) if part)


def _moment(text: str | None) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text) if text else None
        return moment if moment is not None and moment.tzinfo is not None else None
    return None


def _picture(rows: Sequence[str]) -> str:
    """The code as an image, with the margin that cameras need. A browser runs nothing in it."""
    size = len(rows) + 2 * _MARGIN
    dark = "".join(
        f"M{x + _MARGIN} {y + _MARGIN}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, module in enumerate(row)
        if module == "1"
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}"'
        f' shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{size}v{size}H0z"/>'
        f'<path d="{dark}"/></svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"

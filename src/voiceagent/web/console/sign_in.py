"""`/console/sign-in` and `/console/sign-out`: in with the API key, out with a button.

A form with the key flows in; a cookie that holds a signed token flows out. Whoever fails too
often has to wait. The key is never kept, shown or logged.
"""

import math
import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import RedirectResponse

from voiceagent.web.attempts import Attempts
from voiceagent.web.console.door import PATH, SIGN_IN, Door, Posted, inside
from voiceagent.web.console.pages import AS_PAGE, Pages
from voiceagent.web.forms import TwilioForm


def sign_in_router(pages: Pages, door: Door, attempts: Attempts) -> APIRouter:
    """The routes. `attempts`: at every door that the key opens."""
    router = pages.router()

    def page(
        request: Request, *, fault: str = "", notice: str = "", status: int = HTTPStatus.OK,
        then: str = PATH,
    ) -> Response:  # fmt: skip
        visitor = door.visitor(request)
        response = pages.show(
            request,
            "sign_in.html",
            None,
            status=status,
            at=SIGN_IN,
            visitor_csrf=door.sessions.csrf(visitor),
            fault=fault,
            notice=notice,
            next=then,
        )
        door.receive(request, response, visitor)
        return response

    @router.get(SIGN_IN, summary="The page to sign in")
    async def show(request: Request, next: str = PATH, out: str = "") -> Response:  # noqa: A002
        texts = pages.texts(request).sign_in
        return page(request, notice=texts.signed_out if out else "", then=inside(next))

    @router.post(
        SIGN_IN,
        summary="Sign in with the API key",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
        responses={
            429: {"description": "Too many wrong keys: a page that says when to try again."}
            | AS_PAGE
        },
    )
    async def sign_in(
        request: Request, form: Annotated[TwilioForm, Depends(door.visitor_posted)]
    ) -> Response:
        texts = pages.texts(request).sign_in
        address = request.client.host if request.client is not None else ""
        then = inside(form.get("next"))
        if (wait_s := attempts.wait_s(address, time.monotonic())) > 0:
            seconds = math.ceil(wait_s)
            response = page(
                request,
                fault=texts.wait.format(seconds=seconds),
                status=HTTPStatus.TOO_MANY_REQUESTS,
                then=then,
            )
            response.headers["Retry-After"] = str(seconds)
            return response
        key = form.get("key").strip()
        if not door.sessions.is_key(key):
            attempts.failed(address, key, time.monotonic())
            return page(request, fault=texts.wrong, status=HTTPStatus.FORBIDDEN, then=then)
        attempts.succeeded(address)
        response = RedirectResponse(then, HTTPStatus.SEE_OTHER)
        door.let_in(request, response, door.sessions.opened(door.now()))
        return response

    @router.post(
        "/console/sign-out",
        summary="Sign out",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def sign_out(
        request: Request,
        posted: Annotated[Posted, Depends(door.posted)],  # noqa: ARG001
    ) -> Response:
        response = RedirectResponse(f"{SIGN_IN}?out=1", HTTPStatus.SEE_OTHER)
        door.let_out(request, response)
        # Not renewed on the way out.
        request.state.console_session = None
        return response

    return router

"""What takes no payments: providers that are not configured, and Stripe.

A provider without its keys answers 501 with the names of what is missing, whatever is asked of
it; Stripe was here once, and answers 410 for good. No library of theirs is imported.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from voiceagent.payments.ports import ProviderName
from voiceagent.web.crm import ERRORS
from voiceagent.web.problems import problem_response

PREFIX: Final = "/api/crm/payments"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NAMES: Final[Mapping[ProviderName, str]] = {"paypal": "PayPal", "tranzila": "Tranzila"}


def stripe_router() -> APIRouter:
    """Stripe was here once. Open to anybody: there is nothing behind it."""
    router = APIRouter(tags=["payments"])
    gone = "Stripe is no longer supported: ask PayPal or Tranzila."

    @router.get(
        f"{PREFIX}/stripe",
        summary="Stripe is gone: every method here and below answers 410",
        status_code=HTTPStatus.GONE,
        response_class=Response,
        responses={410: {"description": "Stripe is no longer supported."}},
    )
    async def stripe(request: Request) -> Response:
        return problem_response(request, HTTPStatus.GONE, gone)

    async def every_method(scope: Scope, receive: Receive, send: Send) -> None:
        answer = problem_response(Request(scope), HTTPStatus.GONE, gone)
        await answer(scope, receive, send)

    for path in (f"{PREFIX}/stripe", f"{PREFIX}/stripe/{{rest:path}}"):
        router.routes.append(Route(path, _App(every_method), include_in_schema=False))
    return router


class _App:
    """Starlette asks a function for the methods that it takes, and an application for none."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def not_configured(name: ProviderName, missing: tuple[str, ...]) -> HTTPException:
    """501, with what is missing."""
    verb = "is" if len(missing) == 1 else "are"
    return HTTPException(
        HTTPStatus.NOT_IMPLEMENTED,
        f"{NAMES[name]} is not configured: {', '.join(missing)} {verb} not set.",
    )


def absent_router(name: ProviderName, missing: tuple[str, ...]) -> APIRouter:
    """Whatever is asked of it: 501."""
    router = APIRouter(tags=["payments"])
    responses: dict[int | str, dict[str, Any]] = {
        401: ERRORS[401],
        501: {"description": f"{NAMES[name]} is not configured."},
    }

    async def absent() -> Response:
        raise not_configured(name, missing)

    for path in (f"{PREFIX}/{name}", f"{PREFIX}/{name}/{{rest:path}}"):
        router.add_api_route(
            path,
            absent,
            methods=["GET"],
            status_code=HTTPStatus.NOT_IMPLEMENTED,
            summary=f"{NAMES[name]} is not configured: every method answers 501",
            responses=responses,
            response_class=Response,
            operation_id=f"absent_{name}_{'below' if 'rest' in path else 'list'}",
        )
        others = [method for method in METHODS if method != "GET"]
        router.add_api_route(path, absent, methods=others, include_in_schema=False)
    return router

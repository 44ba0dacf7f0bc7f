"""`/console`, put together: its pages, what they load, and an answer to any other address.

The pages' routers flow in, one router flows out. It is included last of what begins with
`/console`, since it answers everything there.
"""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter, Response
from starlette.requests import Request
from starlette.responses import RedirectResponse

from voiceagent.web.allowed_methods import METHODS, allowed_methods
from voiceagent.web.console.door import PATH
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.static_files import PREFIX


def console_router(pages: Pages, routers: Sequence[APIRouter]) -> APIRouter:
    """All of it. No API key: each page asks who has signed in."""
    router = APIRouter()
    files = pages.router()

    @files.get(f"{PREFIX}/{{version}}/{{name:path}}", include_in_schema=False)
    async def static(version: str, name: str) -> Response:
        return pages.static.answer(version, name)

    @router.get("/", include_in_schema=False)
    async def front_door() -> Response:
        return RedirectResponse(PATH, HTTPStatus.TEMPORARY_REDIRECT)

    rest = pages.router()

    @rest.api_route(f"{PATH}/{{path:path}}", methods=[*METHODS], include_in_schema=False)
    async def nothing(request: Request, path: str) -> Response:  # noqa: ARG001
        known = [route for part in (files, *routers) for route in part.routes]
        if allowed := allowed_methods(known, request.scope):
            answer = pages.problem(request, HTTPStatus.METHOD_NOT_ALLOWED)
            answer.headers["Allow"] = ", ".join(allowed)
            return answer
        return pages.problem(request, HTTPStatus.NOT_FOUND)

    for part in (files, *routers, rest):
        router.include_router(part)
    return router

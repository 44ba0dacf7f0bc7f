"""A template and what is known become an answer: HTML in the reader's language, with the policy.

Values flow in, responses flow out; everything from outside is escaped by the templates. A
router that is made here answers errors as pages, too. It knows no record and no database.
"""

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, tzinfo
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from voiceagent.errors import Conflict, InvalidCursor, NotFound, ProviderError
from voiceagent.settings import Settings
from voiceagent.web.base_url import is_host
from voiceagent.web.console.door import PATH, Door
from voiceagent.web.console.moments import Moments, duration, money, number
from voiceagent.web.console.sessions import Session
from voiceagent.web.console.static_files import StaticFiles
from voiceagent.web.console.texts import DIRECTIONS, TEXTS, Texts
from voiceagent.web.reader_language import Language, language_of, reader_language

TEMPLATES: Final = Path(__file__).parent / "templates"

_LANGUAGE_COOKIE: Final = "voiceagent_console_language"
_YEAR_S: Final = 365 * 24 * 3600
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " media-src 'self'; connect-src {connect}; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
AS_PAGE: Final[dict[str, Any]] = {"content": {"text/html": {"schema": {"type": "string"}}}}
"""Of an answer in the OpenAPI."""
_PAGES: Final[dict[int | str, dict[str, Any]]] = {
    303: {"description": "To the sign-in page, or to the page that shows what was done."},
    401: {"description": "A script's session is over."} | AS_PAGE,
    403: {"description": "The form was not made for this session."} | AS_PAGE,
    404: {"description": "There is no such record: a page that says so."} | AS_PAGE,
    409: {"description": "Somebody was quicker, or it cannot be done now."} | AS_PAGE,
    413: {"description": "The form is beyond the limits: a page that says so."} | AS_PAGE,
    422: {"description": "It is not possible: a page that says why."} | AS_PAGE,
    503: {"description": "The database is away: a page that says so."} | AS_PAGE,
}


class Pages:
    """One per process."""

    def __init__(self, settings: Settings, door: Door, *, business: str, zone: tzinfo) -> None:
        """`zone`: the business's own, in which times are shown."""
        self._door = door
        self._business = business
        self._zone = zone
        self._language = language_of(settings.agent_language)
        self.static = StaticFiles()
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["static"] = self.static.url
        self._templates.filters.update(duration=duration, money=money, number=number)

    def belong_to(self, business: str) -> None:
        """Pages that are shown from now on have this business's name."""
        self._business = business

    def warm_up(self) -> None:
        """Read and compile all templates; may block for a while."""
        for name in self._templates.list_templates():
            self._templates.get_template(name)

    def router(self, tag: str = "console") -> APIRouter:
        """One whose answers are all pages, errors too."""
        return APIRouter(
            tags=[tag],
            route_class=self._route_class(),
            default_response_class=HTMLResponse,
            responses=_PAGES,
        )

    def show(
        self,
        request: Request,
        template: str,
        session: Session | None,
        *,
        status: int = HTTPStatus.OK,
        at: str = "",
        **values: object,
    ) -> Response:
        """A page. `at`: its own address, where it differs from the request's."""
        language = self.language(request)
        texts = TEXTS[language]
        page = self._templates.get_template(template).render(
            t=texts,
            language=language,
            direction=DIRECTIONS[language],
            moments=Moments(language, self._zone, datetime.now(self._zone).date()),
            business=self._business,
            here=request.url.path,
            path=at or request.url.path,
            languages=_languages(request, at),
            csrf=self._door.csrf(session) if session is not None else "",
            signed_in=session is not None,
            **values,
        )
        response = HTMLResponse(page, status)
        if request.query_params.get("lang") == language:
            response.set_cookie(
                _LANGUAGE_COOKIE,
                language,
                max_age=_YEAR_S,
                path=PATH,
                httponly=True,
                samesite="strict",
            )
        return response

    def texts(self, request: Request) -> Texts:
        """The words in the reader's language."""
        return TEXTS[self.language(request)]

    def language(self, request: Request) -> Language:
        """What was chosen, else what the browser prefers of both, else the agent's."""
        return reader_language(
            request,
            request.query_params.get("lang"),
            request.cookies.get(_LANGUAGE_COOKIE),
            otherwise=self._language,
        )

    def problem(self, request: Request, status: int) -> Response:
        """What went wrong, as a page."""
        session = self._door.session_of(request)
        texts = self.texts(request)
        words = texts.problems.get(status, texts.problem)
        return self.show(request, "problem.html", session, status=status, words=words, at=PATH)

    def _route_class(self) -> type[APIRoute]:
        pages = self

        class PageRoute(APIRoute):
            """A route whose every answer carries the policy, and whose errors are pages."""

            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                handler = super().get_route_handler()

                async def answer(request: Request) -> Response:
                    try:
                        response = await handler(request)
                    except Exception as error:
                        found = pages._answer_to(request, error)
                        if found is None:
                            raise
                        response = found
                    pages._door.renew(request, response)
                    for name, value in _headers(request).items():
                        response.headers.setdefault(name, value)
                    return response

                return answer

        return PageRoute

    def _answer_to(self, request: Request, error: Exception) -> Response | None:
        """What an error looks like; None: it is not foreseen, and the application's own."""
        match error:
            case HTTPException(status_code=303, headers=headers):
                return Response(status_code=HTTPStatus.SEE_OTHER, headers=dict(headers or {}))
            case HTTPException(status_code=status):
                return self.problem(request, status)
            case RequestValidationError() | NotFound() | InvalidCursor():
                return self.problem(request, HTTPStatus.NOT_FOUND)
            case Conflict():
                return self.problem(request, HTTPStatus.CONFLICT)
            case ProviderError():
                return self.problem(request, HTTPStatus.SERVICE_UNAVAILABLE)
        return None


def _headers(request: Request) -> Mapping[str, str]:
    host = request.headers.get("host", "")
    # Older browsers do not take a socket of the same host for 'self'.
    connect = f"'self' ws://{host} wss://{host}" if is_host(host) else "'self'"
    return {
        "Content-Security-Policy": _POLICY.format(connect=connect),
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    }


def _languages(request: Request, at: str) -> Mapping[Language, str]:
    """The same page in each language."""
    kept = [] if at else [(k, v) for k, v in request.query_params.multi_items() if k != "lang"]
    languages: tuple[Language, ...] = ("he", "en")
    path = at or request.url.path
    return {language: f"{path}?{urlencode([*kept, ('lang', language)])}" for language in languages}

"""Who may see the pages, and what may be posted: cookies and forms, read and written.

Requests flow in; a session flows out, or an answer that leads to signing in. Whatever changes
something must hold the session's own token and come from a page of ours. Nothing is logged of
keys, tokens or addresses.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import HTTPException, Request, Response

from voiceagent.settings import Settings
from voiceagent.web.console.sessions import LONGEST_S, Session, Sessions, is_visitor, new_id
from voiceagent.web.forms import MAX_BODY_BYTES, TwilioForm, read_form

PATH: Final = "/console"
SIGN_IN: Final = "/console/sign-in"
CSRF_HEADER: Final = "x-csrf-token"
LIVE_HEADER: Final = "x-console-live"
"""A script fetches the page again: it cannot be led to another one."""

LONG_FORM_BYTES: Final = 512 * 1024

_COOKIE: Final = "voiceagent_console"
_VISITOR_COOKIE: Final = "voiceagent_console_visitor"
_OF_OURS: Final = frozenset({"", "none", "same-origin"})
"""`Sec-Fetch-Site` of a request that no other site's page has made; old browsers say nothing."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A form of somebody who has signed in, made for this session."""

    session: Session
    form: TwilioForm


class Door:
    """One per process."""

    def __init__(
        self, settings: Settings, api_key: str, now: Callable[[], float] = time.time
    ) -> None:
        """`now`: Unix seconds."""
        self.sessions = Sessions(api_key)
        self.now = now
        self._always_secure = settings.public_base_url is not None

    def session_of(self, request: Request) -> Session | None:
        """Who has sent this; None: nobody who has signed in."""
        return self.sessions.of(request.cookies.get(_COOKIE, ""), self.now())

    async def signed_in(self, request: Request) -> Session:
        """A dependency. Raises what leads to the sign-in page, or a 401 for a script."""
        session = self.session_of(request)
        if session is None:
            raise _refused(request)
        request.state.console_session = session
        return session

    async def posted(self, request: Request) -> Posted:
        """A dependency of what changes something: the session and the form. Raises as `signed_in`
        does, a 403 without the right token, and a 413 for a form beyond the limits."""
        return await self._posted(request, MAX_BODY_BYTES)

    async def posted_long(self, request: Request) -> Posted:
        """The same for a form that holds a whole script, twice and in letters of six bytes each."""
        return await self._posted(request, LONG_FORM_BYTES)

    async def _posted(self, request: Request, max_bytes: int) -> Posted:
        session = await self.signed_in(request)
        form = await read_form(request, max_bytes)
        if form.cut:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        token = request.headers.get(CSRF_HEADER) or form.get("csrf")
        self._check(request, session.id, token)
        return Posted(session, form)

    async def visitor_posted(self, request: Request) -> TwilioForm:
        """The same before anybody has signed in: the token belongs to the visitor."""
        form = await read_form(request)
        visitor = request.cookies.get(_VISITOR_COOKIE, "")
        if form.cut or not is_visitor(visitor):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        self._check(request, visitor, form.get("csrf"))
        return form

    def csrf(self, session: Session) -> str:
        """For the forms of a page, and for the header of a script's requests."""
        return self.sessions.csrf(session.id)

    def visitor(self, request: Request) -> str:
        """Who has come to sign in."""
        known = request.cookies.get(_VISITOR_COOKIE, "")
        return known if is_visitor(known) else new_id()

    def let_in(self, request: Request, response: Response, session: Session) -> None:
        """Give the browser its cookie."""
        self._set(request, response, _COOKIE, self.sessions.token(session))
        self._drop(request, response, _VISITOR_COOKIE)

    def receive(self, request: Request, response: Response, visitor: str) -> None:
        """Have the browser tell the visitor from others."""
        self._set(request, response, _VISITOR_COOKIE, visitor)

    def let_out(self, request: Request, response: Response) -> None:
        """Take the cookie back."""
        self._drop(request, response, _COOKIE)

    def renew(self, request: Request, response: Response) -> None:
        """Whoever goes on stays signed in."""
        session: Session | None = getattr(request.state, "console_session", None)
        if session is not None and session.wants_renewal(self.now()):
            renewed = self.sessions.renewed(session, self.now())
            self._set(request, response, _COOKIE, self.sessions.token(renewed))

    def _check(self, request: Request, id_: str, token: str) -> None:
        site = request.headers.get("sec-fetch-site", "")
        if site not in _OF_OURS or not self.sessions.is_csrf(id_, token):
            raise HTTPException(HTTPStatus.FORBIDDEN)

    def _set(self, request: Request, response: Response, name: str, value: str) -> None:
        response.set_cookie(
            name,
            value,
            max_age=LONGEST_S,
            path=PATH,
            secure=self._is_secure(request),
            httponly=True,
            samesite="strict",
        )

    def _drop(self, request: Request, response: Response, name: str) -> None:
        response.delete_cookie(
            name, path=PATH, secure=self._is_secure(request), httponly=True, samesite="strict"
        )

    def _is_secure(self, request: Request) -> bool:
        return self._always_secure or request.url.scheme == "https"


def inside(path: str) -> str:
    """A path of the console to go on to; the inbox for anything else."""
    harmless = path.isascii() and path.isprintable() and "\\" not in path and "//" not in path
    is_ours = path == PATH or path.startswith((f"{PATH}/", f"{PATH}?"))
    return path if harmless and is_ours and len(path) < 500 else PATH


def _refused(request: Request) -> HTTPException:
    is_page = "text/html" in request.headers.get("accept", "")
    if request.method == "GET" and is_page and LIVE_HEADER not in request.headers:
        query = f"?{request.url.query}" if request.url.query else ""
        there = quote(inside(request.url.path + query), safe="")
        return HTTPException(HTTPStatus.SEE_OTHER, headers={"Location": f"{SIGN_IN}?next={there}"})
    if request.method == "POST" and is_page and LIVE_HEADER not in request.headers:
        return HTTPException(HTTPStatus.SEE_OTHER, headers={"Location": SIGN_IN})
    return HTTPException(HTTPStatus.UNAUTHORIZED)

"""Every error answer of the service, as RFC 9457 problem details.

Exceptions flow in from any route, `application/problem+json` flows out. This is
the only place where a domain error meets an HTTP status. An answer never holds
a stack trace nor the words of an unexpected error: those go to the log.
"""

import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from voiceagent.errors import (
    Conflict,
    EngineTimeout,
    NotFound,
    ProtocolError,
    ProviderError,
    VoiceAgentError,
)
from voiceagent.web.allowed_methods import allowed_methods

MEDIA_TYPE: Final = "application/problem+json"

_RETRY_AFTER_S: Final = "5"

_log = logging.getLogger(__name__)


class FieldFault(BaseModel):
    """One thing that is wrong with the request."""

    where: str = Field(examples=["body.text"])
    what: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str | None = Field(None, examples=["There is no such record."])
    instance: str | None = Field(None, description="The path that was asked.")
    errors: list[FieldFault] | None = Field(None, description="With 422: what is wrong where.")


class ProblemResponse(JSONResponse):
    """A problem as a response."""

    media_type = MEDIA_TYPE


def problem_response(
    request: Request,
    status: int,
    detail: str | None = None,
    *,
    errors: list[FieldFault] | None = None,
    headers: dict[str, str] | None = None,
) -> ProblemResponse:
    """The answer to a request that went wrong."""
    problem = Problem(
        title=_title(status),
        status=status,
        detail=detail if detail != _title(status) else None,
        instance=request.url.path,
        errors=errors,
    )
    return ProblemResponse(problem.model_dump(exclude_none=True), status, headers)


def install_problem_handlers(app: FastAPI) -> None:
    """Make the application answer every error as a problem, and say so in its OpenAPI."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(VoiceAgentError, _domain)
    app.add_exception_handler(Exception, _unexpected)
    make_openapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(make_openapi())
        return app.openapi_schema

    # FastAPI's own way of extending the document.
    app.openapi = openapi  # type: ignore[method-assign]


async def _http(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    headers = dict(error.headers) if error.headers else {}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request.app.routes, request.scope))
    return problem_response(
        request,
        error.status_code,
        str(error.detail) if error.detail else None,
        headers=headers or None,
    )


async def _invalid(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    # The value itself is not repeated: it may be a secret or somebody's number.
    faults = [
        FieldFault(
            where=".".join(str(step) for step in fault["loc"])[:200],
            # A validator's own sentence, without the library's word before it.
            what=fault["msg"].removeprefix("Value error, "),
        )
        for fault in error.errors()[:20]
    ]
    return problem_response(
        request, HTTPStatus.UNPROCESSABLE_ENTITY, "The request is not valid.", errors=faults
    )


async def _domain(request: Request, error: Exception) -> ProblemResponse:
    headers = None
    match error:
        case NotFound():
            status = HTTPStatus.NOT_FOUND
        case Conflict():
            status = HTTPStatus.CONFLICT
        case ProtocolError():
            status = HTTPStatus.BAD_REQUEST
        case EngineTimeout():
            status = HTTPStatus.GATEWAY_TIMEOUT
        case ProviderError(retryable=True):
            status, headers = HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": _RETRY_AFTER_S}
        case ProviderError():
            status = HTTPStatus.BAD_GATEWAY
        case _:
            _log.error("%s failed", request.url.path, exc_info=error)
            return await _unexpected(request, error)
    detail: str | None = str(error)
    if isinstance(error, ProviderError):
        # Its own words may hold addresses and names of the inside.
        _log.warning("%s: %s", request.url.path, error)
        detail = None
    return problem_response(request, status, detail, headers=headers)


async def _unexpected(request: Request, error: Exception) -> ProblemResponse:  # noqa: ARG001
    return problem_response(request, HTTPStatus.INTERNAL_SERVER_ERROR)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with every error answer described as a problem."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    definition = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= definition.pop("$defs")
    schemas["Problem"] = definition
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in document.get("paths", {}).values():
        for operation in path.values():
            responses = operation["responses"]
            for status, response in responses.items():
                if status >= "400":
                    # A route's own example of another shape (/readyz) stays beside it.
                    described = response.get("content", {})
                    if not described or "HTTPValidationError" in str(described):
                        response["content"] = content
            responses.setdefault("default", {"description": "Any other error.", "content": content})
    return document

"""A request's JSON as a model: read with a limit and a deadline, after the door was passed.

FastAPI would read the whole body, however long, before it asks for the API key. Here the
route reads it: bytes flow in, a model flows out, or 413 or 422 as problem details.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final, TypeVar

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

MAX_BODY_BYTES: Final = 64 * 1024
READ_S: Final = 10.0

_Body = TypeVar("_Body", bound=BaseModel)


async def read_json(request: Request, model: type[_Body]) -> _Body:
    """The body of a request. Raises what becomes a 413 (too long, too slow) or a 422."""
    return parsed(await read_body(request), model)


async def read_body(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The body as it came. Raises what becomes a 413."""
    body = bytearray()
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_much()
    except (TimeoutError, ClientDisconnect):
        raise _too_much() from None
    return bytes(body)


def parsed(body: bytes, model: type[_Body]) -> _Body:
    """What it says. Raises what becomes a 422."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [
                fault | {"loc": ("body", *fault["loc"])}
                for fault in error.errors(include_url=False, include_context=False)
            ]
        ) from None


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The request body for OpenAPI, which does not see what the route reads by itself."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _too_much() -> HTTPException:
    return HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too long or came too slowly."
    )

"""`GET /api/crm/calls/{call_sid}/recording`: a call as it was heard, as a WAV file.

A request flows in; the file, or the part that a player seeks, flows out a piece at a time.
Nothing is loaded whole and nothing is kept. Who may ask is decided where a route is included.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from starlette.responses import Response, StreamingResponse

from voiceagent.crm.calls.recordings import Recording, RecordingsRepository
from voiceagent.recordings.two_voices import CHANNELS
from voiceagent.speech.wave_header import wave_header
from voiceagent.web.byte_range import ByteRange, NotSatisfiable, wanted_range
from voiceagent.web.crm import ERRORS, NOT_FOUND
from voiceagent.web.problems import problem_response

MEDIA_TYPE: Final = "audio/wav"
CallSid = Annotated[str, Path(max_length=200)]

_SOUND: Final[dict[str, Any]] = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
SOUND: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "µ-law, 8000 Hz, the caller on the left and the agent on the right.",
        "content": _SOUND,
    },
    206: {"description": "The part that `Range` asks for.", "content": _SOUND},
    416: {"description": "`Range` begins behind the end."},
}


def recordings_router(recordings: RecordingsRepository) -> APIRouter:
    """The route; the includer adds the check of the API key."""
    router = APIRouter(prefix="/api/crm", tags=["crm"], responses=ERRORS)

    @router.get(
        "/calls/{call_sid}/recording",
        summary="Listen to a call; players may seek (`Range`)",
        response_class=Response,
        responses=NOT_FOUND | SOUND,
    )
    async def read_recording(request: Request, call_sid: CallSid) -> Response:
        return sound_answer(request, recordings, await recordings.find(call_sid))

    return router


def sound_answer(
    request: Request, recordings: RecordingsRepository, recording: Recording
) -> Response:
    """The recording, or what the request's `Range` asks for of it."""
    header = wave_header(recording.size_bytes, channels=CHANNELS)
    length = len(header) + recording.size_bytes
    # A recording that is kept never changes, and is nobody else's.
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    try:
        wanted = wanted_range(request.headers.get("range"), length)
    except NotSatisfiable:
        headers["Content-Range"] = f"bytes */{length}"
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        return problem_response(request, status, headers=headers)
    part = wanted or ByteRange(0, length - 1)
    headers["Content-Length"] = str(part.length)
    headers["Content-Disposition"] = "inline"
    headers["X-Content-Type-Options"] = "nosniff"
    if wanted is not None:
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{length}"
    return StreamingResponse(
        _bytes_of(recordings, recording, header, part),
        HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT,
        headers,
        media_type=MEDIA_TYPE,
    )


async def _bytes_of(
    recordings: RecordingsRepository, recording: Recording, header: bytes, part: ByteRange
) -> AsyncIterator[bytes]:
    end = part.last + 1
    if part.first < len(header):
        yield header[part.first : end]
    first, last = max(0, part.first - len(header)), end - len(header)
    async for piece in recordings.read(recording, first, last):
        yield piece

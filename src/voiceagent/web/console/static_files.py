"""What the pages load from us: styles, scripts, pictures, out of the package and nowhere else.

All files are read once, at the start; their addresses hold a digest of all of them, so that a
browser may keep each for good and still gets the new ones after an update.
"""

import hashlib
from pathlib import Path
from typing import Final

from fastapi import Response

from voiceagent.errors import NotFound

FOLDER: Final = Path(__file__).parent / "static"
PREFIX: Final = "/console/static"

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wav": "audio/wav",
    ".woff2": "font/woff2",
}
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "public, no-cache"


class StaticFiles:
    """One per process."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in _TYPES
        }
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        self._version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Where a page finds the file. A script finds others by their relative names."""
        if name not in self._files:
            raise NotFound(f"there is no file {name}")
        return f"{PREFIX}/{self._version}/{name}"

    def answer(self, version: str, name: str) -> Response:
        """The file. Raises `NotFound`."""
        content = self._files.get(name)
        if content is None:
            raise NotFound("there is no such file")
        # A page of another process, in the middle of an update, asks by another digest.
        kept = _FOR_GOOD if version == self._version else _ASK_AGAIN
        media_type = _TYPES[Path(name).suffix]
        return Response(content, media_type=media_type, headers={"Cache-Control": kept})

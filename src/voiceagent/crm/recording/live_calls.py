"""Which calls a process holds, on its disk: so the next one can end those that a kill cut off.

Sids of calls flow in as they begin and end; after a restart the sids that were left flow
out, with the time at which their process was last seen. Everything here blocks on the
disk. It needs no flush: what a kill of the process leaves behind is enough.
"""

import json
import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

FILE_NAME = "live-calls.json"


class LiveCalls:
    """The calls of one process, in its own folder. Every method raises `OSError`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME

    def save(self, call_sids: Collection[str]) -> None:
        """These are the live calls now."""
        if not call_sids:
            self._path.unlink(missing_ok=True)
            return
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(sorted(call_sids)))
        draft.replace(self._path)

    def touch(self) -> None:
        """The process lives, and so do its calls."""
        if self._path.exists():
            os.utime(self._path)

    def left(self) -> tuple[list[str], datetime] | None:
        """The calls that a dead process left, and when it was last known to live (UTC)."""
        try:
            call_sids = json.loads(self._path.read_text(encoding="utf-8"))
            seen_at = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        except (FileNotFoundError, ValueError, RecursionError):
            return None
        if not isinstance(call_sids, list):
            return None
        return [call_sid for call_sid in call_sids if isinstance(call_sid, str)], seen_at

"""How numbers were set up before their calls came here, kept on the disk to be put back.

A number's sid and setup flow in, and flow out again. Only what somebody else made is kept: what
this service made itself is nothing to come back to. For the command line: every method blocks.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from voiceagent.errors import ProviderError
from voiceagent.twilio.number_setup import ECHO, VoiceSetup
from voiceagent.twilio.twiml import INCOMING_CALL_PATH

FOLDER: Final = "twilio_numbers"
"""In `DATA_DIR`."""
_FIELDS: Final = frozenset(VoiceSetup.__dataclass_fields__)


def is_ours(setup: VoiceSetup) -> bool:
    """Whether `voiceagent twilio connect` made it, for whichever address."""
    return _comes_here(setup) and setup.fallback_url.startswith(ECHO)


def _comes_here(setup: VoiceSetup) -> bool:
    return setup.url.partition("#")[0].endswith(INCOMING_CALL_PATH)


class NotKept(ProviderError):
    """The disk refuses."""


class FormerSetups:
    """By the number's sid. Every method raises `NotKept`."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER

    def keep(self, number_sid: str, setup: VoiceSetup) -> None:
        """Keep it, unless it is this service's own, or what is left of that after somebody took the
        fallback away: how it was before is known then."""
        if is_ours(setup) or (_comes_here(setup) and self.of(number_sid) is not None):
            return
        with _disk_errors():
            self._write(self._path(number_sid), setup)

    def _write(self, path: Path, setup: VoiceSetup) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(setup), file)
        draft.replace(path)

    def of(self, number_sid: str) -> VoiceSetup | None:
        """None: nothing is kept of it that can be read."""
        try:
            with _disk_errors():
                kept = json.loads(self._path(number_sid).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(kept, dict) or kept.keys() != _FIELDS:
            return None
        if not all(isinstance(value, str) for value in kept.values()):
            return None
        return VoiceSetup(**kept)

    def forget(self, number_sid: str) -> None:
        """It was put back."""
        with _disk_errors():
            self._path(number_sid).unlink(missing_ok=True)

    def _path(self, number_sid: str) -> Path:
        # Twilio's sids are plain; whatever else comes must not lead out of the folder.
        name = "".join(char for char in number_sid if char.isascii() and char.isalnum())
        return self._folder / f"{name}.json"


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise NotKept(f"DATA_DIR/{FOLDER}: {why}", retryable=False) from error

"""Fixed phrases as they were once spoken, kept on disk over a restart.

Synthesised phrases flow in, the same phrases flow out after a restart, before any engine is
up. Files are named by hashes and hold sound and timings, no text; one that is damaged is as
good as none. Nothing here ever fails a call: a disk that does not work is a log line.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from voiceagent.speech.ports import SpeechChunk, WordTiming

MAX_PHRASES: Final = 500
MAX_BYTES: Final = 64 * 1024 * 1024
"""Over two hours of speech."""
_MAX_PHRASE_BYTES: Final = 2 * 1024 * 1024
"""Four minutes: nobody's fixed phrase."""
_MAGIC: Final = b"VAPHRASE1\n"
_SUFFIX: Final = ".phrase"
_DRAFT_SUFFIX: Final = ".draft"
_DRAFT_KEPT_S: Final = 3600.0
"""A draft this old was left by a process that died."""
_DISK_S: Final = 2.0
"""A disk that takes longer is as good as none."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class PhraseCache:
    """The phrases in one directory, of all engines and voices. Several processes may share it."""

    def __init__(
        self, directory: Path, *, max_phrases: int = MAX_PHRASES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._directory = directory
        self._max_phrases = max_phrases
        self._max_bytes = max_bytes
        self._complained = False

    def shelf(
        self,
        engine: str,
        voice: Callable[[str], str],
        read_aloud: Callable[[str, str], str] | None = None,
    ) -> "PhraseShelf":
        """What one engine speaks. `voice(language)` is the voice that it uses; with
        `read_aloud(text, language)` a phrase that is read in another way is another phrase."""
        return PhraseShelf(self, engine, voice, read_aloud)

    async def load(self, key: str) -> tuple[SpeechChunk, ...] | None:
        """The phrase of that key, or None. Never raises."""
        return await self._on_disk(lambda: self._load(key))

    async def save(self, key: str, chunks: Sequence[SpeechChunk]) -> None:
        """Keep a phrase; the ones unused for longest make room. Never raises."""
        await self._on_disk(lambda: self._save(key, chunks))

    async def _on_disk(self, work: Callable[[], _T]) -> _T | None:
        try:
            async with asyncio.timeout(_DISK_S):
                return await asyncio.to_thread(work)
        except (OSError, TimeoutError) as error:
            if not self._complained:
                self._complained = True
                reason = getattr(error, "strerror", None) or "too slow"
                _log.warning("phrases are not kept in %s: %s", self._directory, reason)
            return None

    # --- in a thread ------------------------------------------------------------------------

    def _load(self, key: str) -> tuple[SpeechChunk, ...] | None:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                packed = file.read(_MAX_PHRASE_BYTES + 1)
        except FileNotFoundError:
            return None
        chunks = _unpacked(key, packed)
        if chunks is None:
            _log.warning("a phrase on disk is damaged and will be spoken anew: %s", path.name)
        else:
            # Read-only is fine: then nothing is ever thrown out either.
            with contextlib.suppress(OSError):
                os.utime(path)
        return chunks

    def _save(self, key: str, chunks: Sequence[SpeechChunk]) -> None:
        packed = _packed(key, chunks)
        if len(packed) > min(_MAX_PHRASE_BYTES, self._max_bytes):
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        self._make_room(len(packed), but=key)
        draft = self._directory / f".{key}.{secrets.token_hex(4)}{_DRAFT_SUFFIX}"
        try:
            with draft.open("xb") as file:
                file.write(packed)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path(key))
        finally:
            draft.unlink(missing_ok=True)

    def _make_room(self, needed_bytes: int, *, but: str) -> None:
        """Throw out what was unused for longest, and drafts that nobody finished."""
        kept: list[tuple[float, int, Path]] = []
        for path in self._directory.iterdir():
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                if path.suffix == _SUFFIX and path.stem != but:
                    kept.append((state.st_mtime, state.st_size, path))
                elif path.suffix == _DRAFT_SUFFIX and time.time() - state.st_mtime > _DRAFT_KEPT_S:
                    path.unlink()
        kept.sort()
        size = sum(size for _, size, _ in kept)
        while kept and (len(kept) >= self._max_phrases or size + needed_bytes > self._max_bytes):
            _, freed, path = kept.pop(0)
            size -= freed
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._directory / f"{key}{_SUFFIX}"


class PhraseShelf:
    """The phrases of one engine in a `PhraseCache`: a store for the call's phrase book."""

    def __init__(
        self,
        cache: PhraseCache,
        engine: str,
        voice: Callable[[str], str],
        read_aloud: Callable[[str, str], str] | None,
    ) -> None:
        self._cache = cache
        self._engine = engine
        self._voice = voice
        self._read_aloud = read_aloud

    async def load(self, text: str, language: str) -> tuple[SpeechChunk, ...] | None:
        """The phrase as it was spoken, or None."""
        return await self._cache.load(self._key(text, language))

    async def save(self, text: str, language: str, chunks: Sequence[SpeechChunk]) -> None:
        """Keep it. A phrase without sound is not kept."""
        if any(chunk.ulaw for chunk in chunks):
            await self._cache.save(self._key(text, language), chunks)

    def _key(self, text: str, language: str) -> str:
        read = self._read_aloud(text, language) if self._read_aloud else text
        parts = [self._engine, self._voice(language), language, text, read]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _packed(key: str, chunks: Sequence[SpeechChunk]) -> bytes:
    told = [
        [len(chunk.ulaw), [[word.char_start, word.start_ms] for word in chunk.words]]
        for chunk in chunks
    ]
    body = json.dumps(told).encode() + b"\n" + b"".join(chunk.ulaw for chunk in chunks)
    return _MAGIC + _digest(key, body) + body


def _unpacked(key: str, packed: bytes) -> tuple[SpeechChunk, ...] | None:
    """None for anything but a whole phrase of this key."""
    start = len(_MAGIC) + hashlib.sha256().digest_size
    body = packed[start:]
    if packed[:start] != _MAGIC + _digest(key, body):
        return None
    told, _, audio = body.partition(b"\n")
    chunks: list[SpeechChunk] = []
    at = 0
    for length, words in json.loads(told):
        timings = tuple(WordTiming(char_start, start_ms) for char_start, start_ms in words)
        chunks.append(SpeechChunk(audio[at : at + length], timings))
        at += length
    return tuple(chunks)


def _digest(key: str, body: bytes) -> bytes:
    # The key is part of it: a file under another phrase's name is damaged too.
    return hashlib.sha256(key.encode() + body).digest()

"""Fetches the files that came with messages, and has voice notes put into words.

Claims flow in from the database, files and transcripts flow back, behind everything else. A
file is fetched only from where its provider keeps such files, whatever address a webhook
named; what is too large, or gone, is given up and says so.
"""

import asyncio
import logging
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol

from voiceagent.crm.messages.media_queue import FileClaim, MediaQueue, VoiceClaim
from voiceagent.crm.postgres.outage import Outage
from voiceagent.crm.recording.message_models import Provider
from voiceagent.errors import ProviderError
from voiceagent.whatsapp.downloads import File
from voiceagent.whatsapp.ports import Transcriber

_log = logging.getLogger(__name__)

AT_ONCE: Final = 3
POLL_S: Final = 10.0
LEASE_S: Final = 120.0
"""Longer than a download and its storing can last."""
DELAYS_S: Final = (5.0, 30.0, 120.0, 600.0, 3600.0, 21_600.0)
"""Before the second attempt, the third …; after the last a file, or its words, are given up."""
TRANSCRIBE_S: Final = 60.0
JITTER: Final = 0.2


class MediaSource(Protocol):
    """Where a provider's files are."""

    async def fetch(self, source: str) -> File:
        """The file. Raises `ProviderError`; one that is not retryable is never asked for again."""


class MediaFetcher:
    """One per process; `run` is its task."""

    def __init__(
        self,
        queue: MediaQueue,
        sources: Mapping[Provider, MediaSource],
        transcriber: Transcriber | None = None,
        *,
        poll_s: float = POLL_S,
    ) -> None:
        self._queue = queue
        self._sources = sources
        self._transcriber = transcriber
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._outage = Outage(
            lambda why: _log.warning("files wait: the database is away why=%r", why)
        )

    def wake(self) -> None:
        """A file is to be fetched."""
        self._wake.set()

    async def run(self) -> None:
        """Fetch until cancelled. What is cut off is fetched again, here or elsewhere."""
        while True:
            self._wake.clear()
            try:
                if await self._fetch_some() or await self._hear_one():
                    continue
                self._outage.over()
            except ProviderError as error:
                self._outage.met(str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()

    async def _fetch_some(self) -> bool:
        claims = await self._queue.claim(AT_ONCE, LEASE_S)
        await asyncio.gather(*(self._fetch(claim) for claim in claims))
        return bool(claims)

    async def _fetch(self, claim: FileClaim) -> None:
        try:
            file = await self._source(claim.provider).fetch(claim.source)
        except ProviderError as error:
            await self._failed(claim, str(error), retryable=error.retryable)
            return
        except Exception as error:
            # Whatever it is, no file may stop those behind it.
            await self._failed(claim, type(error).__name__, retryable=True)
            return
        try:
            await self._queue.stored(claim, file.content, file.mime_type)
        except ProviderError as error:
            # Its lease ends, and it is fetched again then.
            self._outage.met(str(error))

    def _source(self, provider: Provider) -> MediaSource:
        try:
            return self._sources[provider]
        except KeyError:
            raise ProviderError(f"{provider} is not configured", retryable=True) from None

    async def _failed(self, claim: FileClaim, why: str, *, retryable: bool) -> None:
        delay_s = _delay_s(claim.attempt) if retryable else None
        _log.warning("a file was not fetched id=%s why=%r given_up=%s", claim.id, why, not delay_s)
        with suppress(ProviderError):
            await self._queue.failed(claim, why, delay_s)

    async def _hear_one(self) -> bool:
        if self._transcriber is None:
            return False
        claim = await self._queue.claim_voice(LEASE_S)
        if claim is None:
            return False
        if not self._transcriber.takes(claim.mime_type):
            await self._queue.transcribed(claim, None, "a sound that is not understood here")
            return True
        try:
            async with asyncio.timeout(TRANSCRIBE_S):
                transcript = await self._transcriber.transcribe(claim.content, claim.mime_type)
        except ProviderError as error:
            await self._not_heard(claim, str(error), retryable=error.retryable)
        except Exception as error:
            # Whatever it is, no voice note may stop those behind it.
            await self._not_heard(claim, type(error).__name__, retryable=True)
        else:
            await self._queue.transcribed(claim, transcript)
        return True

    async def _not_heard(self, claim: VoiceClaim, why: str, *, retryable: bool) -> None:
        delay_s = _delay_s(claim.attempt) if retryable else None
        _log.warning(
            "a voice note was not understood id=%s why=%r given_up=%s", claim.id, why, not delay_s
        )
        if delay_s is None:
            await self._queue.transcribed(claim, None, why)
        else:
            await self._queue.not_heard(claim, why, delay_s)


def _delay_s(attempt: int) -> float | None:
    """How long to wait after this attempt, from 1; None: it was the last."""
    if attempt > len(DELAYS_S):
        return None
    chance = random.random()  # noqa: S311 - a delay, no secret
    return DELAYS_S[attempt - 1] * (1.0 - JITTER + 2.0 * JITTER * chance)

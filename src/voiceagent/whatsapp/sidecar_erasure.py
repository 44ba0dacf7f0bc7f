"""Has the WhatsApp sidecar erase a person, as its README in `node/baileys` says.

Traces of somebody who was erased here flow in, one request flows out. Where no sidecar has ever
kept anything none is asked, or an erasure would wait for one that will never be there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final
from uuid import UUID

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.erasure import Traces
from voiceagent.errors import ProviderError
from voiceagent.http_clients import HttpClient, HttpDeadlines, HttpError, http_client

DEADLINES: Final = HttpDeadlines(connect_s=1.0, send_s=2.0, receive_s=8.0, turn_s=1.0)
"""It reads all that it keeps: a second for 100,000 messages. Together they are less than what an
erasure gives a place."""
MAX_IDS: Final = 10_000
"""That many the sidecar takes. They are named for messages that are on their way to it at this
moment, the newest; older ones it finds by the number."""

_OUR_IDS: Final = 7
"""The version of ids that are made here; those of messages that came in the sidecar never saw."""
_STORE: Final = Path("baileys") / "store.log"
_SCHEMA: Final = "SELECT to_regclass('whatsapp_sidecar.records') IS NOT NULL"

_log = logging.getLogger(__name__)

HasKept = Callable[[], Awaitable[bool]]
"""Whether a sidecar may have kept something. Raises `ProviderError` when that is not known now."""


async def always() -> bool:
    """A sidecar that was set up by name, wherever it keeps things."""
    return True


def kept_here(database: Database, data_dir: Path) -> HasKept:
    """Whether one has ever kept something where one on this machine does."""

    async def look() -> bool:
        if await asyncio.to_thread((data_dir / _STORE).exists):
            return True
        async with database.connection() as connection:
            return bool(await connection.fetchval(_SCHEMA))

    return look


class SidecarErasure:
    """One sidecar as a `Place` of `crm/privacy/erasure.py`. Close it at the end."""

    def __init__(
        self,
        url: str,
        token: str,
        has_kept: HasKept,
        make_client: Callable[[], HttpClient] | None = None,
    ) -> None:
        self._url = f"{url.rstrip('/')}/v1/people/erase"
        self._headers = {"authorization": f"Bearer {token}"}
        self._has_kept = has_kept
        self._client = (make_client or _client)()

    async def erase(self, traces: Traces) -> None:
        """Have it delete what it keeps of them. Raises `ProviderError`, when it is away, too."""
        message_ids = _newest(traces.message_ids)
        if not (traces.phones or traces.lids or message_ids) or not await self._has_kept():
            return
        body = {
            "phones": list(traces.phones),
            "lids": list(traces.lids),
            "message_ids": message_ids,
            "before": traces.erased_at or datetime.now(UTC).isoformat(),
        }
        try:
            response = await self._client.post(self._url, json=body, headers=self._headers)
        except HttpError as error:
            reason = f"the sidecar cannot be reached ({type(error).__name__})"
            raise ProviderError(reason, retryable=True) from error
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            _log.error(
                "the sidecar refuses our token: BAILEYS_TOKEN must be the same on both sides"
            )
        if response.status_code != HTTPStatus.OK:
            raise ProviderError(
                f"the sidecar answered {response.status_code} to an erasure", retryable=True
            )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _client() -> HttpClient:
    return http_client(DEADLINES, connections=2)


def _newest(message_ids: Sequence[str]) -> list[str]:
    ours = sorted(id_ for id_ in message_ids if UUID(id_).version == _OUR_IDS)
    return ours[-MAX_IDS:]

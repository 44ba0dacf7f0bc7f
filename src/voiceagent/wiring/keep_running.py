"""Work that lasts as long as the service, begun anew whenever it fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

RESTART_S: Final = 5.0
"""Before a part that failed begins anew: a fault that lasts must not fill the log."""

_log = logging.getLogger(__name__)


async def keep_running(
    name: str, work: Callable[[], Awaitable[None]], pause_s: float = RESTART_S
) -> None:
    """Do the work until it ends by itself or is cancelled; after any failure again."""
    while True:
        try:
            return await work()
        except Exception:
            _log.exception("%s: failed, and begins anew in %.0f s", name, pause_s)
        await asyncio.sleep(pause_s)

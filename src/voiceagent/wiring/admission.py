"""Whether one more call can be taken, as the webhook that announces it is told.

What probes are told and the registry's room flow in, a yes or a no flows out; a drain learns
when the last socket that was invited must have come.
"""

import asyncio
from typing import Final

from voiceagent.call.registry import CallRegistry
from voiceagent.metrics import Metrics
from voiceagent.web.health import Readiness

_SOCKET_COMES_S: Final = 3.0
"""Twilio opens the socket within a second of the webhook's answer."""


class Admission:
    """One per process."""

    def __init__(self, readiness: Readiness, registry: CallRegistry, metrics: Metrics) -> None:
        self._readiness = readiness
        self._registry = registry
        self._metrics = metrics
        self._let_in_at_s = -_SOCKET_COMES_S

    def open_for_calls(self) -> bool:
        """Whether somebody who asks now may open a socket."""
        is_open = self._readiness.serving and self._registry.has_room
        if is_open:
            self._let_in_at_s = asyncio.get_running_loop().time()
        else:
            self._metrics.calls_refused.labels(self._why_not()).inc()
        return is_open

    def _why_not(self) -> str:
        if self._readiness.draining:
            return "draining"
        return "full" if self._readiness.warmed_up else "warming_up"

    async def sockets_came(self) -> None:
        """Until whoever was last told to open a socket has had the time to do so."""
        waited_s = asyncio.get_running_loop().time() - self._let_in_at_s
        await asyncio.sleep(max(0.0, _SOCKET_COMES_S - waited_s))

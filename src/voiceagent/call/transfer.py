"""Putting one call through to a person: Twilio is given the order, and takes the call away.

The order to connect the caller flows in; the news that it failed flows out. What comes of an order
that Twilio took is told by the media socket, which ends.
"""

import asyncio
import logging
from collections.abc import Callable

from voiceagent.call import turn_events as on
from voiceagent.call.control import CallControl
from voiceagent.call.detail import CallDetail
from voiceagent.errors import ProviderError

_log = logging.getLogger(__name__)


class Transfer:
    """Of one call. Loop thread only."""

    def __init__(
        self,
        control: CallControl | None,
        detail: CallDetail,
        *,
        dispatch: Callable[[on.Event], None],
        report_failure: Callable[[str, str], None],
    ) -> None:
        """`control`: None where callers cannot be connected to anybody."""
        self.is_under_way = False
        """Twilio has the order to connect the caller, or is being given it: the stream may end at
        any moment, even before the answer to the order."""
        self._control = control
        self._detail = detail
        self._dispatch = dispatch
        self._report_failure = report_failure
        self._tasks: asyncio.TaskGroup | None = None

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """Orders are given in this group, and let go to their end."""
        self._tasks = tasks

    def connect(self, reply: int, number: str) -> None:
        """Connect the caller to this E.164 number; the reply that ended so is told of a
        failure."""
        if self._control is None or self._tasks is None:
            self._dispatch(on.TransferFailed(reply))
        else:
            self.is_under_way = True
            order = self._order(self._control, reply, number)
            self._tasks.create_task(order, name="transfer")

    async def _order(self, control: CallControl, reply: int, number: str) -> None:
        """Twilio takes the call away by itself once it has the order."""
        try:
            await control.transfer(self._detail.call_sid, number)
        except ProviderError as error:
            why = str(error)
        except Exception:
            _log.exception("the transfer failed", extra={"call_sid": self._detail.call_sid})
            why = "a fault of our own"
        else:
            self._detail.transfer(done=True)
            return
        self.is_under_way = False
        self._detail.transfer(done=False)
        self._report_failure("transfer", why)
        self._dispatch(on.TransferFailed(reply))

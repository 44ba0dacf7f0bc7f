"""One call with the simulated phone, told on a terminal while it lasts.

A plan and where to call flow in; lines flow out as things happen, and the result at the end.
The words come from the service's own record where that can be read; else only what the line
itself tells is told. It starts no server, and a record that cannot be read ends no call.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from voiceagent.errors import ProviderError
from voiceagent.http_clients import HttpDeadlines, HttpError, http_client
from voiceagent.simulator.caller import CallPlan, Destination, Exchange, SimulatedCall
from voiceagent.simulator.live_transcript import LiveTranscript, Terminal
from voiceagent.simulator.load import call_line
from voiceagent.simulator.results import CallResult, heard_turns

_POLL_S: Final = 0.3
_RECORD_DEADLINE_S: Final = 5.0
"""How long the record may take to be whole after the call."""
_WITHOUT_WORDS: Final = (
    "What was understood and answered is in the service's record. To have it told here, give"
    " --base-url and the service's API_KEY."
)


class CallRecords:
    """What the service has written down of calls. Use it as an async context manager."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._client = http_client(HttpDeadlines(receive_s=5.0), connections=2)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    def place_of(self, call_sid: str) -> str:
        """Where that call's record is."""
        return f"{self._base_url}/api/crm/calls/{call_sid}"

    async def read(self, call_sid: str) -> Mapping[str, Any]:
        """The record; empty while there is none. Raises `ProviderError`, not retryable when it
        will not be given to us."""
        try:
            answer = await self._client.get(self.place_of(call_sid), headers=self._headers)
            record = answer.json() if answer.status_code == 200 else {}
        except (HttpError, ValueError) as error:
            raise ProviderError(str(error) or type(error).__name__, retryable=True) from error
        if answer.status_code not in {200, 404}:
            raise ProviderError(
                f"/api/crm/calls answers {answer.status_code}",
                retryable=answer.status_code >= 500,
            )
        return record if isinstance(record, dict) else {}


async def place(
    plan: CallPlan,
    destination: Destination,
    terminal: Terminal,
    records: CallRecords | None,
    *,
    wav: Path | None = None,
) -> tuple[CallResult, float]:
    """Place the call, tell it, and keep both voices in `wav` (the plan keeps audio then).

    The second value is the worst lag of the phone's own timer in ms. Raises `OSError` when the
    file cannot be written.
    """
    told = _ToldCall(plan, destination, terminal, records)
    exchange = Exchange()
    tasks = (
        asyncio.create_task(exchange.run(), name="exchange"),
        asyncio.create_task(told.run(), name="transcript"),
    )
    try:
        result = await told.call.place(exchange)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if wav is not None:
        told.call.write_wav(wav)
    await told.end(result)
    return result, exchange.worst_lag_ms


class _ToldCall:
    def __init__(
        self,
        plan: CallPlan,
        destination: Destination,
        terminal: Terminal,
        records: CallRecords | None,
    ) -> None:
        self._terminal = terminal
        self._transcript = LiveTranscript(terminal)
        self._records = records
        self.call = SimulatedCall(plan, destination, observe=self._transcript.caller_begins)

    async def run(self) -> None:
        """Tell what is new, again and again."""
        while True:
            await asyncio.sleep(_POLL_S)
            await self._look()

    async def end(self, result: CallResult) -> None:
        """Tell the rest, and how the call ended."""
        if result.duration_ms > 0:
            try:
                async with asyncio.timeout(_RECORD_DEADLINE_S):
                    whole = False
                    while not whole and self._records is not None:
                        whole = await self._look()
                        await asyncio.sleep(_POLL_S)
            except TimeoutError:
                self._terminal.line("The record of the call is not whole yet.", "note")
            await self._look()
            self._terminal.line()
        self._terminal.line(call_line(result))
        reached = result.duration_ms > 0 or any(answer.status for answer in result.webhooks)
        if self._records is not None and reached:
            self._terminal.line(f"Record: {self._records.place_of(result.call_sid)}", "note")
        elif result.duration_ms > 0:
            self._terminal.line(_WITHOUT_WORDS, "note")

    async def _look(self) -> bool:
        """Tell what is new; whether the service has written down the end of the call."""
        heard = heard_turns(self.call.uttered, self.call.line)
        if self._records is None:
            self._transcript.line_hears(self.call.line.spans, heard)
            return False
        try:
            record = await self._records.read(self.call.call_sid)
        except ProviderError as error:
            if not error.retryable:
                self._terminal.line(f"The record of the call cannot be read: {error}.", "note")
                self._records = None
            return False
        self._transcript.update(record, heard)
        return record.get("ended_at") is not None

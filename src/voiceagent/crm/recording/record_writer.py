"""Writes batches of records to the database, and finds those that it will never take.

Records flow in, rows come out. What the database rejects for good is buried, and stops none of
the others.
"""

from collections.abc import Awaitable, Callable, Sequence

from voiceagent.crm.postgres.database import ContentRejected
from voiceagent.crm.recording.records import Record
from voiceagent.errors import ProviderError

Apply = Callable[[Sequence[Record], float], Awaitable[None]]
"""Merges records into the tables within a deadline in seconds, all or none; raises
`ProviderError`."""
Bury = Callable[[str, str], Awaitable[None]]
"""Is given the record and the reason; never raises."""


class RecordWriter:
    """One recorder's."""

    def __init__(self, apply: Apply, bury: Bury) -> None:
        self._apply = apply
        self._bury = bury
        self._written = 0

    @property
    def written(self) -> int:
        """Records that went into the database since the start."""
        return self._written

    async def write(self, records: Sequence[Record], deadline_s: float) -> None:
        """Write them within `deadline_s`, or bury them.

        Raises `ProviderError` when the database is away or did not answer in time. What was
        written until then is written again, which changes nothing.
        """
        if not records:
            return
        try:
            await self._apply(records, deadline_s)
        except ContentRejected as error:
            reason = error.reason
        except ProviderError:
            raise
        except Exception as error:
            # Whatever it is, no record may stop those behind it.
            reason = type(error).__name__
        else:
            self._written += len(records)
            return
        if len(records) == 1:
            await self._bury(records[0].model_dump_json(), reason)
            return
        # One of them is poison: halve until it stands alone, and the others get through.
        middle = len(records) // 2
        await self.write(records[:middle], deadline_s)
        await self.write(records[middle:], deadline_s)

"""What the call and the webhooks need of the CRM: to hand over a record and go on."""

from typing import Protocol

from voiceagent.crm.recording.call_models import CallRecord
from voiceagent.crm.recording.message_models import MessageRecord


class Recorder(Protocol):
    """Takes records without ever blocking, waiting or raising.

    Records of one call are kept in the order in which they were handed over. What
    becomes of them when the database is away is the recorder's concern.
    """

    def record(self, record: CallRecord) -> None: ...


class DurableRecorder(Protocol):
    """Takes records of which somebody else may let go once they are safe."""

    async def record_durably(self, record: MessageRecord) -> None:
        """Return once it is in the database or on the disk. Raises a retryable `ProviderError` when
        that is not known by a deadline of less than two seconds."""

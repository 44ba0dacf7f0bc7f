"""The record that an engine leaves when it fails in use, and the row that it becomes.

Told by whoever uses the engine, kept like the records of calls; so the count is of all processes
and outlives them. It holds no word of a call and belongs to nobody. Applied twice it is one row.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeGuard, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from voiceagent.crm.identity import uuid7
from voiceagent.crm.postgres.database import Connection

Engine = Literal["stt", "tts", "brain", "transfer"]
"""Recognition, voice, thinking; or Twilio, asked to connect a caller to somebody."""
ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)

_INSERT = """
INSERT INTO engine_failures (id, at, engine) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING
"""


class EngineFailed(BaseModel):
    """An engine failed, and what was asked of it was done another way or not at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["engine_failed"] = "engine_failed"
    id: UUID
    """UUIDv7."""
    at: datetime
    """UTC."""
    engine: Engine


def engine_failed(engine: Engine) -> EngineFailed:
    """That it has failed now."""
    return EngineFailed(id=uuid7(), at=datetime.now(UTC), engine=engine)


def is_engine(part: str) -> TypeGuard[Engine]:
    """Whether this part's failures are counted."""
    return part in ENGINES


async def apply_engine_failures(connection: Connection, records: Sequence[EngineFailed]) -> None:
    """Write the rows. Works inside a transaction of the caller."""
    rows = sorted((record.id, record.at, record.engine) for record in records)
    await connection.executemany(_INSERT, rows)

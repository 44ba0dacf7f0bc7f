"""The record of what language models have read and written, and the row that it becomes.

Told every few seconds by each process that used one, kept like the records of calls; so the sum is
of all processes and outlives them. It holds no word and belongs to nobody. Applied twice it is
one row.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from voiceagent.crm.identity import uuid7
from voiceagent.crm.postgres.database import Connection

_INSERT = """
INSERT INTO model_usage (id, at, tokens_in, tokens_out) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO NOTHING
"""


class ModelUsed(BaseModel):
    """So many tokens since the last one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["model_used"] = "model_used"
    id: UUID
    """UUIDv7."""
    at: datetime
    """UTC."""
    tokens_in: int = Field(ge=0)
    tokens_out: int = Field(ge=0)


def model_used(tokens_in: int, tokens_out: int) -> ModelUsed:
    """That they were used up to now."""
    return ModelUsed(id=uuid7(), at=datetime.now(UTC), tokens_in=tokens_in, tokens_out=tokens_out)


async def apply_model_usage(connection: Connection, records: Sequence[ModelUsed]) -> None:
    """Write the rows. Works inside a transaction of the caller."""
    rows = sorted((r.id, r.at, r.tokens_in, r.tokens_out) for r in records)
    await connection.executemany(_INSERT, rows)

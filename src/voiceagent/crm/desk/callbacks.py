"""Call-backs: who wants to be called, when and about what; and what people did about it.

The wishes themselves come as records (`call_records.py`). Here they are listed, and
closed by the person who called or who knows that it is not needed any more.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    from_cursor,
    next_cursor,
)
from voiceagent.crm.views import CallbackPage, CallbackStatus, CallbackView
from voiceagent.errors import Conflict, NotFound

_VIEW = """
SELECT b.id, k.id AS contact_id, k.name, k.phone, b.call_sid, b.at, b.about, b.status,
       b.created_at, b.done_at
FROM callbacks b
LEFT JOIN calls c ON c.call_sid = b.call_sid
LEFT JOIN contacts k ON k.id = COALESCE(b.contact_id, c.contact_id)
"""

_PAGE = f"""{_VIEW}
WHERE ($1::text IS NULL OR b.status = $1)
  AND ($2::uuid IS NULL OR k.id = surviving_contact($2))
  AND ($3::timestamptz IS NULL OR (b.at, b.id) > ($3, $4::uuid))
ORDER BY b.at, b.id
LIMIT $5
"""

_ONE = f"{_VIEW} WHERE b.id = $1"

_CLOSE = """
UPDATE callbacks SET status = $2, done_at = CASE WHEN $2 = 'done' THEN now() END
WHERE id = $1 AND status = 'open'
"""


@dataclass(frozen=True, slots=True)
class CallbackFilter:
    """Which call-backs to list; None means any."""

    status: CallbackStatus | None = None
    contact_id: UUID | None = None


class CallbacksRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        wanted: CallbackFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> CallbackPage:
        """Call-backs by the time that was wished for, the earliest first.

        Raises `InvalidCursor`.
        """
        wanted = wanted or CallbackFilter()
        after = from_cursor("callbacks", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _PAGE,
                wanted.status,
                wanted.contact_id,
                after.at if after else None,
                UUID(after.id) if after else None,
                limit + 1,
            )
        items = [CallbackView(**row) for row in rows[:limit]]
        more = len(rows) > limit
        last = Position(items[-1].at, str(items[-1].id)) if more else None
        return CallbackPage(items=items, next_cursor=next_cursor("callbacks", last))

    async def close(self, callback_id: UUID, outcome: Literal["done", "cancelled"]) -> CallbackView:
        """Nothing is left to do; asked again it changes nothing.

        Raises `NotFound`, and `Conflict` when it was closed with the other outcome.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_CLOSE, callback_id, outcome)
            row = await connection.fetchrow(_ONE, callback_id)
        if row is None:
            raise NotFound(f"there is no call-back {callback_id}")
        if row["status"] != outcome:
            raise Conflict(f"the call-back is {row['status']} already")
        return CallbackView(**row)

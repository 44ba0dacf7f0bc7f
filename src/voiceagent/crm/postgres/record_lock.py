"""Whoever joins or erases people has nobody write records meanwhile.

Records are applied side by side, as they were before; a merge or an erasure waits for those
under way and is alone for a moment. Each lock lasts until its transaction ends.
"""

from typing import Final

from voiceagent.crm.postgres.database import Connection

# Any constant will do, as long as every version of this service takes the same.
LOCK_KEY: Final = 0x70656F70


async def hold_people(connection: Connection) -> None:
    """Nobody is joined or erased until the end of this transaction. What was done before is seen
    by the statements that follow, not by this one."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", LOCK_KEY)


async def exclude_records(connection: Connection) -> None:
    """No records are applied until the end of this transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)

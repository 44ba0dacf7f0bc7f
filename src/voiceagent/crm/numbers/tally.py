"""Adds up the records of all processes, each quarter of an hour for itself, in the background.

Calls with their turns, messages, payments and the rest flow in; rows flow out that a page reads
at once, however many records there are. The last hours are counted all the time, the last days
every hour and all that is shown once a day, since records may come late and may be deleted: so
the rows are never more than a copy. Of several processes one counts, a day at a time.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from voiceagent.crm.numbers.periods import QUARTER, quarter_of
from voiceagent.crm.postgres.database import Connection, Database, TransactionConflict
from voiceagent.crm.postgres.outage import Outage
from voiceagent.errors import ProviderError

_log = logging.getLogger(__name__)

ROUND_S: Final = 30.0
RETRY_S: Final = 5.0
"""After a failure; a service that has just been started has no database yet."""
PAUSE_S: Final = 0.05
"""Between two days, so that others come first."""
SHOWN: Final = timedelta(days=62)
"""Thirty days and the thirty before, whatever the zone."""

LONGEST_CALL_S: Final = 4 * 3600
"""Twilio ends a call then; a record that says more lacks its end."""

_DEADLINE_S: Final = 30.0
_STRETCH: Final = timedelta(days=1)

# Any constant will do, as long as every version of this service takes the same.
LOCK_KEY: Final = 0x74616C6C
_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock($1)"


@dataclass(frozen=True, slots=True)
class Look:
    """How far back is counted, and how often. A call counts where it began, and may last."""

    name: str
    depth: timedelta
    every: timedelta


LOOKS: Final = (
    Look("all", SHOWN, timedelta(days=1)),
    Look("days", timedelta(days=3), timedelta(hours=1)),
    Look("hours", timedelta(hours=3), timedelta(seconds=ROUND_S)),
)
"""The deepest first: each counts what those after it do."""

_DONE: Final = "SELECT name, done_at FROM tally_rounds"
_SET_DONE: Final = """
INSERT INTO tally_rounds AS r (name, done_at) SELECT unnest($1::text[]), $2
ON CONFLICT (name) DO UPDATE SET done_at = GREATEST(r.done_at, excluded.done_at)
"""

_CLEAR: Final = (
    "DELETE FROM quarter_hours WHERE starts_at >= $1 AND starts_at < $2",
    "DELETE FROM response_times WHERE starts_at >= $1 AND starts_at < $2",
)
_CLEAR_OLD: Final = (
    "DELETE FROM quarter_hours WHERE starts_at < $1",
    "DELETE FROM response_times WHERE starts_at < $1",
)
_ROWS: Final = """
INSERT INTO quarter_hours (starts_at)
SELECT generate_series($1::timestamptz, $2::timestamptz - interval '15 minutes', '15 minutes')
"""


def _quarter(moment: str) -> str:
    """SQL of the quarter's beginning; `date_bin` is newer than PostgreSQL 12."""
    return f"to_timestamp(floor(extract(epoch FROM {moment}) / 900) * 900)"


# A call that goes on costs already. Whoever was connected to a person is no longer heard here.
_LASTED_S: Final = f"""
CASE WHEN streamed_at IS NULL THEN 0
     ELSE LEAST(GREATEST(extract(epoch FROM COALESCE(ended_at, now()) - streamed_at), 0),
                {LONGEST_CALL_S}) END
"""
_TURNED_AWAY: Final = "'busy', 'caller_limit', 'budget'"
"""Reasons of calls that were answered, and paid for, without a stream."""

# Trials by this package's own phones are nobody's calls. One that still rings is not decided.
_CALLS: Final = f"""
UPDATE quarter_hours q
SET calls_in = s.calls_in, calls_answered = s.calls_answered, calls_out = s.calls_out,
    answers = s.answers, barge_ins = s.barge_ins, false_interruptions = s.false_interruptions,
    guesses = s.guesses, guesses_used = s.guesses_used,
    call_minutes = s.call_minutes, heard_seconds = s.heard_seconds
FROM (
    SELECT {_quarter("started_at")} AS starts_at,
        count(*) FILTER (WHERE direction = 'inbound'
            AND (streamed_at IS NOT NULL OR ended_at IS NOT NULL)) AS calls_in,
        count(*) FILTER (WHERE direction = 'inbound' AND streamed_at IS NOT NULL)
            AS calls_answered,
        count(*) FILTER (WHERE direction = 'outbound') AS calls_out,
        COALESCE(sum((counters->>'answers')::bigint), 0) AS answers,
        COALESCE(sum((counters->>'barge_ins')::bigint), 0) AS barge_ins,
        COALESCE(sum((counters->>'false_interruptions')::bigint), 0) AS false_interruptions,
        COALESCE(sum((counters->>'guesses')::bigint), 0) AS guesses,
        COALESCE(sum((counters->>'guesses_used')::bigint), 0) AS guesses_used,
        COALESCE(sum(GREATEST(1, ceil({_LASTED_S} / 60)))
            FILTER (WHERE streamed_at IS NOT NULL OR end_reason IN ({_TURNED_AWAY})), 0)
            AS call_minutes,
        COALESCE(sum({_LASTED_S}), 0) AS heard_seconds
    FROM calls WHERE started_at >= $1 AND started_at < $2 AND NOT simulated GROUP BY 1
) s
WHERE q.starts_at = s.starts_at
"""  # noqa: S608 - our own text
_FAILURES: Final = f"""
UPDATE quarter_hours q
SET stt_failures = s.stt, tts_failures = s.tts, brain_failures = s.brain,
    transfer_failures = s.transfer
FROM (
    SELECT {_quarter("at")} AS starts_at,
        count(*) FILTER (WHERE engine = 'stt') AS stt,
        count(*) FILTER (WHERE engine = 'tts') AS tts,
        count(*) FILTER (WHERE engine = 'brain') AS brain,
        count(*) FILTER (WHERE engine = 'transfer') AS transfer
    FROM engine_failures WHERE at >= $1 AND at < $2 GROUP BY 1
) s
WHERE q.starts_at = s.starts_at
"""  # noqa: S608 - our own text
_MESSAGES: Final = f"""
UPDATE quarter_hours q
SET messages_in = s.come, messages_out = s.gone, messages_failed = s.failed,
    messages_billed = s.billed
FROM (
    SELECT {_quarter("created_at")} AS starts_at,
        count(*) FILTER (WHERE direction = 'in') AS come,
        count(*) FILTER (WHERE status IN ('sent', 'delivered', 'read')) AS gone,
        count(*) FILTER (WHERE status = 'failed') AS failed,
        count(*) FILTER (WHERE status IN ('sent', 'delivered', 'read') AND provider = 'twilio')
            AS billed
    FROM messages WHERE created_at >= $1 AND created_at < $2 AND channel = 'whatsapp' GROUP BY 1
) s
WHERE q.starts_at = s.starts_at
"""  # noqa: S608 - our own text


_SPOKEN: Final = f"""
UPDATE quarter_hours q SET spoken_chars = s.n
FROM (
    SELECT {_quarter("c.started_at")} AS starts_at, sum(length(t.text)) AS n
    FROM calls c JOIN turns t ON t.call_sid = c.call_sid
    WHERE c.started_at >= $1 AND c.started_at < $2 AND NOT c.simulated
      AND t.who = 'agent' AND t.source = 'reply'
    GROUP BY 1
) s
WHERE q.starts_at = s.starts_at
"""  # noqa: S608 - our own text
"""What is not a reply has been spoken before, and is kept."""
_USED: Final = f"""
UPDATE quarter_hours q SET tokens_in = s.tokens_in, tokens_out = s.tokens_out
FROM (
    SELECT {_quarter("at")} AS starts_at, sum(tokens_in) AS tokens_in,
        sum(tokens_out) AS tokens_out
    FROM model_usage WHERE at >= $1 AND at < $2 GROUP BY 1
) s
WHERE q.starts_at = s.starts_at
"""  # noqa: S608 - our own text


def _counted(column: str, table: str, moment: str, which: str = "") -> str:
    """SQL that counts the rows of a table into one column."""
    return f"""
UPDATE quarter_hours q SET {column} = s.n
FROM (
    SELECT {_quarter(moment)} AS starts_at, count(*) AS n
    FROM {table} WHERE {moment} >= $1 AND {moment} < $2 {which} GROUP BY 1
) s
WHERE q.starts_at = s.starts_at
"""  # noqa: S608 - our own text


# From the end of the utterance until the first sound leaves. What took no time is in bucket 0.
_RESPONSES: Final = f"""
INSERT INTO response_times (starts_at, bucket, replies)
SELECT {_quarter("c.started_at")},
    LEAST(200, floor(10 * ln(GREATEST(1,
        (t.timings->>'first_frame_at_ms')::float8 - (t.timings->>'eou_at_ms')::float8
    )) / ln(2::float8)))::smallint,
    count(*)
FROM calls c JOIN turns t ON t.call_sid = c.call_sid
WHERE c.started_at >= $1 AND c.started_at < $2 AND NOT c.simulated
  AND t.who = 'agent' AND t.timings ? 'first_frame_at_ms' AND t.timings ? 'eou_at_ms'
GROUP BY 1, 2
"""  # noqa: S608 - our own text

_COUNTS: Final = (
    *_CLEAR,
    _ROWS,
    _CALLS,
    _FAILURES,
    _MESSAGES,
    _SPOKEN,
    _USED,
    _counted("notices_dead", "notices", "created_at", "AND status = 'dead'"),
    _counted("callbacks_asked", "callbacks", "created_at"),
    _counted("payments_asked", "payments", "created_at"),
    _counted("payments_paid", "payments", "paid_at"),
    _RESPONSES,
)


class Tally:
    """One per process; `run` is its task."""

    def __init__(
        self, database: Database, *, round_s: float = ROUND_S, pause_s: float = PAUSE_S
    ) -> None:
        self._database = database
        self._round_s = round_s
        self._pause_s = pause_s
        self._outage = Outage(lambda why: _log.warning("the numbers stand still why=%r", why))

    async def run(self) -> None:
        """Count until cancelled. A database that is away is asked again soon."""
        while True:
            wait_s = self._round_s
            try:
                await self.round(datetime.now(UTC))
                self._outage.over()
            except ProviderError as error:
                self._outage.met(str(error))
                wait_s = min(wait_s, RETRY_S)
            await asyncio.sleep(wait_s)

    async def round(self, now: datetime) -> Look | None:
        """Count what is due, and say which look that was; None: nothing, or another process is at
        it. Raises `ProviderError`."""
        async with self._database.connection() as connection:
            done = {row["name"]: row["done_at"] for row in await connection.fetch(_DONE)}
        due = (n for n, look in enumerate(LOOKS) if _is_due(look, done.get(look.name), now))
        which = next(due, None)
        if which is None:
            return None
        look = LOOKS[which]
        end = quarter_of(now) + QUARTER
        start = quarter_of(now - look.depth)
        # The newest first: it is what people look for.
        while end > start:
            begin = max(start, end - _STRETCH)
            if not await self._count(begin, end):
                return None
            end = begin
            await asyncio.sleep(self._pause_s)
        async with self._database.transaction() as connection:
            if look is LOOKS[0]:
                for statement in _CLEAR_OLD:
                    await connection.execute(statement, start)
            await connection.execute(_SET_DONE, [one.name for one in LOOKS[which:]], now)
        return look

    async def _count(self, begin: datetime, end: datetime) -> bool:
        """Count from one quarter to another; false when another process is at it."""
        try:
            async with self._database.transaction(_DEADLINE_S) as connection:
                if not await connection.fetchval(_TRY_LOCK, LOCK_KEY):
                    return False
                await _count_all(connection, begin, end)
        except TransactionConflict:
            return False
        return True


def _is_due(look: Look, done_at: datetime | None, now: datetime) -> bool:
    return done_at is None or now - done_at >= look.every


async def _count_all(connection: Connection, begin: datetime, end: datetime) -> None:
    for statement in _COUNTS:
        await connection.execute(statement, begin, end)

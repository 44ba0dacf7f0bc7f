"""Fills a database with the history of a very large business, for `bench/plans.py`.

A migrated, empty database and a number of messages flow in; rows of every large table flow out, in
proportion, over four months, with all indexes. Faster than the service could write them: no trigger
fires, and indexes are made when the rows are there. Never meant for a database that is in use.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from voiceagent.crm.people.search_indexes import INDEXES

DAYS: Final = 120
_CHUNKS: Final = 10
_WORDS: Final = (
    "שלום דירה חדרים מחיר פגישה מחר בבוקר תודה רחוב קומה מעלית חניה מרפסת משכנתא חתימה חוזה"
    " טלפון הודעה בערב אפשר לקבוע שאלה תשובה נוספת מתאים בשבוע הבא כן אולי נשמח לראות ולבדוק"
    " את התמונות של הבית הגדול ליד הים"
).split()


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows there are of each."""

    messages: int

    @property
    def contacts(self) -> int:
        return self.messages // 50

    @property
    def calls(self) -> int:
        return self.messages // 20

    @property
    def turns(self) -> int:
        return self.messages // 2


# Ids that follow from a number, in the order of time as most of the service's own are.
_CONTACT: Final = "md5('contact ' || {n})::uuid"
_ID: Final = "(lpad(to_hex({n}), 12, '0') || right(md5('{kind} ' || {n}), 20))::uuid"
_AT: Final = (
    f"now() - interval '{DAYS} days' + (n + random())::float8 / $3::int * interval '{DAYS} days'"
    " - interval '3 minutes'"
)
# Some write a hundred times as often as others. Of two numbers, a message and its answer, it is the
# same one.
_WHICH: Final = (
    "(1 + floor($4::int * ((hashint4(n / 2)::bigint & 65535) / 65536.0)"
    " * (((hashint4(n / 2)::bigint >> 16) & 32767) / 32768.0)))::int"
)
_SOMEBODY: Final = _CONTACT.format(n=_WHICH)


def _words(count: int) -> str:
    return " || ' ' || ".join(
        f"(ARRAY[{', '.join(repr(word) for word in _WORDS)}])[1 + (n * {3 + 2 * n} + n / 7)"
        f" % {len(_WORDS)}]"
        for n in range(count)
    )


# $1 to $2: numbers of rows; $3: how many there are in all; $4: how many contacts there are.
_CONTACTS: Final = f"""
INSERT INTO contacts (id, phone, name, fields, created_at, updated_at)
SELECT {_CONTACT.format(n="n")}, '+9725' || lpad(n::text, 8, '0'), 'לקוח ' || n,
    jsonb_build_object('city', 'חיפה ' || n % 100), {_AT}, {_AT}
FROM generate_series($1::int, $2::int) n WHERE $4::int > 0
"""  # noqa: S608 - our own text
_IDENTITIES: Final = f"""
INSERT INTO contact_identities (kind, value, contact_id)
SELECT 'phone', '+9725' || lpad(n::text, 8, '0'), {_CONTACT.format(n="n")}
FROM generate_series($1::int, $2::int) n WHERE $3::int > 0 AND $4::int > 0
"""  # noqa: S608 - our own text
_MESSAGES: Final = f"""
INSERT INTO messages (id, contact_id, provider, direction, status, author, text, answers,
    external_id, created_at)
SELECT {_ID.format(n="n", kind="message")}, {_SOMEBODY}, 'baileys',
    CASE WHEN n % 2 = 0 THEN 'in' ELSE 'out' END,
    CASE WHEN n % 2 = 0 THEN 'received' WHEN n % 401 = 0 THEN 'failed' ELSE 'read' END,
    CASE WHEN n % 2 = 0 THEN NULL WHEN n % 10 = 1 THEN 'person' ELSE 'agent' END,
    {_words(5)} || ' ' || n,
    CASE WHEN n % 2 = 1 AND n % 10 <> 1 THEN {_ID.format(n="(n - 1)", kind="message")}::text END,
    '3EB0' || to_hex(n), {_AT}
FROM generate_series($1::int, $2::int) n
"""  # noqa: S608 - our own text
_CALLS: Final = f"""
INSERT INTO calls (call_sid, contact_id, from_number, to_number, started_at, announced_at,
    streamed_at, ended_at, ended_status, end_reason, counters, summary, summary_source,
    summarised_at)
SELECT 'CA' || lpad(n::text, 10, '0'), {_CONTACT.format(n="k")}, '+9725' || lpad(k::text, 8, '0'),
    '+97231234567', at, at, CASE WHEN n % 37 = 0 THEN NULL ELSE at END, at + interval '2 minutes',
    'completed', CASE WHEN n % 37 = 0 THEN 'busy' WHEN n % 1009 = 0 THEN 'error'
                      ELSE 'agent_hangup' END,
    jsonb_build_object('answers', 5, 'barge_ins', n % 3 / 2), {_words(6)}, 'script', at
FROM (SELECT n, {_AT} AS at, {_WHICH} AS k
      FROM generate_series($1::int, $2::int) n) c
"""  # noqa: S608 - our own text
_TURNS: Final = f"""
INSERT INTO turns (call_sid, seq, turn, who, text, heard, status, source, timings, at, version)
SELECT 'CA' || lpad((1 + n / 10)::text, 10, '0'), n % 10, n % 10 / 2,
    CASE WHEN n % 2 = 0 THEN 'caller' ELSE 'agent' END, {_words(4)}, {_words(4)}, 'complete',
    CASE WHEN n % 2 = 0 THEN 'final' ELSE 'reply' END,
    jsonb_build_object('eou_at_ms', 6400 + n % 10 * 6000, 'eou_ms', 400,
        'first_frame_at_ms', 6700 + n % 10 * 6000 + n % 311),
    {_AT}, ''
FROM generate_series($1::int - 1, $2::int - 1) n WHERE $4::int > 0
"""  # noqa: S608 - our own text
_WEBHOOKS: Final = f"""
INSERT INTO webhook_answers (id, call_sid, at, route, status, event, detail)
SELECT {_ID.format(n="n", kind="webhook")}, 'CA' || lpad((1 + n / 4)::text, 10, '0'), {_AT},
    '/webhook/stream_status', 204, 'stream-started', ''
FROM generate_series($1::int, $2::int) n WHERE $4::int > 0
"""  # noqa: S608 - our own text
_KEYS: Final = f"""
INSERT INTO message_keys (key, digest, message_id, created_at)
SELECT 'answer ' || lpad(n::text, 10, '0'), decode(md5(n::text) || md5(n::text), 'hex'),
    {_ID.format(n="(2 * n - 1)", kind="message")}, {_AT}
FROM generate_series($1::int, $2::int) n WHERE $4::int > 0
"""  # noqa: S608 - our own text
_MEDIA: Final = f"""
INSERT INTO message_media (id, message_id, position, provider, source, mime_type, voice_note,
    state, content, sha256, transcript)
SELECT {_ID.format(n="n", kind="media")}, {_ID.format(n="(40 * n)", kind="message")}, 0, 'baileys',
    'source ' || n, 'audio/ogg', true, 'stored', '\\x00', '\\x00', {_words(5)}
FROM generate_series($1::int, $2::int) n WHERE $3::int > 0 AND $4::int > 0
"""  # noqa: S608 - our own text
_NOTICES: Final = f"""
INSERT INTO notices (id, key, type, target, payload, status, next_attempt_at, created_at,
    delivered_at)
SELECT {_ID.format(n="n", kind="notice")}, 'webhook:call.summarised:CA' || lpad(n::text, 10, '0'),
    'call.summarised', 'webhook',
    jsonb_build_object('call_sid', 'CA' || lpad(n::text, 10, '0'), 'text', {_words(6)}),
    'delivered', {_AT}, {_AT}, {_AT}
FROM generate_series($1::int, $2::int) n WHERE $4::int > 0
"""  # noqa: S608 - our own text
_DIALOGUES: Final = f"""
INSERT INTO written_dialogues (contact_id, state, version, updated_at)
SELECT {_CONTACT.format(n="n")}, '{{"memory": {{}}}}', 3, {_AT}
FROM generate_series($1::int, $2::int) n WHERE $4::int > 0
"""  # noqa: S608 - our own text
_FIELDS: Final = f"""
INSERT INTO call_fields (call_sid, name, value, at)
SELECT 'CA' || lpad(n::text, 10, '0'), 'city', 'חיפה ' || n % 100, {_AT}
FROM generate_series($1::int, $2::int) n WHERE $4::int > 0
"""  # noqa: S608 - our own text
_CALLBACKS: Final = f"""
INSERT INTO callbacks (id, key, call_sid, at, about, status, created_at, done_at)
SELECT {_ID.format(n="n", kind="callback")}, 'callback ' || n,
    'CA' || lpad((10 * n)::text, 10, '0'), {_AT}, {_words(3)}, 'done', {_AT}, {_AT}
FROM generate_series($1::int, $2::int) n WHERE $4::int > 0
"""  # noqa: S608 - our own text
_PAYMENTS: Final = f"""
INSERT INTO payments (id, key, digest, provider, status, amount_minor, currency, what_for, author,
    contact_id, call_sid, token, reference, attempt, order_id, proof, paid_at, created_at,
    expires_at, told_at)
SELECT {_ID.format(n="n", kind="payment")}, 'payment ' || n, '\\x00', 'paypal', 'paid', 10000,
    'ILS', {_words(3)}, 'agent', {_SOMEBODY}, 'CA' || lpad((10 * n)::text, 10, '0'), 'token ' || n,
    'reference ' || n, 1, 'order ' || n, 'proof ' || n, {_AT}, {_AT}, {_AT}, now()
FROM generate_series($1::int, $2::int) n
"""  # noqa: S608 - our own text
_QUEUED: Final = """
WITH m AS (
    UPDATE messages SET status = 'queued' WHERE id IN (
        SELECT id FROM messages WHERE direction = 'out' ORDER BY created_at DESC LIMIT 1000)
    RETURNING id, contact_id, provider)
INSERT INTO outbox (message_id, contact_id, provider, recipient)
SELECT m.id, m.contact_id, m.provider, k.phone FROM m JOIN contacts k ON k.id = m.contact_id
"""


def _loads(size: Size) -> Sequence[Sequence[tuple[str, int]]]:
    """Statements and how many rows each makes; two connections work at them side by side."""
    return (
        ((_MESSAGES, size.messages), (_MEDIA, size.messages // 40)),
        (
            (_CONTACTS, size.contacts),
            (_IDENTITIES, size.contacts),
            (_DIALOGUES, size.contacts // 2),
            (_CALLS, size.calls),
            (_TURNS, size.turns),
            (_WEBHOOKS, 4 * size.calls),
            (_FIELDS, size.calls),
            (_CALLBACKS, size.calls // 10),
            (_PAYMENTS, size.calls // 10),
            (_NOTICES, size.calls),
            (_KEYS, size.messages // 2),
        ),
    )


# What a constraint has made stays; the rest is made again when the rows are there.
_INDEXES: Final = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
WHERE t.relnamespace = 'public'::regnamespace AND NOT i.indisunique
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
ORDER BY t.relname = 'messages' DESC, t.relname
"""


async def fill(url: str, size: Size) -> None:
    """Make it, and tell on standard output how long each part took."""
    began = time.perf_counter()
    async with asyncpg.create_pool(url, min_size=2, max_size=2) as pool:
        definitions = await pool.fetch(_INDEXES)
        for row in definitions:
            await pool.execute(f"DROP INDEX {row['name']}")
        async with asyncio.TaskGroup() as group:
            for loads in _loads(size):
                group.create_task(_load(pool, loads, size))
        print(f"rows: {time.perf_counter() - began:.0f} s", flush=True)
        search = [f"CREATE INDEX {name} ON {made_of}" for name, made_of in INDEXES.items()]
        # The longest first.
        search.sort(key=lambda text: ("messages " in text, "turns " in text), reverse=True)
        plain = [row["definition"] for row in definitions if row["name"] not in INDEXES]
        await _make([*search, *plain], pool)
        await pool.execute(_QUEUED)
        print(f"indexes: {time.perf_counter() - began:.0f} s", flush=True)
        await pool.execute("VACUUM ANALYZE")
        print(f"statistics: {time.perf_counter() - began:.0f} s", flush=True)


async def _load(
    pool: "asyncpg.Pool[asyncpg.Record]", loads: Sequence[tuple[str, int]], size: Size
) -> None:
    async with pool.acquire() as connection:
        await connection.execute("SET session_replication_role = replica")
        for statement, rows in loads:
            step = -(-rows // _CHUNKS)
            for first in range(1, rows + 1, step):
                last = min(rows, first + step - 1)
                await connection.execute(statement, first, last, rows, size.contacts)
        await connection.execute("RESET session_replication_role")


async def _make(statements: Sequence[str], pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Two at a time."""
    left = iter(statements)

    async def work() -> None:
        async with pool.acquire() as connection:
            await connection.execute("SET maintenance_work_mem = '1GB'")
            for statement in left:
                began = time.perf_counter()
                await connection.execute(statement)
                took_s = time.perf_counter() - began
                if took_s > 5:
                    print(f"  {statement.split(' ON ')[0]}: {took_s:.0f} s", flush=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(work())

"""How long each page takes on the server, on a database as large as a business's ever gets.

    python bench/pages.py [--contacts 10000] [--messages 200000] [--calls 50000] [--turns 500000]

Fills an embedded PostgreSQL of its own with sixty days of calls and messages, makes the indexes of
the search and adds up the numbers as the service does, and asks for every page from within the
process. Twenty calls go on meanwhile. Prints p50, p95 and the longest of each, and ends with 1 if
a p95 is beyond 100 ms.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from page_parts import VERSIONS, agents_with_versions, begin_calls, parts  # noqa: E402

from fixtures_database import new_database, shared_server  # noqa: E402 - found by the line above
from voiceagent.crm.calls.overview import OUTCOMES  # noqa: E402
from voiceagent.crm.numbers.tally import Tally  # noqa: E402
from voiceagent.crm.people.search_indexes import INDEXES, SearchIndexes  # noqa: E402
from voiceagent.crm.postgres.database import Connection, Database  # noqa: E402
from voiceagent.wiring import heap  # noqa: E402
from web.console.world import Console, console  # noqa: E402

LIMIT_MS = 100.0
DAYS = 60

# By day more than by night, the more the nearer to noon.
_MOMENT = f"""
date_trunc('day', now()) - (floor(random() * {DAYS}) || ' days')::interval
    + ((6 + 5 * (random() + random() + random())) || ' hours')::interval
"""
_FILL = (
    """
    INSERT INTO contacts (id, phone, name, created_at, updated_at)
    SELECT gen_random_uuid(), '+9725' || lpad(n::text, 8, '0'), 'לקוח ' || n,
        now() - n * interval '8 minutes', now() - n * interval '8 minutes'
    FROM generate_series(1, $1::int) n
    """,
    """
    INSERT INTO contact_identities (kind, value, contact_id)
    SELECT 'phone', phone, id FROM contacts LIMIT $1::int
    """,
)
_MESSAGES = f"""
INSERT INTO messages (id, contact_id, provider, direction, status, author, text, created_at)
SELECT gen_random_uuid(), k.ids[1 + n % array_length(k.ids, 1)], 'baileys',
    CASE WHEN n % 2 = 0 THEN 'in' ELSE 'out' END,
    CASE WHEN n % 2 = 0 THEN 'received' WHEN n % 401 = 0 THEN 'failed' ELSE 'read' END,
    CASE WHEN n % 2 = 0 THEN NULL ELSE 'agent' END,
    'הודעה מספר ' || n || ' עם כמה מילים נוספות', LEAST(now(), {_MOMENT})
FROM generate_series(1, $1::int) n, (SELECT array_agg(id) AS ids FROM contacts) k
"""  # noqa: S608 - our own text
_CALLS = f"""
INSERT INTO calls (call_sid, contact_id, from_number, started_at, announced_at, streamed_at,
    ended_at, ended_status, end_reason, counters, summary, summary_source)
SELECT 'CA' || n, k.ids[1 + n % array_length(k.ids, 1)],
    '+9725' || lpad((1 + n % array_length(k.ids, 1))::text, 8, '0'), at, at,
    CASE WHEN n % 37 = 0 THEN NULL ELSE at END, at + interval '2 minutes',
    'completed', CASE WHEN n % 37 = 0 THEN 'busy' ELSE 'agent_hangup' END,
    jsonb_build_object('answers', 5, 'barge_ins', n % 3 / 2, 'false_interruptions', n % 11 / 10,
        'guesses', 5, 'guesses_used', 2 + n % 3),
    'סיכום של השיחה, במשפט אחד או שניים.', 'script'
FROM (SELECT n, LEAST(now() - interval '3 minutes', {_MOMENT}) AS at
      FROM generate_series(1, $1::int) n) c,
    (SELECT array_agg(id) AS ids FROM contacts) k
"""  # noqa: S608 - our own text
_TURNS = """
INSERT INTO turns (call_sid, seq, turn, who, text, heard, status, source, timings, at, version)
SELECT 'CA' || n, seq, seq / 2, CASE WHEN seq % 2 = 0 THEN 'caller' ELSE 'agent' END,
    'כמה מילים שנאמרו כאן', 'כמה מילים שנאמרו כאן', 'complete',
    CASE WHEN seq % 2 = 0 THEN 'final' ELSE 'reply' END,
    jsonb_build_object('speech_started_at_ms', 4000 + ms, 'speech_ended_at_ms', 6000 + ms,
        'eou_at_ms', 6400 + ms, 'eou_ms', 400, 'first_token_at_ms', 6500 + ms,
        'first_audio_at_ms', 6700 + ms, 'first_frame_at_ms', 6400 + ms + 300 * exp(random() * 2),
        'ended_at_ms', 11500 + ms, 'response_ms', 900),
    now(), ''
FROM generate_series(1, $1::int) n,
    (SELECT seq, seq / 2 * 12000 AS ms FROM generate_series(0, $2::int - 1) seq) s
"""
# What was said in half an hour is much, and one of them is that long.
_LONG_CALL = """
INSERT INTO turns (call_sid, seq, turn, who, text, heard, status, source, timings, at, version)
SELECT t.call_sid, 1000 + n * 10 + t.seq, t.turn + n * 5, t.who, t.text, t.heard, t.status,
    t.source,
    (SELECT jsonb_object_agg(key, CASE WHEN key LIKE '%at_ms' THEN value::numeric + n * 60000
                                       ELSE value::numeric END) FROM jsonb_each_text(t.timings)),
    t.at, ''
FROM turns t, generate_series(1, 30) n WHERE t.call_sid = 'CA1'
"""
_WEBHOOKS = """
INSERT INTO webhook_answers (id, call_sid, at, route, status, event, detail)
SELECT gen_random_uuid(), c.call_sid, c.started_at + seq * interval '1 second',
    '/webhook/stream_status', 204, 'stream-started', ''
FROM calls c, generate_series(1, 6) seq
"""
_FAILURES = f"""
INSERT INTO engine_failures (id, at, engine)
SELECT gen_random_uuid(), {_MOMENT}, (ARRAY['stt', 'tts', 'brain', 'transfer'])[1 + n % 4]
FROM generate_series(1, 500) n
"""  # noqa: S608 - our own text


async def fill(
    connection: Connection, *, contacts: int, messages: int, calls: int, turns: int
) -> None:
    """So many of each; turns are shared evenly among the calls."""
    for table in ("messages", "calls"):
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for statement in _FILL:
        await connection.execute(statement, contacts)
    await connection.execute(_MESSAGES, messages)
    await connection.execute(_CALLS, calls)
    await connection.execute(_TURNS, calls, max(1, turns // calls))
    await connection.execute(_LONG_CALL)
    await connection.execute(_WEBHOOKS)
    await connection.execute(_FAILURES)
    await begin_calls(connection)
    for table in ("messages", "calls"):
        await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    await connection.execute("ANALYZE")


async def measure(shown: Console, name: str, paths: list[str]) -> float:
    """The p95 of these pages, in ms."""
    took_ms, size = [], 0
    for path in paths:
        began = time.perf_counter()
        answer = await shown.get(path)
        took_ms.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{path} was answered {answer.status_code}")
        size = len(answer.content)
    took_ms.sort()
    p95 = took_ms[int(len(took_ms) * 0.95)]
    print(
        f"{name:22} n={len(took_ms):4} p50={took_ms[len(took_ms) // 2]:6.1f} p95={p95:6.1f}"
        f" longest={took_ms[-1]:6.1f} ms  {size // 1024} kB"
    )
    return p95


async def prepare(database: Database) -> None:
    """What the service does by itself, sooner or later."""
    began = time.perf_counter()
    await SearchIndexes(database).make()
    print(f"indexes of the search: {time.perf_counter() - began:.1f} s")
    tally = Tally(database, pause_s=0)
    for _ in range(2):
        began = time.perf_counter()
        look = await tally.round(datetime.now(UTC))
        took_s = time.perf_counter() - began
        print(f"counted: {look.name if look else 'nothing was due'} {took_s:.2f} s")
    async with database.connection(3600) as connection:
        await connection.execute("VACUUM ANALYZE")


async def paths(database: Database) -> dict[str, list[str]]:
    """The pages, each as often as it is asked for."""
    rows = await database.pool.fetch("SELECT id FROM contacts ORDER BY updated_at DESC LIMIT 200")
    periods = ("today", "week", "month")
    return {
        "sign in": ["/console/sign-in"] * 50,
        "inbox": ["/console"] * 100,
        "thread": [f"/console/contacts/{row['id']}" for row in rows],
        "search": ["/console?q=לקוח 123", "/console?q=050000", "/console?q=מספר 7"] * 20,
        "search, rare": ["/console?q=אינקיים", "/console?q=מספר 123456"] * 20,
        "search, everywhere": ["/console?q=הודעה", "/console?q=נאמרו"] * 20,
        "search, two letters": ["/console?q=קק", "/console?q=מס"] * 20,
        "live": ["/console/live"] * 50,
        "calls": ["/console/calls"] * 100,
        "calls, by name": ["/console/calls?q=לקוח 123", "/console/calls?q=לקוח"] * 30,
        "calls, by number": ["/console/calls?q=050000", "/console/calls?q=0500-4321"] * 30,
        "calls, nobody's": ["/console/calls?q=אינקיים"] * 50,
        "calls, by outcome": [f"/console/calls?outcome={name}" for name in OUTCOMES] * 20,
        "call": [f"/console/calls/CA{n}" for n in range(2, 202)],
        "call, half an hour": ["/console/calls/CA1"] * 40,
        "phone": ["/console/phone"] * 50,
        "WhatsApp": ["/console/pairing"] * 30,
        **{f"numbers, {name}": [f"/console/numbers?period={name}"] * 100 for name in periods},
        "set-up": ["/console/setup"] * 50,
        "set-up, script": ["/console/setup/script"] * 50,
        "set-up, version": [f"/console/setup/versions/{n}" for n in range(2, VERSIONS)],
    }


async def run(place: Path, given: argparse.Namespace) -> int:
    database = Database(await new_database("migrated"), place)
    await database.start()
    await database.pool.execute(f"DROP INDEX {', '.join(INDEXES)}")
    async with database.connection(3600) as connection:
        await fill(
            connection,
            contacts=given.contacts,
            messages=given.messages,
            calls=given.calls,
            turns=given.turns,
        )
    await prepare(database)
    agents = await agents_with_versions(database)
    worst = 0.0
    async with console(
        database, place, pages=lambda office: parts(office, database, agents, place)
    ) as shown:
        await shown.signed_in()
        pages = await paths(database)
        for each in pages.values():
            await shown.get(each[0])
        heap.settle()
        for name, each in pages.items():
            worst = max(worst, await measure(shown, name, each))
    await database.close()
    return 0 if worst <= LIMIT_MS else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--contacts", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--turns", type=int, default=500_000)
    given = parser.parse_args()
    shared_server()
    with tempfile.TemporaryDirectory(prefix="pages-") as place:
        return asyncio.run(run(Path(place), given))


if __name__ == "__main__":
    sys.exit(main())

"""No record is lost: not with the database killed, slow or away, not with us killed."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from crm.message_records import received
from crm.records import CALLER, announced, started, turn, webhook, whole_call
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.embedded import EmbeddedServer
from voiceagent.crm.postgres.migrate import migrate
from voiceagent.crm.recording import database_watch
from voiceagent.crm.recording.dead_letters import DeadLetters
from voiceagent.crm.recording.giving_up import GivingUp
from voiceagent.crm.recording.record_queue import BATCH_LIMIT
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.errors import ProviderError

DEADLINE_S = 30.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - the state of a part that tells nobody
            await asyncio.sleep(0.005)


class Outage:
    """Keeps a recorder from reviving its database until `over` is called."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._over = False

    async def revive(self) -> None:
        if not self._over:
            raise ProviderError("kept away by the test", retryable=True)
        await self._database.start()

    def over(self) -> None:
        self._over = True


@pytest.fixture
async def recorder(database: Database, tmp_path: Path) -> AsyncIterator[CallRecorder]:
    recorder = CallRecorder(database, tmp_path, ping_interval_s=0.2)
    await recorder.start()
    yield recorder
    await recorder.close(DEADLINE_S)


async def turns_of(database: Database, sid: str) -> list[int]:
    rows = await database.pool.fetch("SELECT seq FROM turns WHERE call_sid = $1 ORDER BY seq", sid)
    return [row["seq"] for row in rows]


async def test_records_reach_the_database(database: Database, recorder: CallRecorder) -> None:
    for record in whole_call("CA1"):
        recorder.record(record)
    await recorder.settle(DEADLINE_S)
    assert (await CallsRepository(database).get("CA1")).status == "completed"
    assert (recorder.queued, recorder.journaled, recorder.written, recorder.failed) == (0, 0, 9, 0)
    assert recorder.healthy


async def test_a_database_killed_in_mid_stream_gets_every_record_once(tmp_path: Path) -> None:
    database = Database(None, tmp_path)
    await database.start()
    await migrate(database)
    recorder = CallRecorder(database, tmp_path, ping_interval_s=0.2)
    await recorder.start()
    sids = [f"CA{n:03d}" for n in range(60)]
    journaled = 0
    for n, sid in enumerate(sids):
        for record in whole_call(sid):
            recorder.record(record)
        if n in (20, 40):
            await until(lambda: recorder.healthy)
            pid = (tmp_path / "pgdata" / "postmaster.pid").read_text().split()[0]
            os.kill(int(pid), signal.SIGKILL)
            await until(lambda: not recorder.healthy)
        journaled = max(journaled, recorder.journaled)
        await asyncio.sleep(0)
    await until(lambda: recorder.queued == 0)
    journaled = max(journaled, recorder.journaled)
    await recorder.settle(DEADLINE_S)
    assert journaled > 0
    assert recorder.healthy
    pool = database.pool
    assert await pool.fetchval("SELECT count(*) FROM calls WHERE status = 'completed'") == 60
    assert await pool.fetchval("SELECT count(*) FROM turns") == 60 * 4
    assert await pool.fetchval("SELECT count(*) FROM webhook_answers") == 60
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 1
    assert recorder.failed == 0
    await recorder.close(DEADLINE_S)
    await database.close()


async def test_records_made_while_the_database_is_away_come_in_order(
    database: Database, tmp_path: Path
) -> None:
    outage = Outage(database)
    recorder = CallRecorder(database, tmp_path, revive=outage.revive, ping_interval_s=0.2)
    await recorder.start()
    for seq in range(500):
        recorder.record(turn("CA1", 0, f"version {seq}", at=seq))
    await until(lambda: recorder.journaled == 500)
    assert not recorder.healthy
    assert recorder.queued == 0
    outage.over()
    recorder.record(turn("CA1", 0, "the last version", at=500))
    await recorder.settle(DEADLINE_S)
    [only] = (await CallsRepository(database).get("CA1")).turns
    assert only.text == "the last version"
    assert (recorder.written, recorder.journaled) == (501, 0)
    await recorder.close(DEADLINE_S)


async def test_a_database_that_hangs_costs_a_deadline_and_no_record(
    database: Database, tmp_path: Path
) -> None:
    recorder = CallRecorder(database, tmp_path, write_deadline_s=0.2, ping_interval_s=0.2)
    await recorder.start()
    await until(lambda: recorder.healthy)
    async with database.transaction(DEADLINE_S) as connection:
        await connection.execute("LOCK TABLE calls IN ACCESS EXCLUSIVE MODE")
        for record in whole_call("CA1"):
            recorder.record(record)
        await until(lambda: recorder.journaled == 9)
    await recorder.settle(DEADLINE_S)
    assert len((await CallsRepository(database).get("CA1")).turns) == 4
    await recorder.close(DEADLINE_S)


async def test_what_takes_longer_than_the_deadline_comes_in_smaller_parts(
    database: Database, tmp_path: Path
) -> None:
    await database.pool.execute(
        """
        CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
        CREATE TRIGGER lingers BEFORE INSERT ON webhook_answers
        FOR EACH ROW EXECUTE FUNCTION linger();
        """
    )
    recorder = CallRecorder(database, tmp_path, ping_interval_s=0.2, write_deadline_s=0.6)
    for _ in range(60):
        recorder.record(webhook("CA1"))
    await recorder.start()
    await recorder.settle(DEADLINE_S)
    assert await database.pool.fetchval("SELECT count(*) FROM webhook_answers") == 60
    await recorder.close(DEADLINE_S)


async def test_an_idle_recorder_notices_that_the_database_died_and_came_back(
    tmp_path: Path,
) -> None:
    database = Database(None, tmp_path)
    recorder = CallRecorder(database, tmp_path, ping_interval_s=0.05)
    await recorder.start()
    await until(lambda: recorder.healthy)
    pid = (tmp_path / "pgdata" / "postmaster.pid").read_text().split()[0]
    os.kill(int(pid), signal.SIGKILL)
    await until(lambda: not recorder.healthy)
    await until(lambda: recorder.healthy)
    await database.ping()
    await recorder.close(DEADLINE_S)
    await database.close()


async def test_a_database_that_is_stopped_and_started_is_told_in_a_line_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = EmbeddedServer(tmp_path / "theirs", settings=["fsync=off"])
    await asyncio.to_thread(server.start, DEADLINE_S)
    database = Database(server.url(), tmp_path)
    recorder = CallRecorder(database, tmp_path, ping_interval_s=0.05)
    await recorder.start()
    await until(lambda: recorder.healthy)
    await migrate(database)
    caplog.clear()
    await asyncio.to_thread(server.stop, DEADLINE_S)
    await until(lambda: not recorder.healthy)
    for seq in range(3):
        recorder.record(turn("CA1", seq))
    await asyncio.sleep(1)  # several attempts
    assert not recorder.healthy
    await asyncio.to_thread(server.start, DEADLINE_S)
    await until(lambda: recorder.healthy)
    told = [
        f"{record.levelname} {record.getMessage().split(' why=')[0]}" for record in caplog.records
    ]
    assert told == [
        "WARNING database away, records go to the journal",
        "INFO database works journaled=3",
    ]
    assert not any(record.exc_info for record in caplog.records)
    await recorder.close(0.1)
    await database.close()
    await asyncio.to_thread(server.stop, DEADLINE_S)


@pytest.mark.parametrize("by_way_of_the_journal", [False, True])
async def test_a_poisonous_record_is_buried_and_stops_no_other(
    database: Database,
    tmp_path: Path,
    by_way_of_the_journal: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = Outage(database)
    recorder = CallRecorder(database, tmp_path, revive=outage.revive)
    for seq in range(20):
        recorder.record(turn("CA1", seq))
    recorder.record(announced(os.urandom(9_000).hex(), CALLER))  # more than an index holds
    recorder.record(turn("CA1", 2**40, CALLER, at=3))
    for seq in range(20, 40):
        recorder.record(turn("CA1", seq))
    if not by_way_of_the_journal:
        outage.over()
    await recorder.start()
    if by_way_of_the_journal:
        await until(lambda: recorder.journaled == 42)
        outage.over()
    await recorder.settle(DEADLINE_S)
    assert await turns_of(database, "CA1") == list(range(40))
    assert (recorder.written, recorder.failed, recorder.journaled) == (40, 2, 0)
    letters = [
        json.loads(line)
        for line in (tmp_path / "journal" / "dead-letter.jsonl").read_text().splitlines()
    ]
    assert {json.loads(letter["record"])["kind"] for letter in letters} == {"announced", "turn"}
    assert all(letter["reason"] for letter in letters)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2
    assert CALLER[1:] not in caplog.text
    await recorder.close(DEADLINE_S)


async def test_a_damaged_or_foreign_line_is_buried_and_stops_no_other(
    database: Database, tmp_path: Path
) -> None:
    outage = Outage(database)
    first = CallRecorder(database, tmp_path, revive=outage.revive)
    await first.start()
    for seq in range(3):
        first.record(turn("CA1", seq, f"turn number {seq}"))
    await first.close(DEADLINE_S)
    [segment] = (tmp_path / "journal").glob("*/*.journal")
    segment.write_bytes(segment.read_bytes().replace(b"turn number 1", b"turn number 7"))
    second = CallRecorder(database, tmp_path)
    await second.start()
    await second.settle(DEADLINE_S)
    assert await turns_of(database, "CA1") == [0, 2]
    assert second.failed == 1
    assert "turn number 7" in (tmp_path / "journal" / "dead-letter.jsonl").read_text()
    await second.close(DEADLINE_S)


async def test_a_full_queue_refuses_counts_and_says_so_once(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = CallRecorder(database, tmp_path, queue_limit=5)
    for seq in range(8):
        recorder.record(turn("CA1", seq))
    assert (recorder.queued, recorder.failed) == (5, 3)
    assert caplog.text.count("refused") == 1
    await recorder.start()
    await recorder.settle(DEADLINE_S)
    assert await turns_of(database, "CA1") == [0, 1, 2, 3, 4]
    await recorder.close(DEADLINE_S)


async def test_what_is_in_memory_at_the_end_is_kept(database: Database, tmp_path: Path) -> None:
    outage = Outage(database)
    away = CallRecorder(database, tmp_path, revive=outage.revive)
    await away.start()
    for record in whole_call("CA1"):
        away.record(record)
    await away.close(0.1)
    there = CallRecorder(database, tmp_path)
    await there.start()
    await until(lambda: there.healthy)
    for record in whole_call("CA2"):
        there.record(record)
    await there.close(DEADLINE_S)
    statuses = [call.status for call in (await CallsRepository(database).page()).items]
    assert statuses == ["completed", "completed"]


async def test_two_processes_on_one_data_dir_do_not_mix_their_journals(
    database: Database, tmp_path: Path
) -> None:
    outage = Outage(database)
    pair = [CallRecorder(database, tmp_path, revive=outage.revive) for _ in range(2)]
    for n, recorder in enumerate(pair):
        await recorder.start()
        recorder.record(turn(f"CA{n}", 0))
    for recorder in pair:
        await recorder.close(DEADLINE_S)
    # One process is started again, alone: it finds what both left.
    again = CallRecorder(database, tmp_path)
    await again.start()
    await again.settle(DEADLINE_S)
    assert [await turns_of(database, sid) for sid in ("CA0", "CA1")] == [[0], [0]]
    await again.close(DEADLINE_S)


async def test_a_disk_that_refuses_does_not_matter_while_the_database_works(
    database: Database, recorder: CallRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: recorder.healthy)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)
    for seq in range(3_000):  # more than are written directly
        recorder.record(turn("CA1", seq, at=1))
    await recorder.settle(DEADLINE_S)
    assert len(await turns_of(database, "CA1")) == 3_000
    assert recorder.failed == 0


PROGRAM = """
import asyncio, pathlib, sys
from crm.records import turn
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.recorder import CallRecorder

async def main():
    data_dir = pathlib.Path(sys.argv[1])
    database = Database("postgresql://nobody@127.0.0.1:1/none", data_dir)
    recorder = CallRecorder(database, data_dir)
    await recorder.start()
    for seq in range(1_000_000):
        recorder.record(turn("CA1", seq, at=1))
        if seq % 50 == 0:
            while recorder.queued > 500:
                await asyncio.sleep(0)
            print(recorder.journaled, flush=True)

asyncio.run(main())
"""


async def test_what_was_on_the_disk_survives_our_own_kill(
    database: Database, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        str(tmp_path),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    promised = 0
    async with asyncio.timeout(DEADLINE_S):
        while promised < 1_000:
            promised = int(await process.stdout.readline())
    process.kill()
    rest, _ = await process.communicate()
    promised = max([promised, *map(int, rest.split(b"\n")[:-1])])
    recorder = CallRecorder(database, tmp_path)
    await recorder.start()
    await recorder.settle(DEADLINE_S)
    kept = await turns_of(database, "CA1")
    assert kept == list(range(len(kept)))
    assert len(kept) >= promised
    assert recorder.failed == 0
    await recorder.close(DEADLINE_S)


CUT_OFF = """
import asyncio, os, pathlib, signal, sys
from crm.records import announced, ended, started
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.recorder import CallRecorder

async def main():
    data_dir = pathlib.Path(sys.argv[1])
    database = Database(sys.argv[2], data_dir)
    await database.start()
    recorder = CallRecorder(database, data_dir)
    await recorder.start()
    for sid in ("CA1", "CA2"):
        recorder.record(announced(sid))
        recorder.record(started(sid))
    await recorder.settle(30)
    recorder.record(ended("CA2"))
    await recorder.settle(30)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_call_that_a_kill_cut_off_is_ended_by_the_next_start(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CUT_OFF,
        str(tmp_path),
        database_url,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert await process.wait() == -signal.SIGKILL
    calls = CallsRepository(database)
    assert (await calls.get("CA1")).status == "in-progress"
    recorder = CallRecorder(database, tmp_path)
    await recorder.start()
    await recorder.settle(DEADLINE_S)
    lost = await calls.get("CA1")
    assert (lost.status, lost.end_reason) == ("failed", "process_lost")
    assert lost.ended_at is not None
    assert lost.ended_at > lost.started_at
    assert (await calls.get("CA2")).end_reason == "agent_hangup"
    await recorder.close(DEADLINE_S)
    # Once is enough: the next start finds nothing to end.
    again = CallRecorder(database, tmp_path)
    await again.start()
    assert again.journaled == 0
    await again.close(DEADLINE_S)


async def test_calls_of_a_process_that_lives_are_left_alone(
    database: Database, recorder: CallRecorder, tmp_path: Path
) -> None:
    recorder.record(started("CA1"))
    await recorder.settle(DEADLINE_S)
    neighbour = CallRecorder(database, tmp_path)
    await neighbour.start()
    await neighbour.settle(DEADLINE_S)
    await neighbour.close(DEADLINE_S)
    assert (await CallsRepository(database).get("CA1")).status == "in-progress"


async def test_an_unusable_data_dir_is_an_error_at_the_start(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "journal").write_text("in the way")
    recorder = CallRecorder(database, tmp_path)
    with pytest.raises(ProviderError, match="journal"):
        await recorder.start()
    recorder.record(webhook("CA1"))
    await recorder.close(DEADLINE_S)


class TestDurably:
    async def test_who_waits_is_told_once_it_is_in_the_database(
        self, database: Database, recorder: CallRecorder
    ) -> None:
        await until(lambda: recorder.healthy)
        messages = [received(f"A{n}", f"{n}") for n in range(200)]
        await asyncio.gather(*(recorder.record_durably(message) for message in messages))
        assert await database.pool.fetchval("SELECT count(*) FROM messages") == 200
        # Whoever asks at the same time shares a transaction.
        assert recorder.journaled == 0

    async def test_with_the_database_away_it_is_on_the_disk(
        self, database: Database, tmp_path: Path
    ) -> None:
        outage = Outage(database)
        recorder = CallRecorder(database, tmp_path, revive=outage.revive)
        await recorder.start()
        await recorder.record_durably(received("A", "in the journal"))
        [segment] = (tmp_path / "journal").glob("*/*.journal")
        assert "in the journal" in segment.read_text()
        outage.over()
        await recorder.settle(DEADLINE_S)
        assert await database.pool.fetchval("SELECT text FROM messages") == "in the journal"
        await recorder.close(DEADLINE_S)

    async def test_a_disk_that_does_not_last_keeps_nothing_safe(
        self, database: Database, tmp_path: Path
    ) -> None:
        outage = Outage(database)
        recorder = CallRecorder(database, tmp_path, revive=outage.revive, disk_lasts=False)
        await recorder.start()
        with pytest.raises(ProviderError) as caught:
            await recorder.record_durably(received("A", "sent again"), deadline_s=0.3)
        assert caught.value.retryable
        outage.over()
        await recorder.settle(DEADLINE_S)
        await until(lambda: recorder.healthy)
        await recorder.record_durably(received("A", "sent again"))
        assert await database.pool.fetchval("SELECT text FROM messages") == "sent again"
        await recorder.close(DEADLINE_S)

    async def test_a_database_that_hangs_is_not_waited_for(
        self, database: Database, recorder: CallRecorder
    ) -> None:
        await until(lambda: recorder.healthy)
        async with database.transaction(DEADLINE_S) as connection:
            await connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            await recorder.record_durably(received("A"))
            assert recorder.journaled == 1
        await recorder.settle(DEADLINE_S)
        assert await database.pool.fetchval("SELECT count(*) FROM messages") == 1

    async def test_safe_nowhere_it_is_refused(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        recorder = CallRecorder(database, tmp_path, revive=Outage(database).revive)
        await recorder.start()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", full)
            with pytest.raises(ProviderError) as caught:
                await recorder.record_durably(received("A"), deadline_s=0.2)
        assert caught.value.retryable
        await recorder.close(DEADLINE_S)
        with pytest.raises(ProviderError):
            await recorder.record_durably(received("B"))

    async def test_a_record_that_waited_is_safe_at_the_end(
        self, database: Database, tmp_path: Path
    ) -> None:
        recorder = CallRecorder(database, tmp_path, revive=Outage(database).revive)
        waiting = asyncio.create_task(recorder.record_durably(received("A"), deadline_s=DEADLINE_S))
        await until(lambda: recorder.queued == 1)
        await recorder.start()
        await waiting
        await recorder.close(DEADLINE_S)


async def test_turns_wait_for_each_other_and_nobody_else_waits_for_them(
    database: Database, tmp_path: Path
) -> None:
    recorder = CallRecorder(database, tmp_path, gather_s=DEADLINE_S)
    await recorder.start()
    await until(lambda: recorder.healthy)
    recorder.record(turn("CA1", 0))
    recorder.record(webhook("CA1"))
    await asyncio.sleep(0.2)
    assert (recorder.written, recorder.queued) == (0, 2)
    # Whatever somebody reads at once takes them along.
    recorder.record(announced("CA1"))
    await until(lambda: recorder.written == 3)
    recorder.record(turn("CA1", 1))
    async with asyncio.timeout(5):
        await recorder.record_durably(received("M1"))
    assert await turns_of(database, "CA1") == [0, 1]
    # So does a full batch, and the end.
    for seq in range(BATCH_LIMIT):
        recorder.record(turn("CA2", seq))
    await until(lambda: recorder.queued == 0)
    recorder.record(turn("CA1", 2))
    await recorder.close(DEADLINE_S)
    assert await turns_of(database, "CA1") == [0, 1, 2]


async def test_a_record_that_is_always_too_slow_becomes_a_dead_letter_and_stops_no_other(
    database: Database,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_watch, "RETRY_FIRST_S", 0.02)
    monkeypatch.setattr(database_watch, "RETRY_MAX_S", 0.05)
    await database.pool.execute(
        """
        CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.text = 'endless' THEN PERFORM pg_sleep(2); END IF; RETURN NEW; END $$;
        CREATE TRIGGER hangs BEFORE INSERT ON turns FOR EACH ROW EXECUTE FUNCTION hang();
        """
    )
    recorder = CallRecorder(
        database,
        tmp_path,
        ping_interval_s=0.05,
        write_deadline_s=0.2,
        giving_up=GivingUp(attempts=3, least_s=0.5),
    )
    await recorder.start()
    recorder.record(turn("CA1", 0, "endless"))
    others = 0
    async with asyncio.timeout(DEADLINE_S):
        while recorder.failed == 0:
            others += 1
            recorder.record(turn("CA2", others))
            await asyncio.sleep(0.1)
    await recorder.settle(DEADLINE_S)
    assert await turns_of(database, "CA2") == list(range(1, others + 1))
    assert await turns_of(database, "CA1") == []
    assert recorder.failed == 1
    [letter] = DeadLetters(tmp_path / "journal").read()
    assert "endless" in letter.record
    assert "endless" not in caplog.text
    await recorder.close(DEADLINE_S)

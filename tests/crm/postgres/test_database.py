"""The embedded server with real kills and real leftovers, and a server of one's own."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import uvloop

from emulators.way import OPEN, Condition, Way
from fixtures_database import _server, database_url  # noqa: F401 - fixtures
from voiceagent.crm.postgres.database import (
    SESSION_ENDS,
    ContentRejected,
    Database,
    TransactionConflict,
)
from voiceagent.errors import ProviderError


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "pgdata" / "postmaster.pid").read_text().splitlines()[0])


def wait_for_end(pid: int) -> None:
    """Until the process is gone, or dead and merely not collected."""
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data directory for this file's tests: making one takes a second."""
    return tmp_path_factory.mktemp("embedded")


async def test_starts_answers_and_stops_with_its_last_user(data_dir: Path) -> None:
    first, second = Database(None, data_dir), Database(None, data_dir)
    await asyncio.gather(first.start(), second.start())
    assert first.embedded
    pid = postmaster(data_dir)
    assert await second.pool.fetchval("SELECT 1") == 1
    await first.close()
    await second.ping()
    assert postmaster(data_dir) == pid
    await second.close()
    assert not (data_dir / "pgdata" / "postmaster.pid").exists()


async def test_another_process_shares_it_and_its_kill_changes_nothing(data_dir: Path) -> None:
    database = Database(None, data_dir)
    await database.start()
    pid = postmaster(data_dir)
    program = (
        "import asyncio, os, pathlib, sys\n"
        "from voiceagent.crm.postgres.database import Database\n"
        "async def main():\n"
        "    database = Database(None, pathlib.Path(sys.argv[1]))\n"
        "    await database.start()\n"
        "    await database.pool.execute('CREATE TABLE from_the_other (id int)')\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(data_dir))
    assert await process.wait() == -signal.SIGKILL
    assert await database.pool.fetchval("SELECT count(*) FROM from_the_other") == 0
    assert postmaster(data_dir) == pid
    await database.close()
    assert not (data_dir / "pgdata" / "postmaster.pid").exists()


async def first_failure(database: Database) -> ProviderError:
    """A connection's own process lives on until it sees that the server is gone."""
    async with asyncio.timeout(20):
        while True:
            try:
                await database.ping()
            except ProviderError as error:
                return error
            await asyncio.sleep(0.05)


async def test_a_killed_server_is_an_error_and_comes_back(data_dir: Path) -> None:
    database = Database(None, data_dir)
    await database.start()
    await database.pool.execute("CREATE TABLE kept AS SELECT 1 AS id")
    pid = postmaster(data_dir)
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    failure = await first_failure(database)
    assert failure.retryable
    await database.start()
    assert postmaster(data_dir) != pid
    assert await database.pool.fetchval("SELECT id FROM kept") == 1
    await database.close()


async def test_a_server_far_away_may_take_longer_to_connect_to_than_to_answer(
    database_url: str,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("voiceagent.crm.postgres.database.PING_DEADLINE_S", 0.3)
    there = urlsplit(database_url)
    socket_path = f"{parse_qs(there.query)['host'][0]}/.s.PGSQL.5432"
    async with Way(socket_path) as way:
        far = Database(
            f"postgresql://postgres@127.0.0.1:{way.port}{there.path}?sslmode=disable", tmp_path
        )
        await far.start()
        await way.become(Condition("refused"))
        await first_failure(far)
        await way.become(Condition("slow", latency_s=0.05))
        await far.start()
        await far.ping()
        await way.become(OPEN)
        await far.close()


async def test_a_lock_file_whose_number_another_program_has_now_is_cleared(data_dir: Path) -> None:
    database = Database(None, data_dir)
    await database.start()
    pid = postmaster(data_dir)
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    owner = (data_dir / "pgdata").stat()
    # As after a container's restart: the number in the files belongs to somebody else.
    somebody = await asyncio.create_subprocess_exec(
        "sleep", "60", user=owner.st_uid if os.geteuid() == 0 else None
    )
    try:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            lock = data_dir / "pgdata" / name
            lock.write_text(lock.read_text().replace(str(pid), str(somebody.pid), 1))
        await database.start()
        assert postmaster(data_dir) not in (pid, somebody.pid)
    finally:
        somebody.kill()
        await somebody.wait()
    await database.close()


async def test_a_half_made_data_directory_and_a_long_path_do_no_harm(tmp_path: Path) -> None:
    data_dir = tmp_path / ("a folder with spaces, a comma and ע" * 3)
    (data_dir / "pgdata.new").mkdir(parents=True)
    (data_dir / "pgdata.new" / "PG_VERSION").write_text("18\n")
    database = Database(None, data_dir)
    await database.start()
    assert await database.pool.fetchval("SELECT lower('ÉΣ')") == "éσ"
    await database.close()


def test_it_works_on_uvloop(data_dir: Path) -> None:
    async def through_a_kill() -> int:
        database = Database(None, data_dir)
        await database.start()
        pid = postmaster(data_dir)
        os.kill(pid, signal.SIGKILL)
        wait_for_end(pid)
        await database.start()
        answer: int = await database.pool.fetchval("SELECT 7")
        await database.close()
        return answer

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(through_a_kill()) == 7


async def test_data_of_a_version_that_is_not_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    (tmp_path / "pgdata" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ProviderError, match="PostgreSQL 9, which is not installed") as failure:
        await Database(None, tmp_path).start()
    assert not failure.value.retryable


@pytest.mark.parametrize(
    "url", ["postgresql://user:hunter2@127.0.0.1:1/none", "mysql://user:hunter2@host/none"]
)
async def test_an_unreachable_database_is_one_error_without_the_password(
    url: str, tmp_path: Path
) -> None:
    database = Database(url, tmp_path)
    with pytest.raises(ProviderError) as failure:
        await database.start()
    assert "hunter2" not in str(failure.value)
    assert failure.value.retryable == url.startswith("postgresql")
    assert not database.embedded
    with pytest.raises(ProviderError, match="not connected"):
        _ = database.pool
    await database.close()


async def test_a_server_that_does_not_answer_meets_the_deadline(database: Database) -> None:
    with pytest.raises(ProviderError, match="did not answer"):
        async with database.connection(0.05) as connection:
            await connection.execute("SELECT pg_sleep(60)")
    await database.ping()


async def test_what_a_rush_has_opened_is_closed_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceagent.crm.postgres.database.IDLE_S", 0.1)
    database = Database(None, data_dir)
    await database.start()
    await asyncio.gather(*(database.pool.execute("SELECT pg_sleep(0.05)") for _ in range(5)))
    assert database.connections.idle == 5
    async with asyncio.timeout(10):
        while database.connections.idle > 1:  # noqa: ASYNC110 - the driver tells nobody
            await asyncio.sleep(0.02)
    await database.ping()
    await database.close()


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    async def work() -> None:
        async with database.transaction() as connection:
            await connection.execute("CREATE TABLE half (id int CHECK (id > 0))")
            await connection.execute("INSERT INTO half VALUES (-1)")

    with pytest.raises(ContentRejected):
        await work()
    assert await database.pool.fetchval("SELECT to_regclass('half')") is None


async def test_a_cancelled_transaction_stays_cancelled_and_leaves_nothing(
    database: Database,
) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with database.transaction() as connection:
            await connection.execute("CREATE TABLE half (id int)")
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Waits for the server to have dropped the connection's work.
    await database.pool.execute("CREATE TABLE half (id int)")


async def test_a_deadlock_is_told_apart(database: Database) -> None:
    await database.pool.execute("CREATE TABLE locks AS SELECT generate_series(1, 2) AS id")
    locked = {1: asyncio.Event(), 2: asyncio.Event()}

    async def take(first: int, second: int) -> None:
        async with database.transaction() as connection:
            await connection.execute("SELECT * FROM locks WHERE id = $1 FOR UPDATE", first)
            locked[first].set()
            await locked[second].wait()
            await connection.execute("SELECT * FROM locks WHERE id = $1 FOR UPDATE", second)

    results = await asyncio.gather(take(1, 2), take(2, 1), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [TransactionConflict]


async def test_a_session_whose_client_vanished_gives_its_locks_free(
    database_url: str,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setitem(SESSION_ENDS, "idle_in_transaction_session_timeout", "'1s'")
    there = urlsplit(database_url)
    socket_path = f"{parse_qs(there.query)['host'][0]}/.s.PGSQL.5432"
    lock = "SELECT pg_advisory_xact_lock(1)"
    async with Way(socket_path) as way:
        far = Database(
            f"postgresql://postgres@127.0.0.1:{way.port}{there.path}?sslmode=disable", tmp_path
        )
        near = Database(database_url, tmp_path)
        await far.start()
        await near.start()

        async def vanish() -> None:
            async with far.transaction(0.5) as connection:
                await connection.execute(lock)
                await way.become(Condition("silent"))
                await connection.execute("SELECT 1")

        with pytest.raises(ProviderError):
            await vanish()
        async with near.transaction(10.0) as connection:
            await connection.execute(lock)
        await far.close()
        await near.close()

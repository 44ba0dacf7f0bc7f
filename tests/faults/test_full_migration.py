"""A filled database goes from an early schema to the newest while calls are written."""

from pathlib import Path

from faults.full_migration import run
from fixtures_database import _server, empty_database_url
from voiceagent.crm.postgres.migrate import shipped

__all__ = ["_server", "empty_database_url"]


async def test_calls_are_written_while_three_processes_migrate(
    empty_database_url: str, tmp_path: Path
) -> None:
    since = "0005"
    found = await run(empty_database_url, tmp_path, calls=2_000, since=since, processes=3)
    assert found.wrong == [], found.report()
    # Each by one of the processes.
    assert found.applied == [one.name for one in shipped() if one.name > f"{since}~"]
    # What a record may take before it goes to the journal instead.
    assert found.longest_wait_s < 5.0, found.report()

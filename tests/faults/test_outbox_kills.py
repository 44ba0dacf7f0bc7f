"""Whatever is killed, no message is lost, none is sent twice, and none overtakes another."""

from pathlib import Path

import pytest

from faults.outbox_kills import Plan, run

pytestmark = pytest.mark.alone


async def test_api_sidecar_and_database_are_killed_while_messages_come_and_go(
    tmp_path: Path,
) -> None:
    found = await run(tmp_path, Plan(sends=300, webhooks=300, contacts=20, kills=3))
    assert found.faults == [], found.report()
    assert sum(found.statuses.values()) == 300
    assert found.killed == {"api": 3, "sidecar": 3, "postgres": 3}

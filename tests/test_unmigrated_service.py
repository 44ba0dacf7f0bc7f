"""The service on a database of somebody else's that nobody has migrated: it says so, takes calls
and messages all the same, and brings what it kept once the tables are there."""

import asyncio
from pathlib import Path

from fixtures_database import _server, empty_database_url  # noqa: F401 - fixtures
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.migrate import migrate
from whole_service import OK, Service, until

MESSAGE = {"MessageSid": "SM1", "From": "whatsapp:+972501234567", "Body": "shalom"}


async def test_a_database_that_is_not_up_to_date_is_told_and_nothing_is_lost(
    empty_database_url: str,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    with Service(tmp_path, DATABASE_URL=empty_database_url, BENCH_ENGINES="1") as service:
        await until(lambda: service.readyz()[0] == 200)
        assert service.parts() == OK | {"db": "err"}
        service.wait_for("not up to date: run voiceagent migrate")
        url = f"{service.url}/webhook/whatsapp/twilio"
        answer = await asyncio.to_thread(service.client.post, url, data=MESSAGE)
        assert answer.status_code == 204
        assert service.parts() == OK | {"db": "err"}
        database = Database(empty_database_url, tmp_path)
        await database.start()
        await migrate(database)
        await database.close()
        await service.until_ready()
        await until(lambda: "shalom" in service.api("/api/crm/messages").text)

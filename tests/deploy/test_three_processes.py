"""Three processes with a disk each, as on three machines, on one database and one sidecar."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from emulators.sidecar import TOKEN, SidecarEmulator
from fixtures_database import new_database, shared_server
from voiceagent.simulator.behaviour import HangUp
from whole_service import Service, on_the_line, talk, until

KEY = "the-same-key-for-every-machine"
PHONE = "+972541234567"
BENCH = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.6", "API_KEY": KEY}


class Machine(Service):
    """One of them; the key is not on its disk."""

    def __init__(self, data_dir: Path, environ: dict[str, str]) -> None:
        super().__init__(data_dir, **environ)
        self.environ = environ

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.client.request(
            method, self.url + path, headers={"Authorization": f"Bearer {KEY}"}, **options
        )
        return answer.json() if answer.content else answer.status_code

    def knows(self, call_sid: str) -> dict[str, Any]:
        told = self.ask("GET", f"/api/crm/calls/{call_sid}")
        return dict(told) if "call_sid" in told else {}


@pytest.fixture(scope="module")
def database_url() -> str:
    shared_server()
    return asyncio.run(new_database("migrated"))


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[SidecarEmulator]:
    async with SidecarEmulator(tmp_path / "sidecar") as emulator:
        yield emulator


@pytest.fixture
def machines(
    tmp_path: Path, database_url: str, sidecar: SidecarEmulator
) -> Iterator[list[Machine]]:
    environ = BENCH | {
        "DATABASE_URL": database_url,
        "BAILEYS_URL": sidecar.url,
        "BAILEYS_TOKEN": TOKEN,
    }
    with ExitStack() as stack:
        yield [
            stack.enter_context(Machine(tmp_path / f"machine{number}", environ))
            for number in range(3)
        ]


def routes_of(record: dict[str, Any]) -> set[str]:
    """Where webhooks of the call were answered."""
    return {webhook["route"] for webhook in record["webhooks"]}


async def test_calls_and_messages_of_one_are_everybodys_and_a_killed_one_costs_no_other(
    machines: list[Machine], sidecar: SidecarEmulator
) -> None:
    for machine in machines:
        await machine.until_ready()
    one, two, three = machines

    # A call on each at once; each is seen from all, while it lasts and afterwards.
    steps = [*talk(3)[:-1], HangUp(200)]
    async with (
        on_the_line(one, steps) as [first],
        on_the_line(two, steps) as [second],
        on_the_line(three, talk(200)) as [third],
    ):
        lines = (first, second, third)
        await asyncio.gather(*(line.answers(1) for line in lines))
        for machine in machines:
            for line in lines:
                await until(lambda m=machine, sid=line.call_sid: m.knows(sid))

        # One is killed with a call on it: nobody else notices.
        three.send_signal(signal.SIGKILL)
        assert (await third.over()).ended_by == "lost"
        ended = await asyncio.gather(first.over(), second.over())
        assert all(result.completed for result in ended), ended
    for machine in (one, two):
        for line in (first, second):
            await until(lambda m=machine, sid=line.call_sid: m.knows(sid)["status"] == "completed")
    # Nothing of it is lost; that it ended is told by whoever starts on that disk.
    assert [turn["who"] for turn in one.knows(third.call_sid)["turns"]].count("caller") >= 1
    with Machine(three.data_dir, three.environ) as again:
        await again.until_ready()
        await until(lambda: one.knows(third.call_sid)["end_reason"] == "process_lost")

        # Asked of all three at once with one key, it is sent once.
        body, headers = {"to": PHONE, "text": "once"}, {"Idempotency-Key": "order-17"}
        await asyncio.gather(
            *(asyncio.to_thread(_send, machine, body, headers) for machine in (one, two, again))
        )
        await until(lambda: [line["text"] for line in sidecar.wire] == ["once"])
        # What one was told, the others tell.
        for machine in (one, two, again):
            found = machine.ask("GET", "/api/crm/messages", params={"q": PHONE})["items"]
            assert [message["text"] for message in found] == ["once"]

        # The webhook here, its socket there: as when a proxy sends each request elsewhere.
        elsewhere = two.url.replace("http", "ws") + "/ws/twilio-media"
        async with on_the_line(one, talk(1), media_url=elsewhere) as [line]:
            await line.answers(1)
            result = await line.hang_up()
            assert result.ended_by == "caller"
            assert [answer.status for answer in result.webhooks] == [200, 204, 204, 204]
            for machine in (one, two, again):
                await until(lambda m=machine: m.knows(line.call_sid).get("status") == "completed")
            record = again.knows(line.call_sid)
            assert [turn["who"] for turn in record["turns"]].count("caller") >= 1
            # Answers to webhooks are gathered before they are written.
            told = {"/webhook/incoming_call", "/webhook/stream_ended"}
            await until(lambda: told <= routes_of(again.knows(line.call_sid)))
    # Not even later.
    assert [line["text"] for line in sidecar.wire] == ["once"]


def _send(machine: Machine, body: dict[str, str], headers: dict[str, str]) -> int:
    """Until the answer says that it was taken: meanwhile another has it in hand."""
    while True:
        answer = machine.client.post(
            machine.url + "/api/whatsapp/send",
            json=body,
            headers=headers | {"Authorization": f"Bearer {KEY}"},
        )
        if answer.status_code != 409:
            assert answer.status_code in {202, 204}, answer.text
            return answer.status_code

"""The whole service beside everything that it needs, each of which can be broken.

A folder flows in; a running service flows out, with Google, a language model, Twilio, PayPal and
the WhatsApp sidecar behind ways of their own (`emulators/way.py`), its own PostgreSQL or one
behind a way, and a name server where it is to use names. Whoever breaks something does so here.
"""

import asyncio
import os
import random
import shlex
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from emulators import paypal as pp
from emulators.paypal import PayPalEmulator
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from emulators.way import OPEN, Condition
from faults.outbox_kills import Process
from faults.vendors import Said, Vendors, vendors
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.embedded import EmbeddedServer
from voiceagent.crm.postgres.migrate import migrate
from whole_service import ROOT, Service, postmaster, run_line

KEY: Final = "the-key-of-this-run"
TOKEN: Final = "the-token-of-this-run"
PUBLIC: Final = "https://own.example.com"
NAME_SERVER: Final = "127.0.0.77"
DOMAIN: Final = "faults.test"
NAME_FAULTS: Final = {"fails": 2, "unknown": 3}
"""What the name server answers at once: SERVFAIL, NXDOMAIN."""
PUT_THROUGH: Final = "רגע, אני מעבירה."
HTTP_WAYS: Final = ("llm", "sidecar", "twilio", "paypal")
ALL_WAYS: Final = ("stt", "tts", *HTTP_WAYS)

AGENT: Final = """
business = "Corner Agency"
language = "he-IL"
persona = "You are calm and brief."
greeting = "שלום, משרד הפינה."
closing = "תודה ולהתראות."
transfer_number = "+97231111111"
transfer_when = "always"
""" + "".join(
    f"""
[[questions]]
id = "q{number}"
save_as = "q{number}"
ask = "שאלה {word}, מה חשוב לכם?"
accept = "anything"
"""
    for number, word in enumerate(
        "ראשונה שנייה שלישית רביעית חמישית שישית שביעית שמינית תשיעית עשירית".split(), 1
    )
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the house is built."""

    data_dir: Path | None = None
    """None: beside everything else."""
    database_away: bool = False
    """PostgreSQL is reached by the network, behind the way `db`, and somebody else's."""
    names: bool = False
    """Everything is reached by a name; needs a mount namespace."""
    application: str = "asgi:app"
    environ: dict[str, str] = field(default_factory=dict)


class House:
    """All of it, once it runs. Made by `running`."""

    def __init__(self, place: Path, plan: Plan) -> None:
        self.place = place
        self.plan = plan
        self.data_dir = plan.data_dir or place / "data"
        self.twilio = TwilioRestEmulator()
        self.paypal = PayPalEmulator()
        self.names = NameServer()
        self.memory = place / "sidecar"
        self.vendors: Vendors
        self.service: ServiceInHouse
        self._sidecar: Process
        self._server: EmbeddedServer | None = None
        self.server_dir = place / "server"

    async def start(self, stack: AsyncExitStack, said: Sequence[Said]) -> None:
        stack.enter_context(self.twilio)
        stack.enter_context(self.paypal)
        port, sidecar_port = _ports(2)
        targets = {
            "sidecar": f"127.0.0.1:{sidecar_port}",
            "twilio": self.twilio.base_url.removeprefix("http://"),
            "paypal": self.paypal.base_url.removeprefix("http://"),
        }
        if self.plan.database_away:
            targets["db"] = await self._database(stack)
        if self.plan.names:
            await self.names.start()
            stack.push_async_callback(self.names.close)
        self.vendors = await stack.enter_async_context(
            vendors(said, PUT_THROUGH, targets, self.place / "vendors.log")
        )
        # Whoever pays is sent where the API is, as at PayPal.
        self.paypal.payer_host = f"http://127.0.0.1:{self.vendors.ports['paypal']}"
        self._sidecar = Process("sidecar", self._sidecar_line(sidecar_port, port), {
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}",
        }, self.place / "sidecar.log")  # fmt: skip
        stack.push_async_callback(self._sidecar.end)
        await self._sidecar.start()
        self.service = ServiceInHouse(
            self.data_dir, port, self._wrapper(), self.plan, self._environ()
        )
        await asyncio.to_thread(stack.enter_context, self.service)
        await asyncio.to_thread(lambda: self.service.port)
        await self.service.until_ready()

    # --- what can be done to it -----------------------------------------------------------------

    async def ways(self, condition: Condition, *names: str) -> None:
        await self.vendors.become(condition, *names)

    async def mend(self, *names: str) -> None:
        await self.vendors.become(OPEN, *names)

    async def kill_sidecar(self) -> None:
        """With `kill -9`; nobody starts it again."""
        await self._sidecar.stay_dead()

    async def start_sidecar(self) -> None:
        await self._sidecar.start()

    def database_pids(self) -> list[int]:
        """PostgreSQL's own process and its children."""
        found = postmaster(self.server_dir if self.plan.database_away else self.data_dir)
        return [] if found is None else [found, *_children(found)]

    def signal_database(self, number: signal.Signals) -> None:
        for pid in self.database_pids():
            os.kill(pid, number)

    async def start_database(self) -> None:
        """As whoever runs it would; the service's own is brought back by the service."""
        if self._server is not None:
            await asyncio.to_thread(self._server.start, 30)

    # --- parts ----------------------------------------------------------------------------------

    async def _database(self, stack: AsyncExitStack) -> str:
        self._server = EmbeddedServer(self.server_dir)
        await asyncio.to_thread(self._server.start, 30)
        stack.callback(self._server.stop, 20)
        database = Database(self._server.url(), self.server_dir)
        await database.start()
        await migrate(database)
        await database.close()
        return str(self.server_dir.resolve() / "pgdata" / ".s.PGSQL.5432")

    def _sidecar_line(self, sidecar_port: int, port: int) -> list[str]:
        return [
            *(sys.executable, "-m", "emulators.sidecar", "--memory", str(self.memory)),
            *("--port", str(sidecar_port), "--token", TOKEN),
            *("--events-to", f"http://127.0.0.1:{port}", "--ack-ms", "60", "--receipts", "0.1"),
        ]

    def _wrapper(self) -> list[str]:
        if not self.plan.names:
            return []
        resolv = self.place / "resolv.conf"
        resolv.write_text(f"nameserver {NAME_SERVER}\noptions timeout:5 attempts:2\n")
        script = f'mount --bind {shlex.quote(str(resolv))} /etc/resolv.conf && exec "$@"'
        return ["unshare", "-m", "sh", "-c", script, "sh"]

    def _at(self, way: str) -> str:
        host = f"{way}.{DOMAIN}" if self.plan.names else "127.0.0.1"
        return f"{host}:{self.vendors.ports[way]}"

    def _environ(self) -> dict[str, str]:
        agent = self.place / "agent.toml"
        agent.write_text(AGENT)
        # An address of PayPal must be of this machine, or encrypted.
        paypal = f"http://127.0.0.1:{self.vendors.ports['paypal']}"
        environ = {
            "AGENT_FILE": str(agent),
            "API_KEY": KEY,
            "BAILEYS_TOKEN": TOKEN,
            "BAILEYS_URL": f"http://{self._at('sidecar')}",
            "DRAIN_SECONDS": "2",
            "GOOGLE_STT_ENDPOINT": f"insecure://{self._at('stt')}",
            "GOOGLE_TTS_ENDPOINT": f"insecure://{self._at('tts')}",
            "LLM_BASE_URL": f"http://{self._at('llm')}/v1",
            "LLM_MODEL": "emulated",
            "PAYPAL_BASE_URL": paypal,
            "PAYPAL_CLIENT_ID": pp.CLIENT_ID,
            "PAYPAL_CLIENT_SECRET": pp.SECRET,
            "PAYPAL_WEBHOOK_ID": pp.WEBHOOK_ID,
            "PUBLIC_BASE_URL": PUBLIC,
            "STT_LANGUAGE": "he-IL",
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_BASE_URL": f"http://{self._at('twilio')}",
            "TWILIO_PHONE_NUMBER": OWN_NUMBER,
            # Its answers would be messages that nobody has counted.
            "WHATSAPP_AGENT": "0",
        }
        if self.plan.database_away:
            environ["DATABASE_URL"] = (
                f"postgresql://postgres@{self._at('db')}/postgres?sslmode=disable"
            )
        return environ | self.plan.environ


class ServiceInHouse(Service):
    """As the Procfile runs it, with what the house wants."""

    def __init__(
        self,
        data_dir: Path,
        port: int,
        wrapper: Sequence[str],
        plan: Plan,
        environ: dict[str, str],
    ) -> None:
        super().__init__(data_dir, **environ)
        self._environ["PYTHONPATH"] += f"{os.pathsep}{ROOT / 'tests'}"
        line = [plan.application if word == "asgi:app" else word for word in run_line()]
        self._command = [
            *wrapper, sys.executable, *line, "--host", "127.0.0.1", "--port", str(port),
        ]  # fmt: skip

    def api(self, path: str) -> Any:
        return self.get(path, headers={"Authorization": f"Bearer {KEY}"})

    def figure(self, name: str, *labels: str) -> float:
        """The sum of a metric over what carries all these labels (`name="value"`)."""
        lines = self.get("/metrics").text.splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.partition("{")[0].partition(" ")[0] == name
            and all(label in line for label in labels)
        )


class NameServer:
    """Answers every name with this machine, or badly, or not at all."""

    def __init__(self) -> None:
        self.fault: str = ""
        """One of `NAME_FAULTS`, or `silent`: no answer."""
        self.asked = 0
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Names(self), local_addr=(NAME_SERVER, 53)
        )

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Names(asyncio.DatagramProtocol):
    def __init__(self, owner: NameServer) -> None:
        self._owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._owner.asked += 1
        if self._owner.fault == "silent":
            return
        end = data.index(b"\0", 12) + 5
        kind = struct.unpack_from("!H", data, end - 4)[0]
        question = data[12:end]
        code = NAME_FAULTS.get(self._owner.fault, 0)
        is_known = kind == 1 and not code
        head = data[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, int(is_known), 0, 0)
        answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton("127.0.0.1")
        self._transport.sendto(head + question + (answer if is_known else b""), address)


def _ports(count: int) -> list[int]:
    """Free ones outside the range from which the machine gives ports away by itself: they are
    listened on later, and connections begin and end meanwhile."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 30_000)  # noqa: S311 - no secret
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


@asynccontextmanager
async def running(place: Path, plan: Plan, said: Sequence[Said]) -> AsyncIterator[House]:
    """The house, started and warm."""
    house = House(place, plan)
    async with AsyncExitStack() as stack:
        try:
            await house.start(stack, said)
            yield house
        finally:
            for pid in house.database_pids():
                os.kill(pid, signal.SIGCONT)

"""The faults that are tried: what is done to the house, and how it is mended.

Each is one row of the table. Nothing is measured here.
"""

import asyncio
import atexit
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from emulators.way import Condition
from faults.callers import Callers
from faults.experiment import AS_USUAL, Act, Fault
from faults.house import ALL_WAYS, House, Plan

REFUSED: Final = Condition("refused")
SILENT: Final = Condition("silent")
SLOW: Final = Condition("slow", latency_s=0.4, bytes_a_second=2_000)
AWAY: Final = Plan(database_away=True)
BY_NAME: Final = Plan(database_away=True, names=True)
_HOUR_S: Final = 3600


async def _nothing(_house: House, _callers: Callers) -> None: ...


def break_ways(condition: Condition, *names: str) -> Act:
    async def act(house: House, _callers: Callers) -> None:
        await house.ways(condition, *names)

    return act


def mend_ways(*names: str) -> Act:
    async def act(house: House, _callers: Callers) -> None:
        await house.mend(*names)

    return act


def _of_way(name: str, condition: Condition, *names: str, plan: Plan = AS_USUAL) -> Fault:
    return Fault(name, break_ways(condition, *names), mend_ways(*names), plan)


def _to_database(number: signal.Signals) -> Act:
    async def act(house: House, _callers: Callers) -> None:
        house.signal_database(number)

    return act


async def _start_database(house: House, _callers: Callers) -> None:
    await house.start_database()


async def _kill_sidecar(house: House, _callers: Callers) -> None:
    await house.kill_sidecar()


async def _start_sidecar(house: House, _callers: Callers) -> None:
    await house.start_sidecar()


def _twilio(condition: Condition) -> Act:
    """Every fourth caller asks for a person, who is then to be connected by Twilio."""

    async def act(house: House, callers: Callers) -> None:
        await house.ways(condition, "twilio")
        callers.ask_for_a_person(callers.lines[::4])

    return act


async def _fill(house: House, _callers: Callers) -> None:
    def fill() -> None:
        with suppress(OSError), (house.data_dir / "filler").open("wb", buffering=0) as file:
            while file.write(b"\0" * 65_536):
                pass

    await asyncio.to_thread(fill)


async def _empty(house: House, _callers: Callers) -> None:
    (house.data_dir / "filler").unlink()


def _names(fault: str) -> Act:
    """Connections that are open are lost as well, or nobody would ask for a name."""

    async def act(house: House, _callers: Callers) -> None:
        house.names.fault = fault
        await house.ways(REFUSED, *ALL_WAYS, "db")
        await house.mend(*ALL_WAYS, "db")

    return act


async def _jump(house: House, _callers: Callers, off_s: float) -> None:
    file = Path(house.plan.environ["JUMP_FILE"])
    await asyncio.to_thread(file.write_text, str(off_s))


def _clock(name: str, off_s: float) -> Fault:
    file = Path(f"/tmp/voiceagent-clock-{os.getpid()}")  # noqa: S108 - of this process only
    file.write_text("0")
    atexit.register(file.unlink, missing_ok=True)
    plan = Plan(application="faults.jumping_clock:app", environ={"JUMP_FILE": str(file)})
    return Fault(name, partial(_jump, off_s=off_s), partial(_jump, off_s=0.0), plan)


def _no_mount() -> str:
    """Why no disk and no name server of our own can be put in place."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "needs root and a mount namespace"
    tried = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "mounting is not allowed here"


def all_faults() -> dict[str, Fault]:
    """By a short name."""
    everything = (*ALL_WAYS, "db")
    return {
        "none": Fault("nothing is wrong", _nothing, _nothing),
        "db-killed": Fault(
            "database: `kill -9`, and its disk is whole",
            _to_database(signal.SIGKILL),
            _nothing,
            seconds=4,
        ),
        "db-stopped": Fault(
            "database: stands still",
            _to_database(signal.SIGSTOP),
            _to_database(signal.SIGCONT),
        ),
        "db-away": _of_way("database: away, connections refused", REFUSED, "db", plan=AWAY),
        "db-silent": _of_way("database: connections half-open", SILENT, "db", plan=AWAY),
        "sidecar-killed": Fault("sidecar: `kill -9`", _kill_sidecar, _start_sidecar),
        "sidecar-silent": _of_way("sidecar: connections half-open", SILENT, "sidecar"),
        "stt-refused": _of_way("Google STT: connections reset and refused", REFUSED, "stt"),
        "stt-silent": _of_way("Google STT: connections half-open", SILENT, "stt"),
        "tts-refused": _of_way("Google TTS: connections reset and refused", REFUSED, "tts"),
        "tts-silent": _of_way("Google TTS: connections half-open", SILENT, "tts"),
        "llm-refused": _of_way("LLM: connections reset and refused", REFUSED, "llm"),
        "llm-silent": _of_way("LLM: connections half-open", SILENT, "llm"),
        "twilio-refused": Fault(
            "Twilio REST: connections refused", _twilio(REFUSED), mend_ways("twilio"), seconds=16
        ),
        "twilio-silent": Fault(
            "Twilio REST: connections half-open", _twilio(SILENT), mend_ways("twilio"), seconds=16
        ),
        "disk-full": Fault(
            "disk full: `DATA_DIR`, the embedded database on it too",
            _fill,
            _empty,
            disk_mb=160,
            why_not=_no_mount,
        ),
        "disk-full-db-away": Fault(
            "disk full: `DATA_DIR`, and the database away as well",
            _disk_and_database,
            _disk_and_database_mended,
            AWAY,
            disk_mb=32,
            why_not=_no_mount,
        ),
        "clock-forwards": _clock("clock: an hour forwards, and back", _HOUR_S),
        "slow": _of_way(
            "network: 2 kB/s and 400 ms more, everywhere", SLOW, *everything, plan=AWAY
        ),
        "silent": _of_way("network: all connections half-open", SILENT, *everything, plan=AWAY),
        "dns-fails": Fault(
            "DNS: SERVFAIL at once, connections cut",
            _names("fails"),
            _names_back,
            BY_NAME,
            why_not=_no_mount,
        ),
        "dns-unknown": Fault(
            "DNS: NXDOMAIN at once, connections cut",
            _names("unknown"),
            _names_back,
            BY_NAME,
            why_not=_no_mount,
        ),
        "dns-silent": Fault(
            "DNS: no answer, connections cut",
            _names("silent"),
            _names_back,
            BY_NAME,
            why_not=_no_mount,
        ),
    }


async def _names_back(house: House, _callers: Callers) -> None:
    house.names.fault = ""


async def _disk_and_database(house: House, callers: Callers) -> None:
    await _fill(house, callers)
    await house.ways(REFUSED, "db")


async def _disk_and_database_mended(house: House, callers: Callers) -> None:
    await house.mend("db")
    await _empty(house, callers)

"""Ten thousand messages out and ten thousand in, while API, sidecar and database are killed.

    python bench/outbox_kills.py [--sends 10000] [--webhooks 10000] [--contacts 200] [--kills 10]

Starts the WhatsApp side of the service, an emulator of the sidecar and the embedded PostgreSQL,
each in a process of its own, and kills each of the three with -9 so often, at random. Prints
what became of the messages. Ends with 0 only if none is missing, none came twice and none
overtook another; unknown is only what was killed between the socket and the acknowledgement.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from faults.outbox_kills import Plan, run  # noqa: E402 - found by the line above


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sends", type=int, default=10_000)
    parser.add_argument("--webhooks", type=int, default=10_000)
    parser.add_argument("--contacts", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10, help="of each of the three")
    parser.add_argument("--gap", type=float, default=4.0, help="seconds between two, on average")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    plan = Plan(
        given.sends, given.webhooks, given.contacts, given.kills, given.gap, given.seed, at_once=50
    )
    with tempfile.TemporaryDirectory(prefix="outbox-kills-") as place:
        found = asyncio.run(run(Path(place), plan))
    print(found.report())
    print("nothing lost, nothing twice, nothing out of order" if not found.faults else found.faults)
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())

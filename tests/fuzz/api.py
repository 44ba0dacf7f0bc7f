"""Hold the running service to its own OpenAPI with schemathesis, every check on.

    PYTHONPATH=src:tests nice python -m fuzz.api [--examples 30] [--seed 7]

The service and its emulators are started; schemathesis (`pip install schemathesis`, MIT) makes
requests that fit the schema and requests that do not, and judges each answer. Two passes: the API
and the webhooks with the key, and the pages with the cookie of somebody who has signed in. What is
not judged stands in `schemathesis.toml`, each with its reason. Ends with 1 when anything differs.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from fuzz.house import KEY, FuzzedService, interruptible, running
from fuzz.walk import signed_in

CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
_STREAMS: Final = "/events$"
"""They never end by themselves."""
_GONE: Final = "/stripe$"
"""410 whatever is asked, by whichever method."""
_PAGES: Final = "^/console"


def judged(service: FuzzedService, place: Path, examples: int, seed: int) -> int:
    """Both passes; 0 when every answer was as the schema has it."""
    cookie, _ = signed_in(service)
    origin = f"https://127.0.0.1:{service.port}"
    api = [f"Authorization: Bearer {KEY}"]
    pages = [f"Cookie: {cookie}", f"Origin: {origin}"]
    # Made at the first request: where the machine is busy that takes longer than its patience.
    schema = place / "openapi.json"
    schema.write_text(service.client.get(f"{service.url}/openapi.json", timeout=120).text)
    failed = 0
    for headers, which in (
        (api, ["--exclude-path-regex", f"{_PAGES}|{_STREAMS}|{_GONE}"]),
        (pages, ["--include-path-regex", _PAGES, "--exclude-path-regex", _STREAMS]),
    ):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
                *("--no-color", "run", str(schema), "--url", service.url, "--checks", "all"),
                *("--max-examples", str(examples), "--seed", str(seed), "--no-shrink"),
                *(word for header in headers for word in ("-H", header)),
                *which,
            ],
            check=False,
        )
        failed |= done.returncode
    return failed


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=30, help="of one operation")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    given = parser.parse_args()
    interruptible()
    with tempfile.TemporaryDirectory() as place, running(Path(place)) as service:
        failed = judged(service, Path(place), given.examples, given.seed)
        written = service.faults()
    for line in written[:20]:
        print(f"- {line}")
    return int(bool(failed or written))


if __name__ == "__main__":
    sys.exit(_main())

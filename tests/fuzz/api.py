"""Hold the running service to its own OpenAPI with schemathesis, every check on.

    PYTHONPATH=src:tests nice python -m fuzz.api [--examples 30] [--seed 7] [--only owner stranger]

The service and its emulators are started; schemathesis (`pip install schemathesis`, MIT) makes
requests that fit the schema and requests that do not, and judges each answer. Three passes: the API
and the webhooks with the key, the pages with the cookie of the owner (there are no other roles),
and the pages for somebody who has not signed in. `console_schema.py` gives the pages' forms their
fields, `page_checks.py` judges what is a page's alone. What is not judged stands in
`schemathesis.toml`, each with its reason. Ends with 1 when anything differs.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fuzz import console_schema
from fuzz.house import KEY, FuzzedService, interruptible, running
from fuzz.walk import known_values, received, signed_in
from voiceagent.web.console.door import CSRF_HEADER

CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
_STREAMS: Final = "/events$"
"""They never end by themselves."""
_GONE: Final = "/stripe$"
"""410 whatever is asked, by whichever method."""
_PAGES: Final = "^/console"
PASSES: Final = ("api", "owner", "stranger")


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of schemathesis."""

    headers: Sequence[str]
    which: Sequence[str]
    """Its options that say which operations."""
    environ: Mapping[str, str] = field(default_factory=dict)


def _passes(service: FuzzedService, visitor: str) -> Mapping[str, Pass]:
    cookie, csrf = signed_in(service)
    origin = f"Origin: https://127.0.0.1:{service.port}"
    pages = ["--include-path-regex", _PAGES, "--exclude-path-regex", _STREAMS]
    hooks = {"SCHEMATHESIS_HOOKS": "fuzz.page_checks"}
    return {
        "api": Pass(
            [f"Authorization: Bearer {KEY}"],
            ["--exclude-path-regex", f"{_PAGES}|{_STREAMS}|{_GONE}"],
        ),
        "owner": Pass([f"Cookie: {cookie}", f"{CSRF_HEADER}: {csrf}", origin], pages, hooks),
        "stranger": Pass(
            [f"Cookie: {visitor}", origin], pages, hooks | {"FUZZ_VISITOR": "stranger"}
        ),
    }


def judged(
    service: FuzzedService, place: Path, only: Sequence[str], examples: int, seed: int
) -> int:
    """All passes; 0 when every answer was as the schema has it."""
    # Made at the first request: where the machine is busy that takes longer than its patience.
    document = service.client.get(f"{service.url}/openapi.json", timeout=120).json()
    visitor, csrf = received(service)
    known = {"csrf": [csrf], "version": ["0", "1"], "position": ["0"]}
    for name, values in known_values(service).items():
        known |= {f"{name}_id": values, f"{name}_sid": values}
    schema = place / "openapi.json"
    schema.write_text(json.dumps(console_schema.of_forms(document, known)))
    failed = 0
    for name, one in _passes(service, visitor).items():
        if name not in only:
            continue
        print(f"== {name}", flush=True)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
                *("--no-color", "run", str(schema), "--url", service.url, "--checks", "all"),
                *("--max-examples", str(examples), "--seed", str(seed), "--no-shrink"),
                *(word for header in one.headers for word in ("-H", header)),
                *one.which,
            ],
            env=os.environ | dict(one.environ),
            check=False,
        )
        failed |= done.returncode
    return failed


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=30, help="of one operation")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("--only", nargs="*", choices=PASSES, default=PASSES)
    given = parser.parse_args()
    interruptible()
    with tempfile.TemporaryDirectory() as place, running(Path(place)) as service:
        failed = judged(service, Path(place), given.only, given.examples, given.seed)
        written = service.faults()
    for line in written[:20]:
        print(f"- {line}")
    return int(bool(failed or written))


if __name__ == "__main__":
    sys.exit(_main())

"""The sidecar's store in PostgreSQL: its own tests, against the embedded server.

Node's test runner does the work (`node/baileys/test`): the store's suite and the tests that kill
the sidecar, which the store in files passes as well, and those that cut the database off.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fixtures_database import _server, empty_database_url  # noqa: F401

SIDECAR = Path(__file__).resolve().parents[2] / "node" / "baileys"


def node() -> str:
    """The Node that `script/test` found or fetched."""
    fetched = SIDECAR.parents[1] / ".venv-node" / "bin"
    found = shutil.which("node") or shutil.which("node", path=str(fetched))
    if found is None:
        pytest.fail("Node 20 or newer is needed; script/test fetches it where there is none.")
    if not (SIDECAR / "node_modules" / "baileys").is_dir():
        pytest.fail("The sidecar's packages are missing; script/test installs them.")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["store", "kills", "database", "people"])
def test_the_sidecar_over_postgresql(suite: str, empty_database_url: str) -> None:  # noqa: F811
    ran = subprocess.run(
        [node(), "--test", "--test-reporter=tap", f"test/{suite}.test.js"],
        cwd=SIDECAR,
        env=os.environ | {"TEST_DATABASE_URL": empty_database_url},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert "# skipped 0" in ran.stdout

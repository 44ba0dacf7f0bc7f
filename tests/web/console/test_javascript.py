"""The pages' own modules, run by Node; and that both sides' µ-law is the same to the bit."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from voiceagent.call.audio import pcm16_to_ulaw, ulaw_to_pcm16

ROOT = Path(__file__).resolve().parents[3]
TESTS = Path(__file__).parent / "js"
PHONE = ROOT / "src" / "voiceagent" / "web" / "console" / "static" / "phone"
DEADLINE_S = 120

TABLES = """
import { fromPcm16, toPcm16 } from '%s';
const codes = Array.from({ length: 65536 }, (_, at) => fromPcm16(at - 32768));
const values = Array.from({ length: 256 }, (_, code) => toPcm16(code));
console.log(JSON.stringify({ codes, values }));
"""


def node() -> str:
    """The Node that `script/test` found or fetched."""
    fetched = ROOT / ".venv-node" / "bin"
    found = shutil.which("node") or shutil.which("node", path=str(fetched))
    if found is None:
        pytest.fail("Node 20 is needed; script/test fetches it.")
    return found


def run(*arguments: str) -> str:
    done = subprocess.run(
        [node(), *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", sorted(TESTS.glob("*.test.js")), ids=lambda file: file.stem)
def test_module(file: Path) -> None:
    run("--test", str(file))


def test_both_sides_speak_the_same_mu_law() -> None:
    address = (PHONE / "mulaw.js").as_uri()
    tables = json.loads(run("--input-type=module", "--eval", TABLES % address))
    every_value = np.arange(-32768, 32768, dtype=np.int16)
    assert bytes(tables["codes"]) == pcm16_to_ulaw(every_value)
    assert tables["values"] == ulaw_to_pcm16(bytes(range(256))).tolist()

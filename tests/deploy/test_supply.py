"""What we stand on: the locks are hashed, every package's licence is known, and what audits them
takes no silence for health. The audit itself is `script/audit`, which needs a network."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.manifests import ROOT

LOCKS = (
    "requirements.lock",
    "deploy/requirements.lock",
    "script/audit.lock",
    "script/mutation.lock",
)
NODE_LOCK = ROOT / "node" / "baileys" / "package-lock.json"
EXPLAINED, FOUND, NOT_LOOKED_AT = 0, 1, 3


def entries(name: str) -> list[str]:
    """A package each, with its hashes."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return text.replace("\\\n", "").splitlines()


def of_node() -> dict[str, Any]:
    packages: dict[str, Any] = json.loads(NODE_LOCK.read_text(encoding="utf-8"))["packages"]
    return {path: entry for path, entry in packages.items() if path}


def listed() -> set[tuple[str, str]]:
    text = (ROOT / "deploy" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| (\d\S*) \| [^|]*\w[^|]* \|$", text, re.MULTILINE)
    assert "None" not in text
    return set(rows)


@pytest.mark.parametrize("name", LOCKS)
def test_each_package_of_a_lock_has_its_hash_and_none_an_address(name: str) -> None:
    found = entries(name)
    assert len(found) > 20
    assert not [entry for entry in found if "==" not in entry or "--hash=sha256:" not in entry]
    assert "://" not in "".join(found)


def test_what_is_installed_beside_the_packages_takes_no_other_release_of_them() -> None:
    packages, beside = (
        dict(re.findall(r"^([\w.-]+)==([^ ;]+)", "\n".join(entries(name)), re.MULTILINE))
        for name in ("requirements.lock", "script/mutation.lock")
    )
    shared = packages.keys() & beside.keys()
    assert "pytest" in shared
    assert {name: beside[name] for name in shared} == {name: packages[name] for name in shared}


def test_so_has_each_of_the_sidecar() -> None:
    for path, entry in of_node().items():
        assert entry["integrity"].startswith("sha512-"), path
        assert "resolved" not in entry, path


def test_the_licence_of_each_package_in_production_is_listed_of_this_release() -> None:
    """Otherwise: run `script/audit`, which makes the list anew."""
    wanted = {
        (match[1], match[2])
        for entry in entries("deploy/requirements.lock")
        if (match := re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([^ ;]+)", entry))
        and "sys_platform == 'emscripten'" not in entry
    }
    for path, entry in of_node().items():
        if not entry.get("dev"):
            wanted.add((path.rsplit("node_modules/", 1)[-1], entry["version"]))
    assert listed() == wanted


def judged(kind: str, told: Any, config: str, folder: Path) -> tuple[int, str]:
    """What `script/audit` makes of what a tool has told."""
    (folder / "told.json").write_text(told if isinstance(told, str) else json.dumps(told))
    (folder / "audit.toml").write_text(config)
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "script" / "_findings.py"),
            *(kind, folder / "told.json", folder / "audit.toml"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert not done.stderr
    return done.returncode, done.stdout


def python(*vulnerabilities: str, **skipped: str) -> dict[str, Any]:
    """As pip-audit writes it."""
    found = [{"id": one, "fix_versions": ["2"], "aliases": ["CVE-1"]} for one in vulnerabilities]
    packages: list[Any] = [{"name": "h11", "version": "1", "vulns": found}]
    return {"dependencies": packages + [{"name": n, "skip_reason": r} for n, r in skipped.items()]}


LIVED_WITH = '[[pip-audit]]\nid = "CVE-1"\nwhere = "h11"\nwhy = "not reached"\nuntil = '


@pytest.mark.parametrize(
    ("kind", "told", "config", "outcome"),
    [
        ("pip-audit", python(), "", (EXPLAINED, "clean")),
        ("pip-audit", python("PYSEC-1"), "", (FOUND, "PYSEC-1 in h11 1; mended in 2")),
        ("pip-audit", python("PYSEC-1"), LIVED_WITH + "9999-01-01", (EXPLAINED, "1 explained")),
        ("pip-audit", python("PYSEC-1"), LIVED_WITH + '"it is"', (EXPLAINED, "1 explained")),
        ("pip-audit", python("PYSEC-1"), LIVED_WITH + "2020-01-01", (FOUND, "until 2020-01-01")),
        ("pip-audit", python(), LIVED_WITH + "9999-01-01", (FOUND, "take its line out")),
        # The tool itself calls this clean.
        ("pip-audit", python(anyio="not found"), "", (NOT_LOOKED_AT, "nothing of anyio")),
        ("pip-audit", python("PYSEC-1", anyio="not found"), "", (FOUND, "PYSEC-1 in h11")),
        ("pip-audit", "", LIVED_WITH + "9999-01-01", (NOT_LOOKED_AT, "NOT LOOKED AT")),
        ("pip-audit", {"dependencies": []}, "", (NOT_LOOKED_AT, "NOT LOOKED AT")),
        ("pip-audit", "", "", (NOT_LOOKED_AT, "no answer")),
        ("npm", {"vulnerabilities": {}}, "", (EXPLAINED, "clean")),
        ("npm", {"message": "405 Not Allowed", "error": {}}, "", (NOT_LOOKED_AT, "405")),
        (
            "npm",
            {
                "vulnerabilities": {
                    "ws": {
                        "via": [
                            {"url": "a/GHSA-1", "range": "<8", "severity": "high", "title": "x"}
                        ]
                    },
                    "baileys": {"via": ["ws"]},
                }
            },
            "",
            (FOUND, "GHSA-1 in ws <8: high, x"),
        ),
        ("bandit", {"errors": ["a file"], "results": []}, "", (NOT_LOOKED_AT, "a file")),
        ("bandit", {"errors": [], "results": []}, "", (EXPLAINED, "clean")),
    ],
)
def test_the_audit_takes_no_silence_for_health(
    kind: str, told: Any, config: str, outcome: tuple[int, str], tmp_path: Path
) -> None:
    ended, said = judged(kind, told, config, tmp_path)
    assert (ended, outcome[1] in said) == (outcome[0], True), said


def test_what_bandit_finds_has_its_reason_at_the_line_or_in_the_file(tmp_path: Path) -> None:
    path = "src/voiceagent/crm/numbers/tally.py"
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    reasoned = next(at for at, line in enumerate(lines, 1) if "# noqa: S608" in line)

    def found(line: int) -> dict[str, Any]:
        one = {"filename": str(ROOT / path), "test_id": "B608", "issue_text": "SQL"}
        return {"errors": [], "results": [{**one, "line_number": line, "line_range": [line]}]}

    assert judged("bandit", found(reasoned), "", tmp_path)[0] == EXPLAINED
    ended, said = judged("bandit", found(1), "", tmp_path)
    assert (ended, f"B608 in {path} line 1: SQL" in said) == (FOUND, True)


def test_every_exception_has_its_reason_and_its_end() -> None:
    config = tomllib.loads((ROOT / "deploy" / "audit.toml").read_text(encoding="utf-8"))
    for kind in ("pip-audit", "npm", "bandit"):
        for one in config.get(kind, []):
            assert set(one) == {"id", "where", "why", "until"}
            assert all(one.values())
    for one in config["licences"]["exception"]:
        assert one["why"]

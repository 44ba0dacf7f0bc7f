"""Judges what pip-audit, npm audit, bandit or stored advisories have found, for script/audit.

Their JSON and the exceptions of deploy/audit.toml flow in; what is not explained, what need not be
explained any more and what was not looked at flow out, a line each. It runs no tool, asks no
network and never takes silence for health: a package that a tool has skipped was not looked at.

Ends with 0 (looked at, all of it explained), 1 (something is not) or 3 (not looked at).
"""

import datetime as dt
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXPLAINED, FOUND, NOT_LOOKED_AT = 0, 1, 3
_NOQA = re.compile(r"# noqa: ([A-Z0-9, ]+)")


class NotLookedAtError(Exception):
    """The tool gave no answer about all that it was asked about; says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a tool has found: a vulnerability in a package, or a check at a line."""

    id: str
    where: str
    """The package, or the file as a path from the root."""
    text: str
    aliases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Exemption:
    """What we live with: why, and until which day or what has to happen."""

    id: str
    where: str
    """As in `Finding`; `*` stands for anything in a path."""
    why: str
    until: dt.date | str

    def covers(self, finding: Finding) -> bool:
        same = self.id == finding.id or self.id in finding.aliases
        return same and fnmatch(finding.where, self.where)

    def has_ended(self, today: dt.date) -> bool:
        return isinstance(self.until, dt.date) and self.until < today


def exemptions(kind: str, config: Path) -> list[Exemption]:
    """Those of one kind. Raises KeyError or TypeError where one has no reason or no end."""
    read = tomllib.loads(config.read_text(encoding="utf-8"))
    return [Exemption(**one) for one in read.get(kind, [])]


def of_pip_audit(told: dict[str, Any]) -> Iterator[Finding]:
    """At last raises `NotLookedAtError`: it calls what its database does not know clean."""
    for package in told["dependencies"]:
        for found in package.get("vulns", []):
            mended = ", ".join(found["fix_versions"]) or "no release"
            yield Finding(
                id=found["id"],
                where=package["name"],
                text=f"{package['version']}; mended in {mended}",
                aliases=frozenset(found["aliases"]),
            )
    skipped = [one["name"] for one in told["dependencies"] if "skip_reason" in one]
    if skipped or not told["dependencies"]:
        raise NotLookedAtError(
            f"the database knows nothing of {', '.join(skipped[:3]) or 'any package'}"
        )


def of_npm_audit(told: dict[str, Any]) -> Iterator[Finding]:
    """Raises `NotLookedAtError` where it could not ask."""
    if "vulnerabilities" not in told:
        raise NotLookedAtError(str(told.get("message", "no answer"))[:60].split(" - ")[0])
    for name, package in told["vulnerabilities"].items():
        for via in package["via"]:
            # A word is the name of another package that is listed for itself.
            if isinstance(via, dict):
                text = f"{via['range']}: {via['severity']}, {via['title']}"
                yield Finding(id=via["url"].rsplit("/", 1)[-1], where=name, text=text)


def of_bandit(told: dict[str, Any]) -> Iterator[Finding]:
    """All but what has its reason beside it already: bandit's B608 is ruff's S608.

    Raises `NotLookedAtError` where a file could not be read.
    """
    if told["errors"]:
        raise NotLookedAtError(str(told["errors"][0]))
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    ignored: dict[str, list[str]] = ruff["lint"]["per-file-ignores"]
    for found in told["results"]:
        where = Path(found["filename"]).resolve().relative_to(ROOT).as_posix()
        rule = "S" + found["test_id"][1:]
        if any(rule in rules for paths, rules in ignored.items() if fnmatch(where, paths)):
            continue
        if rule not in _noqas(ROOT / where, found["line_range"]):
            text = f"line {found['line_number']}: {found['issue_text']}"
            yield Finding(id=found["test_id"], where=where, text=text)


def _noqas(path: Path, lines: list[int]) -> set[str]:
    """The rules that are waved through in these lines, or on the line that ends the statement."""
    text = path.read_text(encoding="utf-8").splitlines()
    said = " , ".join(
        rules for line in text[min(lines) - 1 : max(lines) + 1] for rules in _NOQA.findall(line)
    )
    return set(re.findall(r"[A-Z]+\d+", said))


READERS = {"pip-audit": of_pip_audit, "npm": of_npm_audit, "bandit": of_bandit}


def of_tool(kind: str, path: Path) -> Iterator[Finding]:
    """What a tool has written there. Raises `NotLookedAtError`, also at last."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise NotLookedAtError("no answer") from error
    yield from READERS[kind](told)


def judge(kind: str, found: Iterator[Finding], config: Path) -> int:
    """Prints the word on each finding and each exemption; returns the exit code.

    What was found before `found` raised `NotLookedAtError` counts.
    """
    findings: list[Finding] = []
    faults: list[str] = []
    unseen = ""
    try:
        findings.extend(found)
    except NotLookedAtError as error:
        unseen = str(error)
    known = exemptions(kind, config)
    today = dt.datetime.now(dt.UTC).date()
    for one in known:
        if one.has_ended(today):
            faults.append(f"{one.id} in {one.where}: was explained until {one.until}")
        if not unseen and not any(one.covers(finding) for finding in findings):
            faults.append(f"{one.id} in {one.where}: is found no more; take its line out")
    faults += [
        f"{finding.id} in {finding.where} {finding.text}"
        for finding in findings
        if not any(one.covers(finding) for one in known)
    ]
    for fault in faults:
        print(f"{kind}: {fault}")
    if unseen:
        print(f"{kind}: NOT LOOKED AT: {unseen}")
    elif not faults:
        print(f"{kind}: clean{f', {len(findings)} explained' if findings else ''}")
    if faults:
        return FOUND
    return NOT_LOOKED_AT if unseen else EXPLAINED


if __name__ == "__main__":
    given = [*sys.argv[1:], str(ROOT / "deploy" / "audit.toml")]
    sys.exit(judge(given[0], of_tool(given[0], Path(given[1])), Path(given[2])))

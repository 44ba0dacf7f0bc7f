"""Holds the locks against stored advisories, for `script/audit --advisories`.

A folder of OSV's entries flows in (as files of JSON or YAML, or as the `all.zip` of an ecosystem),
and the lock of one ecosystem; what is not explained flows out, a line each, as `_findings.py` tells
it. It asks no network and never takes silence for health: entries that it cannot read, or whose
newest is older than a week, were not looked at.

Ends with 0 (looked at, all of it explained), 1 (something is not) or 3 (not looked at).
"""

import datetime as dt
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from heapq import nlargest
from pathlib import Path
from typing import Any

import yaml
from _findings import ROOT, Finding, NotLookedAtError, judge
from _licences import PINNED
from _osv import NotUnderstoodError, Release, concerns, mended, packages

FRESH = dt.timedelta(days=7)
ECOSYSTEMS = {"pip-audit": "PyPI", "npm": "npm"}
LOCKS = {
    "pip-audit": ROOT / "requirements.lock",
    "npm": ROOT / "node" / "baileys" / "package-lock.json",
}


def locked(ecosystem: str, lock: Path) -> set[Release]:
    """All of them, those for development too. Raises OSError, ValueError or KeyError."""
    text = lock.read_text(encoding="utf-8")
    if ecosystem == "PyPI":
        return {Release(ecosystem, name, version) for name, version, _ in PINNED.findall(text)}
    return {
        Release(ecosystem, path.rsplit("node_modules/", 1)[-1], entry["version"])
        for path, entry in json.loads(text)["packages"].items()
        if path
    }


def stored(folder: Path) -> Iterator[tuple[str, Any]]:
    """What each file holds, with its name; None for one that is no JSON or no YAML."""
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue  # .git, .github: of the folder itself
        if path.suffix == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    for name in archive.namelist():
                        if not name.endswith("/"):
                            yield name, _read(name, archive.read(name))
            except (OSError, zipfile.BadZipFile):
                yield path.name, None
        elif path.suffix in {".json", ".yaml", ".yml"}:
            yield path.name, _read(path.name, path.read_bytes())


def _read(name: str, raw: bytes) -> Any:
    try:
        if name.endswith(".json"):
            return json.loads(raw)
        # Words stay words: as a number, the release 1.10 would be 1.1.
        return yaml.load(raw, Loader=yaml.CBaseLoader)  # noqa: S506 - makes text, lists and tables only
    except (ValueError, yaml.YAMLError):
        return None


def held_against(folder: Path, ecosystem: str, releases: set[Release]) -> Iterator[Finding]:
    """What the stored advisories say of these releases.

    At last raises `NotLookedAtError` where one could not be read, or where they are old or none.
    """
    by_package = defaultdict(list)
    for release in releases:
        by_package[release.package].append(release)
    now = dt.datetime.now(dt.UTC).date()
    unread: list[str] = []
    days: list[dt.date] = []
    close = 0
    for name, advisory in stored(folder):
        try:
            about = {one for one in packages(advisory) if one[0] == ecosystem}
            if not about:
                continue
            days.append(_day(advisory))
            ours = sorted(about & by_package.keys())
            close += bool(ours)
            for package in ours:
                for release in by_package[package]:
                    if concerns(advisory, release):
                        yield _finding(advisory, release)
        except NotUnderstoodError as error:
            unread.append(f"{name} ({error})")
    # One day is soon mistyped: ten must have changed since, and none in days to come.
    newest = min(nlargest(10, [day for day in days if day <= now]), default=None)
    if newest is None:
        raise NotLookedAtError(f"no advisories for {ecosystem} are stored there")
    print(
        f"{ecosystem}: {len(releases)} packages looked at as of {newest}: "
        f"{len(days)} advisories, {close} of them about some release of one"
    )
    if unread:
        raise NotLookedAtError(f"{len(unread)} advisories, the first {unread[0]}")
    if now - newest > FRESH:
        raise NotLookedAtError(f"whatever became known after {newest}")


def _finding(advisory: dict[str, Any], release: Release) -> Finding:
    releases = ", ".join(mended(advisory, release)) or "no release"
    return Finding(
        id=str(advisory.get("id")),
        where=release.name,
        text=f"{release.version}; mended in {releases}",
        aliases=frozenset(map(str, advisory.get("aliases") or [])),
    )


def _day(advisory: dict[str, Any]) -> dt.date:
    try:
        return dt.date.fromisoformat(advisory["modified"][:10])
    except (KeyError, TypeError, ValueError) as error:
        raise NotUnderstoodError("no day of its last change") from error


def findings(kind: str, folder: Path, lock: Path) -> Iterator[Finding]:
    ecosystem = ECOSYSTEMS[kind]
    releases = locked(ecosystem, lock)
    if not releases:
        raise NotLookedAtError(f"{lock.name} names no package")
    yield from held_against(folder, ecosystem, releases)


def main(kind: str, folder: Path, lock: Path | None = None, config: Path | None = None) -> int:
    found = findings(kind, folder, lock or LOCKS[kind])
    return judge(kind, found, config or ROOT / "deploy" / "audit.toml")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(Path, sys.argv[2:])))

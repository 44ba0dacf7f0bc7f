"""`script/audit --advisories`: which stored advisories concern what is locked. What could not be
understood, and what is old, was not looked at."""

import datetime as dt
import json
import sys
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from deploy.manifests import ROOT

EXPLAINED, FOUND, NOT_LOOKED_AT = 0, 1, 3
TODAY = dt.datetime.now(dt.UTC).date()


@pytest.fixture(scope="module")
def script() -> Any:
    """What a script of script/ imports, by name."""
    sys.path.insert(0, str(ROOT / "script"))
    yield import_module
    sys.path.remove(str(ROOT / "script"))


@pytest.fixture(scope="module")
def osv(script: Any) -> Any:
    """The pure part."""
    return script("_osv")


def span(*events: str, kind: str = "ECOSYSTEM") -> dict[str, Any]:
    """A range from words: "introduced 1.0"."""
    return {"type": kind, "events": [dict([one.split(" ", 1)]) for one in events]}


def advisory(
    *ranges: dict[str, Any], name: str = "h11", ecosystem: str = "PyPI", **more: Any
) -> dict[str, Any]:
    part = {"package": {"ecosystem": ecosystem, "name": name}, "ranges": list(ranges)}
    part["versions"] = more.pop("versions", [])
    return {"id": "GHSA-1", "modified": f"{TODAY}T00:00:00Z", "affected": [part], **more}


PYTHON = [
    ("0.9", [span("introduced 0", "fixed 1.0")], True),
    ("1.0", [span("introduced 0", "fixed 1.0")], False),
    ("1.0rc1", [span("introduced 0", "fixed 1.0")], True),
    ("1.0.post1", [span("introduced 0", "fixed 1.0")], False),
    ("1.9", [span("introduced 2.0")], False),
    ("2.10", [span("introduced 2.9")], True),
    ("1.5", [span("introduced 1.0", "last_affected 1.5")], True),
    ("1.5.1", [span("introduced 1.0", "last_affected 1.5")], False),
    ("0.0.dev1", [span("introduced 0", "last_affected 1.5")], True),
    # It came, was mended, and came back; whatever order it is told in.
    ("1.5", [span("introduced 2", "fixed 3", "introduced 0", "fixed 1")], False),
    ("2.5", [span("introduced 2", "fixed 3", "introduced 0", "fixed 1")], True),
    ("0.5", [span("introduced 2", "fixed 3", "introduced 0", "fixed 1")], True),
    ("2", [span("introduced 0", "fixed 2", "introduced 2")], True),
    ("2.5", [span("introduced 0", "fixed 1"), span("introduced 2", "fixed 3")], True),
    # Commits say nothing of a release; those beside them do.
    ("1.0", [span("introduced abc", kind="GIT"), span("introduced 0", "fixed 1")], False),
]
NODE = [
    ("1.2.3", [span("introduced 0", "fixed 1.2.4", kind="SEMVER")], True),
    ("1.10.0", [span("introduced 0", "fixed 1.9.0", kind="SEMVER")], False),
    ("7.0.0-rc14", [span("introduced 7.0.0-rc.1", "fixed 7.0.0-rc12", kind="SEMVER")], False),
    ("7.0.0-rc.9", [span("introduced 7.0.0-rc.1", "fixed 7.0.0-rc.12", kind="SEMVER")], True),
    ("7.0.0", [span("introduced 7.0.0-rc.1", "fixed 7.0.0", kind="SEMVER")], False),
    ("7.0.0-rc1", [span("introduced 7.0.0", kind="SEMVER")], False),
    ("2.0.0+build.5", [span("introduced 0", "last_affected 2.0.0", kind="SEMVER")], True),
]


@pytest.mark.parametrize(
    ("ecosystem", "version", "ranges", "expected"),
    [("PyPI", *one) for one in PYTHON] + [("npm", *one) for one in NODE],
)
def test_which_releases_a_range_holds(
    osv: Any, ecosystem: str, version: str, ranges: list[dict[str, Any]], expected: bool
) -> None:
    release = osv.Release(ecosystem, "h11", version)
    told = advisory(*ranges, ecosystem=ecosystem)
    assert osv.concerns(told, release) is expected
    assert not osv.concerns({**told, "withdrawn": "2026-01-01T00:00:00Z"}, release)
    assert not osv.concerns(told, osv.Release(ecosystem, "another", version))


@pytest.mark.parametrize(
    ("ecosystem", "listed", "version", "expected"),
    [
        ("PyPI", ["2023.07.22"], "2023.7.22", True),
        ("PyPI", ["2004d", "1.0"], "1.0", True),
        ("PyPI", ["1.0.1"], "1.0", False),
        ("npm", ["4.4.2"], "4.4.2", True),
        ("npm", ["4.4.2"], "4.4.3", False),
    ],
)
def test_which_releases_are_listed(
    osv: Any, ecosystem: str, listed: list[str], version: str, expected: bool
) -> None:
    told = advisory(versions=listed, ecosystem=ecosystem)
    assert osv.concerns(told, osv.Release(ecosystem, "h11", version)) is expected


def test_one_package_has_one_name(osv: Any) -> None:
    told = advisory(span("introduced 0"), name="Typing.Extensions")
    assert osv.concerns(told, osv.Release("PyPI", "typing_extensions", "4.0"))
    assert not osv.concerns(told, osv.Release("npm", "typing-extensions", "4.0.0"))


NOT_UNDERSTOOD = [
    advisory(),
    advisory(span("introduced abc", kind="GIT")),
    advisory(span("fixed 1.0")),
    advisory(span("introduced 0", "limit 2.0")),
    advisory(span("introduced 0", "fixed one")),
    advisory(span("introduced 0", "fixed 1.0"), span("introduced 2", kind="DATES")),
    advisory({"type": "ECOSYSTEM", "events": [{"introduced": "0", "fixed": "1.0"}]}),
    advisory({"type": "ECOSYSTEM", "events": "from the start"}),
    {**advisory(), "affected": [{"package": {"name": "h11"}}]},
    {**advisory(), "affected": "h11"},
]


@pytest.mark.parametrize("told", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_no_no(osv: Any, told: dict[str, Any]) -> None:
    with pytest.raises(osv.NotUnderstoodError):
        osv.concerns(told, osv.Release("PyPI", "h11", "0.16"))


LOCK = "h11==0.16.0 \\\n    --hash=sha256:ab\nidna==3.20 \\\n    --hash=sha256:cd\n"
NODE_LOCK = json.dumps(
    {"packages": {"": {}, "node_modules/a/node_modules/ws": {"version": "8.1.0"}}}
)
OLD = advisory(span("introduced 0", "fixed 0.14"))
NEW = advisory(span("introduced 0", "fixed 0.17"), aliases=["CVE-1"])
LIVED_WITH = '[[pip-audit]]\nid = "CVE-1"\nwhere = "h11"\nwhy = "not reached"\nuntil = "it is"\n'


Audited = Callable[..., tuple[int, str]]


@pytest.fixture
def audited(script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audited:
    """The exit code, and what is told."""
    (tmp_path / "stored").mkdir()

    def run(kind: str = "pip-audit", lock: str = LOCK, config: str = "") -> tuple[int, str]:
        (tmp_path / "lock").write_text(lock)
        (tmp_path / "audit.toml").write_text(config)
        ended = script("_advisories").main(
            kind, tmp_path / "stored", tmp_path / "lock", tmp_path / "audit.toml"
        )
        return ended, capsys.readouterr().out

    return run


def put(folder: Path, *advisories: Any) -> None:
    """Each in a file of its own, as an unpacked folder has them."""
    (folder / "stored" / "PyPI").mkdir(exist_ok=True)
    for at, one in enumerate(advisories):
        text = one if isinstance(one, str) else json.dumps(one)
        (folder / "stored" / "PyPI" / f"{at}.json").write_text(text)


def test_what_concerns_nothing_is_clean(audited: Audited, tmp_path: Path) -> None:
    put(tmp_path, OLD, advisory(span("introduced 0"), name="another"))
    ended, said = audited()
    assert ended == EXPLAINED, said
    assert f"2 packages looked at as of {TODAY}: 2 advisories, 1 of them" in said


def test_what_concerns_a_release_is_found_or_explained(audited: Audited, tmp_path: Path) -> None:
    put(tmp_path, OLD, NEW)
    ended, said = audited()
    assert (ended, "GHSA-1 in h11 0.16.0; mended in 0.17" in said) == (FOUND, True), said
    ended, said = audited(config=LIVED_WITH)
    assert (ended, "1 explained" in said) == (EXPLAINED, True), said


def test_an_archive_of_the_sidecars_ecosystem(audited: Audited, tmp_path: Path) -> None:
    told = advisory(
        span("introduced 8.0.0", "fixed 8.1.1", kind="SEMVER"), name="ws", ecosystem="npm"
    )
    with zipfile.ZipFile(tmp_path / "stored" / "all.zip", "w") as archive:
        archive.writestr("GHSA-1.json", json.dumps(told))
    ended, said = audited(kind="npm", lock=NODE_LOCK)
    assert (ended, "GHSA-1 in ws 8.1.0; mended in 8.1.1" in said) == (FOUND, True), said
    ended, said = audited()
    assert (ended, "no advisories for PyPI" in said) == (NOT_LOOKED_AT, True), said


def test_yaml_keeps_its_words(audited: Audited, tmp_path: Path) -> None:
    """As a number, 0.20 would be 0.2, and h11 0.16.0 newer than that."""
    (tmp_path / "stored" / "PYSEC-1.yaml").write_text(
        f"id: PYSEC-1\nmodified: {TODAY}T00:00:00Z\n"
        "affected:\n- package: {ecosystem: PyPI, name: h11}\n  ranges:\n  - type: ECOSYSTEM\n"
        "    events:\n    - introduced: 0\n    - fixed: 0.20\n"
    )
    ended, said = audited()
    assert (ended, "PYSEC-1 in h11 0.16.0; mended in 0.20" in said) == (FOUND, True), said


@pytest.mark.parametrize("broken", ["{", "[]", '"text"', '{"name": "no advisory"}', advisory()])
def test_one_that_cannot_be_read_is_no_clean_one(
    audited: Audited, tmp_path: Path, broken: Any
) -> None:
    put(tmp_path, OLD, broken)
    ended, said = audited()
    assert (ended, "NOT LOOKED AT: 1 advisories, the first 1.json" in said) == (NOT_LOOKED_AT, True)
    put(tmp_path, NEW, broken)
    assert audited()[0] == FOUND


def test_an_archive_that_is_cut_off_is_no_clean_one(audited: Audited, tmp_path: Path) -> None:
    put(tmp_path, OLD)
    (tmp_path / "stored" / "all.zip").write_bytes(b"PK\x03\x04")
    assert audited()[0] == NOT_LOOKED_AT


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ([7] * 10, EXPLAINED),
        ([8] * 10, NOT_LOOKED_AT),
        # One that is mistyped, into the last days or into those to come, makes nothing newer.
        ([0] + [8] * 10, NOT_LOOKED_AT),
        ([-200] + [8] * 10, NOT_LOOKED_AT),
        ([-200], NOT_LOOKED_AT),
    ],
)
def test_what_is_older_than_a_week_does_not_do(
    audited: Audited, tmp_path: Path, ages: list[int], expected: int
) -> None:
    days = [TODAY - dt.timedelta(days=age) for age in ages]
    put(tmp_path, *({**OLD, "modified": f"{day}T10:00:00.123456789Z"} for day in days))
    ended, said = audited()
    assert ended == expected, said
    if ages[-1] > 7:
        assert f"looked at as of {days[-1]}" in said
        assert f"whatever became known after {days[-1]}" in said
        # What has ended on its list is told only by who has looked.
        assert audited(config=LIVED_WITH)[0] == NOT_LOOKED_AT


@pytest.mark.parametrize("lock", ["", "# nothing\n"])
def test_a_lock_without_packages_was_not_looked_at(
    audited: Audited, tmp_path: Path, lock: str
) -> None:
    put(tmp_path, OLD)
    ended, said = audited(lock=lock)
    assert (ended, "names no package" in said) == (NOT_LOOKED_AT, True), said

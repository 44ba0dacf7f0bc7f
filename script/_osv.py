"""Says whether an advisory, as OSV writes them, concerns a release.

An advisory's fields (https://ossf.github.io/osv-schema/) and a locked release flow in; yes, no, or
`NotUnderstoodError` flows out. It reads no file, asks no network and never takes what it does not
understand for a no.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_FIXED, _INTRODUCED, _LAST_AFFECTED = range(3)
"""In this order where they name the same release: what came back there is there."""
_EVENTS = {"fixed": _FIXED, "introduced": _INTRODUCED, "last_affected": _LAST_AFFECTED}


class NotUnderstoodError(ValueError):
    """An advisory names releases in a way that we cannot read; says which."""


@dataclass(frozen=True, slots=True)
class Release:
    """One package as it is locked."""

    ecosystem: str
    """As OSV names it: `PyPI` or `npm`."""
    name: str
    version: str

    @property
    def package(self) -> tuple[str, str]:
        return self.ecosystem, plain(self.ecosystem, self.name)


def plain(ecosystem: str, name: str) -> str:
    """One spelling for all that mean the same package."""
    return canonicalize_name(name) if ecosystem == "PyPI" else name


def packages(advisory: Any) -> set[tuple[str, str]]:
    """Ecosystem and name of what it is about. Raises `NotUnderstoodError`."""
    if not isinstance(advisory, Mapping) or "id" not in advisory:
        raise NotUnderstoodError("no advisory")
    return {found for part in _list(advisory, "affected") if (found := _package(part))}


def concerns(advisory: Mapping[str, Any], release: Release) -> bool:
    """Whether this release is one of those that it warns of; one that was withdrawn warns of none.

    Raises `NotUnderstoodError`.
    """
    if advisory.get("withdrawn"):
        return False
    parts = [one for one in _list(advisory, "affected") if _package(one) == release.package]
    # All of them are read, also behind the one that holds it: what is not understood is told.
    verdicts = [_holds(part, release) for part in parts]
    return any(verdicts)


def mended(advisory: Mapping[str, Any], release: Release) -> list[str]:
    """The releases of this package that it calls fixed, as they stand there."""
    return [
        event["fixed"]
        for part in _list(advisory, "affected")
        if _package(part) == release.package
        for span in _spans(part)
        for event in _list(span, "events")
        if "fixed" in event
    ]


def _holds(part: Mapping[str, Any], release: Release) -> bool:
    order = _ORDERS[release.ecosystem]
    own = order(release.version)
    spans = _spans(part)
    versions = _list(part, "versions")
    if not spans and not versions:
        raise NotUnderstoodError("names no releases")
    inside = [_inside(own, _list(span, "events"), order) for span in spans]
    return any(inside) or any(_same(one, release, order) for one in versions)


def _inside(own: Any, events: list[Any], order: Callable[[str], Any]) -> bool:
    inside = False
    points = []
    for event in events:
        if not isinstance(event, Mapping) or len(event) != 1:
            raise NotUnderstoodError(f"the event {event!r}")
        ((kind, at),) = event.items()
        if kind not in _EVENTS:
            raise NotUnderstoodError(f"the event {kind!r}")
        if (kind, at) == ("introduced", "0"):
            inside = True
        else:
            points.append((order(at), _EVENTS[kind]))
    if not inside and not any(kind == _INTRODUCED for _, kind in points):
        raise NotUnderstoodError("a range without a beginning")
    for at, kind in sorted(points):
        if kind == _INTRODUCED and own >= at:
            inside = True
        elif (kind == _FIXED and own >= at) or (kind == _LAST_AFFECTED and own > at):
            inside = False
    return inside


def _same(listed: Any, release: Release, order: Callable[[str], Any]) -> bool:
    try:
        return bool(order(listed) == order(release.version))
    except NotUnderstoodError:
        # A name from before there were rules; ours is not one.
        return False


def _spans(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The ranges of releases; those of commits say nothing of a package."""
    spans = []
    for span in _list(part, "ranges"):
        kind = span.get("type") if isinstance(span, Mapping) else None
        if kind in {"ECOSYSTEM", "SEMVER"}:
            spans.append(span)
        elif kind != "GIT":
            raise NotUnderstoodError(f"a range of the type {kind!r}")
    return spans


def _package(part: Any) -> tuple[str, str] | None:
    """None where it is about a source tree only."""
    if isinstance(part, Mapping) and "package" not in part:
        return None
    try:
        # "PyPI:https://…" is an index of somebody's own.
        ecosystem, name = part["package"]["ecosystem"].split(":")[0], part["package"]["name"]
        return ecosystem, plain(ecosystem, name)
    except (KeyError, TypeError, AttributeError) as error:
        raise NotUnderstoodError("a package without a name") from error


def _list(of: Any, name: str) -> list[Any]:
    """What may be left out. Raises `NotUnderstoodError` where it is anything else."""
    found = of.get(name) if isinstance(of, Mapping) else None
    if found is None:
        return []
    if not isinstance(found, list):
        raise NotUnderstoodError(f"{name} that are no list")
    return found


def _pep_440(text: Any) -> Version:
    try:
        return Version(text)
    except (InvalidVersion, TypeError) as error:
        raise NotUnderstoodError(f"the release {text!r}") from error


def _semver(text: Any) -> tuple[Any, ...]:
    """Its precedence (semver.org, 11): numbers by value, a pre-release before its release."""
    match = _SEMVER.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise NotUnderstoodError(f"the release {text!r}")
    *numbers, before = match.groups()
    identifiers = [
        (0, int(one), "") if one.isdigit() else (1, 0, one) for one in (before or "").split(".")
    ]
    return (*map(int, numbers), before is None, identifiers)


_ORDERS: dict[str, Callable[[Any], Any]] = {"PyPI": _pep_440, "npm": _semver}

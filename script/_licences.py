"""Lists the licence of every package that runs in production, for script/audit.

The two locks, what the installed packages say of themselves and deploy/audit.toml flow in;
deploy/licences.md flows out, and a line for each package whose licence is unknown or not one that
we may use. It asks no network, and it never guesses: what a package does not say stands in
deploy/audit.toml with where it was read.

Ends with 0, or with 1 when there is such a line.
"""

import json
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "deploy" / "licences.md"
PINNED = re.compile(r"^([a-z0-9][\w.-]*)(?:\[[\w,-]+\])?==([^ \\;]+)(.*)", re.MULTILINE)
"""Name, release and condition of each package of a lock."""
_ELSEWHERE = re.compile(r"sys_platform == '(emscripten|win32|darwin)'")
"""A package of another system: no image has it."""
_SPELLINGS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
"""How packages write it that are older than SPDX. "BSD" is not here: there are several."""
_SPDX = re.compile(r"[A-Za-z0-9.-]*\d[A-Za-z0-9.-]*|MIT|ISC|Zlib|PostgreSQL")
HEAD = """\
# Licences

Made by `script/audit`; do not edit. What runs in production: the packages of
`deploy/requirements.lock` in the service, those of `node/baileys/package-lock.json` that are not
for development in the WhatsApp sidecar. What may be used, what was read elsewhere and the reasons
stand in `deploy/audit.toml`.
"""


@dataclass(frozen=True, slots=True)
class Package:
    """One release; its licence as an SPDX expression, `None` where nothing says it."""

    name: str
    release: str
    licence: str | None


def read_rules() -> dict[str, Any]:
    """What deploy/audit.toml says of licences."""
    text = (ROOT / "deploy" / "audit.toml").read_text(encoding="utf-8")
    rules: dict[str, Any] = tomllib.loads(text)["licences"]
    return rules


def stated(rules: dict[str, Any]) -> dict[str, str]:
    """Licences by package that were read elsewhere."""
    return {one["package"]: one["licence"] for one in rules["stated"]}


def python_packages(elsewhere: dict[str, str]) -> list[Package]:
    """Those of the image's lock; what was read elsewhere comes before what they say."""
    lock = (ROOT / "deploy" / "requirements.lock").read_text(encoding="utf-8")
    return [
        Package(name, release, elsewhere.get(name) or _said_by(name))
        for name, release, condition in PINNED.findall(lock)
        if not _ELSEWHERE.search(condition)
    ]


def node_packages(elsewhere: dict[str, str]) -> list[Package]:
    """Those of the sidecar's lock, once each, without what only its tests need."""
    lock = json.loads((ROOT / "node/baileys/package-lock.json").read_text(encoding="utf-8"))
    found = set()
    for path, entry in lock["packages"].items():
        if path and not entry.get("dev"):
            name = path.rsplit("node_modules/", 1)[-1]
            said = elsewhere.get(name) or entry.get("license")
            found.add(Package(name, entry["version"], said))
    return sorted(found, key=lambda package: (package.name, package.release))


def _said_by(name: str) -> str | None:
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return None
    if expression := said.get_all("License-Expression"):
        return str(expression[0])
    classifiers = [
        line.rsplit("::", 1)[-1].strip()
        for line in said.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    for words in (" ".join(said.get_all("License") or []), " OR ".join(classifiers)):
        parts = [_SPELLINGS.get(part.lower(), part) for part in words.split(" OR ")]
        if all(_SPDX.fullmatch(part) for part in parts):
            return " OR ".join(parts)
    return None


def may_be_used(licence: str, allowed: frozenset[str]) -> bool:
    """Whether one of the licences to choose from asks for nothing that is not allowed."""
    bare = licence.replace("(", "").replace(")", "")
    return any(
        all(part.strip() in allowed for part in choice.split(" AND "))
        for choice in bare.split(" OR ")
    )


def faults(packages: list[Package], rules: dict[str, Any]) -> list[str]:
    """A line for each package that nothing lets in, and for each exception without a package."""
    allowed = frozenset(rules["allowed"])
    excepted = {one["package"]: one["licence"] for one in rules["exception"]}
    found = []
    for package in packages:
        if package.licence is None:
            found.append(f"{package.name} {package.release}: no licence is known")
        elif (
            not may_be_used(package.licence, allowed)
            and excepted.get(package.name) != package.licence
        ):
            found.append(f"{package.name} {package.release}: {package.licence} is not allowed")
    names = {package.name for package in packages}
    found += [
        f"{one['package']}: is not used any more; take its line out"
        for one in [*rules["exception"], *rules["stated"], *rules["bundled"]]
        if one["package"] not in names
    ]
    return found


def page(python: list[Package], node: list[Package], rules: dict[str, Any]) -> str:
    """The whole of deploy/licences.md."""
    parts = [HEAD]
    for title, packages in (("The service", python), ("The sidecar", node)):
        rows = "\n".join(f"| {one.name} | {one.release} | {one.licence} |" for one in packages)
        parts.append(
            f"## {title}: {len(packages)} packages\n"
            f"| package | release | licence |\n|---|---|---|\n{rows}\n"
        )
    rows = "\n".join(
        f"| {one['package']} | {one['holds']} | {one['licence']} |" for one in rules["bundled"]
    )
    parts.append(
        "## What comes inside them\nNo database of vulnerabilities sees these; "
        f"a newer release of the package is what mends them.\n\n"
        f"| package | holds | licence |\n|---|---|---|\n{rows}\n"
    )
    rows = "\n".join(
        f"- **{one['package']}** ({one['licence']}): {one['why']}" for one in rules["exception"]
    )
    parts.append(f"## Those that ask for more\n{rows}\n")
    return "\n".join(parts)


def main() -> int:
    rules = read_rules()
    known = stated(rules)
    python, node = python_packages(known), node_packages(known)
    found = faults([*python, *node], rules)
    for fault in found:
        print(f"licences: {fault}")
    if not found:
        LIST.write_text(page(python, node, rules), encoding="utf-8")
        print(
            f"licences: {len(python) + len(node)} packages, each allowed or explained: {LIST.name}"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

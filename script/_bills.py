"""Makes the two bills of materials (SBOM), for script/audit.

What cyclonedx-py has seen in the development environment and npm in the sidecar's lock flow in;
`service.cdx.json` and `sidecar.cdx.json` flow out, in the same folder: what runs in production, of
the releases that the locks name, without a path or an address of the machine that made them.

Ends with 0, or with 1 when a bill lacks what its lock names; then it is not written.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from _licences import Package, node_packages, python_packages, read_rules, stated


def of_production(title: str, told: dict[str, Any], packages: list[Package]) -> dict[str, Any]:
    """Without what is there for development only, and with the licences that we list."""
    licences = {(_plain(one.name), one.release): one.licence for one in packages}
    components = [one for one in told["components"] if _named(one) in licences]
    root = told["metadata"]["component"]
    known = {root["bom-ref"], *(one["bom-ref"] for one in components)}
    return {
        "bomFormat": told["bomFormat"],
        "specVersion": told["specVersion"],
        "version": 1,
        "metadata": {
            "component": {
                "bom-ref": root["bom-ref"],
                "type": "application",
                "name": title,
                "version": root["version"],
            }
        },
        "components": [
            {key: one[key] for key in _KEPT if key in one}
            | {"licenses": [{"expression": licences[_named(one)]}]}
            for one in components
        ],
        "dependencies": [
            {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in known]}
            for one in told["dependencies"]
            if one["ref"] in known
        ],
    }


_KEPT = ("bom-ref", "type", "group", "name", "version", "description", "scope", "hashes", "purl")
"""Not the addresses, nor where it was installed."""


def _named(component: dict[str, Any]) -> tuple[str, str]:
    """A package and its release."""
    name = "/".join(filter(None, (component.get("group"), component["name"])))
    return _plain(name), component["version"]


def _plain(name: str) -> str:
    """Names of Python differ in signs that mean the same: `pydantic_core`, `pydantic-core`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main(folder: Path) -> int:
    faults = 0
    known = stated(read_rules())
    for name, title, source, packages in (
        ("service", "voiceagent", "environment", python_packages(known)),
        ("sidecar", "voiceagent-baileys", "npm-sbom", node_packages(known)),
    ):
        locked = {(_plain(package.name), package.release) for package in packages}
        try:
            told = json.loads((folder / f"{source}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            print(f"bill of the {name}: its tool gave none ({type(error).__name__})")
            faults += 1
            continue
        bill = of_production(title, told, packages)
        if missing := locked - {_named(one) for one in bill["components"]}:
            print(f"bill of the {name}: lacks {sorted(missing)}")
            faults += 1
            continue
        path = folder / f"{name}.cdx.json"
        path.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
        print(f"bill of the {name}: {len(bill['components'])} packages: {path.name}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

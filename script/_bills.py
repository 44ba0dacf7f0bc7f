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

from _licences import node_packages, python_packages


def of_production(bill: dict[str, Any], locked: set[tuple[str, str]]) -> dict[str, Any]:
    """Without what is there for development only."""
    components = [one for one in bill["components"] if _named(one) in locked]
    root = {key: bill["metadata"]["component"][key] for key in ("bom-ref", "name", "version")}
    known = {root["bom-ref"], *(one["bom-ref"] for one in components)}
    return {
        "bomFormat": bill["bomFormat"],
        "specVersion": bill["specVersion"],
        "version": 1,
        "metadata": {"component": {**root, "type": "application"}},
        "components": [
            {
                key: value
                for key, value in one.items()
                if key not in {"externalReferences", "properties"}
            }
            for one in components
        ],
        "dependencies": [
            {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in known]}
            for one in bill["dependencies"]
            if one["ref"] in known
        ],
    }


def _named(component: dict[str, Any]) -> tuple[str, str]:
    """A package and its release."""
    name = "/".join(filter(None, (component.get("group"), component["name"])))
    return _plain(name), component["version"]


def _plain(name: str) -> str:
    """Names of Python differ in signs that mean the same: `pydantic_core`, `pydantic-core`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main(folder: Path) -> int:
    faults = 0
    for name, source, packages in (
        ("service", "environment", python_packages({})),
        ("sidecar", "npm-sbom", node_packages({})),
    ):
        locked = {(_plain(package.name), package.release) for package in packages}
        try:
            told = json.loads((folder / f"{source}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            print(f"bill of the {name}: its tool gave none ({type(error).__name__})")
            faults += 1
            continue
        bill = of_production(told, locked)
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

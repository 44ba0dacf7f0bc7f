"""What is in `deploy/`, read for tests: manifests by kind, containers with their pods."""

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "schemas"

Manifest = dict[str, Any]


def in_file(path: Path) -> list[Manifest]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one is not None]


def all_manifests() -> list[Manifest]:
    """Of every file that the kustomization names."""
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    return [one for name in kustomization["resources"] for one in in_file(KUBERNETES / name)]


def of_kind(kind: str, name: str | None = None) -> Manifest:
    [found] = [
        one
        for one in all_manifests()
        if one["kind"] == kind and name in (None, one["metadata"]["name"])
    ]
    return found


@functools.cache
def _kubernetes() -> dict[str, Any]:
    schemas: dict[str, Any] = json.loads((SCHEMAS / "kubernetes-1.37.json").read_text())
    return schemas


def check_kubernetes(manifest: Manifest) -> None:
    """Raises `jsonschema.ValidationError`, or `KeyError` for a kind that is not known here."""
    known = _kubernetes()
    schema = known["kinds"][f"{manifest['apiVersion']}/{manifest['kind']}"]
    jsonschema.Draft202012Validator(schema | {"$defs": known["$defs"]}).validate(manifest)


def check_compose(compose: Manifest) -> None:
    """Raises `jsonschema.ValidationError`."""
    schema = json.loads((SCHEMAS / "compose-spec.json").read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(compose)


@dataclass(frozen=True)
class Pod:
    """The pod of a workload, with its one container."""

    owner: Manifest
    spec: Manifest

    @property
    def name(self) -> str:
        return f"{self.owner['kind']}/{self.owner['metadata']['name']}"

    @property
    def container(self) -> Manifest:
        [only] = self.spec["containers"]
        return only

    @property
    def containers(self) -> list[Manifest]:
        """With those that run before it."""
        return [*self.spec.get("initContainers", ()), self.container]


def pods() -> Iterator[Pod]:
    for manifest in all_manifests():
        if "template" in manifest.get("spec", {}):
            yield Pod(manifest, manifest["spec"]["template"]["spec"])


@dataclass(frozen=True)
class Stage:
    """One `FROM … AS name` of the Dockerfile, with its instructions in order."""

    name: str
    image: str
    instructions: tuple[tuple[str, str], ...]

    def last(self, word: str) -> str:
        return [text for instruction, text in self.instructions if instruction == word][-1]

    def all(self, word: str) -> list[str]:
        return [text for instruction, text in self.instructions if instruction == word]


def stages() -> dict[str, Stage]:
    """The Dockerfile's, by name."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found: dict[str, Stage] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            found[name] = Stage(name, image, ())
        else:
            name, stage = found.popitem()
            found[name] = Stage(name, stage.image, (*stage.instructions, (word, rest.strip())))
    return found

"""Which mutants may survive, and how one is known again.

The diff of a mutant and the file of its module flow in; what changed, and whether somebody has said
why it may, flow out. A change is known by its function and its lines, not by their number: it stays
the same when other lines move. Nothing is run here.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KEPT: Final = Path(__file__).parent
"""`call/turns.toml` here is of `call/turns.py` below `src/voiceagent`."""
_MUTANT: Final = re.compile(r"x(?:_|ǁ(?P<owner>\w+)ǁ)(?P<name>\w+)__mutmut_\d+")


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """What a mutant has in place of something."""

    function: str
    """`name`, or `Class.name`."""
    before: str
    """The lines that are replaced, without their indent."""
    after: str

    def __str__(self) -> str:
        lines = [f"- {line}" for line in self.before.splitlines()]
        lines += [f"+ {line}" for line in self.after.splitlines()]
        return "\n".join([f"  in {self.function}:", *(f"    {line}" for line in lines)])


@dataclass(frozen=True, slots=True)
class Module:
    """One file of `KEPT`: by which tests a module is judged, and what may survive them."""

    name: str
    """`call/turns.py`."""
    tests: tuple[str, ...]
    """As pytest takes them; `--deselect=…` for one that is too slow to be run for each mutant."""
    left_out: tuple[str, ...]
    """Patterns of lines that are not mutated."""
    explained: dict[Change, str]


@dataclass(frozen=True, slots=True)
class Judged:
    unexplained: tuple[Change, ...]
    explained: int
    """Mutants, not changes: two may change the same words."""
    gone: tuple[Change, ...]
    """Explained, and no longer there."""


def read(name: str, kept: Path = KEPT) -> Module:
    """The file of the module `name` (`call/turns.py`); ValueError says what is wrong with it."""
    path = (kept / name).with_suffix(".toml")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{name}: there is no {path}") from None
    try:
        explained = {}
        for entry in data.get("survivor", []):
            after = entry["after"]
            for one in [after] if isinstance(after, str) else after:
                change = Change(entry["function"], _stripped(entry["before"]), _stripped(one))
                if change in explained:
                    raise ValueError(f"{path}: twice:\n{change}")
                explained[change] = _reason(entry)
        left_out = tuple(entry["lines"] for entry in data.get("left_out", []) if _reason(entry))
        return Module(name, tuple(data["tests"]), left_out, explained)
    except KeyError as error:
        raise ValueError(f"{path}: {error} is missing") from None


def names(kept: Path = KEPT) -> list[str]:
    """All modules that have a file."""
    return sorted(
        path.relative_to(kept).with_suffix(".py").as_posix() for path in kept.rglob("*.toml")
    )


def function_of(mutant: str) -> str:
    """Of mutmut's name for a mutant: `voiceagent.call.playout.xǁPlayoutǁstop__mutmut_3`."""
    match = _MUTANT.fullmatch(mutant.rpartition(".")[2])
    if match is None:
        raise ValueError(f"{mutant} is no mutant's name")
    return f"{match['owner']}.{match['name']}" if match["owner"] else match["name"]


def mutants_of(module: str, function: str) -> str:
    """The pattern of a function's mutants, as mutmut names them; `module` is `call/turns.py`."""
    dotted = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    owner, _, name = function.rpartition(".")
    return f"voiceagent.{dotted}.x{f'ǁ{owner}ǁ' if owner else '_'}{name}__mutmut_*"


def change_of(mutant: str, diff: str) -> Change:
    """What the unified diff of a mutant changes."""
    lines = [line for line in diff.splitlines() if not line.startswith(("--- ", "+++ "))]
    before, after = (
        _stripped("\n".join(line[1:] for line in lines if line.startswith(sign))) for sign in "-+"
    )
    return Change(function_of(mutant), before, after)


def judge(module: Module, survivors: Iterable[Change], functions: frozenset[str]) -> Judged:
    """`functions`: the only ones that were mutated; empty: all were."""
    survivors = list(survivors)
    there = set(survivors)
    return Judged(
        tuple(sorted(there - module.explained.keys())),
        sum(change in module.explained for change in survivors),
        tuple(
            sorted(
                change
                for change in module.explained.keys() - there
                if not functions or change.function in functions
            )
        ),
    )


def _stripped(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _reason(entry: dict[str, str]) -> str:
    reason = entry["why"].strip()
    if not reason:
        raise ValueError(f"no reason is given: {entry}")
    return reason

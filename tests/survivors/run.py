"""Mutates modules and runs their tests against every mutant: `script/mutate`, docs/mutation.md.

Names of modules flow in; what survived, compared with what may, flows out, and the exit code: 0
only if somebody has said of each survivor why it may; 1 if not; 2 if the tests do not pass as they
are. Works in a temporary folder, on copies: the checkout stays as it is. mutmut makes the mutants
and runs the tests, two mutants at a time, each in a fork of a process that has read the tests.
"""

import argparse
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from survivors.kept import Change, Module, change_of, judge, mutants_of, names, read

ROOT: Final = Path(__file__).resolve().parents[2]
AT_ONCE: Final = 2
TELL_S: Final = 10.0
MOST_MEMORY_BYTES: Final = 4 << 30
"""Of each process: a mutant whose loop never ends must not take the machine's."""
LOGGED: Final = r"^\s*_log\.\w+\("
"""What is written into the log is no promise."""
SURVIVED: Final = frozenset({"survived", "no tests"})
KILLED: Final = frozenset({"killed", "timeout", "segfault"})
_RESULT: Final = re.compile(r"^ +(\S+): ([\w ]+)$", re.MULTILINE)
_COUNTS: Final = re.compile(r"(\d+/\d+) .*🙁 (\d+)")
_CHECK: Final = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
path, *mutants = json.load(sys.stdin)
json.dump({one: get_diff_for_mutant(one, path=path) for one in mutants}, sys.stdout)
"""


class Broken(Exception):
    """The mutants cannot be judged: what was said."""


@dataclass(frozen=True, slots=True)
class Ran:
    mutants: int
    timed_out: int
    survivors: tuple[Change, ...]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="script/mutate", description=(__doc__ or "").split(":")[0]
    )
    parser.add_argument(
        "module",
        nargs="*",
        help="call/turns.py, or call/turns.py:Turns.handle for one function; none: all of them",
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or most > MOST_MEMORY_BYTES:
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY_BYTES, most))  # and of its children
    wanted: dict[str, set[str]] = {}
    for argument in parser.parse_args().module or names():
        module, _, function = argument.partition(":")
        name = module.removeprefix("src/voiceagent/")
        wanted.setdefault(name, set()).update({function} - {""})
    try:
        modules = [(read(name), frozenset(functions)) for name, functions in wanted.items()]
        codes = [_told(module, functions) for module, functions in modules]
    except (ValueError, Broken) as error:
        print(error, file=sys.stderr)
        return 2
    return max(codes)


def _told(module: Module, functions: frozenset[str]) -> int:
    began = time.monotonic()
    ran = _run(module, functions)
    judged = judge(module, ran.survivors, functions)
    for change in judged.unexplained:
        print(f"{module.name}: SURVIVED\n{change}")
    for change in judged.gone:
        print(f"{module.name}: explained, and killed by now or not there any more\n{change}")
    killed = ran.mutants - len(ran.survivors)
    print(
        f"{module.name}: {ran.mutants} mutants, {killed} killed ({ran.timed_out} of them ran out of"
        f" time), {judged.explained} explained, {len(judged.unexplained)} unexplained;"
        f" {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return 1 if judged.unexplained else 0


def _run(module: Module, functions: frozenset[str]) -> Ran:
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        place = Path(folder)
        _lay_out(place, module)
        _mutmut(place, module, [mutants_of(module.name, one) for one in sorted(functions)])
        found = _results(place)
        if late := [mutant for mutant, status in found.items() if status == "timeout"]:
            # On a machine that is busy with something else any mutant may run out of time.
            _mutmut(place, module, late)
            found = _results(place)
        if functions:
            found = {mutant: status for mutant, status in found.items() if status != "not checked"}
        if not found:
            raise Broken(f"{module.name}: no mutants")
        if strange := {
            mutant: status for mutant, status in found.items() if status not in SURVIVED | KILLED
        }:
            raise Broken(f"{module.name}: not judged: {strange}")
        alive = [mutant for mutant, status in found.items() if status in SURVIVED]
        diffs = _asked(place, ["-c", _CHECK], json.dumps([_source(module), *alive]))
    return Ran(
        len(found),
        sum(status == "timeout" for status in found.values()),
        tuple(change_of(mutant, diff) for mutant, diff in json.loads(diffs).items()),
    )


def _results(place: Path) -> dict[str, str]:
    return dict(_RESULT.findall(_asked(place, ["-m", "mutmut", "results", "--all", "true"])))


def _lay_out(place: Path, module: Module) -> None:
    """Copies of what is changed and of the tests; beside them what tests read, as it is."""
    leave = shutil.ignore_patterns("__pycache__", "node_modules")
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, place / folder, ignore=leave)
    beside = place / "mutants"
    beside.mkdir()
    for path in ROOT.iterdir():
        if path.name not in {"src", "tests", "pyproject.toml", "var"} and path.name[0] != ".":
            (beside / path.name).symlink_to(path)
    settings = {
        "source_paths": ["src"],
        "only_mutate": [_source(module)],
        "do_not_mutate_patterns": [LOGGED, *module.left_out],
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": list(module.tests),
        # Else a test with hypothesis runs twice in one process, which it refuses.
        "process_isolation": "forkserver",
        "timeout_constant": 2.0,
    }
    # What JSON makes of these is TOML as well.
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    lines.append("use_git_change_detection = false")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = "\n".join([project, "[tool.mutmut]", *lines, ""])
    (place / "pyproject.toml").write_text(text, encoding="utf-8")


def _source(module: Module) -> str:
    return f"src/voiceagent/{module.name}"


def _mutmut(place: Path, module: Module, mutants: list[str]) -> None:
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(AT_ONCE), *mutants]
    said: list[str] = []
    with subprocess.Popen(
        command,
        cwd=place,
        env=_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            said.extend(_told_now_and_then(module, process.stdout))
        except BaseException:
            # Whoever stops this wants no mutants left behind.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        raise Broken(f"{module.name}: the tests do not pass as they are\n{''.join(said[-40:])}")


def _told_now_and_then(module: Module, lines: Iterable[str]) -> Iterator[str]:
    """Universal newlines: each state of mutmut's one line is a line here."""
    told = time.monotonic()
    for line in lines:
        if (counts := _COUNTS.search(line)) and time.monotonic() - told > TELL_S:
            told = time.monotonic()
            print(f"{module.name}: {counts[1]}, {counts[2]} survive", file=sys.stderr, flush=True)
        yield line


def _asked(place: Path, arguments: list[str], text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env=_environ(),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Broken(done.stderr)
    return done.stdout


def _environ() -> dict[str, str]:
    """CI: hypothesis then draws the same examples for each mutant, without a deadline for one."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**inherited, "CI": "true", "PYTHONDONTWRITEBYTECODE": "1"}


if __name__ == "__main__":
    sys.exit(main())

"""The command line of measurements: `voiceagent bench`.

The name of a bench and its arguments flow in, its exit code flows out; without a name, the list of
them. The benches are programs of a checkout (`bench/`), each told by the first line of its text:
nothing here measures, and none of them is imported.
"""

import argparse
import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

from voiceagent.errors import SettingsError

BENCHES: Final = Path(__file__).resolve().parents[2] / "bench"
_RUNS_BY_ITSELF: Final = 'if __name__ == "__main__":'


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Offer the command."""
    bench = commands.add_parser(
        "bench",
        help="measure: calls a core, webhooks, pages, kills; without a name, which there are",
        description="Runs a bench of the checkout with whatever follows its name, e.g. `voiceagent"
        " bench calls --calls 50`; `voiceagent bench calls --help` tells its options.",
    )
    bench.add_argument("name", nargs="?", metavar="NAME", help="e.g. calls")
    bench.add_argument("arguments", nargs=argparse.REMAINDER, help="handed on as they are")
    bench.set_defaults(run=_bench)


def _bench(arguments: argparse.Namespace) -> int:
    benches = find(BENCHES)
    if not benches:
        raise SettingsError([f"the benches are part of a checkout, and {BENCHES} has none"])
    if arguments.name is None:
        wide = max(map(len, benches))
        for name, about in benches.items():
            print(f"{name:<{wide}}  {about}")
        return 0
    if arguments.name not in benches:
        raise SettingsError([f"there is no bench {arguments.name}: {', '.join(benches)}"])
    command = [sys.executable, str(BENCHES / f"{arguments.name}.py"), *arguments.arguments]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - a program of the checkout


def find(folder: Path) -> dict[str, str]:
    """What can be run there: names, each with what it measures. What only helps is left out."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if _RUNS_BY_ITSELF in text:
            about = ast.get_docstring(ast.parse(text)) or ""
            found[path.stem] = about.partition("\n")[0]
    return found

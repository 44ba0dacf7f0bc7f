"""What a process holds just now, in numbers, and what it has come to hold since it was asked.

Runs in the service under test. Nothing is told of what is held but names of types, of attributes
and of lines of code: a growing number says where to look.
"""

import asyncio
import gc
import os
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Mapping, Set, Sized
from pathlib import Path
from typing import Any, Final, TypedDict

import voiceagent
from voiceagent.recent import Recent

TOP: Final = 25
_OURS: Final = "voiceagent."
_OUR_CODE: Final = str(Path(voiceagent.__file__).parent / "*")
_NOT_COUNTED: Final = [
    tracemalloc.Filter(inclusive=False, filename_pattern=name)
    for name in (
        tracemalloc.__file__,
        __file__,
        # What reads JSON keeps up to 16,384 strings, which a thousand calls do not fill.
        "*/pydantic/type_adapter.py",
    )
]


class Held(TypedDict):
    """One look at the process."""

    counts: dict[str, int]
    """By what is counted."""
    memory_bytes: int
    """Of what was allocated since the first look."""
    own_bytes: int
    """Of it by the service's own lines."""
    lines: list[str]
    """Whose memory has grown most since the look before."""


class Census:
    """Looks at its own process. The first look begins to trace memory."""

    def __init__(self) -> None:
        self._before: tracemalloc.Snapshot | None = None

    def take(self) -> Held:
        """Takes a second or more, in which nothing else goes on."""
        if self._before is None:
            # What was put aside when the service was warm is looked at as well.
            gc.unfreeze()
            tracemalloc.start()
        gc.collect()
        counts = {**in_use(), **_objects()}
        gc.collect()
        snapshot = tracemalloc.take_snapshot().filter_traces(_NOT_COUNTED)
        before, self._before = self._before or snapshot, snapshot
        return Held(
            counts=counts,
            memory_bytes=_size(snapshot),
            own_bytes=_size(snapshot.filter_traces([tracemalloc.Filter(True, _OUR_CODE)])),
            lines=[str(line) for line in snapshot.compare_to(before, "lineno")[:TOP]],
        )


def in_use() -> dict[str, int]:
    """What the system and the loop keep for the process. Quick."""
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "file descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names only
    }


def _size(snapshot: tracemalloc.Snapshot) -> int:
    return sum(trace.size for trace in snapshot.traces)


def _objects() -> dict[str, int]:
    """Objects by type, and entries of every collection that an object of the service's has."""
    found = gc.get_objects()
    counts: Counter[str] = Counter()
    for kind, count in Counter(map(type, found)).items():
        # Of tuples the collector forgets most, and the last look itself is a heap of them.
        if kind is not tuple:
            counts[_name(kind)] += count
    for one in found:
        # The last of many things are counted with whoever remembers them.
        if str(type(one).__module__).startswith(_OURS) and type(one) is not Recent:
            for attribute, size in _sizes(one):
                counts[f"{_name(type(one))}.{attribute}[]"] += size
    return dict(counts)


def _sizes(one: Any) -> Iterator[tuple[str, int]]:
    for attribute, value in _attributes(one):
        if isinstance(value, Mapping | Set | list | tuple | Recent) or (
            isinstance(value, Sized) and hasattr(value, "popleft")
        ):
            yield attribute, len(value)


def _attributes(one: Any) -> Iterator[tuple[str, Any]]:
    yield from getattr(one, "__dict__", {}).items()
    for kind in type(one).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            # A slot that was never set has nothing.
            if not name.startswith("__") and hasattr(one, name):
                yield name, getattr(one, name)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"

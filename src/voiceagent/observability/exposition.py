"""Prometheus' text format, made in pieces so that no call waits for it.

Metrics flow in, blocks of text flow out, one for each family; the blocks of several workers
are merged by family. Between two families others have their turn on the loop: all of them at
once would hold it for longer than a frame may wait.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import Metric, generate_latest
from prometheus_client.registry import Collector

from voiceagent.metrics import Metrics

LINES_AT_ONCE: Final = 100
"""About a millisecond on a slow core."""
_HELP: Final = b"# HELP "


class _Family:
    """One family as a registry of its own."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


async def exposition(metrics: Metrics, worker: str = "") -> bytes:
    """Everything that was counted. `worker`: the value of a label of that name on every line;
    empty: no such label."""
    return b"".join([block async for block in _blocks(metrics.collectors, worker)])


async def _blocks(collectors: Iterable[Collector], worker: str) -> AsyncIterator[bytes]:
    for collector in collectors:
        for family in collector.collect():
            for number, piece in enumerate(_pieces(family, worker)):
                text = generate_latest(_Family(piece))
                # What the family is was said by its first piece.
                yield text if number == 0 else b"".join(text.splitlines(keepends=True)[2:])
                await asyncio.sleep(0)


def _pieces(family: Metric, worker: str) -> Iterator[Metric]:
    """Without the times at which series were made, which nobody asked for."""
    samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
    for start in range(0, max(len(samples), 1), LINES_AT_ONCE):
        piece = Metric(family.name, family.documentation, family.type)
        piece.samples = [
            sample._replace(labels=sample.labels | {"worker": worker}) if worker else sample
            for sample in samples[start : start + LINES_AT_ONCE]
        ]
        yield piece


def merged(texts: Sequence[bytes]) -> bytes:
    """Several workers' texts as one: the format wants all lines of a family together."""
    heads: dict[bytes, bytes] = {}
    lines: dict[bytes, list[bytes]] = {}
    for text in texts:
        for block in text.split(_HELP)[1:]:
            name = block.split(b" ", 1)[0]
            described, typed, *rest = block.splitlines(keepends=True)
            heads.setdefault(name, _HELP + described + typed)
            lines.setdefault(name, []).extend(rest)
    return b"".join(head + b"".join(lines[name]) for name, head in heads.items())

"""Every aim of the performance beside what was measured, as one table.

The runs of all servers and the figures of the other benches flow in; "aim, measured, holds"
flows out as Markdown. A figure of several runs is their median, with the least and the most in
brackets; the median decides. Nothing is measured here.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from climb import limit
from runs import Run, is_carried
from servers import AIMED_CALLS

from voiceagent.settings import Settings

OWN, GOOGLE, PEER, FLOOR = "voiceagent", "voiceagent, gRPC", "pipecat 1.14", "bare server"
BARGE_IN_MS = Settings.model_fields["barge_in_min_ms"].default + 30


@dataclass(frozen=True)
class Aim:
    """What is wanted, and the figure of each run; `holds` is None where nothing is wanted."""

    text: str
    figures: Sequence[float]
    holds: Callable[[float], bool] | None

    @property
    def line(self) -> str:
        """One row of the table."""
        if not self.figures:
            return f"| {self.text} | – | not measured |"
        held = "–" if self.holds is None else _yes(self.holds(statistics.median(self.figures)))
        return f"| {self.text} | {shown(self.figures)} | {held} |"


def shown(figures: Sequence[float]) -> str:
    """The median, and in brackets the least and the most."""
    middle, least, most = statistics.median(figures), min(figures), max(figures)
    return f"{middle:.4g}" if least == most else f"{middle:.4g} ({least:.4g}–{most:.4g})"


def table(
    rows: Sequence[Run], webhook: Mapping[str, Any] | None, cold_start_s: float | None
) -> str:
    """All aims; what was left out of this run is said to be so."""
    own, floor = _of(rows, OWN, AIMED_CALLS), _of(rows, FLOOR, AIMED_CALLS)
    carried = {name: calls_carried(rows, name) for name in (OWN, GOOGLE, PEER, FLOOR)}
    at = f"at {AIMED_CALLS} calls"
    aims = [
        Aim(
            f"CPU-seconds a call-minute {at} ≤ 0.4",
            _figures(own, "cpu_s_per_call_minute"),
            lambda cpu: cpu <= 0.4,
        ),
        Aim(
            f"the same, times the bare server's {at} ≤ 3.5",
            _ratio(own, floor, "cpu_s_per_call_minute"),
            lambda times: times <= 3.5,
        ),
        Aim(
            "calls at once with p99 of lateness ≤ 0: ≥ 140",
            carried[OWN],
            lambda calls: calls >= 140,
        ),
        Aim(
            "the same, times the peer's ≥ 10",
            [own / peer for own in carried[OWN] for peer in carried[PEER] if peer],
            lambda times: times >= 10,
        ),
        Aim(
            f"MB a call {at} ≤ 0.25",
            _figures(own, "memory_per_call_mb"),
            lambda megabytes: megabytes <= 0.25,
        ),
        Aim(
            f"own share of the response p95 {at} ≤ 20 ms: heard by the phones, less 300 ms",
            _figures(own, "own_p95_ms"),
            lambda late_ms: late_ms <= 20,
        ),
        Aim(
            "the same by the turns' own timings, less the silence that was waited",
            _figures(own, "own_recorded_p95_ms"),
            lambda late_ms: late_ms <= 20,
        ),
        Aim(
            f"end of utterance → first frame of a speculated answer p95 {at} ≤ 30 ms",
            _figures(own, "speculated_p95_ms"),
            lambda late_ms: late_ms <= 30,
        ),
        Aim(
            f"barge-in onset → `clear` p95 {at} ≤ {BARGE_IN_MS} ms",
            _figures(own, "clear_p95_ms"),
            lambda late_ms: late_ms <= BARGE_IN_MS,
        ),
        Aim(
            "`/webhook/incoming_call` p95 ≤ 5 ms",
            [webhook["p95_ms"]] if webhook else [],
            lambda late_ms: late_ms <= 5,
        ),
        Aim(
            "`/webhook/incoming_call` answers a second, of 1000 asked",
            [webhook["answers_a_second"]] if webhook else [],
            lambda answers: answers >= 990,
        ),
        Aim(
            "cold start to `/healthz` 200 ≤ 1 s",
            [] if cold_start_s is None else [cold_start_s],
            lambda lasted_s: lasted_s <= 1,
        ),
        Aim("calls at once with speech over gRPC", carried[GOOGLE], None),
        Aim(
            f"CPU-seconds a call-minute with speech over gRPC {at}",
            _figures(_of(rows, GOOGLE, AIMED_CALLS), "cpu_s_per_call_minute"),
            None,
        ),
        Aim("calls at once of the peer", carried[PEER], None),
        Aim("calls at once of the bare server", carried[FLOOR], None),
    ]
    return "\n".join(["| aim | measured | holds |", "|---|---|---|", *(aim.line for aim in aims)])


def calls_carried(rows: Sequence[Run], server: str) -> list[float]:
    """The most calls that this server carried in most of its runs; empty if it was not measured."""
    loads = sorted({row["calls"] for row in rows if row["server"] == server})
    if not loads:
        return []
    return [limit({calls: carried(_of(rows, server, calls)) for calls in loads})]


def carried(runs: Sequence[Run]) -> bool:
    """Whether most of these runs of one load were."""
    return sum(map(is_carried, runs)) * 2 > len(runs)


def _of(rows: Sequence[Run], server: str, calls: int) -> list[Run]:
    return [row for row in rows if (row["server"], row["calls"]) == (server, calls)]


def _figures(runs: Sequence[Run], name: str) -> list[float]:
    return [run[name] for run in runs if run[name] is not None]


def _ratio(runs: Sequence[Run], base: Sequence[Run], name: str) -> list[float]:
    """Each run's figure by the median of the others'."""
    others = _figures(base, name)
    return [one / statistics.median(others) for one in _figures(runs, name)] if others else []


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"

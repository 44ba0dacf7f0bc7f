"""Up to which load a server carries its calls: few runs on the way up, all of them at the top.

Loads to try and a measurement flow in, the measured loads flow out of it; nothing here knows
what a server is.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence


def climb(
    ladder: Sequence[int], fine: int, runs: int, carried: Callable[[int], bool]
) -> dict[int, bool]:
    """Every load that was tried, and whether it was carried in most of its runs.

    `carried(calls)` makes one run. The ladder is climbed with one run a step to the first that
    is not carried; what lies between is halved down to `fine` calls, and then both neighbours of
    the limit are measured `runs` times. If that moves the limit, it goes on from there.
    """
    told: dict[int, list[bool]] = defaultdict(list)

    def verdicts() -> dict[int, bool]:
        return {calls: sum(runs_) * 2 > len(runs_) for calls, runs_ in sorted(told.items())}

    while True:
        low, high = limit(verdicts()), first_missed(verdicts())
        higher = [calls for calls in ladder if calls > low] if high is None else []
        unsure = [calls for calls in (low, high) if calls and len(told[calls]) < runs]
        if higher:
            calls = higher[0]
        elif high is not None and low and high - low >= 2 * fine:
            calls = low + (high - low) // (2 * fine) * fine
        elif unsure:
            calls = unsure[0]
        else:
            return verdicts()
        told[calls].append(carried(calls))


def limit(verdicts: dict[int, bool]) -> int:
    """The most calls carried, all lesser loads being carried too; 0 when none is."""
    missed = first_missed(verdicts)
    return max((calls for calls in verdicts if missed is None or calls < missed), default=0)


def first_missed(verdicts: dict[int, bool]) -> int | None:
    """The least load that is not carried."""
    return min((calls for calls, is_carried in verdicts.items() if not is_carried), default=None)

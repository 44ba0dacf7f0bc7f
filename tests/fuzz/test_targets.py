"""Readers of what comes from outside: the kept inputs, and mutants of them by a fixed seed.

For longer, with fresh randomness, guided by coverage: `python -m fuzz.run`.
"""

import random
import time

import pytest

from fuzz import run
from fuzz.corpus import kept
from fuzz.mutants import mutants
from fuzz.targets import TARGETS, Target

SEED = 20
WITHIN_S = 3.0
"""Of one input: the longest takes some milliseconds here."""
MUTANTS = 300


@pytest.mark.parametrize(("name", "target"), TARGETS.items(), ids=TARGETS)
def test_what_is_kept_and_its_mutants(name: str, target: Target) -> None:
    seeds = kept(name)
    assert len(seeds) > 20
    rng = random.Random(SEED)  # noqa: S311 - no secret
    for data in [*seeds, *mutants(seeds, MUTANTS, rng)]:
        began = time.process_time()
        try:
            target(data)
        except Exception as error:
            raise AssertionError(f"{name}: {data!r}") from error
        assert time.process_time() - began < WITHIN_S, data


def test_the_runner_knows_every_target() -> None:
    assert set(run.TARGETS) == set(TARGETS)


def test_the_same_seed_makes_the_same_mutants() -> None:
    seeds = kept("form")
    both = [list(mutants(seeds, 50, random.Random(1))) for _ in range(2)]  # noqa: S311 - no secret
    assert both[0] == both[1]
    assert len(set(both[0])) > 40

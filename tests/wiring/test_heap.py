"""What stays is put aside, and what calls leave behind is still collected."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from voiceagent.wiring import heap


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Call:
    """Something that holds on to itself, as a session and its parts do."""

    def __init__(self) -> None:
        self.session = self


def test_what_is_there_is_not_looked_at_again() -> None:
    kept = [Call() for _ in range(1000)]
    heap.settle()
    assert gc.get_freeze_count() > len(kept)
    assert not any(isinstance(one, Call) for one in gc.get_objects())


def test_what_comes_later_and_is_left_behind_goes() -> None:
    heap.settle()
    left = weakref.ref(Call())
    for _ in range(3 * heap.YOUNGEST):
        Call()
    assert left() is None


def test_what_was_left_behind_before_does_not_stay_for_good() -> None:
    gc.disable()
    left = weakref.ref(Call())
    gc.enable()
    heap.settle()
    assert left() is None


def test_while_the_program_is_loaded_nothing_is_collected_and_then_it_is() -> None:
    heap.hold()
    left = weakref.ref(Call())
    for _ in range(3 * heap.YOUNGEST):
        Call()
    assert left() is not None
    heap.settle()
    assert left() is None
    later = weakref.ref(Call())
    for _ in range(3 * heap.YOUNGEST):
        Call()
    assert later() is None

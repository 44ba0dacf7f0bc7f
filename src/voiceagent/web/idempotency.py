"""Requests that may be sent again without being done again: the header `Idempotency-Key`.

A key and what was asked flow in; whether to do it, and the answer of before, flow out. Kept in
memory for a while, up to a bound. Pure: time comes in as a number.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

KEPT_S: Final = 600.0
CAPACITY: Final = 1000
"""Keys; beyond it the oldest answer is forgotten."""

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class New:
    """Do it, then `settle` or `forget` the key."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """The same is being done right now."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key was used for something else."""


@dataclass(frozen=True, slots=True)
class Done(Generic[_Answer]):
    """It was done; this was the answer."""

    answer: _Answer


@dataclass(slots=True)
class _Entry(Generic[_Asked, _Answer]):
    asked: _Asked
    since_s: float
    done: Done[_Answer] | None = None


class IdempotencyKeys(Generic[_Asked, _Answer]):
    """The keys of one route. Times are seconds on any clock that goes forward."""

    def __init__(self, kept_s: float = KEPT_S, capacity: int = CAPACITY) -> None:
        self._kept_s = kept_s
        self._capacity = capacity
        self._entries: OrderedDict[str, _Entry[_Asked, _Answer]] = OrderedDict()

    def begin(
        self, key: str, asked: _Asked, now_s: float
    ) -> New | InFlight | Mismatch | Done[_Answer]:
        """What to do with a request that carries this key."""
        self._forget(lambda entry: now_s - entry.since_s >= self._kept_s)
        entry = self._entries.get(key)
        if entry is None:
            self._forget(lambda _: len(self._entries) >= self._capacity)
            self._entries[key] = _Entry(asked, now_s)
            return New()
        if entry.asked != asked:
            return Mismatch()
        return entry.done or InFlight()

    def settle(self, key: str, answer: _Answer) -> None:
        """It was done, or tried in a way that must not be tried again."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.done = Done(answer)

    def forget(self, key: str) -> None:
        """Nothing was done: it may be asked again."""
        self._entries.pop(key, None)

    def _forget(self, is_due: Callable[[_Entry[_Asked, _Answer]], bool]) -> None:
        """Drop answers from the oldest on, as long as they are due. What is in flight stays:
        forgotten, it would be done twice."""
        for key, entry in list(self._entries.items()):
            if not is_due(entry):
                break
            if entry.done is not None:
                del self._entries[key]

"""Remembers the last of many things: what is kept in memory for good has a bound.

Keys flow in with what is to be known of them; what is still known flows out. Whatever is put in is
the newest from then on, and beyond the bound the oldest is forgotten; looking at a thing does not
make it newer. Pure.

Not here, since they forget by another rule: `web/idempotency.py` never what is being done right
now, `web/console/followed_calls.py` first the calls that are over, and the grammars of
`speech/sphinx_worker.py`, which each use makes newer, have to be taken out of a decoder.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """The last `most` keys, each with a value. Loop thread only, like any dictionary."""

    def __init__(self, most: int) -> None:
        self._most = most
        # A plain dictionary searches for its oldest key among the places of those that are gone.
        self._entries: OrderedDict[_Key, _Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[_Key, _Value]]:
        """Keys and values, the oldest first."""
        return iter(self._entries.items())

    def __contains__(self, key: _Key) -> bool:
        return key in self._entries

    def get(self, key: _Key) -> _Value | None:
        """What is known of it; None: nothing, or no more."""
        return self._entries.get(key)

    def put(self, key: _Key, value: _Value) -> None:
        """Remember it as the newest, instead of what was known of it."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def pop(self, key: _Key) -> _Value | None:
        """Forget it; what was known of it."""
        return self._entries.pop(key, None)

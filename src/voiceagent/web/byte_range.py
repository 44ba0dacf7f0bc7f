"""Which bytes of a file a request asks for (RFC 9110, 14.1 and 14.2).

The `Range` header and the file's length flow in, the first and last byte flow out. More
than one range, another unit and what nobody can read are passed over, as the RFC allows:
then the whole file is the answer. Pure.
"""

import re
from dataclasses import dataclass
from typing import Final

_ONE_RANGE: Final = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


class NotSatisfiable(ValueError):
    """The range lies behind the end of the file."""


def wanted_range(header: str | None, length: int) -> ByteRange | None:
    """What is asked for of `length` bytes; None: all of it. Raises `NotSatisfiable`.

    >>> wanted_range("bytes=-4", 10)
    ByteRange(first=6, last=9)
    """
    found = _ONE_RANGE.fullmatch(header) if header else None
    if found is None or found.groups() == ("", ""):
        return None
    begin, end = found.groups()
    if not begin:
        first, last = max(0, length - int(end)), length - 1
    else:
        first = int(begin)
        last = min(int(end), length - 1) if end else length - 1
        if end and int(end) < first:
            return None
    if first >= length:
        raise NotSatisfiable
    return ByteRange(first, last)

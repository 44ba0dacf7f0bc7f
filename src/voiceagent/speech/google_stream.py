"""A stream to Google that ends with whoever wanted it, also when they leave while it opens.

The library's call flows in, what it will give flows out. Nothing here reads or writes a stream.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ended_with(call: Awaitable[Any]) -> Iterator[Awaitable[Any]]:
    """The stream, to be awaited; it is cancelled with the block, whether it has opened or not.

    Shielded: cancelled while it opens, the library would forget the stream that it has begun, and
    the stream would stay open to its deadline.
    """
    opening = asyncio.ensure_future(call)
    try:
        yield asyncio.shield(opening)
    finally:
        if opening.done():
            _end(opening)
        else:
            opening.add_done_callback(_end)


def _end(opening: "asyncio.Future[Any]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().cancel()

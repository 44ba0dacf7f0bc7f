"""An event loop whose clock jumps to the next timer: minutes of a call in milliseconds.

Only for code whose every wait is a timer or another task's doing; a thread or a
socket that is waited for would be overtaken.
"""

import asyncio
import functools
import inspect
import selectors
from collections.abc import Awaitable, Callable
from typing import ParamSpec

P = ParamSpec("P")


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing: the time that would have been waited is told to the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s = 0.0

    def select(self, timeout: float | None = None) -> "list[tuple[selectors.SelectorKey, int]]":
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing is left that could ever happen")
            self.waited_s += timeout
        return ready


class WarpedLoop(asyncio.SelectorEventLoop):
    """Begins at second 100, so that nobody takes 0 for a time of day."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 100.0 + self._jumping.waited_s

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """Those that would still ring."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return [timer for timer in scheduled if not timer.cancelled()]


def on_warped_time(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test on such a loop; every task and timer of it must have ended."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def whole() -> None:
            await test(*args, **kwargs)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, WarpedLoop)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert loop.timers == []

        with asyncio.Runner(loop_factory=WarpedLoop) as runner:
            runner.run(whole())

    # pytest finds fixtures by the signature, and must not find the async function itself.
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    del run.__wrapped__  # type: ignore[attr-defined]
    return run

"""The service with a wall clock that can be moved: `uvicorn faults.jumping_clock:app`.

How far it is off stands in the file that `JUMP_FILE` names, a number of seconds. Only what
Python itself reads of the time of day is moved, `time.time` and `datetime.now`; clocks that
only go forwards stay as they are, as they do when somebody sets a machine's clock.
"""

import ctypes
import gc
import os
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

_FILE: Final = Path(os.environ["JUMP_FILE"])
_LOOK_S: Final = 0.05
_real_time: Final = time.time
_looked_at_s = 0.0
_off_s = 0.0


def _now() -> float:
    global _looked_at_s, _off_s
    at_s = time.monotonic()
    if at_s - _looked_at_s > _LOOK_S:
        _looked_at_s, _off_s = at_s, float(_FILE.read_text() or 0)
    return _real_time() + _off_s


def _datetime_now(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
    return cls.fromtimestamp(_now(), tz)


def _utcnow(cls: type[datetime]) -> datetime:
    return cls.fromtimestamp(_now(), UTC).replace(tzinfo=None)


def _install() -> None:
    time.time = _now
    time.time_ns = lambda: int(_now() * 1e9)
    # The type is C's own, and many modules hold it: its methods are changed in their place.
    methods: Any = gc.get_referents(datetime.__dict__)[0]
    methods["now"] = classmethod(_datetime_now)
    methods["utcnow"] = classmethod(_utcnow)
    methods["today"] = classmethod(_datetime_now)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))


_install()

from voiceagent.app import create_app  # noqa: E402 - with the moved clock from the beginning

app = create_app()

"""At which address of the loopback which fault is, see `faulty_app.py`."""

from typing import Final

FAULTS: Final = {
    "127.0.0.2": "no subprotocol",
    "127.0.0.3": "wrong healthz",
    "127.0.0.4": "silent",
    "127.0.0.5": "deaf",
    "127.0.0.6": "double slashes",
    "127.0.0.7": "two introductions",
}

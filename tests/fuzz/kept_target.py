"""What `DATA_DIR` holds from before, as a damaged disk or a restored archive may bring it.

Bytes flow in: the first says which file the rest are; nothing flows out. Raises for any error of a
reader, and for a journal that cannot go on behind them.
"""

import tempfile
from datetime import UTC
from pathlib import Path
from typing import Final

from fuzz.corpus import SCRATCH
from voiceagent.crm.recording.dead_letters import FILE_NAME as LETTERS
from voiceagent.crm.recording.dead_letters import DeadLetters
from voiceagent.crm.recording.journal import Journal, encode
from voiceagent.crm.recording.live_calls import FILE_NAME as LIVE
from voiceagent.crm.recording.live_calls import LiveCalls
from voiceagent.recordings.waiting import HEARD, WaitingRecordings, complete_part

_GOOD: Final = "a good line"


def kept_files(data: bytes) -> None:
    """`crm/recording/journal.py`, `dead_letters.py`, `live_calls.py`, `recordings/waiting.py`."""
    kind, content = data[:1], data[1:]
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        place = Path(scratch)
        match kind:
            case b"j":
                (place / "0000000001.journal").write_bytes(content)
                _goes_on(place)
            case b"c":
                (place / "checkpoint").write_bytes(content)
                (place / "0000000001.journal").write_bytes(encode("waits"))
                _goes_on(place)
            case b"d":
                (place / LETTERS).write_bytes(content)
                letters = DeadLetters(place)
                assert all(letter.at.tzinfo is not None for letter in letters.read())
                letters.keep_only(lambda letter: letter.reason == "no letter")
                letters.read()
            case b"l":
                (place / LIVE).write_bytes(content)
                left = LiveCalls(place).left()
                assert left is None or all(isinstance(call_sid, str) for call_sid in left[0])
            case _:
                (place / f"CA1{HEARD}").write_bytes(content)
                whole = b"".join(complete_part(place / f"CA1{HEARD}"))
                assert content.startswith(whole)
                for waiting in WaitingRecordings(place).take():
                    waiting.label.at.astimezone(UTC)
                    assert len(waiting.read(0, 4096)) <= len(content)
                    waiting.release()


def _goes_on(place: Path) -> None:
    """What is appended behind it comes out, last."""
    journal = Journal(place)
    try:
        journal.append([_GOOD])
        last = ""
        while entries := journal.read(100):
            last = entries[-1].line
            journal.checkpoint(entries)
        assert last == _GOOD
        assert journal.pending == 0
    finally:
        journal.close()

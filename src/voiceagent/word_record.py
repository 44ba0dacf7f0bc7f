"""The log words of each call, kept until it is over: its record then tells them.

Words flow in as they are logged, one short text a call flows out, and can be read back. It is
bounded in calls and in words, and what it could not keep it tells. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from voiceagent.recent import Recent

KEPT: Final = frozenset(
    {
        *("WS_START", "STT_FINAL", "STT_LATE", "EoU_ms", "TTS_LEN_ms", "MEDIA_TX", "BARGE_IN"),
        *("PNG_PONG_TX", "PNG_PONG_RX", "WS_STOP"),
    }
)
"""All of the contract but STT_PARTIAL, of which there may be dozens a turn."""
LOG_WORDS: Final = "log-words"
"""The event under which they are in the call's record."""
MAX_CALLS: Final = 2_000
MAX_WORDS: Final = 600
"""Of one call: an hour of it has pings enough to fill the rest; the first ones are kept."""

_FIRST: Final = "WS_START"
_DROPPED: Final = "dropped"


@dataclass(frozen=True, slots=True)
class RecordedWord:
    """One log word of a call."""

    name: str
    value: str
    """Empty for a word without one."""
    turn: int | None

    def __str__(self) -> str:
        value = f"={self.value}" if self.value else ""
        return f"{self.name}{value}{'' if self.turn is None else f':{self.turn}'}"


@dataclass(slots=True)
class _Call:
    words: list[RecordedWord] = field(default_factory=list)
    dropped: int = 0


class WordRecord:
    """The words of the calls of one process."""

    def __init__(self) -> None:
        self._calls: Recent[str, _Call] = Recent(MAX_CALLS)

    def heard(self, name: str, value: object, call_sid: str, fields: Mapping[str, object]) -> None:
        """A word is logged. Those of a call count from its WS_START on."""
        if name not in KEPT:
            return
        if name == _FIRST and call_sid not in self._calls:
            # The oldest that may go for it was never asked for: its socket is gone.
            self._calls.put(call_sid, _Call())
        call = self._calls.get(call_sid)
        if call is None:
            return
        if len(call.words) >= MAX_WORDS:
            call.dropped += 1
            return
        turn = fields.get("turn")
        call.words.append(
            RecordedWord(
                name,
                "" if value is None else str(value),
                turn if isinstance(turn, int) else None,
            )
        )

    def take(self, call_sid: str) -> str:
        """The words of a call that is over, as `read_words` reads them; each call once."""
        call = self._calls.pop(call_sid)
        if call is None:
            return ""
        words = [str(word) for word in call.words]
        if call.dropped:
            words.append(f"{_DROPPED}={call.dropped}")
        return " ".join(words)


def read_words(text: str) -> list[RecordedWord]:
    """What `take` gave, in order; what is no word is left out."""
    words = []
    for token in text.split():
        named, _, turn = token.partition(":")
        name, _, value = named.partition("=")
        if name in KEPT:
            words.append(RecordedWord(name, value, int(turn) if turn.isdecimal() else None))
    return words

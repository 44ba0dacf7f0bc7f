"""The log words of one call, read from the service's logfmt lines.

Text flows in, words with their values flow out in the order of the log; and a
judgement whether they come in the order that the contract fixes. It opens no
file.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

TURN_ORDER: Final = ("STT_FINAL", "EoU_ms", "TTS_LEN_ms", "MEDIA_TX")
"""The order within a turn; the greeting has no STT_FINAL and no EoU_ms."""

WORDS: Final = frozenset(
    {
        "WS_START",
        "STT_PARTIAL",
        "STT_FINAL",
        "STT_LATE",
        "EoU_ms",
        "TTS_LEN_ms",
        "MEDIA_TX",
        "BARGE_IN",
        "RESUMED",
        "PNG_PONG_TX",
        "PNG_PONG_RX",
        "WS_STOP",
    }
)

_TOKEN: Final = re.compile(r'(?P<key>[^\s="]+)(?:=(?P<value>"(?:[^"\\]|\\.)*"|\S*))?')


@dataclass(frozen=True, slots=True)
class LogWord:
    """One log word of a call."""

    name: str
    value: str
    """What stands after `=`; empty for a word without a value."""
    turn: int | None


def words_of(lines: Iterable[str], call_sid: str) -> list[LogWord]:
    """The words on the lines that carry this `call_sid`, in order."""
    wanted = f"call_sid={call_sid}"
    found = []
    for line in lines:
        if wanted not in line:
            continue
        tokens = {match["key"]: match["value"] or "" for match in _TOKEN.finditer(line)}
        if tokens.get("call_sid") != call_sid:
            continue
        turn = tokens.get("turn", "")
        number = int(turn) if turn.isdecimal() else None
        found += [LogWord(name, tokens[name], number) for name in tokens if name in WORDS]
    return found


def faults_of_order(words: Sequence[LogWord], turns: Iterable[int]) -> list[str]:
    """What is wrong with the order of the words; nothing when it is as the contract says.

    `turns` are the numbers of the caller's utterances that were answered.
    """
    names = [word.name for word in words]
    faults = []
    if not names or names[0] != "WS_START":
        faults.append("WS_START is not the first word")
    if not names or names[-1] != "WS_STOP":
        faults.append("WS_STOP is not the last word")
    for turn in turns:
        first = {
            name: next(
                (at for at, word in enumerate(words) if word.turn == turn and word.name == name),
                None,
            )
            for name in TURN_ORDER
        }
        missing = [name for name, at in first.items() if at is None]
        places = [at for at in first.values() if at is not None]
        if missing:
            faults.append(f"turn {turn} has no {', '.join(missing)}")
        elif places != sorted(places):
            faults.append(f"turn {turn}: {' → '.join(sorted(first, key=lambda n: first[n] or 0))}")
    return faults

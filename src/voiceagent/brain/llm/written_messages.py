"""An answer that is to be read: a whole message at a time.

A model's text deltas flow in, messages flow out once the answer is over: nobody reads half
a message that still grows. Only a very long answer becomes several. Pure.
"""

import re
from typing import Final

MAX_CHARS: Final = 1500
"""Of one message; the narrowest channel, Twilio's WhatsApp, takes 1600."""
_PARAGRAPH: Final = re.compile(r".*\n\s*\n", re.DOTALL)
_SENTENCE: Final = re.compile(r".*(?:[.!?…׃؟][\"'”’״׳)\]*_]*\s|\n)", re.DOTALL)
_WORD: Final = re.compile(r".*\s", re.DOTALL)
_LEAST_SHARE: Final = 0.4
"""A cut that uses less of a message than this makes way for a finer one."""


class WrittenMessages:
    """Cuts one answer for a reader. Implements `Splitter`."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, delta: str, now_ms: float) -> list[str]:
        del now_ms
        self._text += delta
        return []

    def due_ms(self) -> float | None:
        return None

    def tick(self, now_ms: float) -> list[str]:
        del now_ms
        return []

    def finish(self) -> list[str]:
        messages = []
        rest = self._text.strip()
        while rest:
            at = len(rest) if len(rest) <= MAX_CHARS else _cut(rest[:MAX_CHARS])
            messages.append(rest[:at].rstrip())
            rest = rest[at:].lstrip()
        self._text = ""
        return messages

    def break_off(self) -> list[str]:
        sentences = _SENTENCE.match(self._text + "\n" if self._text[-1:] in ".!?…" else self._text)
        if sentences:
            self._text = sentences.group()
        return self.finish()


def _cut(window: str) -> int:
    for pattern in (_PARAGRAPH, _SENTENCE, _WORD):
        match = pattern.match(window)
        if match and match.end() >= MAX_CHARS * _LEAST_SHARE:
            return match.end()
    return MAX_CHARS

"""A model's thinking aloud, taken out of its answer.

Text deltas flow in, what is meant for the caller flows out: small servers pass on the
`<think>…</think>` with which some models begin. Pure.
"""

from typing import Final

_OPENING: Final = "<think>"
_CLOSING: Final = "</think>"


class ThoughtFilter:
    """Filters one answer."""

    def __init__(self) -> None:
        self._held = ""
        """What may be the beginning of a mark."""
        self._awaits = _OPENING
        self._after_thought = False
        """Blanks behind a thought belong to it."""

    def feed(self, delta: str) -> str:
        """What of the text so far is surely for the caller and was not returned before."""
        if self._after_thought:
            delta = delta.lstrip()
            self._after_thought = not delta
        if not self._awaits:
            return delta
        self._held += delta
        if self._awaits == _OPENING:
            lead = self._held.lstrip()
            if len(lead) < len(_OPENING) and _OPENING.startswith(lead):
                return ""
            if not lead.startswith(_OPENING):
                return self.finish()
            self._awaits, self._held = _CLOSING, lead
        thought, found, rest = self._held.partition(_CLOSING)
        if found:
            self._awaits, self._held, self._after_thought = "", "", True
            return self.feed(rest)
        self._held = thought[-len(_CLOSING) :]
        return ""

    def finish(self) -> str:
        """What was held back, now that no more comes; a thought that never ended is dropped."""
        text, self._held = self._held, ""
        answer, self._awaits = self._awaits != _CLOSING, ""
        return text if answer else ""

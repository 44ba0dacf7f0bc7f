"""Texts that a scenario looks for: plain words, or a regular expression between slashes.

In goes what a scenario's file says and what was said or saved in the call; out comes
whether the one is in the other. Both are compared without case, punctuation and niqqud.
Pure.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator

from voiceagent.call.wording import normalise


@dataclass(frozen=True, slots=True)
class Pattern:
    """Words to be found, as they stand in the file."""

    source: str

    def __post_init__(self) -> None:
        """Raises `ValueError` for an expression that cannot be read, or for no words at all."""
        if self._expression is not None:
            try:
                re.compile(self._expression)
            except re.error as error:
                raise ValueError(f"{self.source} is no regular expression: {error}") from None
        elif not normalise(self.source):
            raise ValueError("holds no words")

    def found_in(self, text: str) -> bool:
        """Whether these words, one after the other, are in that text."""
        plain = normalise(text)
        if self._expression is not None:
            return re.search(self._expression, plain) is not None
        return f" {normalise(self.source)} " in f" {plain} "

    def is_all_of(self, text: str) -> bool:
        """Whether the text is these words and nothing else."""
        plain = normalise(text)
        if self._expression is not None:
            return re.fullmatch(self._expression, plain) is not None
        return normalise(self.source) == plain

    def __str__(self) -> str:
        return self.source

    @property
    def _expression(self) -> str | None:
        """What stands between the slashes."""
        source = self.source
        slashed = len(source) > 2 and source.startswith("/") and source.endswith("/")
        return source[1:-1] if slashed else None


def _read(source: object) -> object:
    return Pattern(source) if isinstance(source, str) else source


PatternText = Annotated[Pattern, BeforeValidator(_read)]
"""A `Pattern` in a data model: a string in the file."""

"""E-mail addresses as they are said: every sign by its name.

The names of the signs and the way to say figures flow in, a rule for a language flows
out. Pure.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from voiceagent.speech.spoken_edits import Edit, Rule

_EMAIL: Final = re.compile(
    r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}"
    r"(?![@A-Za-z0-9-]|\.[A-Za-z0-9@])"
)
_PARTS: Final = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]")


def email_rule(signs: Mapping[str, str], digits: Callable[[str], str]) -> Rule:
    """The rule that says addresses with these names for "@", ".", "-", "_" and "+"."""

    def email(text: str, position: int) -> Edit | None:
        if position and (text[position - 1].isalnum() or text[position - 1] in "._+-@"):
            return None
        match = _EMAIL.match(text, position)
        if not match:
            return None
        parts = _PARTS.findall(match.group())
        said = [signs.get(part) or (digits(part) if part.isdecimal() else part) for part in parts]
        return Edit(position, match.end(), " ".join(said))

    return email

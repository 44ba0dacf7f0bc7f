"""Telephone numbers in a text, and the groups in which a person says them.

A text and an index flow in; the groups of figures and where the number ends flow out.
Knows the Israeli, the North American and the international way of writing. Pure.
"""

import re
from dataclasses import dataclass
from typing import Final

_PHONE: Final = re.compile(
    r"(?:"
    r"\+[0-9](?:[-–. ()]{0,2}[0-9]){6,14}"
    r"|\(?0(?:[23489]|[57][0-9])\)?[-–. ]?[0-9]{3}[-–. ]?[0-9]{4}"
    r"|1[-– ]?[0-9]{3}[-– ][0-9]{3}[-– ]?[0-9]{3,4}"
    r"|(?:\([0-9]{3}\) ?|[0-9]{3}[-–. ])[0-9]{3}[-–. ][0-9]{4}"
    r")(?![0-9]|[-–.,/:][0-9])"
)
_STAR: Final = re.compile(r"\*[0-9]{3,6}(?![0-9*])")
_LONG_CODES: Final = ("972",)


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """`sign` is "+", "*" or empty; `end` is the index behind the number."""

    sign: str
    groups: tuple[str, ...]
    end: int


def may_begin(text: str, position: int) -> bool:
    """Whether `position` is no middle of a longer figure or word."""
    before = text[position - 1] if position else " "
    return not before.isalnum() and before not in ".,/:+*"


def phone_number(text: str, position: int) -> PhoneNumber | None:
    """The telephone number at `position`, where one `may_begin`."""
    star = _STAR.match(text, position)
    if star:
        return PhoneNumber("*", (star.group()[1:],), star.end())
    match = _PHONE.match(text, position)
    if not match:
        return None
    runs = re.findall(r"[0-9]+", match.group())
    sign = "+" if match.group()[0] == "+" else ""
    if sign and len(runs[0]) > 3:
        code = next((code for code in _LONG_CODES if runs[0].startswith(code)), runs[0][:1])
        runs[:1] = [code, runs[0][len(code) :]]
    groups: list[str] = []
    for run in runs:
        groups.extend(_breaths(run))
    return PhoneNumber(sign, tuple(groups), match.end())


def _breaths(run: str) -> list[str]:
    """A run of figures in groups of three and four, with the area code by itself."""
    if len(run) <= 4:
        return [run]
    if len(run) <= 6:
        return [run[:-3], run[-3:]]
    area = run[:-7]
    return [part for part in (area, run[-7:-4], run[-4:]) if part]

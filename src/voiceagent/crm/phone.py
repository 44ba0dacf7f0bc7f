"""Telephone numbers as keys of contacts and as words of a log line.

What Twilio sent as a caller goes in; a number that identifies somebody, or nothing,
comes out. Pure: looks nothing up.
"""

import re

E164 = re.compile(r"\+[1-9][0-9]{6,14}")

# Twilio spells a withheld caller on a phone's keys: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN,
# UNAVAILABLE (Twilio's article "Why am I getting calls from these strange numbers?").
WITHHELD = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})


def identifying_number(number: str) -> str | None:
    """The E.164 number that stands for one caller; None for a withheld or malformed one."""
    number = number.strip()
    if number in WITHHELD or E164.fullmatch(number) is None:
        return None
    return number


def masked(number: str) -> str:
    """A number for a log line: its last two digits at most, e.g. `+*********67`."""
    digits = sum(character.isdigit() for character in number)
    shown = 2 if digits >= 7 else 0
    seen = 0
    characters = []
    for character in number:
        if character.isdigit():
            seen += 1
            characters.append(character if seen > digits - shown else "*")
        else:
            characters.append(character if character == "+" else "*")
    return "".join(characters)

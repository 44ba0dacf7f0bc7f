"""Telephone numbers as keys of contacts.

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

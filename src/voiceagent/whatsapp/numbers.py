"""Numbers as WhatsApp has them.

What somebody typed or a provider sent flows in; E.164 flows out, or nothing. Pure: the
numbering plans come with the `phonenumbers` library.
"""

import re
from typing import Final

import phonenumbers

_MAX_CHARS: Final = 40
_WRITTEN: Final = re.compile(r"\+[0-9 ().\-/]+")
# What pages and telephones put around a number so that it reads from left to right.
_INVISIBLE: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OF_A_CONTACT: Final = re.compile(r"\+[1-9][0-9]{6,14}")
"""Some plans have shorter ones: services that nobody is written to at."""
_WHOLE: Final = phonenumbers.ValidationResult.IS_POSSIBLE


def e164(text: str) -> str | None:
    """The number in E.164; None when it is no whole international number.

    `whatsapp:` before it, spaces, dashes and brackets are forgiven; the country's code is not
    guessed. Whether its range is in use is not asked: plans grow faster than the library.
    """
    text = _INVISIBLE.sub("", text).replace("\xa0", " ")
    text = text.strip().removeprefix("whatsapp:").strip()
    if len(text) > _MAX_CHARS or not _WRITTEN.fullmatch(text):
        return None
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != _WHOLE:
        return None
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return number if _OF_A_CONTACT.fullmatch(number) else None

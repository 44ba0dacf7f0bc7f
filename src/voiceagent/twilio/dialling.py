"""Which numbers may be called: whoever gets hold of an API key must not ring up a fortune.

A number and the countries that are allowed flow in, nothing or a reason flows out. Pure: the
numbering plans come with the `phonenumbers` library.
"""

import re
from collections.abc import Collection
from typing import Final

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberType

_DEAR: Final = {
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
}
_WHOLE: Final = phonenumbers.ValidationResult.IS_POSSIBLE
_ORDINARY: Final = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
_MAX_TYPED: Final = 40
_TYPED: Final = re.compile(r"\+?[0-9 ().\-/\xa0]+")
# What pages and telephones put around a number so that it reads from left to right.
_INVISIBLE: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NOBODY: Final = {
    PhoneNumberType.PAGER: "a pager's number",
    PhoneNumberType.VOICEMAIL: "a mailbox's number",
}


def region_of(number: str) -> str | None:
    """The country of an E.164 number (ISO 3166-1 alpha-2), None when it has none.

    Countries that share a code are told apart: `+1 876` is Jamaica, not the United States.
    """
    parsed = _parsed(number)
    if parsed is None:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:
        # One that is not in use, as those of Twilio's test accounts.
        region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return None if region in {"001", "ZZ"} else region


def as_typed(text: str, region: str | None) -> str | None:
    """What a person typed, in E.164: of this country where no other one is named; None when it is
    no whole number. Whether it may be called is for `why_not` to say."""
    text = _INVISIBLE.sub("", text).strip()
    if len(text) > _MAX_TYPED or not _TYPED.fullmatch(text):
        return None
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != _WHOLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def why_not(number: str, allowed_regions: Collection[str]) -> str | None:
    """Why this number is not to be called, in a few words; None when it may be."""
    parsed = _parsed(number)
    if parsed is None or phonenumbers.is_possible_number_with_reason(parsed) != _WHOLE:
        return "no whole telephone number"
    kind = phonenumbers.number_type(parsed)
    if kind in _DEAR or kind in _NOBODY:
        return _DEAR.get(kind) or _NOBODY[kind]
    # Not asked: whether its range is in use. Plans grow faster than the library, and Twilio refuses
    # what nobody has. Among countries that share a code, though, such a number is of none of them.
    region = phonenumbers.region_code_for_number(parsed)
    if region is None or region not in allowed_regions:
        return f"a number in a country that is not called from here ({region or 'unknown'})"
    if kind == PhoneNumberType.UNKNOWN and not _looks_ordinary(parsed, region):
        return "a number of no known kind"
    return None


def _looks_ordinary(number: phonenumbers.PhoneNumber, region: str) -> bool:
    """May it be somebody's telephone, in a range that the library does not know yet?

    A range of services, which may be dear, tells itself by its length or by the digit that it
    shares with premium-rate numbers and with no telephone.
    """
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return False
    digits = phonenumbers.national_significant_number(number)
    plans = (metadata.mobile, metadata.fixed_line)
    if not any(plan and len(digits) in plan.possible_length for plan in plans):
        return False
    dear = {_first_digit(region, kind) for kind in _DEAR}
    return digits[0] not in dear - {_first_digit(region, kind) for kind in _ORDINARY}


def _first_digit(region: str, kind: int) -> str:
    """Of the library's example; empty when the country has no such numbers."""
    example = phonenumbers.example_number_for_type(region, kind)
    return phonenumbers.national_significant_number(example)[:1] if example else ""


def _parsed(number: str) -> phonenumbers.PhoneNumber | None:
    """The number when it is E.164, written as such."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return parsed if written == number else None

"""What a model may ask of each tool.

In goes JSON that a model wrote; out come frozen records whose every field has a possible
value, in one way of writing it: the same request twice is equal. They do not know what
time it is or what is free. Pure.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from voiceagent.brain.plain_text import lines, one_line

MAX_FIELDS: Final = 10
MAX_FIELD_CHARS: Final = 300
HOME_REGION: Final = "IL"
"""Whose way of writing a telephone number without a country code is understood."""

_LOCAL_TIME: Final = re.compile(
    r"(20[0-9]{2}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(?::[0-9]{2})?"
)
_DAY: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_AMOUNT: Final = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,2})?")
_FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_EMAIL: Final = re.compile(r"[^\s@<>\"(),:;]{1,64}@[^\s@.]{1,63}(?:\.[^\s@.]{1,63}){1,5}")
_PHONE_FIELDS: Final = frozenset({"phone", "telephone", "mobile", "whatsapp"})
_EMAIL_FIELDS: Final = frozenset({"email", "mail"})
_CURRENCIES: Final = {"₪": "ILS", "NIS": "ILS", "$": "USD", "€": "EUR", "£": "GBP"}


class Arguments(BaseModel):
    """What one tool is called with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def identity(self) -> Any:
        """What makes two requests the same one, as data for JSON."""
        return self.model_dump(mode="json")


def _clean(value: object) -> object:
    return one_line(value, 10_000) if isinstance(value, str) else value


def _clean_lines(value: object) -> object:
    return lines(value) if isinstance(value, str) else value


def _local_time(value: object) -> datetime:
    match = _LOCAL_TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a local date and time such as 2026-11-29T10:00, without a zone")
    return datetime.fromisoformat(f"{match[1]}T{match[2]}")


def _day(value: object) -> date:
    if not (isinstance(value, str) and _DAY.fullmatch(value.strip())):
        raise ValueError("must be a date such as 2026-11-29")
    return date.fromisoformat(value.strip())


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("must be a decimal number in a string")  # noqa: TRY004 - for pydantic
    text = str(value).strip()
    if not _AMOUNT.fullmatch(text):
        raise ValueError('must be a decimal number such as "150" or "149.90", without separators')
    amount = Decimal(text).quantize(Decimal("0.01"))
    if not amount:
        raise ValueError("must be more than nothing")
    return amount


def _currency(value: object) -> object:
    if isinstance(value, str):
        code = value.strip().upper()
        return _CURRENCIES.get(code, code)
    return value


def phone_number(text: str) -> str:
    """E.164 of a number as people write it; raises `ValueError`."""
    try:
        number = phonenumbers.parse(text, HOME_REGION)
    except phonenumbers.NumberParseException:
        number = None
    # Valid by the tables of prefixes, or as long as a mobile number: the newest are not in them.
    if number is None or not (
        phonenumbers.is_valid_number(number)
        or phonenumbers.is_possible_number_for_type_with_reason(
            number, phonenumbers.PhoneNumberType.MOBILE
        )
        == phonenumbers.ValidationResult.IS_POSSIBLE
    ):
        raise ValueError("is not a telephone number; ask for it again, digit by digit")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email_address(text: str) -> str:
    """The address without spaces around it; raises `ValueError` for what cannot be one."""
    address = text.strip()
    if not _EMAIL.fullmatch(address):
        raise ValueError("is not an e-mail address; ask for it again, letter by letter")
    return address


def _details(value: object) -> dict[str, str]:
    """Fields with their values written the same way each time; blank ones are left out."""
    if not isinstance(value, Mapping) or not value:
        raise ValueError("must be an object of field names and values")
    if len(value) > MAX_FIELDS:
        raise ValueError(f"has more than {MAX_FIELDS} fields")
    details: dict[str, str] = {}
    for name, raw in sorted(value.items()):
        if not _FIELD_NAME.fullmatch(name):
            raise ValueError(
                f'"{one_line(name, 40)}" is no field name: small letters a-z, digits and _'
            )
        if isinstance(raw, Mapping | list):
            raise ValueError(f"{name} must be a string")  # noqa: TRY004 - for pydantic
        text = one_line("" if raw is None else str(raw), 10_000)
        if len(text) > MAX_FIELD_CHARS:
            raise ValueError(f"{name} is longer than {MAX_FIELD_CHARS} characters")
        if text:
            details[name] = _written(name, text)
    if not details:
        raise ValueError("has no value")
    return details


def _written(name: str, text: str) -> str:
    parts = set(name.split("_"))
    try:
        if parts & _PHONE_FIELDS:
            return phone_number(text)
        if parts & _EMAIL_FIELDS:
            return email_address(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    return text


def _keys(value: str) -> str:
    if not re.fullmatch(r"[0-9*#w]{1,32}", value):
        raise ValueError("may hold 0-9, *, # and w (half a second of silence), 32 at most")
    return value


Line = Annotated[
    str, BeforeValidator(_clean), StringConstraints(min_length=1, max_length=MAX_FIELD_CHARS)
]
LocalTime = Annotated[
    datetime,
    BeforeValidator(_local_time),
    WithJsonSchema({"type": "string", "description": "local, as 2026-11-29T10:00, without a zone"}),
]
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "description": "as 2026-11-29"}),
]


class NoArguments(Arguments):
    """Nothing."""


class Details(Arguments):
    fields: Annotated[
        dict[str, str],
        BeforeValidator(_details),
        WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
    ]


class CallbackRequest(Arguments):
    when: LocalTime
    about: Line


class HoursRequest(Arguments):
    date: Day | None = None


class SlotsRequest(Arguments):
    date: Day


class BookingRequest(Arguments):
    start: LocalTime
    about: Line
    name: Annotated[str, BeforeValidator(_clean), StringConstraints(max_length=100)] = ""

    def identity(self) -> Any:
        """One slot is booked once, however it is described the second time."""
        return {"start": self.start.isoformat()}


class WrittenMessage(Arguments):
    text: Annotated[
        str, BeforeValidator(_clean_lines), StringConstraints(min_length=1, max_length=1000)
    ]


class PaymentRequest(Arguments):
    amount: Annotated[
        Decimal,
        BeforeValidator(_amount),
        WithJsonSchema({"type": "string", "description": 'decimal, as "149.90"'}),
    ]
    currency: Annotated[Literal["ILS", "USD", "EUR", "GBP"], BeforeValidator(_currency)]
    what_for: Annotated[
        str, BeforeValidator(_clean), StringConstraints(min_length=1, max_length=120)
    ]

    @property
    def amount_minor(self) -> int:
        """In hundredths, exactly: all four currencies have them."""
        return int(self.amount * 100)


class TransferRequest(Arguments):
    reason: Line


class Keys(Arguments):
    digits: Annotated[
        str, AfterValidator(_keys), Field(description="0-9, * and #; w waits half a second")
    ]


class LanguageRequest(Arguments):
    language: Annotated[
        str,
        BeforeValidator(_clean),
        StringConstraints(min_length=2, max_length=40),
        Field(description="BCP 47, as en-US"),
    ]

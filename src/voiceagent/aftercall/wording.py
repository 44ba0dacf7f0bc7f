"""The words of summaries, in the agent's language.

Parts of a call flow in, phrases flow out: who, when, how long, why nobody spoke. Hebrew
and English; any other language gets English. Pure.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import phonenumbers

Missed = Literal[
    "never_connected", "away", "busy", "caller_limit", "budget", "silent", "cut_off", "unanswered"
]
"""Why nobody spoke; `away`: the service could not be reached; `unanswered`: an outbound call that
nobody took."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's phrases; `{}` is filled."""

    name: str
    """Of the language, in English."""
    weekdays: tuple[str, ...]
    """From Monday."""
    months: tuple[str, ...]
    moment: str
    """`{weekday}`, `{day}`, `{month}`, `{time}`."""
    length: str
    """`{}`: minutes and seconds, as `2:05`."""
    known: str
    """`{name}`, `{phone}`."""
    unknown: str
    spoke_in: str
    """An inbound call, `{who}`, `{when}`, `{length}`."""
    spoke_out: str
    missed_in: str
    """`{who}`, `{when}`."""
    missed_out: str
    voicemail: str
    """Of a call in which a message was left: `{who}`, `{when}`."""
    voicemail_instead: str
    """The same, of one that the agent did not take since the day's budget was spent."""
    also_left: str
    """Of one in which something was said before."""
    left: str
    """`{}`: the words of the message."""
    why_missed: dict[Missed, str]
    answers: str
    quote: str
    callback: str
    """`{when}`, `{about}`."""
    appointment: str
    """`{}`: when, and what for."""
    cut_off: str
    labels: dict[str, str]
    """Of fields that no question of the agent's file explains."""
    home: str
    """ISO country whose numbers are written as people dial them there."""


_ENGLISH: Final = Wording(
    name="English",
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    months=(
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    moment="on {weekday}, {day} {month}, at {time}",
    length="{} minutes",
    known="{name} ({phone})",
    unknown="an unknown number",
    spoke_in="Call from {who} {when}, {length}.",
    spoke_out="Call to {who} {when}, {length}.",
    missed_in="Missed call from {who} {when}.",
    missed_out="Our call to {who} {when} was not answered.",
    voicemail="Message from {who}, left while the service was away, {when}.",
    voicemail_instead="Message from {who}, left since the day's budget was spent, {when}.",
    also_left="A message was left after that, while the service was away.",
    left="Said in it: “{}”.",
    why_missed={
        "never_connected": "The call never connected.",
        "away": "The service was away, and no message was left.",
        "busy": "All lines were busy.",
        "caller_limit": "This number has called too often.",
        "budget": "The day's budget was spent, and no message was left.",
        "silent": "The line was open, but nothing was said.",
        "cut_off": "The call was cut off before anything was said.",
        "unanswered": "",
    },
    answers="Answers: {}.",
    quote="Said: “{}”.",
    callback="Wants to be called back {when}: {about}.",
    appointment="Booked an appointment {}.",
    cut_off="The call was cut off.",
    labels={},
    home="",
)

_HEBREW: Final = Wording(
    name="Hebrew",
    weekdays=(
        *("ביום שני", "ביום שלישי", "ביום רביעי", "ביום חמישי", "ביום שישי", "בשבת"),
        "ביום ראשון",
    ),
    months=(
        *("בינואר", "בפברואר", "במרץ", "באפריל", "במאי", "ביוני"),
        *("ביולי", "באוגוסט", "בספטמבר", "באוקטובר", "בנובמבר", "בדצמבר"),
    ),
    moment="{weekday}, {day} {month}, בשעה {time}",
    length="באורך {} דקות",
    known="{name} ({phone})",
    unknown="מספר לא מזוהה",
    # Behind a colon a name needs no prefix: one would grow together with it.
    spoke_in="שיחה נכנסת: {who}, {when}, {length}.",
    spoke_out="שיחה יוצאת: {who}, {when}, {length}.",
    missed_in="שיחה שהוחמצה: {who}, {when}.",
    missed_out="התקשרנו ולא נענינו: {who}, {when}.",
    voicemail="הודעה שהושארה כשהשירות לא היה זמין: {who}, {when}.",
    voicemail_instead="הודעה שהושארה כי תקציב היום נוצל: {who}, {when}.",
    also_left="אחר כך הושארה הודעה, כשהשירות לא היה זמין.",
    left="נאמר בהודעה: ״{}״.",
    why_missed={
        "never_connected": "השיחה לא חוברה.",
        "away": "השירות לא היה זמין, ולא הושארה הודעה.",
        "busy": "כל הקווים היו תפוסים.",
        "caller_limit": "המספר הזה התקשר יותר מדי פעמים.",
        "budget": "תקציב היום נוצל, ולא הושארה הודעה.",
        "silent": "הקו היה פתוח, אבל לא נאמר דבר.",
        "cut_off": "השיחה נותקה לפני שנאמר בה דבר.",
        "unanswered": "",
    },
    answers="התשובות: {}.",
    quote="נאמר בשיחה: ״{}״.",
    callback="מבוקשת שיחה חוזרת {when}: {about}.",
    appointment="נקבעה פגישה {}.",
    cut_off="השיחה נותקה באמצע.",
    labels={
        "address": "כתובת",
        "company": "חברה",
        "email": "דוא״ל",
        "message": "הודעה",
        "notes": "הערות",
        "phone": "טלפון",
    },
    home="IL",
)


def wording_of(language: str) -> Wording:
    """The phrases for a BCP 47 tag."""
    return _HEBREW if language.partition("-")[0].lower() in {"he", "iw"} else _ENGLISH


def who(words: Wording, name: str, phone: str) -> str:
    """The other side. `phone`: E.164; either may be empty."""
    number = _written(phone, words.home) if phone else ""
    if name and number:
        return words.known.format(name=name, phone=number)
    return name or number or words.unknown


def when(words: Wording, at: datetime) -> str:
    """The moment in `at`'s own zone."""
    return words.moment.format(
        weekday=words.weekdays[at.weekday()],
        day=at.day,
        month=words.months[at.month - 1],
        time=f"{at:%H:%M}",
    )


def length(words: Wording, lasted: timedelta) -> str:
    """How long it was."""
    minutes, seconds = divmod(max(0, round(lasted.total_seconds())), 60)
    return words.length.format(f"{minutes}:{seconds:02d}")


def _written(phone: str, home: str) -> str:
    """An E.164 number as people write it."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return phone
    if home and phonenumbers.region_code_for_country_code(number.country_code or 0) == home:
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    # In a line from right to left the plus sign would move to the number's end.
    return f"\u200e{written}" if home else written

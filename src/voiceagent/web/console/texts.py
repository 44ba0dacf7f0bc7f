"""Every word of the pages' frame, in Hebrew and in English; each page's own are beside it.

A language flows in, words flow out. A word that is missing in one of the two is a fault of
types, not of the reader's day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voiceagent.web.console.inbox_texts import INBOX_EN, INBOX_HE, InboxTexts
from voiceagent.web.console.pairing_texts import PAIRING_EN, PAIRING_HE, PairingTexts
from voiceagent.web.reader_language import Language

DIRECTIONS: Final[Mapping[Language, str]] = {"he": "rtl", "en": "ltr"}


@dataclass(frozen=True, slots=True)
class ProblemTexts:
    """What went wrong, and what can be done."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class SignInTexts:
    """Of the page before all others."""

    title: str
    lead: str
    key: str
    hint: str
    enter: str
    wrong: str
    wait: str
    """With `{seconds}`."""
    signed_out: str


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one language."""

    console: str
    skip: str
    menu: str
    inbox_name: str
    live_name: str
    calls_name: str
    phone_name: str
    pairing_name: str
    numbers_name: str
    setup_name: str
    language: str
    hebrew: str
    english: str
    sign_out: str
    back: str
    try_again: str
    done: str
    working: str
    offline: str
    sign_in: SignInTexts
    inbox: InboxTexts
    pairing: PairingTexts
    problem: ProblemTexts
    problems: Mapping[int, ProblemTexts]
    """By HTTP status."""


_HE: Final = Texts(
    console="ניהול",
    skip="לתוכן העמוד",
    menu="תפריט",
    inbox_name="שיחות",
    live_name="עכשיו",
    calls_name="יומן",
    phone_name="טלפון",
    pairing_name="וואטסאפ",
    numbers_name="מספרים",
    setup_name="הגדרות",
    language="שפה",
    hebrew="עברית",
    english="English",
    sign_out="יציאה",
    back="חזרה",
    try_again="לנסות שוב",
    done="נשמר",
    working="רגע…",
    offline="אין חיבור לשירות. העמוד יתעדכן כשהחיבור יחזור.",
    sign_in=SignInTexts(
        title="כניסה",
        lead="שיחות הטלפון וההודעות של העסק, במקום אחד.",
        key="מפתח גישה",
        hint="המפתח נמצא בהגדרה API_KEY, או בקובץ api_key בתיקיית הנתונים של השירות.",
        enter="כניסה",
        wrong="המפתח אינו נכון.",
        wait="יותר מדי ניסיונות. אפשר לנסות שוב בעוד {seconds} שניות.",
        signed_out="יצאת מהמערכת.",
    ),
    inbox=INBOX_HE,
    pairing=PAIRING_HE,
    problem=ProblemTexts("משהו השתבש", "הפעולה לא הושלמה. אפשר לנסות שוב."),
    problems={
        403: ProblemTexts("הדף התיישן", "הטופס שנשלח כבר אינו בתוקף. פתחו את הדף מחדש ונסו שוב."),
        404: ProblemTexts("הדף לא נמצא", "אולי נמחק, ואולי הקישור שגוי."),
        409: ProblemTexts("אי אפשר כרגע", "המצב השתנה בינתיים. פתחו את הדף מחדש."),
        413: ProblemTexts("ארוך מדי", "הטקסט ארוך מכדי להתקבל."),
        503: ProblemTexts(
            "אין גישה למסד הנתונים",
            "השירות ממשיך לענות לשיחות, ושום דבר לא הולך לאיבוד. נסו שוב בעוד רגע.",
        ),
    },
)

_EN: Final = Texts(
    console="Console",
    skip="Skip to the page",
    menu="Menu",
    inbox_name="Inbox",
    live_name="Now",
    calls_name="Calls",
    phone_name="Phone",
    pairing_name="WhatsApp",
    numbers_name="Numbers",
    setup_name="Set-up",
    language="Language",
    hebrew="עברית",
    english="English",
    sign_out="Sign out",
    back="Back",
    try_again="Try again",
    done="Saved",
    working="One moment…",
    offline="The service cannot be reached. The page will catch up when it is back.",
    sign_in=SignInTexts(
        title="Sign in",
        lead="The business's calls and messages, in one place.",
        key="Access key",
        hint="What API_KEY is set to, or what stands in the file api_key of the data folder.",
        enter="Sign in",
        wrong="That is not the key.",
        wait="Too many attempts. Try again in {seconds} seconds.",
        signed_out="You have signed out.",
    ),
    inbox=INBOX_EN,
    pairing=PAIRING_EN,
    problem=ProblemTexts("Something went wrong", "It was not done. You can try again."),
    problems={
        403: ProblemTexts(
            "The page is out of date",
            "The form that was sent is not valid any more. Open the page again and repeat it.",
        ),
        404: ProblemTexts(
            "There is no such page", "It may have been deleted, or the link is wrong."
        ),
        409: ProblemTexts(
            "Not possible now", "Things have changed meanwhile. Open the page again."
        ),
        413: ProblemTexts("Too long", "The text is too long to be taken."),
        503: ProblemTexts(
            "The database is away",
            "Calls are still answered and nothing is lost. Try again in a moment.",
        ),
    },
)

TEXTS: Final[Mapping[Language, Texts]] = {"he": _HE, "en": _EN}

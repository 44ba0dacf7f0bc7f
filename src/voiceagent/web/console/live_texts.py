"""The words of the page of the calls that go on now, in Hebrew and in English."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class LiveTexts:
    """Of one language."""

    title: str
    lead: str
    counts: tuple[str, str, str]
    """None, one, and more of them with `{count}`."""
    none: str
    none_hint: str
    refresh: str
    since: str
    """With `{time}`."""
    process: str
    process_hint: str
    doing: Mapping[str, str]
    """By what goes on (`call/glimpse.py`)."""
    caller: str
    agent: str
    keyed: str
    unheard: str
    all_unheard: str
    not_understood: str
    hearing: str
    not_yet: str
    earlier: str
    whole: str
    to_thread: str
    end: str
    end_hint: str
    end_now: str
    transfer: str
    transfer_own: str
    """With `{number}`."""
    transfer_to: str
    transfer_number: str
    transfer_hint: str
    no_telephone: str
    database: str
    news: Mapping[str, tuple[str, str]]
    """By what came of a button: how good it is, and the sentence."""


LIVE_HE: Final = LiveTexts(
    title="עכשיו על הקו",
    lead="השיחות שמתנהלות ברגע זה, מילה במילה. אפשר לסיים שיחה או להעביר אותה לאדם.",
    counts=("אין שיחות כרגע", "שיחה אחת עכשיו", "{count} שיחות עכשיו"),
    none="אין שיחות כרגע",
    none_hint="שיחה שתתחיל תופיע כאן מעצמה. אפשר גם להתקשר לסוכן מהדפדפן.",
    refresh="להציג את המצב עכשיו",
    since="מאז {time}",
    process="תהליך",
    process_hint="התהליך של השירות שמחזיק את השיחה",
    doing={
        "listening": "מקשיב",
        "hearing": "המתקשר מדבר",
        "thinking": "חושב",
        "speaking": "הסוכן מדבר",
        "transferring": "מעביר לאדם",
        "leaving": "נפרד לשלום",
    },
    caller="המתקשר",
    agent="הסוכן",
    keyed="בהקשה",
    unheard="לא נשמע:",
    all_unheard="לא נשמע כלל:",
    not_understood="נאמר משהו שלא הובן",
    hearing="נאמר עכשיו",
    not_yet="עוד לא נאמר דבר.",
    earlier="חלק קודם של השיחה נמצא בעמוד שלה.",
    whole="לעמוד השיחה",
    to_thread="לכל מה שהיה עם האדם",
    end="סיום השיחה",
    end_hint="הסוכן ייפרד לשלום וינתק.",
    end_now="להיפרד ולנתק",
    transfer="העברה לאדם",
    transfer_own="להעביר אל {number}",
    transfer_to="להעביר למספר הזה",
    transfer_number="מספר אחר",
    transfer_hint="מספר רגיל באותה מדינה. הסוכן יאמר למתקשר שמעבירים אותו.",
    no_telephone="העברה לאדם אפשרית כשחשבון Twilio מוגדר.",
    database="אין גישה למסד הנתונים: מוצגות רק השיחות של תהליך זה, בלי שמות ומספרים.",
    news={
        "hang_up": ("good", "הסוכן נפרד מהמתקשר, והשיחה תסתיים."),
        "put_through": ("good", "הסוכן אומר למתקשר שמעבירים אותו, והשיחה תועבר."),
        "already": ("warn", "זה כבר קורה: השיחה מסתיימת או מועברת."),
        "gone": ("warn", "השיחה כבר הסתיימה. לא היה צורך לעשות דבר."),
        "unclear": ("warn", "לא הגיעה תשובה מהתהליך שמחזיק את השיחה. בדקו כאן אם היא נמשכת."),
        "no_number": ("bad", "זה אינו מספר טלפון שלם. בדקו אותו ונסו שוב."),
        "not_allowed": (
            "bad",
            "למספר הזה לא מעבירים: רק למספרים רגילים במדינה של העסק, כדי שאיש לא יוכל לנצל את הקו.",
        ),
        "too_many": ("bad", "הועברו כבר שיחות רבות בשעה האחרונה. נסו שוב מאוחר יותר."),
        "no_telephone": ("bad", "אי אפשר להעביר: חשבון Twilio או המספר של הסוכן אינם מוגדרים."),
    },
)

LIVE_EN: Final = LiveTexts(
    title="On the line now",
    lead="The calls of this moment, word by word. End one, or have it put through to a person.",
    counts=("No calls now", "One call now", "{count} calls now"),
    none="No calls now",
    none_hint="A call that begins appears here by itself. You can also call the agent from here.",
    refresh="Show how it is now",
    since="Since {time}",
    process="Process",
    process_hint="The service's process that holds the call",
    doing={
        "listening": "Listening",
        "hearing": "The caller speaks",
        "thinking": "Thinking",
        "speaking": "The agent speaks",
        "transferring": "Putting through to a person",
        "leaving": "Saying goodbye",
    },
    caller="Caller",
    agent="Agent",
    keyed="by keys",
    unheard="Not heard:",
    all_unheard="Never heard:",
    not_understood="Something that was not understood",
    hearing="Being said now",
    not_yet="Nothing has been said yet.",
    earlier="What was said before stands on the call's own page.",
    whole="The call's page",
    to_thread="Everything with this person",
    end="End the call",
    end_hint="The agent says goodbye, then hangs up.",
    end_now="Say goodbye and hang up",
    transfer="Put through to a person",
    transfer_own="Put through to {number}",
    transfer_to="Put through to this number",
    transfer_number="Another number",
    transfer_hint="An ordinary number in the same country. The agent tells the caller first.",
    no_telephone="Calls can be put through once Twilio's account is set.",
    database=(
        "The database is away: only the calls of this process are shown, without names and numbers."
    ),
    news={
        "hang_up": ("good", "The agent is saying goodbye, and the call will end."),
        "put_through": ("good", "The agent is telling the caller, who will be put through then."),
        "already": ("warn", "That is happening already: the call is ending or being put through."),
        "gone": ("warn", "The call had just ended. There was nothing left to do."),
        "unclear": (
            "warn",
            "The process that holds the call has not answered. See here whether the call goes on.",
        ),
        "no_number": ("bad", "That is no whole telephone number. Check it and try again."),
        "not_allowed": (
            "bad",
            "Only ordinary numbers in the business's own country are put through to.",
        ),
        "too_many": ("bad", "Many calls were put through in the last hour. Try again later."),
        "no_telephone": (
            "bad",
            "Nobody can be put through: Twilio's account or the agent's number is not set.",
        ),
    },
)

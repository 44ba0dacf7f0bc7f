"""The words of the list of calls, in Hebrew and in English."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class CallsTexts:
    """Of one language."""

    title: str
    lead: str
    who: str
    who_hint: str
    day: str
    outcome: str
    any_outcome: str
    outcomes: Mapping[str, str]
    show: str
    clear: str
    none: str
    none_hint: str
    none_found: str
    none_found_hint: str
    more: str
    newest: str
    length: str
    trial: str
    is_recorded: str
    ended: Mapping[str, str]
    """By the reason for which a call ended."""


CALLS_HE: Final = CallsTexts(
    title="יומן שיחות",
    lead="כל שיחות הטלפון: מי, מתי, כמה זמן ואיך הסתיימה. בדף של כל שיחה נמצא כל מה שנאמר בה.",
    who="שם או מספר",
    who_hint="שם או חלק ממספר",
    day="יום",
    outcome="איך הסתיימה",
    any_outcome="הכול",
    outcomes={
        "live": "על הקו עכשיו",
        "talked": "דיברו עם הסוכן",
        "transferred": "הועברו לאדם",
        "missed": "לא נענו",
        "broken": "נקטעו בתקלה",
    },
    show="הצגה",
    clear="ניקוי הסינון",
    none="עדיין אין שיחות טלפון",
    none_hint="שיחה שתיכנס תופיע כאן מעצמה. אפשר גם להתקשר לסוכן מהדפדפן, בעמוד הטלפון.",
    none_found="לא נמצאו שיחות כאלה",
    none_found_hint="נסו יום אחר, חלק קצר יותר של המספר או סיום אחר.",
    more="שיחות מוקדמות יותר",
    newest="לשיחות האחרונות",
    length="משך",
    trial="שיחת ניסיון",
    is_recorded="הוקלטה",
    ended={
        "agent_hangup": "הסוכן סיים את השיחה",
        "caller_hangup": "המתקשר ניתק",
        "idle": "הסתיימה כי המתקשר שתק",
        "transferred": "הועברה לאדם",
        "staff_hangup": "הסתיימה על ידי אדם מהעסק",
        "time_limit": "הסתיימה כי ארכה ככל שמותר לשיחה",
        "drain": "הסתיימה כי השירות נעצר",
        "busy": "לא נענתה: כל הקווים היו תפוסים",
        "caller_limit": "לא נענתה: המספר הזה התקשר יותר מדי פעמים",
        "budget": "לא נענתה על ידי הסוכן: תקציב היום נוצל",
        "never_connected": "צלצלה, אבל הקול לא התחבר",
        "service_away": "השירות לא היה זמין",
        "line_busy": "הקו היה תפוס",
        "no_answer": "לא ענו",
        "not_connected": "לא היה אפשר להתחבר",
        "socket_lost": "החיבור נפל",
        "send_timeout": "החיבור נתקע",
        "error": "תקלה בשירות",
        "process_lost": "השירות נפל באמצע השיחה",
    },
)

CALLS_EN: Final = CallsTexts(
    title="Calls",
    lead="Every telephone call: who, when, how long and how it ended. A call's own page has all"
    " that was said.",
    who="Name or number",
    who_hint="A name or part of a number",
    day="Day",
    outcome="How it ended",
    any_outcome="Any way",
    outcomes={
        "live": "On the line now",
        "talked": "Talked with the agent",
        "transferred": "Connected to a person",
        "missed": "Not answered",
        "broken": "Broken off by a fault",
    },
    show="Show",
    clear="Clear the filter",
    none="No calls yet",
    none_hint="A call that comes in appears here by itself. You can also call the agent from the"
    " browser, on the phone page.",
    none_found="No such calls",
    none_found_hint="Try another day, a shorter part of the number or another ending.",
    more="Earlier calls",
    newest="To the newest calls",
    length="Length",
    trial="Trial call",
    is_recorded="Recorded",
    ended={
        "agent_hangup": "The agent ended the call",
        "caller_hangup": "The caller hung up",
        "idle": "Ended because the caller was silent",
        "transferred": "Connected to a person",
        "staff_hangup": "Somebody of the business ended the call",
        "time_limit": "Ended because it had lasted as long as a call may",
        "drain": "Ended because the service was stopping",
        "busy": "Not taken: all lines were busy",
        "caller_limit": "Not taken: this number has called too often",
        "budget": "Not taken by the agent: the day's budget was spent",
        "never_connected": "It rang, but the sound never connected",
        "service_away": "The service was away",
        "line_busy": "The line was busy",
        "no_answer": "Nobody answered",
        "not_connected": "It could not be connected",
        "socket_lost": "The connection was lost",
        "send_timeout": "The connection stalled",
        "error": "A fault of the service",
        "process_lost": "The service was killed during the call",
    },
)

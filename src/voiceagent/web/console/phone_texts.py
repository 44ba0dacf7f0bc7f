"""The words of the browser's phone, in Hebrew and in English.

What the page's script says while a call goes on is under `script`, and goes to the page as JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PhoneTexts:
    """Of one language."""

    title: str
    lead: str
    trial: str
    """With `{version}`."""
    trial_of_file: str
    trial_back: str
    needs_script: str
    handset: str
    call: str
    listen: str
    """Without a microphone."""
    mute: str
    hang_up: str
    caller_level: str
    agent_level: str
    duration: str
    keys: str
    keys_hint: str
    conversation: str
    empty: str
    understood: str
    """Before what the recogniser of this machine understands."""
    script: Mapping[str, str]


PHONE_HE: Final = PhoneTexts(
    title="טלפון בדפדפן",
    lead=(
        "דברו עם הסוכן מכאן, כמו מתקשרים שלכם. השיחה נרשמת כשיחת ניסיון ואיש אינו מקבל עליה הודעה."
    ),
    trial="זה ניסיון של גרסה {version}: רק שיחות מהעמוד הזה נענות בה.",
    trial_of_file="זה ניסיון של התסריט שבקובץ: רק שיחות מהעמוד הזה נענות בו.",
    trial_back="חזרה אליה",
    needs_script="כדי לדבר מכאן צריך דפדפן שמריץ JavaScript.",
    handset="השפופרת",
    call="התקשרות",
    listen="התקשרות בלי מיקרופון",
    mute="השתקה",
    hang_up="ניתוק",
    caller_level="אתם",
    agent_level="הסוכן",
    duration="משך השיחה",
    keys="מקשים",
    keys_hint="כשהמקשים בפוקוס אפשר גם להקיש את הספרות במקלדת.",
    conversation="השיחה",
    empty="מה שייאמר יופיע כאן, ולצדו כמה זמן לקחה כל תשובה.",
    understood="הזיהוי המקומי מבין רק תשובות צפויות באנגלית, למשל:",
    script={
        "idle": "הקו פנוי",
        "asking": "הדפדפן מבקש רשות להשתמש במיקרופון…",
        "connecting": "מתקשרים…",
        "live": "על הקו",
        "muted": "על הקו, מושתקים",
        "ended_caller": "ניתקתם",
        "ended_agent": "הסוכן סיים את השיחה",
        "ended_lost": "הקו נפל",
        "refused": (
            "הדפדפן אינו מרשה להשתמש במיקרופון. אפשר לשנות זאת בסמל שליד הכתובת ולנסות שוב, או "
            "להתקשר בלי מיקרופון."
        ),
        "missing": "לא נמצא מיקרופון. חברו מיקרופון ונסו שוב, או התקשרו בלי מיקרופון.",
        "taken": (
            "אי אפשר לפתוח את המיקרופון; ייתכן שתוכנה אחרת משתמשת בו. סגרו אותה ונסו שוב, או "
            "התקשרו בלי מיקרופון."
        ),
        "insecure": (
            "דפדפנים נותנים מיקרופון רק לדפים מאובטחים. פתחו את הדף בכתובת https או מהמחשב שבו "
            "השירות רץ (localhost), או התקשרו בלי מיקרופון."
        ),
        "busy": (
            "השירות אינו לוקח שיחה כרגע: כל הקווים תפוסים, או שהוא רק עולה או נסגר. נסו שוב בעוד "
            "רגע."
        ),
        "signed_out": "הכניסה פגה. פתחו את הדף מחדש והיכנסו שוב.",
        "unreachable": "אי אפשר להגיע לשירות. בדקו שהוא פועל ונסו שוב.",
        "failed": "השיחה לא הצליחה בדפדפן הזה. נסו שוב, או נסו דפדפן אחר.",
        "microphone_lost": "המיקרופון נותק. הסוכן שומע שקט.",
        "caller": "אתם",
        "agent": "הסוכן",
        "keyed": "הוקש",
        "speaking": "מדבר",
        "interrupted": "נקטע",
        "abandoned": "לא נאמר עד הסוף",
        "unheard": "לא נשמע:",
        "response": "ענה תוך {ms} מ״ש",
        "waited": "שקט של {ms} מ״ש עד סוף הדברים",
        "way_wait": "המתנה",
        "way_think": "מחשבה",
        "way_voice": "קול",
        "way_send": "שליחה",
        "way_part": "{name} {ms}",
        "summary": "{count} תשובות · חציון {median} מ״ש · הארוכה {longest} מ״ש",
        "summary_one": "תשובה אחת · {median} מ״ש",
        "no_turns": "התמליל אינו מגיע כרגע.",
    },
)

PHONE_EN: Final = PhoneTexts(
    title="Phone in the browser",
    lead=(
        "Talk to the agent from here, as your callers do. It is kept as a trial call, and nobody "
        "is told of it."
    ),
    trial="You are trying version {version}: it answers the calls of this page only.",
    trial_of_file="You are trying the file's script: it answers the calls of this page only.",
    trial_back="Back to it",
    needs_script="Talking from here needs a browser that runs JavaScript.",
    handset="Handset",
    call="Call",
    listen="Call without a microphone",
    mute="Mute",
    hang_up="Hang up",
    caller_level="You",
    agent_level="Agent",
    duration="Length of the call",
    keys="Keypad",
    keys_hint="While a key has the focus, digits can be typed as well.",
    conversation="Conversation",
    empty="What is said appears here, and beside it how long each answer took.",
    understood="The local recogniser understands only answers it expects, such as:",
    script={
        "idle": "Ready to call",
        "asking": "The browser asks whether the microphone may be used…",
        "connecting": "Calling…",
        "live": "On the line",
        "muted": "On the line, muted",
        "ended_caller": "You have hung up",
        "ended_agent": "The agent has ended the call",
        "ended_lost": "The line was lost",
        "refused": (
            "The browser does not allow the microphone. Change that by the sign beside the address "
            "and try again, or call without a microphone."
        ),
        "missing": (
            "No microphone was found. Connect one and try again, or call without a microphone."
        ),
        "taken": (
            "The microphone cannot be opened; another program may be using it. Close that and try "
            "again, or call without a microphone."
        ),
        "insecure": (
            "Browsers give a microphone to secure pages only. Open this page by https or on the "
            "machine that runs the service (localhost), or call without a microphone."
        ),
        "busy": (
            "The service takes no call now: all lines are busy, or it is just starting or "
            "stopping. Try again in a moment."
        ),
        "signed_out": "You are not signed in any more. Open the page again and sign in.",
        "unreachable": "The service cannot be reached. See that it runs and try again.",
        "failed": "The call did not work in this browser. Try again, or try another browser.",
        "microphone_lost": "The microphone is gone. The agent hears silence.",
        "caller": "You",
        "agent": "Agent",
        "keyed": "keys",
        "speaking": "speaking",
        "interrupted": "interrupted",
        "abandoned": "not said to the end",
        "unheard": "Not heard:",
        "response": "answered in {ms} ms",
        "waited": "{ms} ms of silence ended it",
        "way_wait": "waiting",
        "way_think": "thinking",
        "way_voice": "voice",
        "way_send": "sending",
        "way_part": "{name} {ms}",
        "summary": "{count} answers · median {median} ms · longest {longest} ms",
        "summary_one": "One answer · {median} ms",
        "no_turns": "The transcript does not come just now.",
    },
)

"""Every word of the set-up page, in Hebrew and in English.

A language flows in, words flow out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class GroupTexts:
    """What a business wants, and what it is good for."""

    title: str
    lead: str


@dataclass(frozen=True, slots=True)
class SetupTexts:
    """The words of one language."""

    title: str
    lead: str
    script: str
    script_lead: str
    answers_now: str
    of_file: str
    """With `{file}`."""
    of_version: str
    """With `{version}`."""
    why_file: str
    why_given_back: str
    why_version: str
    """With `{when}`."""
    file_unused: str
    """With `{file}`."""
    file_changed: str
    """With `{file}`."""
    damaged: str
    """With `{version}` and `{file}`."""
    records_away: str
    edit: str
    see: str
    use_file: str
    versions: str
    no_versions: str
    version: str
    """With `{version}`."""
    live: str
    by: str
    configuration: str
    configuration_lead: str
    check: str
    check_lead: str
    checked: str
    not_checked: str
    line_to_add: str
    read_more: str
    variables: str
    is_set: str
    not_set: str
    levels: Mapping[str, str]
    groups: Mapping[str, GroupTexts]
    said: Mapping[tuple[str, str], str]
    """By area and level, where the finding's own sentence is in another language or leaves out what
    a terminal shows beside it."""


SETUP_EN: Final = SetupTexts(
    title="Set-up",
    lead="What your telephone says, and what it has to work with.",
    script="What the agent says",
    script_lead="The greeting, the questions and what the agent knows. Try a change on the"
    " browser's phone before callers hear it.",
    answers_now="Answers now",
    of_file="the file {file}",
    of_version="version {version}",
    why_file="Nothing was made live here yet, so the file answers.",
    why_given_back="Somebody gave the floor back to the file on {when}.",
    why_version="It was made live here on {when}.",
    file_unused="{file} is not used while a version from here is live.",
    file_changed="{file} is not what it was when this version was made live. What was changed"
    " there is not said.",
    damaged="Version {version} was made live but cannot be used, so {file} answers. Edit it, or"
    " make another one live.",
    records_away="The versions cannot be read now, since the database is away. Calls go on being"
    " answered.",
    edit="Edit the script",
    see="See it",
    use_file="Let the file answer",
    versions="Versions",
    no_versions="None yet. Each change that you keep is one.",
    version="Version {version}",
    live="live",
    by="by {name}",
    configuration="What it has to work with",
    configuration_lead="From the settings that the service was started with. A line is added to"
    " the environment, then the service is restarted: by export before script/serve, in"
    " deploy/voiceagent.env for Compose, or in your host's settings. Secrets are never shown.",
    check="Check now",
    check_lead="Asks each part whether it really works. Takes up to fifteen seconds; calls go on.",
    checked="Just checked",
    not_checked="The check could not be finished. Try again in a minute.",
    line_to_add="What to do",
    read_more="Read more",
    variables="Settings",
    is_set="set",
    not_set="not set",
    levels={"ok": "In order", "note": "Not set up", "warning": "Look at it", "broken": "Broken"},
    groups={
        "calls": GroupTexts("Answer calls", "A telephone number whose calls come here."),
        "speech": GroupTexts("Hear and speak", "Understanding callers, and a voice."),
        "thinking": GroupTexts("Think", "Free conversation instead of fixed questions."),
        "whatsapp": GroupTexts("WhatsApp", "Messages in and out, answered by the agent."),
        "payments": GroupTexts("Payments", "Payment links that callers get."),
        "notices": GroupTexts("Tell you", "Word of each call, on your WhatsApp or to a program."),
        "storage": GroupTexts("Keep", "Where calls, people and messages are kept."),
        "service": GroupTexts("The service", "Its own settings."),
    },
    said={
        ("paypal", "note"): "No payments by PayPal.",
        ("paypal", "ok"): "Payment links by PayPal can be made.",
        ("tranzila", "note"): "No payments by Tranzila.",
        ("tranzila", "ok"): "Payment links by Tranzila can be made.",
    },
)

SETUP_HE: Final = SetupTexts(
    title="הגדרות",
    lead="מה הטלפון אומר, ועם מה הוא עובד.",
    script="מה הסוכן אומר",
    script_lead="הפתיח, השאלות ומה שהסוכן יודע. אפשר לנסות כל שינוי בטלפון שבדפדפן לפני"
    " שמתקשרים שומעים אותו.",
    answers_now="עונה עכשיו",
    of_file="הקובץ {file}",
    of_version="גרסה {version}",
    why_file="עוד לא הופעלה גרסה מכאן, ולכן הקובץ עונה.",
    why_given_back="ב־{when} הוחזר המענה לקובץ.",
    why_version="הופעלה מכאן ב־{when}.",
    file_unused="{file} אינו בשימוש כל עוד גרסה מכאן פעילה.",
    file_changed="{file} השתנה מאז שהגרסה הופעלה. מה ששונה שם אינו נאמר.",
    damaged="גרסה {version} הופעלה אך אי אפשר להשתמש בה, ולכן {file} עונה. אפשר לערוך אותה או"
    " להפעיל גרסה אחרת.",
    records_away="אי אפשר לקרוא את הגרסאות כרגע, כי אין גישה למסד הנתונים. השיחות ממשיכות להיענות.",
    edit="עריכת התסריט",
    see="לצפייה",
    use_file="שהקובץ יענה",
    versions="גרסאות",
    no_versions="עדיין אין. כל שינוי שנשמר הוא גרסה.",
    version="גרסה {version}",
    live="פעילה",
    by="מאת {name}",
    configuration="עם מה השירות עובד",
    configuration_lead="לפי ההגדרות שאיתן השירות הופעל. מוסיפים שורה לסביבה ומפעילים את"
    " השירות מחדש: בפקודת export לפני script/serve, בקובץ deploy/voiceagent.env (Compose) או"
    " בהגדרות של השרת. סודות לעולם אינם מוצגים.",
    check="לבדוק עכשיו",
    check_lead="שואל כל חלק אם הוא באמת עובד. עד חמש עשרה שניות; השיחות נמשכות.",
    checked="נבדק כרגע",
    not_checked="הבדיקה לא הושלמה. אפשר לנסות שוב בעוד דקה.",
    line_to_add="מה לעשות",
    read_more="עוד על זה",
    variables="הגדרות",
    is_set="מוגדר",
    not_set="לא מוגדר",
    levels={"ok": "תקין", "note": "לא הוגדר", "warning": "כדאי לבדוק", "broken": "לא עובד"},
    groups={
        "calls": GroupTexts("מענה לשיחות", "מספר טלפון ששיחותיו מגיעות לכאן."),
        "speech": GroupTexts("שמיעה ודיבור", "הבנת המתקשרים, וקול."),
        "thinking": GroupTexts("חשיבה", "שיחה חופשית במקום שאלות קבועות."),
        "whatsapp": GroupTexts("וואטסאפ", "הודעות נכנסות ויוצאות, בתשובת הסוכן."),
        "payments": GroupTexts("תשלומים", "קישורי תשלום למתקשרים."),
        "notices": GroupTexts("עדכונים אליך", "הודעה על כל שיחה, לוואטסאפ שלך או לתוכנה."),
        "storage": GroupTexts("שמירה", "איפה נשמרים שיחות, אנשים והודעות."),
        "service": GroupTexts("השירות", "ההגדרות שלו עצמו."),
    },
    said={
        ("settings", "ok"): "כל ההגדרות נקראות.",
        ("signatures", "ok"): "מה שלא נחתם בידי Twilio נדחה.",
        ("signatures", "warning"): "פניות מתקבלות מכל אחד, כי אין במה לאמת חתימות.",
        ("twilio account", "note"): "שיחות נענות, אך אי אפשר להוציא שיחה, להעביר לאדם או לבדוק"
        " את המספר.",
        ("public address", "note"): "הכתובת ש־Twilio פונה אליה נלקחת מכל פנייה.",
        ("public address", "warning"): "הכתובת ש־Twilio פונה אליה נלקחת מכל פנייה; מאחורי שרת"
        " מתווך שמשנה אותה, החתימות ייכשלו.",
        ("speech", "note"): "המנועים המקומיים הם לניסיון: הזיהוי מבין רק אנגלית, ורק תשובות"
        " שהתסריט מצפה להן. המנועים של Google מבינים עברית ודיבור חופשי.",
        ("speech", "ok"): "Google שומע ומדבר.",
        ("brain", "note"): "אין מודל שפה: התסריט עונה.",
        ("brain", "ok"): "מודל שפה עונה, והתסריט מאחוריו.",
        ("whatsapp twilio", "note"): "אין שולח של Twilio: וואטסאפ עובר רק בחיבור של הטלפון.",
        ("whatsapp twilio", "ok"): "אפשר לשלוח הודעות דרך Twilio.",
        ("paypal", "note"): "אין תשלומים ב־PayPal.",
        ("paypal", "ok"): "אפשר ליצור קישורי תשלום ב־PayPal.",
        ("tranzila", "note"): "אין תשלומים בטרנזילה.",
        ("tranzila", "ok"): "אפשר ליצור קישורי תשלום בטרנזילה.",
        ("owner", "note"): "איש אינו מקבל הודעה על שיחות שנענו.",
        ("owner", "ok"): "בעל העסק מקבל הודעה על שיחות והודעות.",
        ("recordings", "note"): "השיחות אינן מוקלטות.",
        ("recordings", "warning"): "השיחות מוקלטות ונשמרות לתמיד: בערך מגה־בייט לדקה במסד הנתונים.",
        ("recordings", "ok"): "השיחות מוקלטות, אחרי שהמתקשרים שמעו על כך.",
        ("llm", "ok"): "מודל השפה אמר מילה.",
        ("clock", "ok"): "השעון מדויק.",
        ("clock", "note"): "אין שעון אחר להשוות אליו.",
        ("stt", "ok"): "הזיהוי עובד.",
        ("tts", "ok"): "הקול עובד.",
        ("database", "ok"): "מסד הנתונים עונה.",
        ("data", "ok"): "אפשר לכתוב בתיקיית הנתונים, ויש בה מקום.",
        ("whatsapp", "ok"): "וואטסאפ מחובר.",
        ("whatsapp", "note"): "החיבור של וואטסאפ אינו פועל כאן.",
        ("twilio", "ok"): "החשבון ב־Twilio פעיל.",
        ("twilio number", "ok"): "השיחות למספר מגיעות לכאן.",
        ("public address", "ok"): "השירות עונה בכתובת הציבורית שלו.",
    },
)

"""The words of the WhatsApp page, in Hebrew and in English: what each state means, and what to do.

The sidecar's states and closing codes are those of `node/baileys/README.md` and of
`docs/whatsapp-sidecar.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class StateTexts:
    """What a state means."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class PairingTexts:
    """Of one language."""

    title: str
    lead: str
    states: Mapping[str, StateTexts]
    away: StateTexts
    refused: StateTexts
    """The sidecar takes our token for a wrong one."""
    advice: Mapping[int, str]
    """By the code with which WhatsApp closed."""
    what_to_do: str
    why: str
    account: str
    since: str
    last_inbound: str
    never: str
    next_attempt: str
    waiting_events: str
    dead_events: str
    new_chats_paused: str
    """Until when."""
    version: str
    scan: str
    scan_steps: tuple[str, ...]
    scan_waits: str
    qr: str
    """What the picture is, for those who do not see it."""
    by_code: str
    by_code_lead: str
    number: str
    number_hint: str
    get_code: str
    code: str
    code_steps: tuple[str, ...]
    bad_number: str
    no_code: str
    start: str
    log_out: str
    log_out_lead: str
    log_out_sure: str
    refresh: str


PAIRING_HE: Final = PairingTexts(
    title="וואטסאפ",
    lead="החיבור של העסק לוואטסאפ.",
    states={
        "connecting": StateTexts("מתחבר…", "זה לוקח בדרך כלל כמה שניות."),
        "pairing": StateTexts("ממתין לחיבור טלפון", "סרקו את הקוד בטלפון של העסק."),
        "open": StateTexts("מחובר", "הודעות נכנסות ויוצאות."),
        "waiting": StateTexts(
            "החיבור נותק", "מנסים להתחבר שוב מעצמנו. הודעות יוצאות ממתינות ויישלחו אחר כך."
        ),
        "paused": StateTexts(
            "הפסקה קצרה", "יותר מדי אירועים ממתינים לשירות, או שמסד הנתונים אינו זמין. ימשיך מעצמו."
        ),
        "stopped": StateTexts("החיבור נעצר", "צריך שמישהו יטפל בזה. ההודעות ממתינות."),
        "failed": StateTexts(
            "החיבור נכשל שוב ושוב", "פרטי החיבור נשמרו. אפשר לנסות שוב עכשיו או מאוחר יותר."
        ),
        "logged_out": StateTexts("לא מחובר", "המכשיר נותק מוואטסאפ. התחילו כדי לחבר טלפון."),
        "standby": StateTexts("בהמתנה", "תהליך אחר מחזיק בחיבור. אם ייפול, זה ייכנס במקומו."),
        "draining": StateTexts("נעצר", "התהליך נסגר, וחדש יעלה במקומו."),
    },
    away=StateTexts(
        "תהליך הוואטסאפ אינו פועל",
        "שיחות הטלפון ממשיכות כרגיל, והודעות יוצאות ממתינות. כדי להפעיל: start_all.sh, או השורה"
        " whatsapp ב-Procfile.",
    ),
    refused=StateTexts(
        "תהליך הוואטסאפ אינו מכיר אותנו",
        "הערך של BAILEYS_TOKEN שונה בין שני הצדדים. הגדירו את אותו הערך והפעילו מחדש.",
    ),
    advice={
        401: "הטלפון ביטל את החיבור. סרקו את הקוד החדש.",
        402: "החשבון הוגבל. בדקו בוואטסאפ שבטלפון.",
        403: "החשבון נחסם או הוגבל. בדקו בוואטסאפ שבטלפון.",
        405: "וואטסאפ אינה מקבלת את הגרסה הזו. עדכנו את התוכנה או את WA_VERSION.",
        406: "החשבון הוגבל. בדקו בוואטסאפ שבטלפון.",
        408: "בעיית רשת. אין צורך לעשות דבר.",
        411: "גרסת הוואטסאפ בטלפון ישנה מדי. עדכנו אותה ולחצו על התחלה.",
        428: "בעיית רשת. אין צורך לעשות דבר.",
        440: "תוכנה אחרת השתלטה על החיבור. סגרו אותה ולחצו על התחלה.",
        500: "נסו שוב מאוחר יותר. אם זה נמשך: התנתקו וחברו את הטלפון מחדש.",
        503: "וואטסאפ אינה זמינה כרגע. אין צורך לעשות דבר.",
        515: "חלק רגיל מהחיבור. אין צורך לעשות דבר.",
    },
    what_to_do="מה לעשות",
    why="הסיבה",
    account="החשבון",
    since="במצב הזה מאז",
    last_inbound="הודעה אחרונה שנכנסה",
    never="עוד לא",
    next_attempt="הניסיון הבא",
    waiting_events="אירועים שממתינים לשירות",
    dead_events="אירועים שלא נמסרו",
    new_chats_paused="אין פניות חדשות עד",
    version="גרסה",
    scan="חיבור בסריקה",
    scan_steps=(
        "פתחו את וואטסאפ בטלפון של העסק.",
        "הגדרות ← מכשירים מקושרים ← קישור מכשיר.",
        "כוונו את המצלמה אל הקוד.",
    ),
    scan_waits="הקוד יופיע כאן בעוד רגע.",
    qr="קוד לסריקה בטלפון",
    by_code="חיבור בלי מצלמה",
    by_code_lead="הזינו את מספר הטלפון של העסק, וקבלו קוד להקלדה.",
    number="מספר הטלפון",
    number_hint="במבנה בינלאומי, למשל ‎+972501234567",
    get_code="לקבלת קוד",
    code="הקוד להקלדה בטלפון",
    code_steps=(
        "בטלפון: הגדרות ← מכשירים מקושרים ← קישור מכשיר.",
        "בחרו ״קישור באמצעות מספר טלפון״.",
        "הקלידו את הקוד.",
    ),
    bad_number="צריך מספר שלם במבנה בינלאומי, למשל ‎+972501234567.",
    no_code="כרגע אי אפשר לקבל קוד: או שכבר מחובר טלפון, או שעדיין אין חיבור לוואטסאפ. נסו שוב"
    " בעוד כמה שניות.",
    start="התחלה",
    log_out="ניתוק המכשיר",
    log_out_lead="העסק יפסיק לקבל ולשלוח הודעות וואטסאפ עד שיחובר טלפון מחדש.",
    log_out_sure="לנתק עכשיו",
    refresh="רענון",
)

PAIRING_EN: Final = PairingTexts(
    title="WhatsApp",
    lead="How the business is connected to WhatsApp.",
    states={
        "connecting": StateTexts("Connecting…", "This usually takes a few seconds."),
        "pairing": StateTexts("Waiting for a phone", "Scan the code with the business's phone."),
        "open": StateTexts("Connected", "Messages come in and go out."),
        "waiting": StateTexts(
            "Connection lost", "It connects again by itself. Messages wait and leave afterwards."
        ),
        "paused": StateTexts(
            "A short pause",
            "Too many events wait for the service, or the database is away. It goes on by itself.",
        ),
        "stopped": StateTexts("Stopped", "Somebody is needed. Messages wait."),
        "failed": StateTexts(
            "It fails again and again", "The credentials are kept. Try again now or later."
        ),
        "logged_out": StateTexts(
            "Not linked", "The device was unlinked from WhatsApp. Start to link a phone."
        ),
        "standby": StateTexts(
            "Standing by", "Another process holds the session; this one takes over if it goes."
        ),
        "draining": StateTexts("Ending", "This process ends, and another one follows."),
    },
    away=StateTexts(
        "The WhatsApp process is not running",
        "Calls go on as ever, and messages wait. To start it: start_all.sh, or the line whatsapp"
        " of the Procfile.",
    ),
    refused=StateTexts(
        "The WhatsApp process does not know us",
        "BAILEYS_TOKEN differs between the two sides. Set the same value and restart.",
    ),
    advice={
        401: "The phone has unlinked this device. Scan the new code.",
        402: "The account is restricted. Look into WhatsApp on the phone.",
        403: "The account is banned or restricted. Look into WhatsApp on the phone.",
        405: "WhatsApp refuses this version. Update the software, or WA_VERSION.",
        406: "The account is restricted. Look into WhatsApp on the phone.",
        408: "The network. Nothing needs to be done.",
        411: "WhatsApp on the phone is too old. Update it, then start.",
        428: "The network. Nothing needs to be done.",
        440: "Another program took the session over. End it, then start.",
        500: "Try again later. If it goes on: log out and link the phone anew.",
        503: "WhatsApp is away. Nothing needs to be done.",
        515: "A part of linking. Nothing needs to be done.",
    },
    what_to_do="What to do",
    why="Why",
    account="Account",
    since="In this state since",
    last_inbound="Last message in",
    never="Not yet",
    next_attempt="Next attempt",
    waiting_events="Events that wait for the service",
    dead_events="Events that were not delivered",
    new_chats_paused="No new chats until",
    version="Version",
    scan="Link by scanning",
    scan_steps=(
        "Open WhatsApp on the business's phone.",
        "Settings → Linked devices → Link a device.",
        "Point the camera at the code.",
    ),
    scan_waits="The code appears here in a moment.",
    qr="Code to be scanned with the phone",
    by_code="Link without a camera",
    by_code_lead="Enter the business's phone number, and get a code to type.",
    number="Phone number",
    number_hint="International, such as +972501234567",
    get_code="Get a code",
    code="The code to type on the phone",
    code_steps=(
        "On the phone: Settings → Linked devices → Link a device.",
        "Choose “Link with phone number instead”.",
        "Type the code.",
    ),
    bad_number="A whole number in international form is needed, such as +972501234567.",
    no_code="No code can be had now: a phone is linked already, or there is no connection to"
    " WhatsApp yet. Try again in a few seconds.",
    start="Start",
    log_out="Unlink this device",
    log_out_lead=(
        "The business neither gets nor sends WhatsApp messages until a phone is linked again."
    ),
    log_out_sure="Unlink now",
    refresh="Refresh",
)

"""Every word of the pages that edit the agent's script, in Hebrew and in English.

A language flows in, words flow out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ScriptTexts:
    """The words of one language."""

    title: str
    lead: str
    from_base: str
    """With `{name}`."""
    the_file: str
    version: str
    """With `{version}`."""
    as_form: str
    as_text: str
    text_hint: str
    no_form: str
    fields: Mapping[str, str]
    """By the script's keys."""
    hints: Mapping[str, str]
    thinking: str
    questions: str
    answers: str
    note: str
    note_hint: str
    made_by: str
    made_by_hint: str
    keep: str
    keep_hint: str
    not_kept: str
    overtaken: str
    keep_all_the_same: str
    reference: str
    back: str
    live: str
    not_live: str
    damaged: str
    try_it: str
    try_hint: str
    make_live: str
    make_live_hint: str
    use_file: str
    edit: str
    compare: str
    compare_with: str
    show: str
    differs: str
    """With `{other}`."""
    same: str
    """With `{other}`."""
    new_line: str
    gone_line: str
    skipped: str
    whole: str
    live_overtaken: str
    faults: Mapping[str, str]
    """What the script's check says, by its beginning, where that is in another language."""

    def fault_of(self, fault: str) -> str:
        """A fault in this language; empty when there are no words for it."""
        found = (ours for theirs, ours in self.faults.items() if fault.startswith(theirs))
        return next(found, "")

    def name_of(self, version: int) -> str:
        """How a version, or the file (0), is called."""
        return self.version.replace("{version}", str(version)) if version else self.the_file


SCRIPT_EN: Final = ScriptTexts(
    title="Edit the script",
    lead="Kept as a new version. Callers hear it only once it is made live.",
    from_base="Begun from {name}.",
    the_file="the file",
    version="version {version}",
    as_form="Form",
    as_text="Whole text (TOML)",
    text_hint="Every key is explained in docs/agent-file.md.",
    no_form="This script is written in a way that the form cannot change. Edit the whole text.",
    fields={
        "business": "Name of the business",
        "greeting": "Greeting",
        "persona": "Who the agent is",
        "facts": "What it may tell",
        "prompt": "Your instructions",
        "closing": "Closing",
        "transfer_number": "Number of a person",
        "ask": "Question",
        "retry": "Asked again",
        "confirm": "After the answer",
    },
    hints={
        "business": "{business} stands for it in every sentence.",
        "greeting": "Said once, at the beginning. One sentence a line.",
        "persona": "How it talks. Only for an agent with a language model.",
        "facts": "Prices, hours, addresses: one sentence a line. What does not stand here, it does"
        " not know.",
        "prompt": "What to do, as you would tell a new colleague.",
        "closing": "Said at the end of the questions. One sentence a line.",
        "transfer_number": "Where a caller who asks for a person is connected: +97231234567.",
    },
    thinking="For an agent that thinks",
    questions="Questions",
    answers="Answers",
    note="What has changed",
    note_hint="A word for later, if you like.",
    made_by="Your name",
    made_by_hint="So that others know whom to ask, if you like.",
    keep="Keep as a new version",
    keep_hint="Nothing changes for callers yet: the next page lets you try it and make it live.",
    not_kept="It was not kept yet. What is wrong stands beside the fields, and here:",
    overtaken="Somebody else has kept another version meanwhile. Yours is not lost: it stands"
    " below as you typed it. This is how it differs from the other:",
    keep_all_the_same="Keep mine as the newest",
    reference="Key by key",
    back="Set-up",
    live="This one answers now.",
    not_live="This one does not answer yet.",
    damaged="This version cannot be used by this service:",
    try_it="Try it",
    try_hint="Opens the browser's phone, with this version for that one call.",
    make_live="Make it live",
    make_live_hint="New calls and messages are answered with it within a second; calls that go on"
    " keep theirs.",
    use_file="Let the file answer",
    edit="Edit from here",
    compare="What differs",
    compare_with="Compare with",
    show="Show",
    differs="Compared with {other}",
    same="It says the same as {other}.",
    new_line="new",
    gone_line="gone",
    skipped="lines that are the same",
    whole="The whole text",
    live_overtaken="Somebody else has made another version live meanwhile. Look at what differs"
    " now, and press again if you still want yours.",
    faults={},
)

SCRIPT_HE: Final = ScriptTexts(
    title="עריכת התסריט",
    lead="נשמר כגרסה חדשה. מתקשרים ישמעו אותה רק אחרי שתופעל.",
    from_base="על בסיס {name}.",
    the_file="הקובץ",
    version="גרסה {version}",
    as_form="טופס",
    as_text="הטקסט המלא (TOML)",
    text_hint="כל המפתחות מוסברים במסמך \u2066docs/agent-file.md\u2069.",
    no_form="התסריט הזה כתוב כך שהטופס אינו יכול לשנות אותו. אפשר לערוך את הטקסט המלא.",
    fields={
        "business": "שם העסק",
        "greeting": "פתיח",
        "persona": "מי הסוכן",
        "facts": "מה מותר לו לספר",
        "prompt": "ההנחיות שלך",
        "closing": "סיום",
        "transfer_number": "מספר של אדם",
        "ask": "שאלה",
        "retry": "בפעם השנייה",
        "confirm": "אחרי התשובה",
    },
    hints={
        "business": "{business} בכל משפט מוחלף בשם.",
        "greeting": "נאמר פעם אחת, בהתחלה. משפט בכל שורה.",
        "persona": "איך הוא מדבר. רק לסוכן עם מודל שפה.",
        "facts": "מחירים, שעות, כתובות: משפט בכל שורה. מה שאינו כאן אינו ידוע לו.",
        "prompt": "מה לעשות, כמו שמסבירים לעובד חדש.",
        "closing": "נאמר בסוף השאלות. משפט בכל שורה.",
        "transfer_number": "לאן מועבר מי שמבקש אדם: \u2066+97231234567\u2069.",
    },
    thinking="לסוכן שחושב",
    questions="שאלות",
    answers="תשובות",
    note="מה השתנה",
    note_hint="מילה למזכרת, אם רוצים.",
    made_by="השם שלך",
    made_by_hint="כדי שאחרים ידעו את מי לשאול, אם רוצים.",
    keep="שמירה כגרסה חדשה",
    keep_hint="אצל המתקשרים עוד לא משתנה דבר: בעמוד הבא אפשר לנסות ולהפעיל.",
    not_kept="עדיין לא נשמר. מה שלא נכון כתוב ליד השדות, וכאן:",
    overtaken="בינתיים נשמרה גרסה של מישהו אחר. שלך לא אבדה: היא למטה כפי שהוקלדה. אלה ההבדלים"
    " ביניהן:",
    keep_all_the_same="לשמור את שלי כחדשה ביותר",
    reference="מפתח אחר מפתח",
    back="הגדרות",
    live="הגרסה הזאת עונה עכשיו.",
    not_live="הגרסה הזאת עוד לא עונה.",
    damaged="השירות אינו יכול להשתמש בגרסה הזאת:",
    try_it="לנסות",
    try_hint="פותח את הטלפון שבדפדפן, עם הגרסה הזאת לשיחה אחת.",
    make_live="להפעיל",
    make_live_hint="בתוך שנייה היא עונה לשיחות ולהודעות חדשות; שיחות שנמשכות נשארות עם שלהן.",
    use_file="שהקובץ יענה",
    edit="לערוך מכאן",
    compare="מה שונה",
    compare_with="להשוות עם",
    show="להציג",
    differs="בהשוואה עם {other}",
    same="אין הבדל: {other} אומרת אותו הדבר.",
    new_line="חדש",
    gone_line="נמחק",
    skipped="שורות זהות",
    whole="הטקסט המלא",
    live_overtaken="בינתיים מישהו אחר הפעיל גרסה אחרת. בדקו מה שונה עכשיו, ולחצו שוב אם עדיין"
    " רוצים את שלכם.",
    faults={
        "missing": "חסר.",
        "not allowed here": "לא מתאים כאן.",
        "String should have at most": "ארוך מדי.",
        "String should have at least": "חסר.",
        "nothing is saved as": "בסוגריים המסולסלים יש שם ששום שאלה אינה שומרת.",
        "needs a sentence without blanks": "צריך גם משפט אחד בלי סוגריים מסולסלים.",
    },
)

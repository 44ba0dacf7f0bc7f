"""Hebrew nouns with their gender, and what abbreviations stand for.

A written word flows in; the noun that is counted (gender, singular, plural) or the words
of an abbreviation flow out. A noun that is not listed is judged by its plural ending.
Pure data and look-ups.
"""

import re
from dataclasses import dataclass
from typing import Final

from voiceagent.speech.hebrew_numerals import Gender


@dataclass(frozen=True, slots=True)
class Noun:
    """A counted thing."""

    gender: Gender
    one: str
    """Singular; empty when it is not known."""
    few: str
    """What stands after 2 to 10."""
    many: str
    """What stands from 11 on."""


@dataclass(frozen=True, slots=True)
class Currency:
    noun: Noun
    cent: Noun | None


def _noun(gender: Gender, one: str, few: str, many: str = "") -> Noun:
    return Noun(gender, one, few, many or few)


_MASCULINE: Final = """
חדר:חדרים שקל:שקלים דולר:דולרים יורו:יורו אירו:אירו יום:ימים חודש:חודשים שבוע:שבועות
אחוז:אחוזים מטר:מטרים קילומטר:קילומטרים סנטימטר:סנטימטרים קילוגרם:קילוגרמים קילו:קילו
גרם:גרמים ליטר:ליטרים דונם:דונמים בניין:בניינים בית:בתים מחסן:מחסנים מפתח:מפתחות
מקום:מקומות שולחן:שולחנות רחוב:רחובות לקוח:לקוחות שכן:שכנים ילד:ילדים איש:אנשים
אדם:אנשים גבר:גברים סלון:סלונים מטבח:מטבחים נכס:נכסים משרד:משרדים מגרש:מגרשים
חוזה:חוזים תשלום:תשלומים מחיר:מחירים מספר:מספרים טלפון:טלפונים תאריך:תאריכים מועד:מועדים
תור:תורים ביקור:ביקורים קונה:קונים מוכר:מוכרים שוכר:שוכרים סניף:סניפים עובד:עובדים
יועץ:יועצים רבע:רבעים שליש:שלישים כיסא:כיסאות ארון:ארונות מזגן:מזגנים חלון:חלונות
רכב:רכבים קו:קווים לילה:לילות בוקר:בקרים ערב:ערבים רגע:רגעים מייל:מיילים פריט:פריטים
מוצר:מוצרים ספר:ספרים שלב:שלבים סוג:סוגים נציג:נציגים אורח:אורחים זוג:זוגות
כרטיס:כרטיסים עמוד:עמודים סעיף:סעיפים צומת:צמתים קמפוס:קמפוסים אולם:אולמות חוב:חובות
יתרון:יתרונות חשבון:חשבונות פתרון:פתרונות רעיון:רעיונות מקור:מקורות שם:שמות אב:אבות
ברז:ברזים בקבוק:בקבוקים בן:בנים בעל:בעלים לוח:לוחות לימוד:לימודים
דור:דורות מעון:מעונות חיסכון:חסכונות
"""
_FEMININE: Final = """
דירה:דירות דקה:דקות שעה:שעות שנייה:שניות שנה:שנים קומה:קומות אגורה:אגורות חניה:חניות
מרפסת:מרפסות פעם:פעמים אישה:נשים ילדה:ילדות עיר:ערים מילה:מילים ביצה:ביצים מעלה:מעלות
יחידה:יחידות אגודה:אגודות ספרה:ספרות שאלה:שאלות תשובה:תשובות הודעה:הודעות שיחה:שיחות
פגישה:פגישות הצעה:הצעות אפשרות:אפשרויות תמונה:תמונות משפחה:משפחות נפש:נפשות דרך:דרכים
מעלית:מעליות חצר:חצרות דלת:דלתות מיטה:מיטות מקלחת:מקלחות אמבטיה:אמבטיות חלקה:חלקות
כניסה:כניסות תחנה:תחנות חנות:חנויות מכונית:מכוניות רגל:רגליים לירה:לירות נקודה:נקודות
קופסה:קופסאות אבן:אבנים פרוטה:פרוטות מאה:מאות ליבה:ליבות שכבה:שכבות כיתה:כיתות
קבוצה:קבוצות חברה:חברות עסקה:עסקאות משכנתה:משכנתאות משכנתא:משכנתאות ריבית:ריביות
בדיקה:בדיקות בעיה:בעיות בת:בנות ברכה:ברכות
תקופה:תקופות בקשה:בקשות סיבה:סיבות פינה:פינות עבודה:עבודות שורה:שורות טיסה:טיסות
מנה:מנות כוס:כוסות שקית:שקיות חבילה:חבילות הזמנה:הזמנות ארץ:ארצות לשון:לשונות שנת:שנות
"""
_CONSTRUCT_SINGULAR: Final = {
    "יחידת": ("f", "יחידות"),
    "דירת": ("f", "דירות"),
    "שעת": ("f", "שעות"),
    "פינת": ("f", "פינות"),
}
_NO_NOUNS: Final = frozenset(
    "פחות לפחות להיות לפנות אחרות אחרים עשרות מאות אלפים צהריים בצהריים היום יותר".split()
)
_SINGLE_PREFIXES: Final = "בלכמוש"


def _listed() -> dict[str, tuple[Noun, bool]]:
    """Each form of the listed nouns, with whether it is a singular."""
    forms: dict[str, tuple[Noun, bool]] = {}
    genders: tuple[tuple[Gender, str], ...] = (("m", _MASCULINE), ("f", _FEMININE))
    for gender, lines in genders:
        for pair in lines.split():
            one, several = pair.split(":")
            noun = _noun(gender, one, several)
            if several.endswith("ים"):
                forms.setdefault(several[:-1], (noun, False))
            forms[several] = (noun, False)
            forms[one] = (noun, True)
    for word, (_, several) in _CONSTRUCT_SINGULAR.items():
        base = forms[several][0]
        forms[word] = (_noun(base.gender, word, several), True)
    return forms


_FORMS: Final = _listed()


@dataclass(frozen=True, slots=True)
class CountedWord:
    """A noun as it stands in the text."""

    noun: Noun
    is_singular: bool
    is_definite: bool
    is_construct: bool


def counted_word(word: str) -> CountedWord | None:
    """The noun that `word` is, after a number; None when it is hardly one."""
    found = _FORMS.get(word)
    if found:
        noun, is_singular = found
        construct = word == noun.few[:-1] or word in _CONSTRUCT_SINGULAR
        return CountedWord(noun, is_singular, is_definite=False, is_construct=construct)
    if word in _NO_NOUNS or len(word) < 4:
        return None
    if word[0] == "ה":
        inner = counted_word(word[1:])
        if inner:
            return CountedWord(inner.noun, inner.is_singular, True, inner.is_construct)
        return None
    if word[0] in "בל":
        return None  # "press 2 for sales": more often a preposition than part of the noun
    if word[0] in _SINGLE_PREFIXES and word[1:].removeprefix("ה") in _FORMS:
        return None
    if word.endswith("ות"):
        return CountedWord(_noun("f", "", word), False, False, False)
    if word.endswith("ים"):
        return CountedWord(_noun("m", "", word), False, False, False)
    return None


def singular(word: str) -> Noun | None:
    """The noun of which `word` is a singular, with or without "the" or a prefix."""
    for form in (word, word[1:], word[2:]):
        found = _FORMS.get(form)
        if found and found[1]:
            return found[0]
    return None


GERSHAYIM: Final = "(?:[\"״”“„]|''|׳׳|’’)"
GERESH: Final = "['׳’‘`]"


def written(key: str) -> str:
    """A pattern of an abbreviation, with whatever marks people type."""
    return re.escape(key).replace('"', GERSHAYIM).replace("'", GERESH)


ABBREVIATIONS: Final = {
    'ד"ר': "דוקטור",
    "פרופ'": "פרופסור",
    "גב'": "גברת",
    'עו"ד': "עורך דין",
    'רו"ח': "רואה חשבון",
    "רח'": "רחוב",
    "שד'": "שדרות",
    'ת"ד': "תיבת דואר",
    'ת"ז': "תעודת זהות",
    "ת.ז.": "תעודת זהות",
    "ת.ד.": "תיבת דואר",
    "טל'": "טלפון",
    "מס'": "מספר",
    "עמ'": "עמוד",
    "וכו'": "וכולי",
    "וכד'": "וכדומה",
    "וגו'": "וגומר",
    'מע"מ': "מס ערך מוסף",
    'בע"מ': "בערבון מוגבל",
    'ע"י': "על ידי",
    'ע"פ': "על פי",
    'עפ"י': "על פי",
    'ע"ש': "על שם",
    'ע"ח': "על חשבון",
    'בד"כ': "בדרך כלל",
    'כ"כ': "כל כך",
    'ז"א': "זאת אומרת",
    'סה"כ': "סך הכול",
    'חו"ל': "חוץ לארץ",
    'ארה"ב': "ארצות הברית",
    'ת"א': "תל אביב",
    'פ"ת': "פתח תקווה",
    'ראשל"צ': "ראשון לציון",
    "י-ם": "ירושלים",
    'אחה"צ': "אחר הצהריים",
    'לפנה"צ': "לפני הצהריים",
    'יו"ר': "יושב ראש",
    'דוא"ל': "דואר אלקטרוני",
    'בי"ס': "בית ספר",
    'בי"ח': "בית חולים",
    'ביה"ס': "בית הספר",
    'עוה"ד': "עורכי הדין",
    'הנ"ל': "הנזכר לעיל",
    'כנ"ל': "כנזכר לעיל",
}

_SHEKEL: Final = Currency(_noun("m", "שקל", "שקלים"), _noun("f", "אגורה", "אגורות"))
_DOLLAR: Final = Currency(_noun("m", "דולר", "דולרים", "דולר"), _noun("m", "סנט", "סנט"))
_EURO: Final = Currency(_noun("m", "אירו", "אירו"), _noun("m", "סנט", "סנט"))
_POUND: Final = Currency(_noun("m", "פאונד", "פאונד"), None)
CURRENCIES: Final = {
    "₪": _SHEKEL,
    'ש"ח': _SHEKEL,
    "שח": _SHEKEL,
    "NIS": _SHEKEL,
    "ILS": _SHEKEL,
    "$": _DOLLAR,
    "USD": _DOLLAR,
    "€": _EURO,
    "EUR": _EURO,
    "£": _POUND,
    "GBP": _POUND,
}
_SQUARE_METRE: Final = _noun("m", "מטר רבוע", "מטרים רבועים")
_KILOMETRE: Final = _noun("m", "קילומטר", "קילומטרים")
_DEGREE: Final = _noun("f", "מעלה", "מעלות")
UNITS: Final = {
    "%": _noun("m", "אחוז", "אחוזים", "אחוז"),
    "°C": _noun("f", "מעלה", "מעלות צלזיוס"),
    "°": _DEGREE,
    'מ"ר': _SQUARE_METRE,
    "מ²": _SQUARE_METRE,
    "m²": _SQUARE_METRE,
    'קמ"ר': _noun("m", "קילומטר רבוע", "קילומטרים רבועים"),
    'ק"מ': _KILOMETRE,
    "km": _KILOMETRE,
    'קמ"ש': _noun("m", "קילומטר לשעה", "קילומטרים לשעה"),
    'ס"מ': _noun("m", "סנטימטר", "סנטימטרים"),
    'מ"מ': _noun("m", "מילימטר", "מילימטרים"),
    "מ'": _noun("m", "מטר", "מטרים"),
    'ק"ג': _noun("m", "קילוגרם", "קילוגרמים"),
    "kg": _noun("m", "קילוגרם", "קילוגרמים"),
    "גר'": _noun("m", "גרם", "גרמים"),
    'מ"ל': _noun("m", "מיליליטר", "מיליליטרים"),
    'מ"ק': _noun("m", "מטר מעוקב", "מטרים מעוקבים"),
    "חד'": _noun("m", "חדר", "חדרים"),
    "דק'": _noun("f", "דקה", "דקות"),
    "שנ'": _noun("f", "שנייה", "שניות"),
}
STANDING_UNITS: Final = {
    **{key: unit.one for key, unit in UNITS.items() if '"' in key and key != 'מ"מ'},
    'ש"ח': "שקלים",
    "דק'": "דקות",
}
"""What units mean where no number stands before them."""

MONTHS: Final = "ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר".split()
OTHER_MONTHS: Final = (
    "מרס תשרי חשוון חשון מרחשוון כסלו טבת שבט אדר ניסן אייר סיוון סיון תמוז אב אלול".split()
)
WEEKDAYS: Final = {
    "א": "ראשון",
    "ב": "שני",
    "ג": "שלישי",
    "ד": "רביעי",
    "ה": "חמישי",
    "ו": "שישי",
    "ש": "שבת",
}

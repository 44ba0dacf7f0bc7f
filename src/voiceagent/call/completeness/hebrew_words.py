"""The words that `hebrew.py` asks about, by what they do to the end of a clause.

Pure data, after Lewis Glinert's "The Grammar of Modern Hebrew": without niqqud, in full spelling,
without geresh, as `words_of` leaves them. A word stands here without its "and" or "that".
"""

import re
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(phrase.split()) for phrase in text.split("|"))


def _suffixed(stems: str, endings: str) -> frozenset[str]:
    """Every stem with every ending; a final letter inside the word takes its usual form."""
    return frozenset(
        stem.translate(_INSIDE) + ending for stem in stems.split() for ending in endings.split()
    )


def _present(masculine: str) -> frozenset[str]:
    """The present tense, from the masculine singular. The feminine ends in a tav or a he; it stands
    here with either, since the wrong one is no word."""
    return _words(masculine) | frozenset(
        verb.removesuffix("ה").translate(_INSIDE) + ending
        for verb in masculine.split()
        for ending in ("ים", "ות", "ת", "ה")
    )


def _requests(masculine: str) -> frozenset[str]:
    """The future tense of the second person, which asks: "תביא", "תביאי", "תביאו"."""
    return _words(masculine) | _suffixed(re.sub(r"ה\b", "", masculine), "י ו")


def _feminine_constructs(nouns: str) -> frozenset[str]:
    """The construct state of nouns in -a: the same with a tav for its he."""
    return frozenset(noun[:-1] + "ת" for noun in nouns.split())


_INSIDE: Final = str.maketrans("ךםןףץ", "כמנפצ")


# --- prefixes -----------------------------------------------------------------------------

PREFIXES: Final = _words("ו ה ב ל מ ש כ כש לכש מש שה וה וב ול ומ וש בש כשה שב")
"""Written onto the next word; alone they are cut."""
LETTERED: Final = _words("כיתה יום סעיף כניסה אופציה שכבה שלב בלוק אגף ויטמין תוכנית")
"""Named by a letter, which is then no prefix: "כיתה ד", "יום ה"."""
NOT_PREFIXED: Final = _words(
    "שמן שעם שלי שלך שלו שלה שלנו שלכם שלכן שלהם שלהן שמה שם שמי שני שתי שבת שעה שנה שום שאלה שכן"
)
"""Their first letter is no "that"."""

# --- pronouns -----------------------------------------------------------------------------

SPEAKERS: Final = _words("אני אנחנו אנו אתה אתם אתן")
THIRD_PERSONS: Final = _words("הוא היא הם הן")
"""Also the copula."""
DEMONSTRATIVES: Final = _words("זה זאת זו אלה אלו")
SUBJECTS: Final = SPEAKERS | THIRD_PERSONS | DEMONSTRATIVES | _words("את")
DATIVES: Final = _words("לי לך לו לה לנו לכם להם להן")
OWNERS: Final = _words("שלי שלך שלו שלה שלנו שלכם שלהם")
TO_BE: Final = _words(
    "היה הייתה היתה היו הייתי היינו היית הייתם יהיה תהיה יהיו להיות נהיה אהיה נהייתה אינו אינה "
    "איננו אינם אינן אינך איננה"
)

# --- questions ----------------------------------------------------------------------------

FRONTED: Final = _words(
    "מה מי איזה איזו אילו כמה במה למה למי ממי במי לכמה בכמה באיזה באיזו לאיזה לאיזו מאיזה מאיזו "
    "מכמה"
)
"""Ask for the object or the noun that the end lacks."""
PLACES: Final = _words("איפה היכן לאן מאיפה מאין")
MANNERS: Final = _words("איך כיצד")
TIMES: Final = _words("מתי מדוע ממתי")
QUESTION_WORDS: Final = FRONTED | PLACES | MANNERS | TIMES
WHICH: Final = _words("איזה איזו אילו באיזה באיזו לאיזה לאיזו מאיזה מאיזו איזשהו איזושהי")
HOW_MANY_OF: Final = _words("עוד לפני כל בעוד תוך אחרי")
"""Before "כמה" they make "some" of it: "לפני כמה ימים"."""

# --- verbs --------------------------------------------------------------------------------

DICTATING: Final = _requests("תגיד תרשום תכתוב") | _words("תרשמי תרשמו תכתבי תכתבו")
"""What is to be said or written down follows."""
WANTS: Final = _present(
    "רוצה צריך יכול מעדיף חייב מעוניין אמור מתכוון מבקש מתכנן עומד מסוגל זקוק עשוי עלול משתדל מעז "
    "זכאי רשאי צפוי"
) | _words(
    "רציתי רצינו רצה רצתה ארצה נרצה תרצה תרצו יכולתי אוכל נוכל יוכל תוכל תוכלי תוכלו הצטרכתי אפשר "
    "ניתן כדאי אשמח נשמח אבקש ברצוני עדיף נצטרך אצטרך התכוונתי תכננתי"
)
"""Want a verb or an object."""
TRANSITIVES: Final = (
    _present(
        "מחפש מנסה מוכר קונה מקבל מזמין אוהב שוקל מתחיל מציע מכיר עושה נקרא כולל דורש שייך קשור "
        "ממשיך מחזיק מפעיל מתקן מחליף מייצג מספק מכין משכיר שוכר מבצע מוציא מכניס מביא נותן"
    )
    | _suffixed(
        "קני הזמנ קיבל ראי מצא שלח לקח עשי שמ איבד פרסמ החלפ תיקנ הבא הכנ קבע פתח מכר שכר ניסי "
        "התחל",
        "תי נו ת תם",
    )
    | _requests(
        "תיקח תשים תביא תרשום תכתוב תעשה תעביר תשלח תשאיר תמסור תוסיף תשנה תבדוק תגיד תקבע תוציא "
        "תזמין תחליף תתקן תמצא תעדכן תוריד תעלה תפתח תכין"
    )
    | _words(
        "לקבל לקבוע לשים להעביר לשלוח לתת להביא לקחת למצוא לעשות להגיד לומר לבדוק לשנות לעדכן "
        "להחליף להחזיר לחדש לתאם לתקן להוסיף לבקש לברר לוודא להשאיר להשיג להגיש להזמין לשאול לדעת "
        "להכיר לפתוח לדחות להקדים לנסות לרשום לספר להציע לבחור להפקיד למלא להשתמש לדווח למסור "
        "להכין לבצע להפעיל להתקין להעיר לציין להזכיר קח קחי קחו שים שימי שימו תן תני תנו בוא בואי "
        "בואו רשום רשמי תרשמי תרשמו תכתבי תכתבו תמסרי תמסרו תשלחי תשלחו תקבעי תקבעו תבדקי תבדקו "
        "תזמיני תזמינו"
    )
)
"""Not said without their object, unless it stands before them."""
SAYINGS: Final = (
    _suffixed("אמר סיפר הבטח הסבר ביקש הודע כתב טענ שאל", "תי נו ת תם")
    | _suffixed("אמר סיפר הבטיח הסביר ביקש הודיע כתב טען שאל", "ה ו")
    | _present("אומר מספר טוען שואל")
    | _words(
        "אמר סיפר הבטיח הסביר ביקש הודיע טען שאל כתוב נאמר חשבתי חשבנו שמעתי גיליתי הבנו מסתבר "
        "מתברר יוצא נדמה"
    )
) - {"מספר", "שאלה", "מספרים", "מספרת"}
"""What was said is still to come."""
OPINIONS: Final = _present("חושב מאמין מניח מקווה מעריך משער")
"""Open a sentence ("אני חושב ש"), or close it."""
LOCATED: Final = _present("נמצא גר ממוקם שוכן מתגורר")
COSTING: Final = _present("עולה לוקח שווה נמשך") | _words("עלה עלתה יעלה ייקח יקח תעלה ייקחו")
SEEMING: Final = _present("נראה נשמע מרגיש הופך")
GIVING: Final = (
    _requests("תגיד תביא תשלח תעשה תקבע תרשום תזמין תספר תראה תמצא תוכל תאשר תיתן")
    | _suffixed("אמר נתן הביא שלח סיפר הבטיח הסביר נשאר", "ה ו")
    | _present("קורא חסר מגיע")
    | _words(
        "תן תני תנו אמר נתן שלח נתתם אמרתם אמרת שלחתם הביאו היה היו הייתה היתה יהיה יהיו תהיה "
        "לשלוח לתת להביא לומר להגיד לספר להראות יש האם נראה נדמה תשלחי תשלחו תרשמי תרשמו אכפת בא "
        "מתחשק כדאי מותר אסור נשאר עדיף מותאם"
    )
)
"""Before "לי" and "לכם": what is given, said, allowed or had is still to come."""
WITH_US: Final = _words("אצלכם אצלך אצלנו פה כאן שם")

# --- the construct state ------------------------------------------------------------------

CONSTRUCTS: Final = (
    _feminine_constructs(
        "דירה בדיקה הצעה מחלקה שכונה חברה קופה תחנה תעודה תקופה שעה שנה עבודה ארוחה שיחה קבוצה "
        "שדרה הודעה רמה גבעה פגישה פינה מדינה ממשלה תוכנה הלוואה העברה תאונה מכונה הנחה הנהלה "
        "עמדה מסיבה חתונה יחידה חופשה טיסה חבילה תמונה תשובה סיבה דרגה שיטה צורה דוגמה מנה מטרה "
        "כיתה שכבה קומה ערכה הפסקה החזרה הרשמה התקנה אספקה הובלה ועדה לשכה תרומה הרצאה הופעה הצגה "
        "עגלה נסיעה מסעדה מרפאה מעבדה פוליסה תביעה קצבה עמלה טבלה רשימה שאלה בקשה תחילה סביבה "
        "קרבה פעולה רצפה חטיבה ישיבה אגודה הגנה תנועה שמלה עוגה מיטה חולצה קופסה תיבה מודעה הוראה "
        "משרה מכירה שמירה סדנה הדרכה השקעה בריכה סוללה נורה תחזוקה הוצאה הכנסה פגיעה תרופה זריקה "
        "אזהרה תקלה מגבלה גרסה מהדורה משלחה אריזה מתנה חליפה ספה הדפסה צביעה הסעה גינה תקרה מכולה "
        "סדרה סיסמה קערה גלידה החלפה הקמה הסרה השכרה הגשה קבלה מלחמה יתרה מועצה רצועה עסקה תוצאה "
        "מחלה רפואה גבינה מגירה"
    )
    | _words(
        "משפחת בתי שנות תנאי בעיית קריית קרית ספריית עיריית תעשיית חניית הפניית קניית בניית פניית "
        "עליית נקודת שדרת שדרות חוות עורך עורכת אשת רחוב נווה באר פתח הוד נס תל בעל"
    )
    | _suffixed(
        "חדר בן ימ ראש תנא אנש עורכ יועצ סוכנ צמיג כרטיס טיפול חומר סוג גנ מחיר שיעור חוג תשלום "
        "תאריכ נציג תושב רופא סידור מכשיר דייר שכנ עובד תלמיד מוצר דמ צינור קיר כיסא תריס חלונ "
        "אורח פריט סעיפ מפתח בגד נעל משקפ ספר",
        "י",
    )
)
"""Ask for a second noun: smikhut. So do the first words of many a place's name."""
ABSOLUTE_FEMININES: Final = _words(
    "הרכבת הגברת הכנסת הקשת הנזלת השבת הדלקת הצלחת לאילת באילת מאילת"
)
"""Nouns with an article that look like a verbal noun in the construct state."""
WITHOUT_OBJECT: Final = _words(
    "להשכיר להגיע להמתין להמשיך להתחיל להסכים להאמין להבין להפריע להרגיש להקשיב להאזין להצליח "
    "להספיק להקפיד להפסיד להפסיק להזיק להשפיע להופיע להחליט להשמין להבריא להחמיר להעדיף"
)
"""Infinitives of the hif'il that need no object; "להשכיר" is a whole answer, as "לקנות" is."""

# --- prepositions and conjunctions --------------------------------------------------------

PREPOSITIONS: Final = _words(
    "של על עם אל מן בין לבין ליד מול לגבי בלי ללא לפי תחת מתחת מעל לאחר מאחורי בתוך לתוך מתוך "
    "מחוץ בעזרת באמצעות לקראת במשך משך תוך עבור בשביל למען אצל מאת לעומת מלבד פרט חוץ בסביבות "
    "לאורך כלפי באזור בקרבת בקרב בעקבות בנושא בעניין כעבור לכבוד עקב מפני מטעם סביב במהלך בקשר "
    "בנוגע ביחס בהתאם במסגרת כנגד לצד מצד לטובת בגלל בזכות למרות במקום עד כמו בעוד לפני אחרי דרך "
    "ידי כתוצאה בכפוף לאור החל בגין אודות בתום בתחום בשל בידי בפני כגון תמורת לעבר מעבר הודות "
    "בניגוד לרבות למעט לנוכח מבעד מבין לצורך חרף בהתחשב בהתבסס באישור בסיוע בתוספת מבלי בלא מחמת "
    "נגד בעד"
)
"""With a pronoun they are other words (איתי, בשבילי), and whole."""
CONJUNCTIONS: Final = _words(
    "שבו שבה שבהם שאיתו שאיתה שאותו שאותה שממנו שממנה או אבל אלא כי אם האם כאשר אשר מכיוון כיוון "
    "מאחר היות הואיל משום כפי לכן אולם אך אז גם אפילו כדי מאשר ככל במידה בתנאי טרם בטרם אמנם הרי "
    "לולא אילולא כאילו מנת ברגע באשר למקרה"
)
QUANTIFIERS: Final = _words(
    "סוף אף שום כל הכי איזשהו איזושהי רק כמעט דווקא רוב מרבית שאר יתר ברוב במרבית בכל לכל מכל "
    "מחצית באותו באותה לאותו לאותה מאותו מאותה כאותו מיטב מלוא מירב עשרות"
)
FILLERS: Final = _words(
    "אמ אמם אהם אהמ המ יעני נגיד נניח בעצם כלומר דהיינו למשל לדוגמה לדוגמא בקיצור תראה תראי תראו "
    "תשמע תשמעי תשמעו תקשיב תקשיבי תקשיבו"
)
"""Hesitate, or call for attention."""
TITLES: Final = _words("מר דר דוקטור לדוקטור פרופ פרופסור לפרופסור")
LABELS: Final = _words(
    "בקומה לקומה מקומה בשעה לשעה משעה בתאריך לתאריך בגיל מגיל לגיל בכתובת בשם בשווי בסך מסוג "
    "באורך בגודל בגובה בתפקיד בקצב בעמוד בסעיף"
)
"""A number or a name has to follow."""
ALWAYS_OPEN: Final = (
    PREPOSITIONS | CONJUNCTIONS | QUANTIFIERS | FILLERS | TITLES | LABELS | CONSTRUCTS
    | _words("שתי שלושת ארבעת חמשת ששת שבעת שמונת תשעת עשרת")
)  # fmt: skip
"""Nothing ends in them, whatever stands before, but for the exceptions of `CLOSED_PHRASES`."""

# --- small words --------------------------------------------------------------------------

DEGREES: Final = _words(
    "מחר אתמול מאוד ממש קצת הרבה מעט די יותר פחות עוד כבר עדיין בכלל פשוט תמיד לגמרי מספיק יחסית "
    "בערך לפחות בדיוק אולי כנראה סתם בטח לרוב בדרך עכשיו היום תכף בכוונה"
)
"""Between a subject and what is to come."""
OPEN_ALONE: Final = _words(
    "הלוואי מוטב עוד עדיין לפחות בערך פשוט האמת מאז כזה שמי למעשה אגב בנוסף ובכן ראשית מדבר מדברת"
)
BEFORE_NO: Final = _words(
    "עדיין עוד ממש אולי למה גם או אם כן לא בכלל כמובן ברור תודה סליחה בטח עכשיו היום כרגע"
)
"""Before a "לא" that is the answer."""
BEFORE_THAT_NOT: Final = _words(
    "בטח כנראה מקווה מקווים חושב חושבת ברור כמובן מעדיף מעדיפה נראה לי אומר אומרת הנחתי עדיף"
)
OPENERS: Final = FILLERS | _words(
    "שלום היי הלו כן לא טוב אוקיי אוקי בסדר אז ו אבל רגע סליחה תודה נו האמת וואלה אהלן בוקר ערב "
    "צהריים טובים מצוין מעולה בבקשה אה אהה אממ"
)
BOUNDARIES: Final = _words("אבל כי ואז אז אם ולכן לכן וגם")
TIME_UNITS: Final = _words("רגע שעה שעתיים יום יומיים שבוע שבועיים חודש חודשיים שנה שנתיים דקה")
COUNTS: Final = _words("פעם פעמים פעמיים שעות שעה שעתיים שקל שקלים דקות כדורים")
"""Before "ביום": "a day"."""
NUMERALS: Final = _words(
    "אחת אחד שתיים שניים שלוש שלושה ארבע ארבעה חמש חמישה שש שישה שבע שבעה שמונה תשע תשעה עשר עשרה "
    "עשרים שלושים ארבעים חמישים מאה אלף"
)
NUMBERED: Final = _words(
    "דירה בית קומה כניסה חדר קו אוטובוס תיק הזמנה לקוח בניין טיסה שער רציף סניף תא זה הוא היא "
    "במבנה בבניין בדירה בבית בחדר מבנה"
)
"""Before "מספר": the number is still to come."""
OPEN_PHRASES: Final = _phrases(
    "קודם כול|קודם כל|דבר ראשון|מצד אחד|מצד שני|זאת אומרת|אתה יודע|את יודעת|אתם יודעים"
    "|במילים אחרות|אלא אם כן|תן לי לחשוב|תני לי לחשוב|בוא נראה|בואי נראה|איך אומרים|איך להגיד"
    "|על פי|על גבי|על שם|על סמך|על פני|לא רק|יותר נכון|אז ככה|כל כך|בגלל זה|מה שכן"
)
"""Announce, hedge, or are the first half of a preposition."""
ANNOUNCEMENTS: Final = _phrases(
    "חוץ מזה|דרך אגב|השם שלי|המספר שלי|הכתובת שלי|המייל שלי|הטלפון שלי|הבעיה|הבעיה שלי|השאלה"
    "|השאלה שלי|העניין|הסיבה|למען האמת|בסך הכול|בסך הכל|זאת|בדרך כלל|לכל היותר|לכל הפחות"
)
"""Open when nothing else was said."""
CLOSED_PHRASES: Final = _phrases(
    "אין בעד מה|לא משנה מה|למה לא|לא כל כך|יום שני|ביום שני|ליום שני|מיום שני|אין מה לעשות|בכל זאת"
    "|אף אחד|למעלה מדי|אני בעד|אני נגד|זה הכול|זה הכל|די|מה עוד|מי עוד|אז מה|לא די|מה אז|על זה"
    "|יכול להיות|לא רק זה|יותר מדי|כמה שיותר|עם או בלי|על הדרך|בדרך|נו אז"
)
"""Whole, whatever their last word does elsewhere."""

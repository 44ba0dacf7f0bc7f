"""Numbers, spellings and addresses that a caller dictates: are they whole?

The words of an interim text flow in; out comes whether a telephone number has too few digits, a
spelling too few letters, or an address no end. Digits are counted, whether they came as figures or
as words. Numbers that merely count something are never judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_ZEROS: Final = frozenset("0 zero oh o אפס".split())
_UNITS: Final = frozenset(
    "one two three four five six seven eight nine אחת אחד שתיים שניים שתים שנים שלוש שלושה ארבע "
    "ארבעה חמש חמישה שש שישה ששה שבע שבעה שמונה תשע תשעה".split()
)
_TEENS: Final = frozenset(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen עשר עשרה "
    "עשרת".split()
)
_TENS: Final = frozenset(
    "twenty thirty forty fifty sixty seventy eighty ninety עשרים שלושים ארבעים חמישים שישים שבעים "
    "שמונים תשעים".split()
)
_HUNDREDS: Final = frozenset("hundred מאות".split())
"""Said of two zeros: "one eight hundred"."""
_REPEATED: Final = {"double": 1, "treble": 2, "triple": 2}
_INTERNATIONAL: Final = frozenset("+ plus פלוס".split())
_STAR: Final = frozenset("* star כוכבית".split())
_NUMBER_WORDS: Final = _ZEROS | _UNITS | _TEENS | _TENS | _HUNDREDS | _REPEATED.keys()

_BETWEEN: Final = frozenset(
    "is are was the it number numbers digits on at s my our no "
    "הוא היא זה הם מספר המספר שלי שלנו שלו שלה שלך ספרות".split()
)
"""Stand between the thing that has a number and its digits."""
_LINKS: Final = frozenset("is are was number מספר המספר הוא היא זה הם".split())
_DIGITS: Final = frozenset("digits ספרות הספרות האחרונות".split())
_NUMBER: Final = frozenset("number מספר המספר".split())
_OWN: Final = frozenset("my our המספר שלי שלנו שלו שלה".split())
_DIGITS_OF: Final = {
    **dict.fromkeys("card כרטיס הכרטיס אשראי האשראי".split(), 14),
    **dict.fromkeys("identity id זהות הזהות תז".split(), 9),
    **dict.fromkeys("account חשבון החשבון".split(), 6),
    **dict.fromkeys(
        "order reference policy booking customer invoice case ticket confirmation "
        "הזמנה ההזמנה לקוח הלקוח פוליסה הפוליסה תיק התיק אישור האישור חשבונית קריאה".split(),
        3,
    ),
    **dict.fromkeys("code pin קוד הקוד password הסיסמה סיסמה".split(), 4),
    **dict.fromkeys("postcode zip".split(), 5),
    **dict.fromkeys("מיקוד המיקוד".split(), 7),
    **dict.fromkeys(
        "room flat house apartment suite unit floor extension bus train line gate platform flight "
        "חדר דירה בית בניין קומה שלוחה אוטובוס רכבת קו שער רציף טיסה כניסה".split(),
        1,
    ),
}
"""The fewest digits that such a number has: cards from Diners' 14, Israeli identity numbers 9."""
_TELEPHONES: Final = frozenset(
    "phone telephone mobile cell cellphone landline whatsapp טלפון הטלפון נייד הנייד פלאפון "
    "הפלאפון סלולרי הסלולרי וואטסאפ הוואטסאפ".split()
)
_INTERNATIONAL_DIGITS: Final = {"1": 11, "44": 12, "972": 11}

_AT_SIGNS: Final = frozenset("שטרודל כרוכית".split())
_MAIL: Final = frozenset({"email", "mail"})
_DOTS: Final = frozenset("dot נקודה".split())
_SEPARATORS: Final = frozenset("underscore hyphen slash מקף תחתון לוכסן סלש".split())
_HOSTS: Final = frozenset("gmail yahoo hotmail outlook icloud walla".split())
_SECOND_LEVEL: Final = frozenset("co קו".split())
"""No address ends in them: "dot co dot il"."""

_LETTER_NAMES: Final = {
    **dict(zip("אלף בית גימל דלת הא ויו זין חית טית יוד כף".split(), "אבגדהוזחטיכ", strict=True)),
    **dict(zip("למד מם נון סמך עין פא צדי קוף ריש שין תו".split(), "למנסעפצקרשת", strict=True)),
    **dict(zip("גימ הי ה וו חת יו פה צדיק תיו".split(), "גההוחיפצת", strict=True)),
}
_FINAL_LETTERS: Final = str.maketrans("ךםןףץ", "כמנפצ")
_ABBREVIATIONS: Final = frozenset("am pm tv id uk us eu ac dj pc it hr gp ok bb vw dvd".split())


def breaks_off(words: Sequence[str]) -> bool:
    """Whether the text ends in something dictated that cannot be whole yet."""
    return _number_breaks_off(words) or _spelling_breaks_off(words) or _address_breaks_off(words)


# --- numbers ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """The digits at the end of a text."""

    words: Sequence[str]
    before: Sequence[str]
    sign: str
    """`+`, `*` or empty."""

    @property
    def digits(self) -> int:
        return sum(_digit_counts(self.words))

    @property
    def starts_with_zero(self) -> bool:
        return self.words[0] in _ZEROS or self.words[0][0] == "0"

    @property
    def is_spoken(self) -> bool:
        """Digit by digit, as nobody says an amount."""
        return all(word in _UNITS or (word in _ZEROS and word != "0") for word in self.words)

    @property
    def is_clock_or_date(self) -> bool:
        """`08:30`, `05/03`, `0.5`: figures that begin with a zero and are no telephone number."""
        pieces = self.words
        is_year = len(pieces[-1]) == 4 and pieces[-1][:2] in {"19", "20"}
        short = pieces[:-1] if is_year else pieces
        return 2 <= len(pieces) <= 3 and all(w.isdecimal() and len(w) <= 2 for w in short)


def _is_numeral(word: str) -> bool:
    return word.isdecimal() or word in _NUMBER_WORDS or (word[0] == "ו" and word[1:] in _UNITS)


def _run_at_end(words: Sequence[str]) -> _Run | None:
    start = len(words)
    while start and _is_numeral(words[start - 1]):
        start -= 1
    if start == len(words):
        return None
    sign = ""
    first = start
    if start and words[start - 1] in _INTERNATIONAL | _STAR:
        first -= 1
        if first and _is_numeral(words[first - 1]):
            return None  # a sum: "two plus two"
        sign = "+" if words[first] in _INTERNATIONAL else "*"
    if words[start] in _HUNDREDS or words[start][0] == "ו":
        return None
    return _Run(words[start:], words[:first], sign)


def _digit_counts(words: Sequence[str]) -> list[int]:
    """How many digits each word adds: "fifty two" two, "double four" two, "052" three."""
    counts: list[int] = []
    before = ""
    for word in words:
        if word.isdecimal():
            counts.append(len(word))
        elif word in _REPEATED:
            counts.append(_REPEATED[word])
        elif word in _TEENS:
            counts.append(1 if before in _UNITS and word in {"עשר", "עשרה"} else 2)
        elif word in _TENS or word in _HUNDREDS:
            counts.append(2)
        else:
            counts.append(0 if before in _TENS and word not in _ZEROS else 1)
        before = word
    return counts


def _number_breaks_off(words: Sequence[str]) -> bool:
    run = _run_at_end(words)
    if run is None:
        return words[-1] in _INTERNATIONAL
    if run.words[-1] in _REPEATED:
        return len(run.words) > 1 or _is_letter_or_label(run.before)
    return run.digits < _fewest_digits(run)


def _is_letter_or_label(before: Sequence[str]) -> bool:
    """ "M double", "my number is double"; but "I'd like a double"."""
    if not before or before[-1] == "a":
        return False
    return len(before[-1]) == 1 or _is_own_number(before) or _named_digits(before) is not None


def _fewest_digits(run: _Run) -> int:
    """How many digits the number at the end must have at least to be whole; 0: any."""
    if run.sign == "*":
        return 3
    if run.sign == "+":
        return _international_digits(run)
    named = _named_digits(run.before)
    if named is not None and (_LINKS & {*run.before[-4:]} or run.digits > 2):
        return named  # not "I'd like to order two"
    own = _is_own_number(run.before)
    if run.starts_with_zero and run.digits > 1:
        return 0 if run.is_clock_or_date and not own else _national_digits(run)
    if own:
        return 10
    if run.is_spoken:
        # Counted out without a zero: a code of four digits, a local number of seven, or more.
        return run.digits + 1 if run.digits in {3, 5, 6, 8} else 0
    figures = [word for word in run.words if word.isdecimal()]
    if len(figures) == len(run.words) >= 2 and len(figures[0]) == 3 and "000" not in figures:
        return 0 if [*map(len, figures)] == [3, 4] else 10
    return 0


def _named_digits(before: Sequence[str]) -> int | None:
    """By the thing whose number it is said to be: a card, an account."""
    if not _DIGITS.isdisjoint(before[-3:]):
        return 4  # "the last four digits are"
    for spoken in reversed(before[-8:]):
        word = spoken.removesuffix("'s")
        if word in _DIGITS_OF:
            return _DIGITS_OF[word]
        if word not in _BETWEEN:
            return None
    return None


def _is_own_number(before: Sequence[str]) -> bool:
    """ "my number is", "הטלפון שלי זה": a telephone number, as no other thing is named."""
    passed: set[str] = set()
    for spoken in reversed(before[-8:]):
        word = spoken.removesuffix("'s")
        if word in _TELEPHONES:
            return True
        if word not in _BETWEEN:
            break
        passed.add(word)
    return bool(passed & _NUMBER) and bool(passed & _OWN)


def _international_digits(run: _Run) -> int:
    figures = "".join(word for word in run.words if word.isdecimal())
    for code, digits in _INTERNATIONAL_DIGITS.items():
        if figures.startswith(code):
            return digits
    return 11


def _national_digits(run: _Run) -> int:
    """Of a number that begins with a zero. Israeli: ten when mobile (05) or over the internet (07),
    nine else. British: eleven, and told from an Israeli one by its groups or its area code."""
    first = run.words[0]
    second = run.words[1] if first in _ZEROS and len(run.words) > 1 else first[1:2]
    second = second[:1] if second.isdecimal() else second
    is_figures = first not in _ZEROS
    hebrew = any("א" <= word[0] <= "ת" for word in (*run.words, *run.before))
    if second in _SECOND["5"]:
        return 10
    if second in _SECOND["7"]:
        return 10 if hebrew or (is_figures and len(first) in {3, 10}) else 11
    if hebrew or (is_figures and len(first) in {2, 9}):
        return 9
    if second in _SECOND["1"] or is_figures:
        return 11
    third = run.words[2] if len(run.words) > 2 else ""
    return 11 if third in _ZEROS else 9


_SECOND: Final = {
    "1": frozenset("1 one eleven".split()),
    "5": frozenset("5 five fifty חמש חמישה חמישים".split()),
    "7": frozenset("7 seven seventy שבע שבעה שבעים".split()),
}


# --- spellings ----------------------------------------------------------------------------


def _letter(word: str) -> str | None:
    if len(word) == 1 and word.isalpha():
        return word.translate(_FINAL_LETTERS)
    return _LETTER_NAMES.get(word)


def _spelling_breaks_off(words: Sequence[str]) -> bool:
    """A name and the letters at the end, which are fewer than the name has."""
    start = len(words)
    while start and _letter(words[start - 1]) is not None:
        start -= 1
    letters = "".join(_letter(word) or "" for word in words[start:])
    if len(words) - start < 2:
        return False  # one letter names a class, a flat, a day
    name = words[start - 1].translate(_FINAL_LETTERS) if start else ""
    if name.startswith(letters):
        return name != letters
    return len(letters) == 2 and letters.isascii() and letters not in _ABBREVIATIONS


# --- addresses ----------------------------------------------------------------------------


def _address_breaks_off(words: Sequence[str]) -> bool:
    """An e-mail address without its host, or a host without its end."""
    last = words[-1]
    if last in _DOTS or last in _AT_SIGNS or last in _SEPARATORS:
        return True
    if last in _SECOND_LEVEL and len(words) > 1 and words[-2] in _DOTS:
        return True
    if not _MAIL.isdisjoint(words) and words[-2:-1] == ["at"]:
        return "dot" not in words
    sign = next((i for i in range(len(words) - 1, -1, -1) if words[i] in _AT_SIGNS), None)
    if sign is None and len(words) > 2 and words[-2] == "at" and last in _HOSTS:
        return True
    return sign is not None and _DOTS.isdisjoint(words[sign:]) and "com" not in words[sign:]

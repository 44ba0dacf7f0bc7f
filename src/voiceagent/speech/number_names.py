"""What a number is said to be, by the words beside it.

Words flow in, in lower case; a name flows out: a card, the code on its back, an identity number,
something else, or nothing. Hebrew and English. Pure.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, Literal

from voiceagent.speech.digit_runs import FILLERS

Name = Literal["card", "code", "code of a card", "identity", "other", ""]
"""`code of a card`: only where a card is spoken of. `other`: an order's, a telephone's. Empty: the
words say nothing."""

_CARD_WORDS: Final = frozenset(
    "card cards credit debit visa mastercard amex diners isracard כרטיס הכרטיס כרטיסי אשראי האשראי "
    "ויזה הויזה מאסטרקארד מסטרקארד ישראכרט דיינרס אמריקן".split()
)
_CODE_WORDS: Final = frozenset("cvv cvc csc cvn cid".split())
_CODE_WORDS_OF_A_CARD: Final = frozenset(
    "security code back קוד הקוד אבטחה האבטחה ביטחון הביטחון בגב הגב מאחור מאחורה מאחורי".split()
)
_MONTHS: Final = frozenset(
    "january jan february feb march mar april apr may june jun july jul august aug september sep "
    "sept october oct november nov december dec ינואר פברואר מרץ מרס אפריל מאי יוני יולי אוגוסט "
    "ספטמבר אוקטובר נובמבר דצמבר".split()
)
_DIGIT_WORDS: Final = frozenset("digit digits ספרות הספרות".split())
_CARD_GOES_ON: Final = frozenset(
    "exp expire expires expiring expiry expiration valid until till thru through date good month "
    "year mm yy yyyy the is are תוקף התוקף תוקפו תפוגה התפוגה תפוגת עד תאריך התאריך פג חודש "
    "שנה שנת".split()
)
"""Between a card's number and its code."""
_IDENTITY_WORDS: Final = frozenset(
    "id identity identification teudat zehut tz תז זהות הזהות זהותי".split()
)
_OTHER_WORDS: Final = frozenset(
    "order orders reference invoice booking ticket tracking case receipt transaction account phone "
    "telephone mobile cell whatsapp fax product model serial company customer policy iban bank "
    "הזמנה ההזמנה הזמנות אסמכתא אסמכתה חשבונית החשבונית פנייה פניה קריאה לקוח הלקוח פוליסה הפוליסה "
    "אישור האישור משלוח מעקב מוצר דגם חשבון החשבון בנק טלפון הטלפון נייד הנייד פלאפון הפלאפון "
    "וואטסאפ פקס חפ עוסק מורשה חברה קבלה עסקה תיק".split()
)
"""Name another number; nothing but a card's own check digit makes a card of it."""
_PREFIXES: Final = "ובלהשמכ"
_IDENTITY_PAIRS: Final = frozenset({"ת ז", "i d", "t z"})
_OTHER_PAIRS: Final = frozenset({"ח פ", "ע מ"})
_OTHERS: Final = _OTHER_WORDS | _OTHER_PAIRS
_IDENTITIES: Final = _IDENTITY_WORDS | _IDENTITY_PAIRS
_GOES_ON: Final = _CARD_GOES_ON | _MONTHS | _DIGIT_WORDS | FILLERS
_YEAR_COMES: Final = _MONTHS | {"year", "שנה", "שנת"}
_MOST_WORDS_BETWEEN: Final = 5
_WORD: Final = re.compile(r"[^\W\d_]+")
_NAMING: Final = 120
"""Letters at the end of a question in which it says what it asks for."""


def named_before(words: Sequence[str]) -> Name:
    """By the words before it, the nearest last."""
    near = words[: -_MOST_WORDS_BETWEEN - 1 : -1]
    return _named(near, (f"{first} {second}" for second, first in pairwise((*near, ""))))


def named_behind(words: Sequence[str]) -> Name:
    """By the words behind it, the nearest first."""
    near = words[:_MOST_WORDS_BETWEEN]
    return _named(near, (f"{first} {second}" for first, second in pairwise((*near, ""))))


def names_a_number(text: str) -> bool:
    """Whether somebody who says this asks for one, or tells which one comes next."""
    return named_before(_WORD.findall(text.lower()[-_NAMING:])) != ""


def card_goes_on(words: Sequence[str]) -> bool:
    """Whether these, all that is between, let a card's last month or its code follow."""
    return all(not _GOES_ON.isdisjoint(_forms(word)) for word in words)


def year_comes(words: Sequence[str]) -> bool:
    """Whether the last word before a number is a month's name, or says that it is a year."""
    return bool(words) and not _YEAR_COMES.isdisjoint(_forms(words[-1]))


def counts_digits(digits: str, words: Sequence[str]) -> bool:
    """Whether this, with these words behind it, is how many there are: "three digits"."""
    return digits in ("3", "4") and not _DIGIT_WORDS.isdisjoint(words[:1])


def _forms(word: str) -> set[str]:
    """A Hebrew one without what is written in front of it as well."""
    return {word, word[1:] if word[0] in _PREFIXES and len(word) > 2 else word}


def _named(words: Sequence[str], pairs: Iterable[str]) -> Name:
    """By the nearest word that names one; `pairs`: each word with the next one away, as said."""
    for position, (word, pair) in enumerate(zip(words, pairs, strict=True)):
        forms = {*_forms(word), pair}
        if not forms.isdisjoint(_OTHERS):
            return "other"
        if not forms.isdisjoint(_IDENTITIES):
            farther = words[position + 1 : position + 2]
            return "identity" if _OTHER_WORDS.isdisjoint(farther) else "other"
        if word in _CODE_WORDS:
            return "code"
        if not forms.isdisjoint(_CODE_WORDS_OF_A_CARD):
            return "code of a card"
        if not forms.isdisjoint(_CARD_WORDS):
            return "card" if _CODE_WORDS_OF_A_CARD.isdisjoint(words) else "code"
    return ""

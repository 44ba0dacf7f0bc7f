"""Whether the end of a Hebrew text asks for more.

The words of a text flow in; out comes whether its last clause lacks something that its grammar
wants: the noun of a preposition or of a construct state, the object of a verb that was not
fronted, a predicate. The rules look at the last words and at what stands before them in their
clause; they do not parse.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from voiceagent.call.completeness import hebrew_words as lexis
from voiceagent.call.completeness.end import End, end_of

_DRAWN_OUT: Final = re.compile("א+ה+|א*מ{2,}ם?|ה+מ{2,}|אא+")
""" "אההה", "אממ": however long."""
_DAYS_AND_CLASSES: Final = frozenset("בהו")
""" "כיתה ב", "יום ה": letters that are prefixes elsewhere."""
_POLITE: Final = frozenset({"בבקשה"})


def asks_for_more(words: Sequence[str]) -> bool:
    """Whether a text that ends in these words is still open. `words` as `words_of` gives them."""
    parts = list(words)
    while len(parts) > 1 and parts[-1] in _POLITE:
        parts.pop()
    end = end_of(parts, lexis.OPENERS, lexis.BOUNDARIES)
    if end.ends_in(lexis.CLOSED_PHRASES):
        return False
    if end.last in lexis.PREFIXES:
        return end.last not in _DAYS_AND_CLASSES or end.before.lstrip("בלמ") not in lexis.LETTERED
    if _DRAWN_OUT.fullmatch(end.last) or end.ends_in(lexis.OPEN_PHRASES):
        return True
    if end.is_only(lexis.ANNOUNCEMENTS) or (end.is_alone(1) and end.last in lexis.OPEN_ALONE):
        return True
    if _lacks_its_other_half(end):
        return True
    for base in _bases(end.last):
        rule = _RULES.get(base)
        if rule is not None:
            return rule(end)
        if base in lexis.ALWAYS_OPEN:
            return not _is_whole_after_all(end, base)
    if _VERBAL_NOUN.fullmatch(end.last):
        return _is_verbal_noun(end)
    if _HIFIL.fullmatch(end.last) and end.last not in lexis.WITHOUT_OBJECT:
        return _transitive(end)
    return _is_construct(end.last)


def _bases(word: str) -> Iterator[str]:
    """The word, and what is left of it without an "and", a "that" or a "when"."""
    yield word
    if word in lexis.NOT_PREFIXED:
        return
    for prefix in ("ו", "ש", "כש", "וש"):
        if word.startswith(prefix) and len(word) >= len(prefix) + 2:
            yield word[len(prefix) :]


_NO_VOWEL: Final = "[א-הז-טכ-ת]"
_VERBAL_NOUN: Final = re.compile(
    rf"ו?(?:[בלמכ]?ה[א-ת]{{2}}{_NO_VOWEL}ת|[בלמכ]?[א-ת]{_NO_VOWEL}י{_NO_VOWEL}ת|[א-ת]{{2,}}יית)"
)
"""Feminine verbal nouns in the construct state: "החלפת", "פתיחת", "קניית"."""
_HIFIL: Final = re.compile("ו?לה[א-ת]{2,3}י[א-ת]")
""" "להחליף", "להעביר": infinitives that want an object."""


def _is_verbal_noun(end: End) -> bool:
    """Not "the" and a noun, nor what the other one did: "מה הזמנת"."""
    if end.last in lexis.ABSOLUTE_FEMININES:
        return False
    others = {"אתה", "את", "לא", "שלא"}
    return not (end.has(lexis.QUESTION_WORDS) or end.before in others)


def _is_construct(word: str) -> bool:
    """A construct noun behind a prefix: "למחלקת". One with an article there is not."""
    return any(
        base[:1] in {"ב", "ל", "מ", "כ"} and base[1:] in lexis.CONSTRUCTS for base in _bases(word)
    )


# --- what was said before and fills the gap -----------------------------------------------


def _is_fronted(end: End, questions: frozenset[str] = lexis.FRONTED) -> bool:
    """Whether a question word, an object or a relative "ש" stands for what the end lacks.

    "מה אתם צריכים", "את זה אני רוצה", "מה שצריך", "הדירה שאני רוצה".
    """
    if end.has(questions) or end.has(_AND_QUESTIONS):
        return True
    words = end.words
    object_ = words[end.clause] == "את" and words[end.clause + 1][:1] in {"ה", "ז"}
    return object_ or _is_relative(end)


def _is_relative(end: End) -> bool:
    """Whether the verb at the end, or the pronoun before it, has a relative "ש"."""
    last, before, head = end.last, end.before, end.words[-3]
    if last.startswith("ש") and last[1:] in lexis.WANTS | lexis.TRANSITIVES:
        return bool(before) and before not in _OPINION_OR_SAYING
    if before.startswith("ש") and before[1:] in lexis.SUBJECTS:
        return bool(head) and head not in _OPINION_OR_SAYING
    return False


_AND_QUESTIONS: Final = frozenset("ו" + word for word in lexis.FRONTED) | {"מהו", "מהי", "שמה"}
_OPINION_OR_SAYING: Final = lexis.OPINIONS | lexis.SAYINGS | lexis.DATIVES


def _is_conditional(end: End) -> bool:
    """ "תתקשרו אם אתם יכולים": "if" with a whole clause before it, or with nothing but itself."""
    start = end.clause - 1
    if end.words[start] != "אם":
        return False
    asked = {"יודע", "יודעת", "לדעת", "לשאול", "לברר", "לבדוק", "שואל", "שואלת"}
    return asked.isdisjoint(end.words[:start]) and len(end.words) - start <= 3


# --- the rules, by the last word ----------------------------------------------------------


def _wanting(end: End) -> bool:
    """ "אני רוצה" lacks its object; "לא רוצה", "כן אפשר", "כמה שאפשר" do not."""
    before = end.before
    if before == "לא" or (before in {"כן", "בטח"} and end.last != "רוצה"):
        return False
    if end.opening in {"כן", "לא"} and before in lexis.SPEAKERS and end.last.startswith("יכול"):
        return False
    return not (_is_conditional(end) or _is_fronted(end))


def _transitive(end: End) -> bool:
    last = end.last
    if end.before in {"לא", "כן", "כבר"} and not last.startswith("ל"):
        return False  # "עוד לא קיבלתי"
    if end.is_alone(1) and last.startswith(("ל", "ת")) and last not in lexis.DICTATING:
        return False  # "תשלחו", "להזמין": answers
    return not _is_fronted(end)


def _saying(end: End) -> bool:
    return not (_is_fronted(end, lexis.QUESTION_WORDS) or end.before in {"לא", "ככה", "כך"})


def _opinion(end: End) -> bool:
    """Opens a sentence, or closes one: "ביום שלישי אני חושב"."""
    if end.before in {"לא", "גם", "כן"} or end.has(lexis.QUESTION_WORDS):
        return False
    return end.is_alone(2) or end.before not in lexis.SPEAKERS


def _located(end: End) -> bool:
    return not end.has(lexis.QUESTION_WORDS)


def _seeming(end: End) -> bool:
    return not end.has(lexis.QUESTION_WORDS) and end.before not in {"כך", "ככה", "לא"}


def _dative(end: End) -> bool:
    """ "יש לי", "תגידי לי" lack their object; "אין לי", "כואב לי" do not."""
    before = end.before
    if before in {"אין", "שאין"} and end.last in {"לך", "לכם"}:
        return True  # "אין לכם" asks; "אין לי" answers
    if before not in lexis.GIVING and before[1:] not in lexis.GIVING:
        return False
    if before not in {"יש", "היה"} and end.words[-3] == "לא":
        return False  # "לא נראה לי"
    if end.opening == "כן" and end.is_alone(2) and before.startswith("ת"):
        return False  # "כן תשלחו לי"
    if before == "יש" and end.words[-3] in {"כן", "גם", "לא"}:
        return False
    if before in {"נראה", "נדמה"} and not end.is_alone(2):
        return False
    return not _is_fronted(end, lexis.QUESTION_WORDS)


def _existence(end: End) -> bool:
    """ "האם יש" lacks its noun; "כן יש" does not."""
    return not (end.is_alone(1) or end.before in {"כן", "לא", "מה", "כמה", "עוד", "מי"})


def _be(end: End) -> bool:
    """ "המחיר יהיה" lacks its predicate; "איך היה", "לא היה" do not."""
    if end.last == "שיהיה":
        return False
    return not (end.has(lexis.QUESTION_WORDS) or end.before in {"לא", "כן", "כבר"})


def _third_person(end: End) -> bool:
    """Subject or copula: "השם שלי הוא" is open; "איפה הוא", "גם הוא" are whole."""
    if end.last in lexis.THIRD_PERSONS and end.has(lexis.QUESTION_WORDS):
        return False
    return end.before not in {"גם", "רק", "זה", "לא"}


def _speaker(end: End) -> bool:
    """ "אתם" has its verb to come; "גם אני", "מי אתה", "איפה אתם" have not."""
    before, head = end.before, end.words[-3]
    if before in {"גם", "רק", "זה", "זאת"} and end.last != "את":
        return False
    if before == "מי" or before in lexis.PLACES:
        return head in lexis.PREPOSITIONS
    return not (before in lexis.MANNERS and end.last in {"אתה", "את", "אתם", "אתן"})


def _demonstrative(end: End) -> bool:
    """ "הטלפון שלי זה" lacks its predicate; "על זה", "כמה זה" are whole."""
    before = end.before
    if end.last not in lexis.DEMONSTRATIVES:
        return True  # "שזה"
    if before in lexis.PREPOSITIONS | lexis.QUESTION_WORDS | {"את", "רק", "גם", "לא", "ולא"}:
        return False
    return not before.startswith("ב")  # "במספר זה"


def _no(end: End) -> bool:
    """ "אני לא" lacks its verb; "עדיין לא" is an answer."""
    if end.last == "שלא":
        return end.before not in lexis.BEFORE_THAT_NOT
    return not (end.is_alone(1) or end.before in lexis.BEFORE_NO)


def _yes(end: End) -> bool:
    return end.before in lexis.SUBJECTS


def _question_word(end: End) -> bool:
    """ "עד מתי", "לא יודע איך" are questions; "תגידי לי מה" has its clause still to come."""
    base = end.last.removeprefix("ו")
    if base == "כמה" and end.before in lexis.HOW_MANY_OF:
        return True
    if base in lexis.WHICH:
        return not (end.is_alone(1) and base in {"איזה", "איזו"})
    if end.is_alone(1) or (end.before in lexis.PREPOSITIONS and end.is_alone(2)):
        return False
    sluiced = end.before in {"יודע", "יודעת", "ברור"} and end.words[-3] == "לא"
    return not (sluiced and base not in {"מה", "מי"})


def _degree(end: End) -> bool:
    """ "זה מאוד", "אני ממש" lack what is to come; "טוב מאוד" does not."""
    before, last = end.before, end.last
    if last in {"פחות", "ופחות"} and (before in lexis.NUMERALS or before.isdecimal()):
        return True  # "שמונה פחות" רבע
    if last in {"הרבה", "מעט"} and before == "לא":
        return False
    if last == "עוד":
        return before not in {"לא", "אין", "כל", ""}
    if last in {"יותר", "פחות"} and before == "משהו":
        return True
    if before in lexis.WANTS:
        return end.words[-3] != "לא" and not _is_fronted(end)
    return before in lexis.SUBJECTS - {"את"} or before in lexis.TO_BE or _has_nothing_yet(end)


def _has_nothing_yet(end: End) -> bool:
    """ "יש לכם אולי": behind "there is", only for whom, where and an adverb."""
    words = end.words
    there_is = max((i for i in range(end.clause, len(words)) if words[i] == "יש"), default=None)
    if there_is is None or end.has(lexis.QUESTION_WORDS):
        return False
    return all(w in lexis.DATIVES | lexis.DEGREES | lexis.WITH_US for w in words[there_is + 1 :])


def _son_or_daughter(end: End) -> bool:
    """ "אני בן" lacks the years; "יש לי בן" does not."""
    before = end.before
    is_noun = before[:1] == "ה" and len(before) > 3
    return is_noun or before in lexis.SUBJECTS | lexis.OWNERS | lexis.TO_BE


def _monday_or_two(end: End) -> bool:
    """ "אנחנו צריכים שני" lacks its noun; "יום שני", "ראשון או שני" do not."""
    before = end.before
    return not (end.is_alone(1) or before.endswith("יום") or before in {"או", "עד", "של", "צד"})


def _number(end: End) -> bool:
    before = end.before
    return (
        end.is_alone(1)
        or before in lexis.NUMBERED | lexis.HOW_MANY_OF
        or before[1:] in lexis.NUMBERED
    )


def _one_more(end: End) -> bool:
    """ "אחד עם חלב ואחד": the second half of a pair."""
    return end.last.removeprefix("ו") in end.words[:-1]


def _day(end: End) -> bool:
    """ "ביום" lacks its name; "פעמיים ביום" does not."""
    return lexis.COUNTS.isdisjoint(end.words[-3:-1]) and not end.words[-2].isdecimal()


# --- over the whole text ------------------------------------------------------------------


def _lacks_its_other_half(end: End) -> bool:
    """ "בין שתיים", "בעוד חמש", "אם אני בא מחר": more is announced."""
    words = end.words
    before, last = end.before.removeprefix("ו"), end.last
    is_number = last in lexis.NUMERALS or last.isdecimal()
    if is_number and before in {"בין", "בעוד", "תוך", "כעבור"}:
        return True
    if words[end.first] == "אם" and not end.is_alone(2) and words[end.first + 1] in lexis.SUBJECTS:
        rest = words[end.first + 2 :]
        return 0 < len(rest) <= 5 and lexis.SUBJECTS.isdisjoint(rest) and last not in lexis.WANTS
    return False


def _is_whole_after_all(end: End, base: str) -> bool:
    """Exceptions to the words that are always open: adverbs of the same spelling."""
    if base in {"לפני", "אחרי"}:
        return end.before in lexis.TIME_UNITS
    return base == "במקום" and end.before in {"כאן", "פה"}


_RULES: Final[dict[str, Callable[[End], bool]]] = {
    **dict.fromkeys(lexis.TRANSITIVES, _transitive),
    **dict.fromkeys(lexis.WANTS, _wanting),
    **dict.fromkeys(lexis.SAYINGS, _saying),
    **dict.fromkeys(lexis.OPINIONS, _opinion),
    **dict.fromkeys(lexis.LOCATED | lexis.COSTING, _located),
    **dict.fromkeys(lexis.SEEMING, _seeming),
    **dict.fromkeys(lexis.TO_BE, _be),
    **dict.fromkeys(lexis.DATIVES, _dative),
    **dict.fromkeys(lexis.THIRD_PERSONS, _third_person),
    **dict.fromkeys(lexis.SPEAKERS | {"את"}, _speaker),
    **dict.fromkeys(lexis.DEMONSTRATIVES, _demonstrative),
    **dict.fromkeys(lexis.QUESTION_WORDS | lexis.WHICH, _question_word),
    **dict.fromkeys(lexis.DEGREES, _degree),
    **dict.fromkeys(("יש", "אין"), _existence),
    **dict.fromkeys(lexis.WITH_US, _has_nothing_yet),
    **dict.fromkeys(("ואחד", "ואחת"), _one_more),
    **dict.fromkeys(("בן", "בת", "בני", "בנות"), _son_or_daughter),
    **dict.fromkeys(("ביום", "ליום", "מיום"), _day),
    "לא": _no,
    "כן": _yes,
    "שני": _monday_or_two,
    "מספר": _number,
}

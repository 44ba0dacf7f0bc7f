"""Whether the end of an English text asks for more.

The words of a text flow in; out comes whether its last clause lacks something that its grammar
wants: a noun behind a determiner, an object that was not fronted, the second half of a pair. The
rules look at the last words and at what stands before them in their clause; they do not parse.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from voiceagent.call.completeness import english_context as context
from voiceagent.call.completeness import english_subjects as subjects
from voiceagent.call.completeness import english_words as lexis
from voiceagent.call.completeness.end import End, end_of
from voiceagent.call.completeness.english_words import AUXILIARIES, BE, MODALS, PRONOUNS, SUBJECTS

_SPELT_TOGETHER: Final = {
    "im": "i 'm", "ive": "i 've", "thats": "that 's", "whats": "what 's", "theres": "there 's",
    "dont": "don't", "doesnt": "doesn't", "didnt": "didn't", "cant": "can't", "isnt": "isn't",
    "wasnt": "wasn't", "havent": "haven't", "couldnt": "couldn't", "wouldnt": "wouldn't",
    "youre": "you 're", "theyre": "they 're", "lets": "let's", "wheres": "where 's",
}  # fmt: skip
"""Recognisers drop apostrophes."""
_DRAWN_OUT: Final = re.compile("u+h*m+|u+h+|h+m+|e+r+m*|e+h+m*|m{3,}")
""" "ummm", "uhhh": however long."""


def asks_for_more(words: Sequence[str]) -> bool:
    """Whether a text that ends in these words is still open. `words` as `words_of` gives them."""
    end = end_of(_parts(words), lexis.OPENERS, lexis.BOUNDARIES)
    if end.ends_in(lexis.CLOSED_PHRASES):
        return False
    if end.last in lexis.ALWAYS_OPEN or _DRAWN_OUT.fullmatch(end.last):
        return True
    if end.ends_in(lexis.OPEN_PHRASES) or end.is_only(lexis.ANNOUNCEMENTS):
        return True
    if context.lacks_its_other_half(end) or _lacks_its_noun(end):
        return True
    rule = _RULES.get(end.last)
    return rule(end) if rule is not None else _is_contracted_negation(end)


def _parts(words: Sequence[str]) -> list[str]:
    """The words with contractions in their parts, and without a "please" at the end."""
    parts: list[str] = []
    for spelt in words:
        word = _SPELT_TOGETHER.get(spelt, spelt)
        stem, apostrophe, ending = word.partition("'")
        if " " in word:
            parts += word.split()
        elif apostrophe and stem and "'" + ending in lexis.CLITICS and stem != "let":
            parts += [stem, "'" + ending]
        else:
            parts.append(word)
    while len(parts) > 1 and parts[-1] == "please":
        parts.pop()
    return parts


_WH: Final = lexis.QUESTION_WORDS


# --- the rules, by the last word ----------------------------------------------------------


def _preposition(end: End) -> bool:
    """ "I need a table for" lacks its noun; "what is it for", "can I log in" do not."""
    words, last, before = end.words, end.last, end.before
    if end.is_alone(1):
        return True
    if before in lexis.PHRASAL.get(last, ()):
        return False
    if before in lexis.PEOPLE and words[-3] in lexis.PHRASAL.get(last, ()):
        return False
    if words[-4] in lexis.SEPARABLE and words[-3] in lexis.DETERMINERS and last in {"in", "on"}:
        return False
    if (before, last) in lexis.PREPOSITIONAL_VERBS and end.has(BE):
        return False
    if (before, last) in lexis.PURPOSES and context.is_purpose(end, 3):
        return False
    if last in {"in", "on"} and _asks_whether_there(end):
        return False
    if context.is_stranded(end):
        return False
    if last == "to":
        return not _is_bare_infinitive(end)
    return last not in lexis.ADVERBS_TOO


def _asks_whether_there(end: End) -> bool:
    """ "is the doctor in", "is he in"."""
    words = end.words
    return words[end.clause] in {"is", "are"} and words[-2] in lexis.PERSONS


def _is_bare_infinitive(end: End) -> bool:
    """ "to" stands for its clause: "no I don't want to", "if you like to", "I'd love to"."""
    words, verb = end.words, end.before
    if verb == "love":
        return True
    if verb not in _BEFORE_BARE_TO:
        return False
    no = end.opening in {"no", "yes", "yeah"} and words[-3].endswith("n't")
    return no or context.is_conditional(end) or words[-4] in {"if", "whenever"}


_BEFORE_BARE_TO: Final = frozenset("want need have like mean wish plan going used able".split())


def _verb(end: End) -> bool:
    """ "can you put" lacks its object; "what do you need", "the one I want" do not."""
    last, before = end.last, end.before
    if last in lexis.OPINIONS and before in SUBJECTS and not end.is_alone(3):
        return False  # "on Tuesday I think"
    if last in {"say", "tell"} and before.endswith("n't"):
        return False  # "I can't say"
    if before in {"a", "the", "no", "any"} or context.is_conditional(end):
        return False
    if last in lexis.PARTICIPLES and (before in BE or _asks_of_the_past(end)):
        return False  # "where was it made", "where it was made"
    if last in {"know", "knows"}:
        return not _may_end_in_know(end)
    if before == "to" and context.is_purpose(end, 2):
        return False
    if last in lexis.OF_PLACE_OR_MANNER:
        return not context.is_fronted(end, lexis.FRONTED_PLACES | {"how"})
    return not context.is_fronted(end)


def _asks_of_the_past(end: End) -> bool:
    """ "where was it", "when were they": what was done to it may follow, and nothing more."""
    words = end.words
    return end.before in PRONOUNS and words[-3] in BE and words[-4] in {"where", "when", "how"}


def _may_end_in_know(end: End) -> bool:
    words = end.words
    if words[-3] == "let" or end.has(_WH) or context.is_negated(words[-4:-1]):
        return True
    return words[-2] in SUBJECTS or words[-3] in {"good", "nice"} or context.is_fronted(end)


def _infinitive(end: End) -> bool:
    """A verb that is also a noun, or needs no object elsewhere: open in "I want to book"."""
    words, before = end.words, end.before
    wanted = before == "to" and words[-3] in lexis.CATENATIVES
    asked = before in SUBJECTS and words[-3] in MODALS
    if end.last == "see" and before in {"'s", "me"}:
        return True
    return (wanted or asked) and not context.is_fronted(end, lexis.FRONTED | {"how"})


def _dative(end: End) -> bool:
    """ "can you send me" lacks the thing; "can you call me" does not."""
    verb = end.before
    return verb in lexis.DATIVES and not context.is_fronted(end)


def _you_or_it(end: End) -> bool:
    if end.last == "you" and end.before in {"give", "tell", "ask", "send", "let", "show"}:
        return not context.is_fronted(end)
    return subjects.pronoun(end)


def _adverb(end: End) -> bool:
    """Between a subject or a copula and what is to come: "I really", "it's too"."""
    words, last, before = end.words, end.last, end.before
    if last == "not":
        answered = end.opening in {"no", "yes"} and words[-3] in PRONOUNS and before in BE
        return before not in lexis.BEFORE_NOT and not answered
    if last == "so":
        return before not in lexis.BEFORE_SO
    if last == "any":
        return before in lexis.PREPOSITIONS or not context.is_negated(words[end.clause : -1])
    if before in AUXILIARIES or before in lexis.BOUNDARIES | {"far", "way", "much", "with", "for"}:
        return True
    if before in _WANT_SOMETHING and last in {"maybe", "only", "just", "probably", "either"}:
        return True
    if last in {"more", "most", "less", "too", "both", "either"}:
        return before in {"something", "the", "about"}
    return before in SUBJECTS or (before in PRONOUNS and words[-3] in lexis.BOUNDARIES | {""})


_WANT_SOMETHING: Final = frozenset("want need like have got get take".split())


def _question_word(end: End) -> bool:
    """ "why", "from where", "I don't know how" are whole; "tell me what", "the man who" are not."""
    before = end.before
    if end.is_alone(1) or (before in lexis.PREPOSITIONS and end.is_alone(2)):
        return False
    if end.last in {"how", "why", "where", "when"} and before == "know":
        return not (context.is_negated(end.words[end.clause : -1]) or "let" in end.words)
    # "your office is where", "and why"
    return before not in lexis.LINKING | {"and", "so"}


def _measure(end: End) -> bool:
    """ "how much" is a question; "I wanted to know how much" has its clause still to come."""
    phrase = end.before in {"how", "what", "which"}
    return phrase and not (end.is_alone(2) or end.words[-3] in lexis.PREPOSITIONS)


def _next_or_last(end: End) -> bool:
    if end.last == "next":
        return not (end.is_alone(1) or end.has(_WH) or end.before in {"you", "'re", "'m"})
    return end.before != "at" and not end.has(_WH) and not end.has(MODALS)


def _one(end: End) -> bool:
    """ "one with olives and one": the second half of a pair."""
    return end.before in {"and", "or"} and "one" in end.words[:-2]


def _determiner_no(end: End) -> bool:
    return end.before in AUXILIARIES | {"with", "there", "got"}


def _number(end: End) -> bool:
    """ "flat number" lacks its number; "wrong number" is whole."""
    return end.before in AUXILIARIES | {"flat", "house", "apartment", "room", "at", "unit", "bus"}


def _progressive(end: End) -> bool:
    """ "I'm looking" lacks its "for"; "just looking", "who's calling" do not."""
    return end.before in BE and not end.has(_WH)


def _half(end: End) -> bool:
    """ "at half" lacks its "past"; "the first half", "two and a half" are whole."""
    if end.last == "quarter" and (
        end.is_alone(1) or end.words[-3] in {"at", "by", "until", "from"}
    ):
        return True
    return end.before in lexis.PREPOSITIONS


def _mind(end: End) -> bool:
    """ "would you mind" lacks its clause; "if you don't mind" is an answer."""
    return end.before == "you" and end.words[-3] == "would"


def _after_the(end: End) -> bool:
    """ "the twenty" lacks its unit: a day is an ordinal."""
    return end.before == "the"


def _better(end: End) -> bool:
    """ "I'd better" lacks its verb."""
    return end.before in {"'d", "had"}


def _point(end: End) -> bool:
    """ "three point" lacks its decimals."""
    return end.before in lexis.NUMERALS or end.before.isdecimal()


def _title(end: End) -> bool:
    """ "speak to doctor" lacks the name; "see a doctor" does not."""
    return end.is_alone(1) or end.before in lexis.PREPOSITIONS | BE


def _his(end: End) -> bool:
    return end.before not in BE


def _each(end: End) -> bool:
    return not (context.is_fronted(end) or any(word.isdecimal() for word in end.words))


def _lacks_its_noun(end: End) -> bool:
    """ "a new", "the nearest", "since last"."""
    return end.last in lexis.ATTRIBUTES and end.before in lexis.DETERMINERS


def _is_contracted_negation(end: End) -> bool:
    """ "the card won't" lacks its verb; "no I don't" stands for its clause."""
    return (
        end.last.endswith("n't")
        and not end.is_alone(1)
        and end.before not in PRONOUNS | {"please", "why"}
    )


_RULES: Final[dict[str, Callable[[End], bool]]] = {
    **dict.fromkeys(lexis.INFINITIVES, _infinitive),
    **dict.fromkeys(lexis.TRANSITIVES | {"know"}, _verb),
    **dict.fromkeys(AUXILIARIES, subjects.auxiliary),
    **dict.fromkeys(lexis.WEAK_ADVERBS, _adverb),
    **dict.fromkeys(lexis.MEASURES, _measure),
    **dict.fromkeys(lexis.PREPOSITIONS, _preposition),
    **dict.fromkeys(lexis.QUESTION_WORDS, _question_word),
    **dict.fromkeys(SUBJECTS | {"there", "this", "that", "these", "those"}, subjects.pronoun),
    **dict.fromkeys(("you", "it"), _you_or_it),
    **dict.fromkeys(("me", "us"), _dative),
    **dict.fromkeys("looking calling phoning ringing wondering due".split(), _progressive),
    **dict.fromkeys(("next", "last"), _next_or_last),
    "one": _one,
    **dict.fromkeys(("half", "quarter"), _half),
    **dict.fromkeys(("twenty", "thirty"), _after_the),
    "better": _better,
    "point": _point,
    "doctor": _title,
    "professor": _title,
    "mind": _mind,
    "his": _his,
    "no": _determiner_no,
    "number": _number,
    "each": _each,
}

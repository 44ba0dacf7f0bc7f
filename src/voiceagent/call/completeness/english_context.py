"""What stands before the end of an English clause, and what it means for the end.

The end of a text flows in; out comes whether a question phrase, a relative, an "if" or a purpose
has taken what the last word would otherwise lack ("what do you need", "the one I want", "call me
if you can", "a flat to rent"), or whether it announces more ("either", "between").
"""

from collections.abc import Sequence
from typing import Final

from voiceagent.call.completeness import english_words as lexis
from voiceagent.call.completeness.end import End
from voiceagent.call.completeness.english_words import AUXILIARIES, PRONOUNS, SUBJECTS


def is_fronted(end: End, phrases: frozenset[str] = lexis.FRONTED) -> bool:
    """Whether a question phrase or a relative before the clause stands for what its end lacks.

    "what do you need", "how much does it cost", "all I need", "as much as I can".
    """
    words = end.words
    for index in range(len(words) - 2, end.clause - 1, -1):
        word = words[index]
        opens = word in phrases or (word == "how" and words[index + 1] in lexis.MEASURES)
        between = words[index + 1 : -1]
        adverbial = end.last not in lexis.PREPOSITIONS and _is_when(words, index)
        if opens and not adverbial and _has_subject(between, word):
            return True
    return has_relative_head(end, words[-1:])


def _is_when(words: Sequence[str], index: int) -> bool:
    """ "what time", "which day": questions for an adverb."""
    return words[index + 1] in {"time", "day", "date", "way"}


def _has_subject(words: Sequence[str], opener: str) -> bool:
    if opener == "what":
        return bool(words)
    return any(w in AUXILIARIES or w in PRONOUNS or w in lexis.DETERMINERS for w in words)


def has_relative_head(end: End, verbs: Sequence[str]) -> bool:
    """Whether the clause is a relative one without a pronoun: "the one I need", "all you have".

    `verbs` are the words at the end that must follow from its subject; of others only auxiliaries
    and the like may stand between.
    """
    words = end.words
    index = len(words) - len(verbs) - 1
    while words[index] in _BEFORE_VERB or words[index].endswith("n't"):
        index -= 1
    if words[index] not in _RELATIVE_SUBJECTS or index <= end.first:
        return False
    head = words[index - 1]
    if head == "that" and words[index - 2] in lexis.REPORTERS:
        return False
    determined = not lexis.DETERMINERS.isdisjoint(words[index - 3 : index - 1])
    is_noun = head not in AUXILIARIES | lexis.PREPOSITIONS | lexis.OPENERS
    return head in lexis.RELATIVE_HEADS or (is_noun and determined)


_BEFORE_VERB: Final = AUXILIARIES | lexis.CATENATIVES - lexis.PEOPLE | lexis.WEAK_ADVERBS | {"to"}
_RELATIVE_SUBJECTS: Final = SUBJECTS | {"you", "it"}


def is_conditional(end: End) -> bool:
    """ "call me if you can": a whole clause stands before the "if"."""
    start = end.clause - 1
    if end.words[start] != "if":
        return False
    return start > end.first and lexis.INDIRECT_QUESTIONS.isdisjoint(end.words[end.first : start])


def is_stranded(end: End) -> bool:
    """Whether the noun of the preposition at the end stands before the clause."""
    words, last, before = end.words, end.last, end.before
    places = last in {"to", "from", "at", "in", "near"}
    if last == "to" and before in lexis.CATENATIVES and before not in {"going", "me", "it", "you"}:
        return False
    if has_relative_head(end, words[-2:]):
        return before not in lexis.DETERMINERS
    if not is_fronted(end, lexis.FRONTED_PLACES if places else lexis.FRONTED):
        return before in lexis.QUESTION_WORDS
    if before in lexis.BEFORE_STRANDED or before.endswith(("ing", "ed")):
        return True
    question = next((i for i in range(end.clause, len(words)) if words[i] in lexis.FRONTED), -1)
    asks_for_noun = question >= 0 and words[question + 1] not in AUXILIARIES
    behind_noun = last in lexis.STRANDED_BEHIND_NOUN or (asks_for_noun and last in {"on", "in"})
    return behind_noun and before not in lexis.RELATIONAL


def is_purpose(end: End, length: int) -> bool:
    """ "a flat to buy", "somebody to talk to": the noun that is wanted stands before the "to"."""
    words = end.words
    noun = words[-length - 1]
    return words[-length] == "to" and bool(noun) and noun not in _NO_PURPOSE


_NO_PURPOSE: Final = lexis.CATENATIVES | lexis.OPENERS | lexis.BEFORE_STRANDED


def is_negated(words: Sequence[str]) -> bool:
    return any(word in lexis.NEGATIONS or word.endswith("n't") for word in words)


# --- what announces more ------------------------------------------------------------------

_SECOND_HALVES: Final = {
    "either": frozenset({"or"}),
    "neither": frozenset({"nor", "of"}),
    "between": frozenset({"and", "to"}),
    "both": frozenset({"and", "of"}),
}


def lacks_its_other_half(end: End) -> bool:
    """ "either Tuesday", "between two", "if it rains", "tomatoes cucumbers": more is announced."""
    words = end.words
    opener = words[end.first]
    if end.is_alone(1):
        return end.last in lexis.ANNOUNCERS
    halves = _SECOND_HALVES.get(opener)
    if halves is not None and words[end.first + 1] not in AUXILIARIES | PRONOUNS:
        return halves.isdisjoint(words[end.first + 1 : -1]) and len(words) - end.first <= 5
    if opener in {"if", "although"}:
        subject, rest = words[end.first + 1], words[end.first + 2 :]
        is_clause = subject in PRONOUNS | lexis.DETERMINERS
        more = any(w in PRONOUNS or w in lexis.PEOPLE for w in rest)
        return is_clause and not more and len(rest) <= 6 and end.last not in _POLITE_IFS
    return len(words) - end.first >= 2 and all(map(_is_plural, words[end.first :]))


_POLITE_IFS: Final = frozenset("mind like want prefer can possible".split())
""" "if you don't mind" is an answer."""


def _is_plural(word: str) -> bool:
    return (
        word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) and word not in _NO_NOUNS
    )


_NO_NOUNS: Final = frozenset("yes thanks always was has does sometimes as perhaps".split())

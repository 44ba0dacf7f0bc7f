"""An auxiliary or a pronoun at the end of an English text: is its clause still to come?

The end of a text flows in; out comes whether it asks for more. An auxiliary may stand for its
clause ("yes I am"), a pronoun may be a subject ("do you know if they") or all that was wanted
("call them").
"""

from typing import Final

from voiceagent.call.completeness import english_context as context
from voiceagent.call.completeness import english_words as lexis
from voiceagent.call.completeness.end import End
from voiceagent.call.completeness.english_words import AUXILIARIES, MODALS, PRONOUNS, SUBJECTS

_WH: Final = lexis.QUESTION_WORDS


def auxiliary(end: End) -> bool:
    """ "my name is" lacks its predicate; "yes I am", "what it is" do not."""
    words, last, subject = end.words, end.last, end.before
    if last in lexis.CLITICS:
        # "at Tom's", "that's my wife's"; but "my name's"
        owner = words[-3] in lexis.DETERMINERS or not {"at", "to", "from"}.isdisjoint(words[-5:-2])
        owner = owner and not end.is_alone(3)
        return not (last == "'s" and owner)
    if context.is_conditional(end) or (last == "may" and subject not in PRONOUNS):
        return False  # "the third of May"
    if last == "am" and subject[-1:].isdecimal():
        return False
    if subject in PRONOUNS:
        license_ = words[-3]
        if license_ == "when":
            return last not in {"can", "could"}
        if license_ in lexis.LICENSES:
            return last in lexis.HAVE and license_ not in lexis.OPENERS | lexis.FRONTED
        if end.is_alone(2):
            return last not in lexis.DO and (subject, last) not in lexis.SHORT_ANSWERS
        return not context.is_fronted(end)
    question = next((i for i in range(end.clause, len(words) - 2) if words[i] in _WH), None)
    if question is None:
        return not (subject == "to" and words[-3] in lexis.RELATIVE_HEADS)  # "nothing to do"
    if last in {"be", "been", "have", "do"}:
        asked = not AUXILIARIES.isdisjoint(words[question:-1])
        return not (asked or (subject == "to" and words[-3] in _WH))
    # "tell me what the price is", but "what I mean is".
    inside = words[question] == "how" or words[question + 1] in lexis.DETERMINERS
    return question == end.first or not (inside or "'s" in words[question:])


def pronoun(end: End) -> bool:
    """ "can you" and "the day we" lack their verb; "how are you", "so do I", "call you" do not."""
    words, last, verb = end.words, end.last, end.before
    if verb.endswith("n't"):
        return end.is_alone(2) or end.has(_WH)  # else a tag: "it's open, isn't it"
    if verb in AUXILIARIES:
        return not _may_follow_auxiliary(end)
    if last in SUBJECTS:
        return verb != "than"
    if last == "that":
        return _opens_clause(end)
    if last in {"this", "these", "those"}:
        return end.is_alone(1)
    if end.is_alone(1):
        return last == "it" or (last == "there" and not words[end.first - 1])
    return verb in lexis.BOUNDARIES | {"that", "whether", "when", "until", "before"} | _WH and not (
        last == "you" and verb == "and"
    )


def _may_follow_auxiliary(end: End) -> bool:
    words, last, verb = end.words, end.last, end.before
    lead = words[-3]
    if lead in {"neither", "nor"} or (lead == "so" and last in SUBJECTS):
        return True
    question = end.has(_WH)
    if verb in lexis.LINKING:
        if lead in {"that", "this", "it"}:
            return True  # "that's it"
        if question:
            return lead not in {"why", "when", "what", "which"} or last in {
                "it", "this", "that", "these", "those",
            }  # fmt: skip
        return False
    if not question and not end.is_alone(2) and context.is_negated(words[end.first : -2]):
        return verb in AUXILIARIES  # a tag: "you don't, do you"
    if verb in {"do", "have"} and last in {"it", "this", "that"}:
        return True  # no question: that has "does" and "has"
    if verb in lexis.DO | lexis.HAVE and last in {"it", "this", "that", "these", "those", "there"}:
        return lead in PRONOUNS | MODALS | {"to", "not", "let's"} or lead.endswith("n't")
    return False


def _opens_clause(end: End) -> bool:
    """Whether a "that" is a conjunction or a relative: "I think that", "the flat that"."""
    verb, lead = end.before, end.words[-3]
    if verb in lexis.REPORTERS or (verb in lexis.PEOPLE and lead in {"tell", "told", "telling"}):
        return True
    if verb in {"something", "someone", "somebody", "one", "ones", "anything", "thing", "fact"}:
        return True
    is_noun = verb not in lexis.PREPOSITIONS | AUXILIARIES | lexis.BOUNDARIES | lexis.PEOPLE
    return is_noun and lead in lexis.DETERMINERS

"""The script in writing: what it answers to a message, and where its questions stand then.

A message and a memory flow in, a draft and the next memory flow out. On the telephone the
script speaks first and gets one answer at a time; here the other side does, and may have
answered several questions before any was asked. Pure.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from voiceagent.brain.agent.checks import BLANK
from voiceagent.brain.agent.profile import AgentProfile, Question
from voiceagent.brain.ports import BrainEvent, CallerTurn, Say, Transfer
from voiceagent.brain.script.brain import MAX_WORDS, DialogueState, Script, Step
from voiceagent.brain.script.listening import Outcome, QuestionListener
from voiceagent.brain.words.asides import Aside, AsideListener
from voiceagent.brain.words.spelling import spell
from voiceagent.written.answering import Answer
from voiceagent.written.drafts import Said, joined
from voiceagent.written.memory import Memory
from voiceagent.written.wording import for_writing, hand_over

_LINE_ENDS: Final = (".", "!", "?", ",", ";", ":", "…")
_CLAUSE_END: Final = re.compile(r"[.!?,;:…]\s+")
_SENTENCE_END: Final = re.compile(r"[.!?؟…]\s+|\n+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")


def _nothing() -> None: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer that nobody has seen yet."""

    messages: tuple[str, ...]
    """Empty: there is nothing to say."""
    memory: Memory
    """Once it counts."""
    fields: Mapping[str, str]
    hands_over: bool = False
    commit: Callable[[], None] = _nothing
    """To be called once it counts."""


class ScriptAnswers:
    """One agent's questions, for all contacts; it keeps no state."""

    def __init__(self, profile: AgentProfile) -> None:
        self.profile = for_writing(profile)
        self._script = Script(self.profile)
        words = profile.words
        self._asides = AsideListener(
            profile.language,
            repeat=words.repeat,
            back_channel=words.back_channel,
            command=words.command,
        )
        self._listeners = {
            question.id: QuestionListener(question, self.profile)
            for question in self.profile.questions
        }

    def answer(self, asked: Answer, memory: Memory) -> Draft:
        """What follows from what was written."""
        state = memory.script
        if state is not None and state.ended:
            if self._asides.hear(asked.text) in {Aside.NOTHING, Aside.GOODBYE}:
                # "Thank you, bye" after the last word is no new conversation.
                return Draft((), memory, {})
            state = None
        if state is None or asked.fresh:
            return self._begin(asked, state or DialogueState())
        return _draft([], *self._hear(state, _turn(asked.text)))

    def asks_for_person(self, text: str) -> bool:
        """Somebody is to answer who is no machine; each sentence is heard by itself."""
        sentences = _SENTENCE_END.split(text)
        return any(self._asides.hear(each) is Aside.PERSON for each in sentences)

    def take_over(self, asked: Answer, memory: Memory) -> Draft:
        """Answer in place of a model that failed: ask what it has not learnt, in its own words."""
        if asked.fresh:
            return self._begin(asked, self._script.knowing(memory.learnt))
        if self.asks_for_person(asked.text):
            return self.hand_over(asked, memory)
        known = self._script.knowing(memory.learnt)
        opened, opening = self._script.opening(known, introduce=False)
        return _draft([self.profile.phrases.takeover], opened, opening)

    def hand_over(self, asked: Answer, memory: Memory) -> Draft:
        """A person was asked for: one sentence says that one will answer."""
        greeting = self.profile.greeting if asked.fresh else ()
        sentence = hand_over(self.profile.language)
        return Draft(joined([greeting, [sentence]]), memory, {}, hands_over=True)

    def _begin(self, asked: Answer, state: DialogueState) -> Draft:
        """The first words of a day: the introduction, and the question unless it is answered."""
        greeting = self.profile.greeting if asked.fresh else ()
        opened, opening = self._script.opening(state, introduce=False)
        if opened.ended:
            return _draft(greeting, opened, opening)
        after, events = self._hear(opened, _turn(asked.text))
        is_remark = after.outcomes == opened.outcomes
        # A person is wanted, or it was a goodbye.
        is_wish = is_remark and (after.ended or any(isinstance(e, Transfer) for e in events))
        if is_wish or self._went_on(state, after):
            return _draft(greeting, after, events)
        # Not understood, or nothing to understand ("hello"): that costs no retry. What was
        # answered to a remark ("are you a robot?") is said, but not that it was unclear.
        phrases, question = self.profile.phrases, self._script.current(opened)
        unclear = {*phrases.not_understood, *phrases.again, *question.retry, *question.ask}
        said = (event for event in events if isinstance(event, Say))
        remarks = [each for each in said if is_remark and each.text not in unclear]
        return _draft(greeting, opened, [*remarks, *opening])

    def _hear(self, state: DialogueState, turn: CallerTurn) -> Step:
        """What follows from the words, for the question being asked and for those after it that
        they answer as well: "a flat to rent in Haifa"."""
        before = state.outcomes
        state, events = self._script.answer(state, turn)
        new = [entry for entry in state.outcomes if entry not in before]
        values = {outcome.value for _, outcome in new if not outcome.failed}
        while values and not state.ended:
            question = self._script.current(state)
            ahead = self._ahead(question, turn.text)
            # The same words twice: from where, and where to?
            if ahead is None or ahead[1].value in values:
                break
            after, more = self._script.answer(state, CallerTurn(ahead[0]))
            if (question.id, ahead[1]) not in after.outcomes:
                break
            values.add(ahead[1].value)
            # It need not be asked.
            asked = [Say(sentence) for sentence in question.ask]
            state, events = after, [*(each for each in events if each not in asked), *more]
        return state, events

    def _ahead(self, question: Question, text: str) -> tuple[str, Outcome] | None:
        """The answer to a question that was not asked yet, and the clause that gives it.

        Only expected answers count, in the words that are expected, and numbers with what is
        counted ("3 rooms"); never a yes, nor words that would do for anything. Of two answers
        ("a flat, or a house") none counts.
        """
        if any(map(BLANK.search, question.ask)):
            return None
        listener = self._listeners[question.id]
        counted = set(_words(question.spoken.replace("{value}", "")))
        heard: dict[Outcome, str] = {}
        for clause in _CLAUSE_END.split(text):
            outcome = listener.hear_correction(clause)
            if outcome is None and question.accept == "number" and counted:
                is_counted = counted <= set(_words(clause))
                outcome = listener.hear(clause) if is_counted else None
            if outcome is not None:
                heard[outcome] = clause
        if len(heard) != 1:
            return None
        [(outcome, clause)] = heard.items()
        return clause, outcome

    def _went_on(self, before: DialogueState, after: DialogueState) -> bool:
        """Whether an answer was found in a message that was none to a question just asked.

        Words that merely follow are not taken for a name, nor days later for anything.
        """
        new = [entry for entry in after.outcomes if entry not in before.outcomes]
        if any(outcome.failed for _, outcome in new):
            return False
        free = [self.profile.question(question) for question, outcome in new if not outcome.answer]
        return bool(new) and not (
            free and (before.outcomes or any(each.save_as == "name" for each in free))
        )


def _turn(text: str) -> CallerTurn:
    """A message as the script hears it: each of its lines is a clause. Who writes a letter begins
    with what matters; the script itself would take the last words, as of a long speech."""
    lines = [line if line.endswith(_LINE_ENDS) else f"{line}," for line in text.splitlines()]
    return CallerTurn(" ".join(" ".join(lines).split()[:MAX_WORDS]).rstrip(","))


def _words(text: str) -> list[str]:
    return _LETTERS.findall(spell(text))


def _draft(before: Sequence[str], state: DialogueState, events: Sequence[BrainEvent]) -> Draft:
    said = Said.of(events)
    return Draft(
        joined([before, said.texts]), Memory(state), said.fields, hands_over=said.hands_over
    )

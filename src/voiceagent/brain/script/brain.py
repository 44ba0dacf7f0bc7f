"""The scripted brain: goes through an agent's questions with one caller.

In goes what the caller said; out comes what to say next, what was learnt and
what to expect. The machine is pure, `(state, turn) -> (state, events)`; the
dialogue around it only remembers which state counts. It owns no audio, no
timer and no database, and never asks a question that was answered, unless the
caller corrects the answer.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from voiceagent.brain.agent.checks import BLANK
from voiceagent.brain.agent.profile import CLOSING, AgentProfile, Question
from voiceagent.brain.ports import (
    BrainEvent,
    CallerTurn,
    Exchange,
    Expect,
    FixedPhrases,
    HangUp,
    Party,
    Proposal,
    Save,
    Say,
    Transfer,
)
from voiceagent.brain.script.listening import Outcome, QuestionListener
from voiceagent.brain.words.asides import Aside, AsideListener
from voiceagent.brain.words.lexicon import lexicon_of
from voiceagent.brain.words.utterance import texts_of

MAX_REPEATS: Final = 3
"""How often a question is said again on request before that costs a retry."""

MAX_CORRECTIONS: Final = 3
"""How many earlier answers one caller may change."""

MAX_WORDS: Final = 60
"""How many of the last words of an utterance are searched for an answer: half a minute of speech,
and a bound on the time that one reply takes."""


@dataclass(frozen=True, slots=True)
class DialogueState:
    """All that one call's script remembers."""

    outcomes: tuple[tuple[str, Outcome], ...] = ()
    """How each question that was asked ended, by its id; the question being asked is not in it."""
    retries: int = 0
    repeats: int = 0
    corrections: int = 0
    last_said: str = ""
    ended: bool = False


Step = tuple[DialogueState, list[BrainEvent]]


class Script:
    """An agent's questions as a machine; one for all calls, since it keeps no state."""

    def __init__(self, profile: AgentProfile) -> None:
        self.profile = profile
        words = profile.words
        self._asides = AsideListener(
            profile.language,
            repeat=words.repeat,
            back_channel=words.back_channel,
            command=words.command,
        )
        self._lexicon = lexicon_of(profile.language)
        self._listeners = {
            question.id: QuestionListener(question, profile) for question in profile.questions
        }

    def opening(self, state: DialogueState, *, introduce: bool) -> Step:
        """The introduction, if it is wanted, and the question being asked."""
        greeting = self.profile.greeting if introduce else ()
        return self._ask(state, greeting)

    def knowing(self, fields: Mapping[str, str]) -> DialogueState:
        """The state of a call in which these fields were learnt by other means."""
        known = tuple(
            (question.id, self._listeners[question.id].take(fields[question.save_as]))
            for question in self.profile.questions
            if question.save_as and fields.get(question.save_as)
        )
        return DialogueState(outcomes=known)

    def answer(
        self, state: DialogueState, turn: CallerTurn, transfer_to: str | None = None
    ) -> Step:
        """What follows from what the caller said or pressed.

        `transfer_to`: where somebody can be reached now, E.164; empty: nowhere; None: at the
        profile's number.
        """
        if state.ended:
            return self._hang_up(state)
        question = self.current(state)
        listener = self._listeners[question.id]
        if turn.digits:
            pressed = listener.hear_keys(turn.digits)
            return self._advance(state, pressed) if pressed else self._retry(state)
        said = " ".join(turn.text.split()[-MAX_WORDS:])
        if self._asides.asks_to_repeat(said):
            return self._repeat(state)
        outcome = listener.hear(said)
        if outcome is None or self._says_no(question, outcome):
            corrected = self._correction(state, said)
            if corrected is not None:
                return corrected
        if outcome is not None:
            return self._advance(state, outcome)
        aside = self._asides.hear(said)
        if aside is not None:
            number = self.profile.transfer_number if transfer_to is None else transfer_to
            return self._aside(state, aside, number)
        if not self._was_heard(question, state, turn.history):
            return self._repeat(state, self.profile.phrases.not_understood)
        free = listener.hear_freely(turn.text)
        return self._advance(state, free) if free else self._retry(state)

    def current(self, state: DialogueState) -> Question:
        """The question being asked; raises `LookupError` when there is none any more."""
        target = self._target(state)
        if target == CLOSING:
            raise LookupError("every question has been answered")
        return self.profile.question(target)

    def _target(self, state: DialogueState) -> str:
        """Follow the answers from the first question to the first that is still to be asked."""
        outcomes = dict(state.outcomes)
        saved: dict[str, str] = {}
        target = self.profile.questions[0].id
        while target != CLOSING:
            question, outcome = self.profile.question(target), outcomes.get(target)
            if any(saved.get(name) not in values for name, values in question.only_if.items()):
                target = self.profile.target(question, None)
                continue
            if outcome is None:
                break
            if question.save_as:
                saved[question.save_as] = outcome.value
            if outcome.failed:
                target = self.profile.failure_target(question)
            else:
                answer = question.answer(outcome.answer) if outcome.answer is not None else None
                target = self.profile.target(question, answer)
        return target

    def _advance(self, state: DialogueState, outcome: Outcome, instead: Sequence[str] = ()) -> Step:
        """The question being asked has ended: save what was learnt and ask the next one.

        `instead` is said in place of the answer's own confirmation.
        """
        question = self.current(state)
        after = self._with_outcome(state, question, outcome)
        lead = instead or self._confirmation(question, outcome)
        after, events = self._ask(replace(after, retries=0, repeats=0), lead)
        return after, [*_saved(question, outcome), *events]

    def _correction(self, state: DialogueState, said: str) -> Step | None:
        """An earlier answer that the caller takes back: "actually I want to rent"."""
        words = texts_of(said, self._lexicon)
        if state.corrections >= MAX_CORRECTIONS or self._lexicon.corrections.isdisjoint(words):
            return None
        for question_id, earlier in reversed(state.outcomes):
            outcome = self._listeners[question_id].hear_correction(said)
            if outcome is not None and outcome.answer != earlier.answer:
                break
        else:
            return None
        question = self.profile.question(question_id)
        before = self.current(state)
        after = self._with_outcome(state, question, outcome)
        after = replace(after, corrections=state.corrections + 1)
        if self._target(after) != before.id:
            after = replace(after, retries=0, repeats=0)
        lead = self._confirmation(question, outcome) or (self.profile.phrases.noted,)
        after, events = self._ask(after, lead)
        return after, [*_saved(question, outcome), *events]

    def _aside(self, state: DialogueState, aside: Aside, transfer_to: str) -> Step:
        phrases = self.profile.phrases
        if aside is Aside.REPEAT:
            return self._repeat(state)
        if aside is Aside.GOODBYE:
            return self._hang_up(state)
        if aside is Aside.UNSURE:
            return self._skip(state)
        if aside is Aside.PERSON:
            return self._transfer(state, transfer_to)
        if aside is Aside.ROBOT:
            return self._repeat(state, [phrases.robot])
        if aside is Aside.LANGUAGE:
            return self._repeat(state, [phrases.only_languages])
        if aside is Aside.WAIT and state.repeats < MAX_REPEATS and state.last_said != phrases.wait:
            after = replace(state, repeats=state.repeats + 1)
            return self._say(after, [phrases.wait], self._expected(state))
        return self._repeat(state) if aside is Aside.WAIT else self._retry(state)

    def _transfer(self, state: DialogueState, number: str) -> Step:
        """Connect the caller to a person; whoever comes back finds the question still open."""
        phrases = self.profile.phrases
        if not number or state.repeats >= MAX_REPEATS:
            return self._repeat(state, [phrases.no_person])
        after = replace(state, repeats=state.repeats + 1)
        after, events = self._say(after, [phrases.transfer], self._expected(state))
        return after, [*events, Transfer(number)]

    def _skip(self, state: DialogueState) -> Step:
        """The caller cannot tell: go on, unless giving up would lead elsewhere."""
        question = self.current(state)
        if question.on_failure != "next":
            return self._retry(state)
        return self._advance(state, self._given_up(question), [self.profile.phrases.skip])

    def _repeat(self, state: DialogueState, leads: Sequence[str] = ()) -> Step:
        if state.repeats >= MAX_REPEATS:
            return self._retry(state)
        leads = leads or self.profile.phrases.again
        lead = leads[state.repeats % len(leads)]
        return self._ask(replace(state, repeats=state.repeats + 1), [lead])

    def _retry(self, state: DialogueState) -> Step:
        question, phrases = self.current(state), self.profile.phrases
        turn = state.retries
        if turn >= question.max_retries:
            return self._advance(state, self._given_up(question), [phrases.move_on])
        after = replace(state, retries=turn + 1)
        if turn < len(question.retry):
            return self._say(after, [question.retry[turn]], self._expected(state))
        lead = phrases.not_understood[turn % len(phrases.not_understood)]
        return self._ask(after, [lead])

    def _ask(self, state: DialogueState, lead: Sequence[str]) -> Step:
        """Say something and the question that is next, or the closing."""
        if self._target(state) != CLOSING:
            question = self.current(state)
            asked = self._filled(state, (*lead, *question.ask))
            return self._say(state, asked, self._expected(state))
        ended = replace(state, ended=True)
        after, events = self._say(ended, self._filled(state, (*lead, *self.profile.closing)), [])
        return after, [*events, HangUp()]

    def _hang_up(self, state: DialogueState) -> Step:
        return replace(state, ended=True), [Say(self.profile.phrases.goodbye), HangUp()]

    def _say(
        self, state: DialogueState, sentences: Sequence[str], expected: Sequence[BrainEvent]
    ) -> Step:
        """Say sentences; one that was just said is left out while another remains."""
        if len(sentences) > 1:
            before = [state.last_said, *sentences]
            sentences = [
                after for last, after in zip(before, sentences, strict=False) if last != after
            ] or sentences[-1:]
        said = [Say(sentence) for sentence in sentences]
        return replace(state, last_said=sentences[-1]), [*expected, *said]

    def _expected(self, state: DialogueState) -> list[BrainEvent]:
        return [Expect(self._listeners[self.current(state).id].phrases)]

    def _confirmation(self, question: Question, outcome: Outcome) -> tuple[str, ...]:
        own = question.answer(outcome.answer).confirm if outcome.answer is not None else ()
        return own or (() if outcome.failed else question.confirm)

    def _filled(self, state: DialogueState, sentences: Sequence[str]) -> list[str]:
        """The sentences with their blanks filled; without those that lack an answer."""
        known = {
            self.profile.question(question_id).save_as: outcome.spoken
            for question_id, outcome in state.outcomes
            if outcome.spoken
        }

        def fill(sentence: str) -> Iterator[str]:
            if all(name in known for name in BLANK.findall(sentence)):
                yield BLANK.sub(lambda blank: known[blank[1]], sentence)

        return [filled for sentence in sentences for filled in fill(sentence)]

    def _with_outcome(
        self, state: DialogueState, question: Question, outcome: Outcome
    ) -> DialogueState:
        kept = tuple(entry for entry in state.outcomes if entry[0] != question.id)
        return replace(state, outcomes=(*kept, (question.id, outcome)))

    def _given_up(self, question: Question) -> Outcome:
        return self._listeners[question.id].give_up()

    @staticmethod
    def _says_no(question: Question, outcome: Outcome) -> bool:
        return outcome.answer is not None and question.answer(outcome.answer).means == "no"

    def _was_heard(
        self, question: Question, state: DialogueState, history: Sequence[Exchange]
    ) -> bool:
        """Had at least half of the question been heard when the caller spoke?

        A free answer is taken as it is: words that were meant for something
        else must not become a name.
        """
        last = next((said for said in reversed(history) if said.who == "agent"), None)
        if last is None or not last.cut:
            return True
        asked = texts_of(self._filled(state, question.ask)[-1], self._lexicon)
        heard = texts_of(last.text, self._lexicon)
        half = asked[: (len(asked) + 1) // 2]
        return any(
            heard[start : start + len(half)] == half for start in range(len(heard) + 1 - len(half))
        )


def _saved(question: Question, outcome: Outcome) -> list[BrainEvent]:
    return [Save({question.save_as: outcome.value})] if question.save_as and outcome.value else []


class ScriptedBrain:
    """Makes a dialogue for each call from one agent. Implements `Brain`."""

    def __init__(self, profile: AgentProfile, transfer_to: Callable[[], str] | None = None) -> None:
        """`transfer_to`: where somebody can be reached now (E.164, or empty); without it, at the
        profile's number at any time."""
        self._script = Script(profile)
        self._transfer_to = transfer_to or (lambda: profile.transfer_number)

    @property
    def phrases(self) -> FixedPhrases:
        return self._script.profile.fixed_phrases

    def phrases_in(self, language: str) -> FixedPhrases:
        return self._script.profile.fixed_phrases_in(language)

    @property
    def language(self) -> str:
        return self._script.profile.language

    def open(self, party: Party) -> "ScriptedDialogue":  # noqa: ARG002 - every call is the same
        return ScriptedDialogue(self._script, self._transfer_to)

    def open_knowing(self, party: Party, fields: Mapping[str, str]) -> "ScriptedDialogue":
        """A dialogue that takes over from another one, which has learnt these fields: they are
        not asked for again, and nobody is introduced."""
        del party
        state = self._script.knowing(fields)
        return ScriptedDialogue(self._script, self._transfer_to, state, introduced=True)


class ScriptedDialogue:
    """One call's way through the script. Implements `Dialogue`."""

    def __init__(
        self,
        script: Script,
        transfer_to: Callable[[], str],
        state: DialogueState | None = None,
        *,
        introduced: bool = False,
    ) -> None:
        self._script = script
        self._transfer_to = transfer_to
        self._state = state or DialogueState()
        self._introduced = introduced

    async def prepare(self) -> None:
        """A script knows its questions and nothing of the caller."""

    def opening(self) -> Sequence[BrainEvent]:
        """The introduction and the first question; asked for again, only the question."""
        self._state, events = self._script.opening(self._state, introduce=not self._introduced)
        self._introduced = True
        return events

    def reply(self, turn: CallerTurn) -> Proposal:
        """Answer from what has counted so far."""
        after, events = self._script.answer(self._state, turn, self._transfer_to())

        def commit() -> None:
            self._state = after

        return Proposal(_stream(events), commit)


async def _stream(events: Sequence[BrainEvent]) -> AsyncIterator[BrainEvent]:
    for event in events:
        yield event

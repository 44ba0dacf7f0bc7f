"""What makes the answers: the script alone, or a thinking brain with the script behind it.

What is to be answered and the conversation's memory flow in, a draft flows out. Nothing is
sent or kept here; an answer that is given up is cancelled.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Protocol, cast
from uuid import UUID

from voiceagent.brain.ports import (
    Brain,
    BrainEvent,
    CallerTurn,
    Dialogue,
    Exchange,
    Party,
    Proposal,
)
from voiceagent.errors import ProviderError
from voiceagent.recent import Recent
from voiceagent.written.answering import Answer
from voiceagent.written.drafts import Said, joined
from voiceagent.written.memory import Memory
from voiceagent.written.script_answers import Draft, ScriptAnswers

THINKS_S: Final = 20.0
"""Less than an answer's deadline: the script is to come after it."""
RESTS_S: Final = 30.0
"""A brain that failed is left alone so long: its deadlines must not hold up everybody."""
DIALOGUES: Final = 500
"""Conversations whose tools one process remembers; the one that was silent longest goes first."""
REMEMBERED_S: Final = 3600.0

_QUESTION: Final = re.compile(r"[^.!?؟…\n]+(?=[?؟])")

_log = logging.getLogger(__name__)

Confirmed = Callable[[], Awaitable[None]]


class Mind(Protocol):
    """Makes answers, for all contacts at once."""

    async def answer(
        self, contact_id: UUID, asked: Answer, memory: Memory, confirmed: Confirmed
    ) -> Draft:
        """What to say. `confirmed` returns once it is sure that this is still to be answered.

        Raises `ProviderError`.
        """


class ScriptedMind:
    """The script alone. Implements `Mind`."""

    def __init__(self, script: ScriptAnswers) -> None:
        self._script = script

    async def answer(
        self,
        contact_id: UUID,  # noqa: ARG002 - the memory is all that a script knows
        asked: Answer,
        memory: Memory,
        confirmed: Confirmed,  # noqa: ARG002 - it does nothing but talk
    ) -> Draft:
        return self._script.answer(asked, memory)


@dataclass(slots=True)
class _Kept:
    dialogue: Dialogue
    used_s: float


class ThinkingMind:
    """A brain that thinks; when it fails, the script answers. Implements `Mind`."""

    def __init__(
        self,
        brain: Brain,
        script: ScriptAnswers,
        *,
        thinks_s: float = THINKS_S,
        rests_s: float = RESTS_S,
    ) -> None:
        """`brain` raises when it fails: it has no script of its own, which would forget where it
        stands between two messages."""
        self._brain = brain
        self._script = script
        self._thinks_s = thinks_s
        self._rests_s = rests_s
        self._rests_until_s = 0.0
        self._dialogues: Recent[UUID, _Kept] = Recent(DIALOGUES)

    async def answer(
        self, contact_id: UUID, asked: Answer, memory: Memory, confirmed: Confirmed
    ) -> Draft:
        events: list[BrainEvent] = []
        if _now_s() >= self._rests_until_s:
            proposal = await self._think(contact_id, asked, confirmed, events)
            if proposal is not None:
                said = Said.of(events)
                learnt = {**memory.learnt, **said.fields}
                if self._owes_a_person(asked, said):
                    _log.info("the model called no person: the script does")
                    known = Memory(None, learnt)
                    draft = self._script.hand_over(asked, known)
                    return replace(draft, fields=said.fields, commit=proposal.commit)
                return Draft(
                    joined([self._greeting(asked), *([text] for text in said.texts)]),
                    Memory(None, learnt),
                    said.fields,
                    hands_over=said.hands_over,
                    commit=proposal.commit,
                )
        return self._without_it(asked, memory, Said.of(events))

    async def _think(
        self,
        contact_id: UUID,
        asked: Answer,
        confirmed: Confirmed,
        events: list[BrainEvent],
    ) -> Proposal | None:
        """Gather what the brain says; None when it failed, with what it had said by then."""
        try:
            async with asyncio.timeout(self._thinks_s):
                dialogue = self._dialogue(contact_id)
                await dialogue.prepare()
                proposal = dialogue.reply(
                    CallerTurn(asked.text, "", self._history(asked), confirmed)
                )
                answer = cast("AsyncGenerator[BrainEvent]", proposal.events)
                async with aclosing(answer) as stream:
                    async for event in stream:
                        events.append(event)  # noqa: PERF401 - kept when it breaks off
        except ProviderError as error:
            why = str(error)
        except TimeoutError:
            why = f"no answer within {self._thinks_s:.0f} s"
        except Exception as error:
            _log.exception("the thinking brain failed in writing")
            why = type(error).__name__
        else:
            if Said.of(events).texts or Said.of(events).hands_over:
                return proposal
            why = "it said nothing"
        self._rests_until_s = _now_s() + self._rests_s
        _log.warning("messages are answered by the script for %.0f s why=%r", self._rests_s, why)
        return None

    def _without_it(self, asked: Answer, memory: Memory, said: Said) -> Draft:
        """What the brain had said before it failed, and the script's next words."""
        learnt = {**memory.learnt, **said.fields}
        texts = [[text] for text in said.texts]
        if texts:
            texts.insert(0, list(self._greeting(asked)))
            asked = replace(asked, fresh=False)
        known = replace(memory, learnt=learnt)
        if said.hands_over:
            draft = Draft((), known, {}, hands_over=True)
        elif memory.script is None:
            draft = self._script.take_over(asked, known)
        else:
            draft = self._script.answer(asked, known)
        return replace(
            draft,
            messages=joined([*texts, *([message] for message in draft.messages)]),
            fields={**said.fields, **draft.fields},
            memory=Memory(draft.memory.script, {**learnt, **draft.fields}),
        )

    def _owes_a_person(self, asked: Answer, said: Said) -> bool:
        """Whether a person was asked for, and the model neither called one nor asked back whether
        one is wanted: nobody would ever come."""
        if said.hands_over or not self._script.asks_for_person(asked.text):
            return False
        questions = (q for text in said.texts for q in _QUESTION.findall(text))
        return not any(map(self._script.asks_for_person, questions))

    def _greeting(self, asked: Answer) -> tuple[str, ...]:
        return self._script.profile.greeting if asked.fresh else ()

    def _history(self, asked: Answer) -> tuple[Exchange, ...]:
        """The introduction is said already, for a brain: it need not say it itself."""
        greeting = " ".join(self._greeting(asked))
        if not greeting:
            return asked.history
        return (*asked.history[:-1], Exchange("agent", greeting), asked.history[-1])

    def _dialogue(self, contact_id: UUID) -> Dialogue:
        """The contact's dialogue, which knows what its tools have done."""
        now_s = _now_s()
        kept = self._dialogues.get(contact_id)
        if kept is None or now_s - kept.used_s > REMEMBERED_S:
            kept = _Kept(self._brain.open(Party(contact_id=contact_id)), now_s)
        kept.used_s = now_s
        self._dialogues.put(contact_id, kept)
        return kept.dialogue


def _now_s() -> float:
    return asyncio.get_running_loop().time()

"""A brain that thinks, with a script behind it: when the model fails, nothing is lost.

The caller's words flow in, the first brain's answers flow out as long as it has some. An
answer that breaks off is ended by one sentence and the script's next question; once that
was heard, the script leads the conversation to its end, and does not ask for what is known.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol, cast

from voiceagent.brain.ports import (
    Brain,
    BrainEvent,
    CallerTurn,
    Dialogue,
    FixedPhrases,
    HangUp,
    Party,
    Proposal,
    Save,
    Say,
    SwitchLanguage,
    Transfer,
)
from voiceagent.errors import ProviderError

_log = logging.getLogger(__name__)


class ScriptBehind(Protocol):
    """What can take a conversation over in its middle."""

    @property
    def language(self) -> str:
        """BCP 47 tag of what it speaks."""

    def open_knowing(self, party: Party, fields: Mapping[str, str]) -> Dialogue:
        """A dialogue that has learnt these fields already: it does not ask for them, and its
        opening introduces nobody."""


class BrainWithScript:
    """Thinks, and falls back on a script. Implements `Brain`."""

    def __init__(
        self,
        thinker: Brain,
        script: ScriptBehind,
        *,
        takeover: str,
        on_failure: Callable[[str], None],
    ) -> None:
        """`takeover`: the sentence before the script's question, in its language.
        `on_failure(why)` is told each time that an answer of the thinker breaks off."""
        self._thinker = thinker
        self._script = script
        self._takeover = takeover
        self._on_failure = on_failure

    @property
    def phrases(self) -> FixedPhrases:
        return self._thinker.phrases

    def phrases_in(self, language: str) -> FixedPhrases:
        return self._thinker.phrases_in(language)

    @property
    def language(self) -> str:
        return self._thinker.language

    def open(self, party: Party) -> "DialogueWithScript":
        return DialogueWithScript(
            self._thinker.open(party),
            lambda fields: self._script.open_knowing(party, fields),
            takeover=(SwitchLanguage(self._script.language), Say(self._takeover)),
            on_failure=self._on_failure,
        )


@dataclass(slots=True)
class _Attempt:
    """What one answer of the thinker has brought so far."""

    fields: dict[str, str] = field(default_factory=dict)
    is_ending: bool = False
    """It has ended the conversation, or given the caller to a person."""
    has_switched: bool = False
    script: Dialogue | None = None
    """What has taken over, since the answer broke off."""


class DialogueWithScript:
    """One conversation. Implements `Dialogue`."""

    def __init__(
        self,
        thinker: Dialogue,
        open_script: Callable[[Mapping[str, str]], Dialogue],
        *,
        takeover: tuple[SwitchLanguage, Say],
        on_failure: Callable[[str], None],
    ) -> None:
        self._thinker = thinker
        self._open_script = open_script
        self._back_to, self._sentence = takeover
        self._on_failure = on_failure
        self._counted: list[_Attempt] = []
        """The answers that were heard, oldest first."""

    async def prepare(self) -> None:
        await self._thinker.prepare()

    def opening(self) -> Sequence[BrainEvent]:
        return self._thinker.opening()

    def reply(self, turn: CallerTurn) -> Proposal:
        scripts = [one.script for one in self._counted if one.script is not None]
        if scripts:
            return scripts[0].reply(turn)
        attempt = _Attempt()
        proposal = self._thinker.reply(turn)

        def commit() -> None:
            self._counted.append(attempt)
            proposal.commit()

        return Proposal(self._events(proposal.events, attempt), commit)

    async def _events(
        self, events: AsyncIterator[BrainEvent], attempt: _Attempt
    ) -> AsyncGenerator[BrainEvent]:
        try:
            async with aclosing(cast("AsyncGenerator[BrainEvent]", events)) as stream:
                async for event in stream:
                    _note(event, attempt)
                    yield event
        except ProviderError as error:
            self._on_failure(str(error))
        except Exception as error:
            _log.exception("the thinking brain failed")
            self._on_failure(type(error).__name__)
        else:
            return
        if attempt.is_ending:
            # The caller is on their way out: there is nobody left to ask.
            return
        for event in self._take_over(attempt):
            yield event

    def _take_over(self, attempt: _Attempt) -> list[BrainEvent]:
        heard = (*self._counted, attempt)
        known: dict[str, str] = {}
        for one in heard:
            known |= one.fields
        attempt.script = self._open_script(known)
        back = [self._back_to] if any(one.has_switched for one in heard) else []
        return [*back, self._sentence, *attempt.script.opening()]


def _note(event: BrainEvent, attempt: _Attempt) -> None:
    match event:
        case Save(fields):
            attempt.fields |= fields
        case HangUp() | Transfer():
            attempt.is_ending = True
        case SwitchLanguage():
            attempt.has_switched = True

"""The voice, made ready: what is said word for word is synthesised before the first call.

Engines and the agent's sentences flow in, a phrase book that sounds at once flows out, in the
second voice where the first does not speak. When another agent takes over, its sentences are
made ready beside the calls, and those of the one before are forgotten.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.ports import Brain, Party, Say
from voiceagent.call.speaking import PhraseBook
from voiceagent.errors import ProviderError
from voiceagent.wiring.engines import Engines


@dataclass(frozen=True, slots=True)
class Lines:
    """What one agent says word for word."""

    language: str
    sentences: tuple[str, ...]


class VoiceWarmUp:
    """One per process; `run` is tried again until it has worked."""

    def __init__(
        self, engines: Engines, phrase_book: PhraseBook, lines: Callable[[], Lines]
    ) -> None:
        """`lines`: of the agent that answers now."""
        self._engines = engines
        self._phrase_book = phrase_book
        self._lines = lines
        self._another = asyncio.Event()

    async def run(self) -> None:
        """Raises `ProviderError`; calls are then answered in the second voice, if there is one."""
        engines, lines = self._engines, self._lines()
        for text in lines.sentences:
            await self._phrase_book.recall(text, lines.language)
        await engines.synthesizer.warm_up()
        try:
            await self._learn(lines)
        except ProviderError:
            if engines.second_voice is not None:
                for text in lines.sentences:
                    await self._phrase_book.learn_meanwhile(
                        engines.second_voice, text, lines.language
                    )
            raise

    def another_agent(self) -> None:
        """There are other lines now. Returns at once; `follow` makes them ready."""
        self._another.set()

    async def follow(self) -> None:
        """Make the lines of each agent ready that takes over, until cancelled."""
        while True:
            await self._another.wait()
            self._another.clear()
            with suppress(ProviderError):  # said when they are needed, as any other sentence
                await self._learn(self._lines())
            self._phrase_book.keep_only(self._lines().sentences)

    async def _learn(self, lines: Lines) -> None:
        """Have the sentences in the first voice. Raises `ProviderError`."""
        engines = self._engines
        if not engines.first_voice_works():
            raise ProviderError(f"{engines.first_voice.name} does not speak", retryable=True)
        for text in lines.sentences:
            await self._phrase_book.learn(engines.first_voice, text, lines.language)


def fixed_lines(brain: Brain, profile: AgentProfile) -> Lines:
    """What is said word for word: synthesised ahead, so that it sounds at once, whatever fails."""
    phrases, own = brain.phrases, profile.phrases
    opening = [event.text for event in brain.open(Party()).opening() if isinstance(event, Say)]
    fixed = (
        *(phrases.apology, phrases.cannot_hear, phrases.goodbye, phrases.nearly_over),
        phrases.transfer_failed,
    )
    in_need = (own.one_moment, own.still_working, own.takeover, own.transfer)
    said = dict.fromkeys([*opening, *phrases.reprompts, *fixed, *in_need])
    return Lines(brain.language, tuple(said))


def with_notice(lines: Lines, notice: str) -> Lines:
    """The same with what is said before all of it."""
    return Lines(lines.language, (notice, *lines.sentences))

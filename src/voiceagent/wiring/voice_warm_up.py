"""The voice, made ready: what is said word for word is synthesised before the first call.

Engines and the agent's sentences flow in, a phrase book that sounds at once flows out, in the
second voice where the first does not speak.
"""

from collections.abc import Sequence

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.ports import Brain, Party, Say
from voiceagent.call.speaking import PhraseBook
from voiceagent.errors import ProviderError
from voiceagent.wiring.engines import Engines


class VoiceWarmUp:
    """One per process; `run` is tried again until it has worked."""

    def __init__(
        self,
        engines: Engines,
        phrase_book: PhraseBook,
        profile: AgentProfile,
        notices: Sequence[str] = (),
    ) -> None:
        """`notices`: what is said before the opening."""
        self._notices = notices
        self._engines = engines
        self._phrase_book = phrase_book
        self._profile = profile

    async def run(self) -> None:
        """Raises `ProviderError`; calls are then answered in the second voice, if there is one."""
        engines, language = self._engines, self._engines.brain.language
        sentences = [*self._notices, *fixed_sentences(engines.brain, self._profile)]
        for text in sentences:
            await self._phrase_book.recall(text, language)
        await engines.synthesizer.warm_up()
        try:
            await self._learn(sentences)
        except ProviderError:
            if engines.second_voice is not None:
                for text in sentences:
                    await self._phrase_book.learn_meanwhile(engines.second_voice, text, language)
            raise

    async def _learn(self, sentences: list[str]) -> None:
        """Have the sentences in the first voice. Raises `ProviderError`."""
        engines = self._engines
        if not engines.first_voice_works():
            raise ProviderError(f"{engines.first_voice.name} does not speak", retryable=True)
        for text in sentences:
            await self._phrase_book.learn(engines.first_voice, text, engines.brain.language)


def fixed_sentences(brain: Brain, profile: AgentProfile) -> list[str]:
    """What is said word for word: synthesised ahead, so that it sounds at once, whatever fails."""
    phrases, own = brain.phrases, profile.phrases
    opening = [event.text for event in brain.open(Party()).opening() if isinstance(event, Say)]
    fixed = (phrases.apology, phrases.goodbye, phrases.transfer, phrases.transfer_failed)
    in_need = (own.one_moment, own.still_working, own.takeover)
    return list(dict.fromkeys([*opening, *phrases.reprompts, *fixed, *in_need]))

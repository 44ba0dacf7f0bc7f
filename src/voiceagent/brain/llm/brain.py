"""The thinking brain: a language model that knows what was heard, and acts by tools.

What the caller said flows in; sentences and what is to be done flow out, as the model comes
to them. A dialogue remembers what its answers did, once they count. It never raises anything
but `ProviderError` for a model that fails: `takeover.py` knows what to do then.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from voiceagent.brain.chat import ChatModel, Message
from voiceagent.brain.llm.messages import Ran, TurnRecord, chat_messages
from voiceagent.brain.llm.reply import LLMReply, Manner
from voiceagent.brain.llm.sentences import SpokenSentences
from voiceagent.brain.llm.written_messages import WrittenMessages
from voiceagent.brain.ports import BrainEvent, CallerTurn, FixedPhrases, Party, Proposal, Say
from voiceagent.brain.tool_ports import CallerCard
from voiceagent.brain.toolbox import PromptMaker, Toolbox
from voiceagent.errors import ProviderError

CARD_S: Final = 2.0
"""How long the caller's card may take; the greeting is about as long."""
_RECORDS: Final = 100
"""Answers with tools that one dialogue remembers; the oldest is forgotten first."""

LoadCard = Callable[[Party], Awaitable[CallerCard | None]]

_log = logging.getLogger(__name__)


def spoken(one_moment: Callable[[str], str], still_working: Callable[[str], str]) -> Manner:
    """The manner of a telephone call. `one_moment`, `still_working`: the phrases, by language
    (BCP 47)."""
    return Manner(SpokenSentences, (one_moment, still_working, one_moment), "[the call begins]")


def written() -> Manner:
    """The manner of a conversation in writing."""
    return Manner(WrittenMessages, (), "[the conversation begins]")


class LLMBrain:
    """Makes a dialogue for each conversation. Implements `Brain`."""

    def __init__(
        self,
        model: ChatModel,
        manner: Manner,
        prompt: PromptMaker,
        *,
        language: str,
        phrases_in: Callable[[str], FixedPhrases],
        opening: Sequence[str],
        toolbox: Callable[[Party], Toolbox],
        load_card: LoadCard,
        now: Callable[[], datetime],
    ) -> None:
        """`language`: BCP 47, what a conversation begins in. `opening`: the introduction, the
        same sentences every time, so that they can be synthesised ahead. `load_card` may raise
        `ProviderError`. `now` is aware of its zone."""
        self._model = model
        self._manner = manner
        self._prompt = prompt
        self._language = language
        self._phrases_in = phrases_in
        self._opening = tuple(opening)
        self._toolbox = toolbox
        self._load_card = load_card
        self._now = now

    @property
    def phrases(self) -> FixedPhrases:
        return self._phrases_in(self._language)

    def phrases_in(self, language: str) -> FixedPhrases:
        return self._phrases_in(language)

    @property
    def language(self) -> str:
        return self._language

    def open(self, party: Party) -> "LLMDialogue":
        return LLMDialogue(
            self._model,
            self._manner,
            self._prompt,
            language=self._language,
            opening=self._opening,
            toolbox=self._toolbox(party),
            load_card=lambda: self._load_card(party),
            now=self._now,
        )


class LLMDialogue:
    """One conversation. Implements `Dialogue`."""

    def __init__(
        self,
        model: ChatModel,
        manner: Manner,
        prompt: PromptMaker,
        *,
        language: str,
        opening: Sequence[str],
        toolbox: Toolbox,
        load_card: Callable[[], Awaitable[CallerCard | None]],
        now: Callable[[], datetime],
    ) -> None:
        self._model = model
        self._manner = manner
        self._prompt = prompt
        self._language = language
        self._opening = opening
        self._toolbox = toolbox
        self._load_card = load_card
        self._now = now
        self._card: CallerCard | None = None
        self._system = ""
        self._prompted: tuple[CallerCard | None, datetime, str] | None = None
        """What the system prompt was made of."""
        self._records: deque[TurnRecord] = deque(maxlen=_RECORDS)
        """Of answers that count, or have changed something; oldest first."""
        self._last: LLMReply | None = None
        """The last answer that counts: it knows the language that is spoken since."""

    async def prepare(self) -> None:
        """Fetch the caller's card; answers do without it until it is there."""
        try:
            async with asyncio.timeout(CARD_S):
                self._card = await self._load_card()
        except TimeoutError:
            _log.warning("the caller's card did not come in time")
        except ProviderError as error:
            _log.warning("the caller's card cannot be had: %s", error)
        except Exception:
            _log.exception("the caller's card cannot be had")

    def opening(self) -> Sequence[BrainEvent]:
        return [Say(sentence) for sentence in self._opening]

    def reply(self, turn: CallerTurn) -> Proposal:
        record = TurnRecord.of(turn)
        earlier = tuple(self._records)

        def remember(ran: list[Ran]) -> None:
            record.rounds.append(ran)
            if any(one.has_effect for one in ran):
                self._keep(record)

        def messages(language: str) -> Sequence[Message]:
            system = self._system_prompt(language)
            return chat_messages(system, turn, earlier, begins=self._manner.begins)

        reply = LLMReply(
            self._model,
            self._toolbox,
            self._manner,
            messages,
            self._last.language if self._last is not None else self._language,
            turn.confirmed,
            remember,
        )

        def commit() -> None:
            record.counts = True
            self._last = reply
            self._keep(record)

        return Proposal(reply.events(), commit)

    def _system_prompt(self, language: str) -> str:
        """Made again only when it would say something else: the time in it is told in minutes."""
        minute = self._now().replace(second=0, microsecond=0)
        about = self._card, minute, language
        if about != self._prompted:
            self._prompted = about
            self._system = self._prompt.system_prompt(self._card, now=minute, language=language)
        return self._system

    def _keep(self, record: TurnRecord) -> None:
        if not any(kept is record for kept in self._records):
            self._records.append(record)

"""Which brain answers, by the settings: a language model with a script behind it, or the script.

Settings, the agent's profile and the house's ports flow in; a `Brain` for the telephone or
for writing flows out. Nothing here is slow: the model's library is imported in its warm-up.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from voiceagent.brain.agent.file import AgentText, agent_text, read_agent
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.chat import ChatModel
from voiceagent.brain.llm.brain import LLMBrain, LoadCard, spoken, written
from voiceagent.brain.llm.openai_chat import Deadlines, OpenAIChat
from voiceagent.brain.llm.prompt import SpokenPrompt, WrittenPrompt
from voiceagent.brain.ports import Brain, Party
from voiceagent.brain.script.brain import ScriptedBrain
from voiceagent.brain.takeover import BrainWithScript
from voiceagent.brain.tool_ports import CallerCard, Cashier, Desk, Messenger
from voiceagent.brain.toolbox import Toolbox
from voiceagent.brain.tools.sets import voice_tools, written_tools
from voiceagent.brain.tools.setting import ToolSetting
from voiceagent.brain.tools.tool import AgentTools, Tool
from voiceagent.errors import AgentFileError, SettingsError
from voiceagent.metrics import Metrics
from voiceagent.observability.measured import MeasuredToolbox
from voiceagent.settings import Settings

GOOGLE_LANGUAGES: Final = (
    "he-IL",
    "en-US",
    "ar-IL",
    "ru-RU",
    "fr-FR",
    "es-ES",
    "de-DE",
    "it-IT",
    "uk-UA",
)
"""What both of Google's engines hear and speak, of what callers in Israel are likely to ask for."""


SPOKEN_DEADLINES: Final = Deadlines()
WRITTEN_DEADLINES: Final = Deadlines(first_token_s=10.0, gap_s=5.0, total_s=20.0)
"""Whoever waits for a message is not waiting on the line."""


def _nobody(_why: str) -> None: ...
def _not_traced(_call_sid: str, _tool: str, _seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class House:
    """What a brain's tools have to work with; a port that is None takes its tools away."""

    desk: Desk | None = None
    messenger: Messenger | None = None
    cashier: Cashier | None = None
    on_failure: Callable[[str], None] = _nobody
    """Is told why the model failed, each time the script takes over."""
    can_transfer: bool = True
    """Can a caller be connected to a person at all?"""
    metrics: Metrics = field(default_factory=Metrics)
    """In which the time that tools take is counted."""
    on_tool: Callable[[str, str, float], None] = _not_traced
    """Is told of each tool that has run: the call's sid, its name, how long it took in s."""


def load_text(settings: Settings) -> AgentText:
    """The text of the agent that the settings name. Raises `SettingsError`."""
    with _of_agent_file():
        return agent_text(settings.agent_file, settings.agent_language)


def load_profile(settings: Settings, text: AgentText | None = None) -> AgentProfile:
    """The agent that the settings name, of its `text` if that was read. Raises `SettingsError`."""
    text = text or load_text(settings)
    with _of_agent_file():
        return read_agent(text.toml, text.source, text.language)


@contextmanager
def _of_agent_file() -> Iterator[None]:
    try:
        yield
    except AgentFileError as error:
        raise SettingsError([f"AGENT_FILE: {fault}" for fault in error.faults]) from None


def choose_model(settings: Settings, deadlines: Deadlines = SPOKEN_DEADLINES) -> ChatModel | None:
    """The language model that the settings name; None: there is none."""
    if settings.llm_base_url is None or settings.llm_model is None:
        return None
    key = settings.llm_api_key
    return OpenAIChat(
        settings.llm_base_url,
        settings.llm_model,
        key.get_secret_value() if key else None,
        deadlines=deadlines,
    )


def engine_languages(settings: Settings) -> tuple[str, ...]:
    """What this service hears and speaks, as BCP 47 tags."""
    if settings.stt_engine == "google":
        return GOOGLE_LANGUAGES
    return (settings.stt_language,)


def choose_brain(
    settings: Settings, profile: AgentProfile, house: House, model: ChatModel | None
) -> Brain:
    """The brain of telephone calls: the model's, with the script behind it."""
    script = ScriptedBrain(profile, partial(transfer_to, profile, house))
    if model is None:
        return script
    languages = engine_languages(settings)
    thinker = LLMBrain(
        model,
        spoken(
            lambda language: profile.phrases_in(language).one_moment,
            lambda language: profile.phrases_in(language).still_working,
        ),
        SpokenPrompt(profile, languages),
        language=profile.language,
        phrases_in=profile.fixed_phrases_in,
        opening=profile.greeting,
        toolbox=_toolboxes(profile, house, languages, voice_tools),
        load_card=_card_loader(house),
        now=_now,
    )
    return BrainWithScript(
        thinker, script, takeover=profile.phrases.takeover, on_failure=house.on_failure
    )


def written_brain(profile: AgentProfile, house: House, model: ChatModel) -> Brain:
    """What thinks in conversations in writing; `written/` has the script behind it."""
    return LLMBrain(
        model,
        written(),
        WrittenPrompt(profile),
        language=profile.language,
        phrases_in=profile.fixed_phrases_in,
        opening=profile.greeting,
        toolbox=_toolboxes(profile, house, (), written_tools),
        load_card=_card_loader(house),
        now=_now,
    )


def _toolboxes(
    profile: AgentProfile,
    house: House,
    languages: tuple[str, ...],
    tools: Callable[[ToolSetting], list[Tool[Any]]],
) -> Callable[[Party], Toolbox]:
    def toolbox(party: Party) -> Toolbox:
        setting = ToolSetting(
            profile,
            party,
            _now,
            languages,
            house.desk,
            house.messenger,
            house.cashier,
            switchboard=house.can_transfer,
        )
        # In writing a conversation lasts a day: next month's payment link is another one.
        conversation = party.call_sid or f"{party.contact_id} {_now().date()}"
        return MeasuredToolbox(
            AgentTools(tools(setting), conversation),
            house.metrics,
            on_call=partial(house.on_tool, party.call_sid),
        )

    return toolbox


def _card_loader(house: House) -> LoadCard:
    async def load(party: Party) -> CallerCard | None:
        return await house.desk.card(party) if house.desk else None

    return load


def transfer_to(profile: AgentProfile, house: House) -> str:
    """Where callers can be connected to a person now; empty: nowhere."""
    if not house.can_transfer:
        return ""
    hours = profile.opening_hours if profile.transfer_when == "open" else None
    return profile.transfer_number if hours is None or hours.is_open(_now()) else ""


def _now() -> datetime:
    return datetime.now(UTC)

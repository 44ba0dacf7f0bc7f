"""Tools on the conversation itself: what was learnt, a person, keys, the language, the end.

In go a model's wishes; out come events that count when the answer does. Nothing here
reaches outside, and no telephone number comes from the model.
"""

from typing import Final

from voiceagent.brain.agent.wanted import wanted_of
from voiceagent.brain.languages import english_name, matching
from voiceagent.brain.ports import HangUp, PressKeys, Save, SwitchLanguage, Transfer
from voiceagent.brain.toolbox import ToolResult
from voiceagent.brain.tools.arguments import (
    MAX_FIELDS,
    Details,
    Keys,
    LanguageRequest,
    NoArguments,
    TransferRequest,
)
from voiceagent.brain.tools.setting import ToolSetting
from voiceagent.brain.tools.tool import Refused, Tool

TRANSFER_REASON: Final = "transfer_reason"
"""The field that tells the person who picks up why."""


def details_tool(setting: ToolSetting) -> Tool[Details]:
    """Saves what was learnt on the contact."""

    async def run(request: Details, key: str) -> ToolResult:
        del key
        return ToolResult(f"Saved: {', '.join(request.fields)}.", (Save(request.fields),))

    names = dict.fromkeys(["name", *(wanted.field for wanted in wanted_of(setting.profile))])
    return Tool(
        "save_details",
        "Save what the caller tells about themselves or what they want, as soon as you know it;"
        f" at most {MAX_FIELDS} fields at once. Use these names where they fit:"
        f" {', '.join(names)}. Others may be phone, email or a short English word of your own.",
        Details,
        run,
    )


def transfer_tool(setting: ToolSetting) -> Tool[TransferRequest]:
    """Connects the caller to the number of the agent file."""
    profile = setting.profile
    hours = profile.opening_hours if profile.transfer_when == "open" else None

    async def run(request: TransferRequest, key: str) -> ToolResult:
        del key
        now = setting.now()
        if hours is not None and not hours.is_open(now):
            raise Refused(
                f"Not connected: the business is {hours.told_now(now)}. Say so, and offer a"
                " call-back or to take a message."
            )
        return ToolResult(
            f'The caller is connected after your words. Say only "{profile.phrases.transfer}" or'
            " the same in the caller's language.",
            (Save({TRANSFER_REASON: request.reason}), Transfer(profile.transfer_number)),
        )

    return Tool(
        "transfer_to_person",
        "Connect the caller to a person of the business: when they ask for one, or when you"
        " cannot help. `reason` is what it is about, in a few words.",
        TransferRequest,
        run,
    )


def keys_tool() -> Tool[Keys]:
    """Sounds keys on the line."""

    async def run(request: Keys, key: str) -> ToolResult:
        del key
        return ToolResult("The keys are pressed.", (PressKeys(request.digits),))

    return Tool(
        "press_keys",
        "Press telephone keys, only when a machine at the other end asks for them.",
        Keys,
        run,
    )


def hang_up_tool() -> Tool[NoArguments]:
    """Ends the call."""

    async def run(request: NoArguments, key: str) -> ToolResult:
        del request, key
        return ToolResult(
            "The call ends when your goodbye has been heard. If you have not said it yet, say it"
            " now in one short sentence; else say nothing more.",
            (HangUp(),),
        )

    return Tool(
        "hang_up",
        "End the call: when the caller has said goodbye or needs nothing more. Say goodbye in the"
        " same answer, before you call this.",
        NoArguments,
        run,
    )


def language_tool(setting: ToolSetting, spoken: tuple[str, ...]) -> Tool[LanguageRequest]:
    """Goes on in another of the languages that are spoken here."""
    names = ", ".join(f"{english_name(language)} ({language})" for language in spoken)

    async def run(request: LanguageRequest, key: str) -> ToolResult:
        del key
        language = matching(request.language, spoken)
        if language is None:
            raise Refused(
                f"That language is not spoken here, only {names}. Say:"
                f' "{setting.profile.phrases.only_languages}"'
            )
        return ToolResult(
            f"From your next sentence on you are heard in {english_name(language)}. Speak it.",
            (SwitchLanguage(language),),
        )

    return Tool(
        "switch_language",
        "Go on in another language, as soon as the caller speaks it or asks for it, before you"
        f" answer in it. Spoken here: {names}.",
        LanguageRequest,
        run,
    )

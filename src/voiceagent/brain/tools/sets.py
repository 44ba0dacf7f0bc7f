"""Which tools an agent has on the telephone, and which in writing.

In go an agent's profile and the ports that are there; out come the tools that can work
with them. A tool whose port or setting is missing is not offered at all.
"""

from collections.abc import Iterator
from typing import Any

from voiceagent.brain.languages import speakable
from voiceagent.brain.tools.appointment_book import AppointmentBook
from voiceagent.brain.tools.call import (
    details_tool,
    hang_up_tool,
    keys_tool,
    language_tool,
    transfer_tool,
)
from voiceagent.brain.tools.desk import booking_tool, callback_tool, hours_tool, slots_tool
from voiceagent.brain.tools.hand_over import hand_over_tool
from voiceagent.brain.tools.sending import payment_tool, whatsapp_tool
from voiceagent.brain.tools.setting import ToolSetting
from voiceagent.brain.tools.tool import Tool


def voice_tools(setting: ToolSetting) -> list[Tool[Any]]:
    """For somebody on the telephone."""
    profile = setting.profile
    tools = list(_everywhere(setting))
    if setting.messenger is not None:
        tools.append(whatsapp_tool(setting, setting.messenger))
    if profile.transfer_number and setting.switchboard:
        tools.append(transfer_tool(setting))
    spoken = speakable(profile.language, profile.languages, setting.languages)
    if len(spoken) > 1:
        tools.append(language_tool(setting, spoken))
    return [*tools, keys_tool(), hang_up_tool()]


def written_tools(setting: ToolSetting) -> list[Tool[Any]]:
    """For somebody who writes: there is no line to end, and the answer itself is the message."""
    return [*_everywhere(setting), hand_over_tool(setting)]


def _everywhere(setting: ToolSetting) -> Iterator[Tool[Any]]:
    yield details_tool(setting)
    hours, book = setting.profile.opening_hours, AppointmentBook.of(setting.profile)
    if hours is not None:
        yield hours_tool(setting, hours)
    if setting.desk is not None:
        yield callback_tool(setting, setting.desk)
        if book is not None:
            yield slots_tool(setting, setting.desk, book)
            yield booking_tool(setting, setting.desk, book)
    if setting.cashier is not None and setting.messenger is not None:
        yield payment_tool(setting, setting.cashier, setting.messenger)

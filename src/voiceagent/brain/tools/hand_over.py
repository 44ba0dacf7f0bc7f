"""A person takes a conversation in writing over from the agent.

In goes a model's wish; out comes an event that counts when the answer does. There is no
line to put through: the person comes to the thread.
"""

from voiceagent.brain.ports import Save, Transfer
from voiceagent.brain.toolbox import ToolResult
from voiceagent.brain.tools.arguments import TransferRequest
from voiceagent.brain.tools.call import TRANSFER_REASON
from voiceagent.brain.tools.setting import ToolSetting
from voiceagent.brain.tools.tool import Tool


def hand_over_tool(setting: ToolSetting) -> Tool[TransferRequest]:
    """Has a person of the business answer from now on."""

    async def run(request: TransferRequest, key: str) -> ToolResult:
        del key
        return ToolResult(
            "A person of the business is told and answers here from now on; you write no more"
            " after this answer. Say in one short sentence that somebody will answer here; name"
            " no time.",
            (Save({TRANSFER_REASON: request.reason}), Transfer(setting.profile.transfer_number)),
        )

    return Tool(
        "hand_over_to_person",
        "Have a person of the business answer in this conversation: when the other side asks for"
        " one, or when you cannot help. `reason` is what it is about, in a few words.",
        TransferRequest,
        run,
    )

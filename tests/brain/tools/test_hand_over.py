"""A person is asked for by the model of a conversation in writing."""

from front_desk import House
from voiceagent.brain.ports import Save, Transfer
from voiceagent.brain.tools.hand_over import hand_over_tool
from voiceagent.brain.tools.tool import AgentTools


async def test_a_person_takes_over_at_any_hour_and_knows_why() -> None:
    tools = AgentTools([hand_over_tool(House().setting())], "contact today")
    result = await tools.call("hand_over_to_person", '{"reason": "a refund"}')
    assert result.events == (Save({"transfer_reason": "a refund"}), Transfer("+97231234567"))
    assert "somebody will answer here" in result.text


async def test_a_reason_is_needed() -> None:
    tools = AgentTools([hand_over_tool(House().setting())], "contact today")
    assert not (await tools.call("hand_over_to_person", "{}")).events

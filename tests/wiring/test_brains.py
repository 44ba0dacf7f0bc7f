"""Which brain answers, and what it can offer."""

from pathlib import Path

import pytest

from voiceagent.brain.agent.file import load_agent
from voiceagent.brain.ports import BrainEvent, CallerTurn, Party, Say, Transfer
from voiceagent.settings import load_settings
from voiceagent.wiring.brains import House, choose_brain

AGENT = """
business = "Test"
language = "en-US"
greeting = "Hello."
closing = "Goodbye."
transfer_number = "+97231234567"

[[questions]]
id = "what"
ask = "What can we do for you?"
save_as = "what"
accept = "anything"
"""


@pytest.mark.parametrize("can_transfer", [True, False])
async def test_the_script_connects_callers_only_where_calls_can_be_transferred(
    tmp_path: Path, *, can_transfer: bool
) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(AGENT)
    profile = load_agent(file, "en-US")
    settings = load_settings({"DATA_DIR": str(tmp_path)})
    brain = choose_brain(settings, profile, House(can_transfer=can_transfer), None)
    reply = brain.open(Party("CA1")).reply(CallerTurn("I want to talk to a person"))
    events: list[BrainEvent] = [event async for event in reply.events]
    assert any(isinstance(event, Transfer) for event in events) == can_transfer
    promised = profile.phrases.transfer if can_transfer else profile.phrases.no_person
    assert any(isinstance(event, Say) and promised in event.text for event in events)

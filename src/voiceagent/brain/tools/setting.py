"""What the tools of one conversation have to work with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import Cashier, Desk, Messenger


@dataclass(frozen=True, slots=True)
class ToolSetting:
    """A port that is None takes away the tools that need it."""

    profile: AgentProfile
    party: Party
    now: Callable[[], datetime]
    """Aware of its zone, any zone."""
    languages: tuple[str, ...] = ()
    """BCP 47 tags that the engines hear and speak."""
    desk: Desk | None = None
    messenger: Messenger | None = None
    cashier: Cashier | None = None
    switchboard: bool = True
    """Can a caller be connected to a person at all? It takes Twilio's API."""

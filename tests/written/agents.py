"""Agents that the tests of written conversations talk with."""

from datetime import datetime

from voiceagent.brain.agent.file import load_agent, read_agent
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.ports import Exchange
from voiceagent.written.answering import Answer
from written.threads import NOON

SHOP = """
business = "Corner Shop"
language = "en-US"
greeting = "Corner Shop, hello."
closing = ["Thank you, {name}.", "Thank you for calling, and goodbye."]

[[questions]]
id = "drink"
save_as = "drink"
ask = "Tea or coffee?"
retry = ["Please say tea or coffee, or press one or two."]
answers = [
  { value = "tea", say = "some tea", also = "tea", digit = "1" },
  { value = "coffee", say = "black coffee", also = "coffee", confirm = "Coffee." },
]

[[questions]]
id = "size"
save_as = "size"
ask = "Small or large?"
answers = [{ value = "small", say = "small" }, { value = "large", say = "large" }]

[[questions]]
id = "milk"
save_as = "milk"
ask = "With milk?"
answers = [{ value = "yes", means = "yes" }, { value = "no", means = "no" }]

[[questions]]
id = "name"
save_as = "name"
ask = "What is your name?"
accept = "anything"
lead_ins = ["my name is", "i am"]
"""

HELLO = "Corner Shop, hello."


def shop() -> AgentProfile:
    return read_agent(SHOP, "shop.toml", "en-US")


def message_taker(language: str = "en-US") -> AgentProfile:
    """An agent without questions of its own."""
    toml = 'business = "Clinic"\ngreeting = "Clinic."\npersona = "Calm."'
    return read_agent(toml, "clinic.toml", language)


def estate_agent(language: str) -> AgentProfile:
    return load_agent(None, language)


def wrote(text: str, *, fresh: bool = False, at: datetime = NOON, key: str = "m1") -> Answer:
    """Somebody wrote this, and nothing before."""
    return Answer(text, key, at, fresh, (Exchange("caller", text),))

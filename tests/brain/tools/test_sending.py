"""What is written to the caller: only to their own number, a few times, and no link read out."""

import json

import pytest

from front_desk import House
from voiceagent.brain.tools.sets import voice_tools
from voiceagent.brain.tools.tool import AgentTools
from voiceagent.errors import ProviderError


class _Agent:
    def __init__(self) -> None:
        self.house = House()
        self.tools = AgentTools(voice_tools(self.house.setting()), "CA1")

    async def writes(self, text: str) -> str:
        return (await self.tools.call("send_whatsapp", json.dumps({"text": text}))).text

    async def asks(self, amount: object, what_for: str = "deposit", currency: str = "ILS") -> str:
        arguments = {"amount": amount, "currency": currency, "what_for": what_for}
        return (await self.tools.call("send_payment_link", json.dumps(arguments))).text


async def test_a_message_goes_out_once() -> None:
    agent = _Agent()
    assert "on its way" in await agent.writes("Herzl 5, Tel Aviv")
    assert "on its way" in await agent.writes(" Herzl 5,  Tel Aviv ")
    assert list(agent.house.messenger.sent.values()) == ["Herzl 5, Tel Aviv"]


async def test_three_messages_are_enough_for_one_conversation() -> None:
    agent = _Agent()
    for number in range(4):
        text = await agent.writes(f"message {number}")
    assert "used 3 times" in text
    assert len(agent.house.messenger.sent) == 3


async def test_where_there_is_no_number_the_ports_own_sentence_is_told() -> None:
    agent = _Agent()
    agent.house.messenger.failure = ProviderError("The caller hides their number.", retryable=False)
    assert await agent.writes("hello") == "Not sent: The caller hides their number."


async def test_a_fault_that_may_heal_is_told_without_its_words() -> None:
    agent = _Agent()
    agent.house.messenger.failure = ProviderError("http://sidecar:3001 is down", retryable=True)
    text = await agent.writes("hello")
    assert "not known whether" in text
    assert "sidecar" not in text


async def test_a_payment_link_goes_by_whatsapp_and_is_never_told() -> None:
    agent = _Agent()
    text = await agent.asks("149.90")
    (link,) = agent.house.cashier.links.values()
    (message,) = agent.house.messenger.sent.values()
    assert (link.amount_minor, link.currency) == (14990, "ILS")
    assert message == f"Corner Clinic\ndeposit: ₪149.90\n{link.url}"
    assert "₪149.90" in text
    assert link.url not in text
    assert "secret" not in text


async def test_the_same_payment_is_asked_for_once() -> None:
    agent = _Agent()
    assert await agent.asks("150.50") == await agent.asks("150.5", currency="nis")
    assert len(agent.house.cashier.links) == len(agent.house.messenger.sent) == 1


async def test_a_link_that_could_not_be_sent_is_sent_the_second_time_and_not_made_twice() -> None:
    agent = _Agent()
    agent.house.messenger.failure = ProviderError("away", retryable=True)
    assert "not known whether" in await agent.asks("150")
    agent.house.messenger.failure = None
    assert "on its way" in await agent.asks("150")
    assert len(agent.house.cashier.links) == len(agent.house.messenger.sent) == 1


async def test_two_payment_links_are_enough_for_one_conversation() -> None:
    agent = _Agent()
    for amount in ("10", "20", "30"):
        text = await agent.asks(amount)
    assert "used 2 times" in text
    assert len(agent.house.cashier.links) == 2


async def test_a_number_in_json_is_as_exact_as_one_in_a_string() -> None:
    agent = _Agent()
    arguments = '{"amount": 1234567.29, "currency": "USD", "what_for": "flat"}'
    assert "$1234567.29" in (await agent.tools.call("send_payment_link", arguments)).text
    (link,) = agent.house.cashier.links.values()
    assert link.amount_minor == 123456729


@pytest.mark.parametrize("amount", ["0", "-1", "1,500", "10.999"])
async def test_an_amount_that_is_none_makes_no_link(amount: str) -> None:
    agent = _Agent()
    assert (await agent.asks(amount)).startswith("Not done: amount ")
    assert not agent.house.cashier.links

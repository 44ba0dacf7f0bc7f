"""A caller asks to pay: from the telephone to WhatsApp, the provider, the CRM, and the chat."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from emulators.openai_rules import Rule
from emulators.openai_server import OpenAIEmulator
from emulators.paypal import PayPalEmulator
from emulators.tranzila import TranzilaEmulator
from fixtures_database import _server, database_url  # noqa: F401
from payments.world import paypal_environ, tranzila_environ
from real_whatsapp import World, until
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye
from whole_service import on_the_line, speech

WORDS = "i want to buy a house"
CALLER = "972500000000"
PUBLIC = "https://own.example.com"
AGENT = """
business = "Corner Agency"
language = "en-US"
greeting = "Corner Agency, good morning."
closing = "Goodbye."
facts = ["A visit with a lawyer costs 350 shekels."]
questions = [
  { id = "intent", ask = "Buy or rent?", save_as = "intent", answers = [
    { value = "buy", say = ["i want to buy a house"] },
  ] },
]
"""
TOOL = "send_payment_link"
ASKS = {"amount": "350.00", "currency": "ILS", "what_for": "A visit with a lawyer"}
RULES = [
    Rule.from_dict({"says": WORDS, "after_tool": TOOL, "say": "I have sent you the link."}),
    Rule.from_dict(
        {"says": WORDS, "calls": [{"name": TOOL, "arguments": json.dumps(ASKS)}]},
    ),
]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["paypal", "tranzila"])
async def test_a_caller_who_asks_to_pay(
    tmp_path: Path,
    database_url: str,  # noqa: F811
    provider: str,
    stack: ExitStack,
) -> None:
    agent = tmp_path / "agent.toml"
    agent.write_text(AGENT)
    emulator: Any = PayPalEmulator() if provider == "paypal" else TranzilaEmulator()
    async with OpenAIEmulator(RULES) as model:
        stack.enter_context(emulator)
        keys = (paypal_environ if provider == "paypal" else tranzila_environ)(emulator)
        environ = keys | {
            "BENCH_ENGINES": "0",
            "PUBLIC_BASE_URL": PUBLIC,
            "AGENT_FILE": str(agent),
            "LLM_BASE_URL": model.base_url,
            "LLM_MODEL": "emulated",
        }
        world = World(tmp_path, database_url, **environ)
        await asyncio.to_thread(world.__enter__)
        try:
            await asyncio.to_thread(world.pair)
            world.fake("people", numbers=[CALLER])
            await _pay(world, emulator, provider)
        finally:
            await asyncio.to_thread(world.__exit__, None, None, None)


async def _pay(world: World, emulator: Any, provider: str) -> None:
    def here(url: str) -> str:
        """What the public name leads to."""
        return url.replace(PUBLIC, world.url)

    async def come(look: Any, what: str) -> Any:
        return await asyncio.to_thread(until, look, what)

    await come(lambda: httpx.get(f"{world.url}/readyz").status_code == 200, "the service")
    steps = [Answer(speech(WORDS), patience_ms=20_000), AwaitGoodbye()]
    async with on_the_line(world, steps) as [line]:
        await line.answers(2)
        [letter] = await come(world.arrived, "the link")
        [payment] = world.api("/api/crm/payments")["items"]
        assert (payment["status"], payment["call_sid"]) == ("sent", line.call_sid)
        # Still on the line: the payer opens the link on the telephone.
        found = re.search(rf"{PUBLIC}/pay/\S+", letter["text"])
        assert found is not None, letter
        link = here(found.group())
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as browser:
            page = await browser.get(link)
            assert "A visit with a lawyer" in page.text
            answer = await browser.post(link)
            assert answer.status_code == 303, answer.text
            at_provider = answer.headers["location"]
            assert at_provider.startswith(emulator.base_url)
            # The provider's page: the payer agrees, and is sent back.
            if provider == "tranzila":
                answer = await browser.post(at_provider)
                answer = await browser.post(here(answer.headers["location"]))
            else:
                answer = await browser.get(at_provider)
                answer = await browser.get(here(answer.headers["location"]))
            assert answer.headers["location"].endswith("?came=thanks")

        def paid() -> bool:
            [payment] = world.api("/api/crm/payments")["items"]
            return bool(payment["status"] == "paid")

        await come(paid, "the money")
        await come(lambda: len(world.arrived()) == 2, "the thanks")
        await line.hang_up()
    [payment] = world.api("/api/crm/payments")["items"]
    assert (payment["provider"], payment["amount_minor"], payment["currency"]) == (
        provider,
        35000,
        "ILS",
    )
    assert payment["contact_id"] == world.messages()[0]["contact_id"]
    assert "Payment received, thank you! ₪350.00" in world.arrived()[1]["text"]
    timeline = world.api(f"/api/crm/contacts/{payment['contact_id']}/timeline")["items"]
    assert ("payment", "paid") in [(item["kind"], item["status"]) for item in timeline]
    spoken = world.api(f"/api/crm/calls/{line.call_sid}")["turns"]
    assert not any("https" in turn["text"] for turn in spoken)

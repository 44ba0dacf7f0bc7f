"""The whole service: a caller asks to pay, the link comes by WhatsApp, and then the money."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from emulators.openai_rules import Rule
from emulators.openai_server import OpenAIEmulator
from emulators.paypal import PayPalEmulator
from emulators.sidecar import TOKEN, SidecarEmulator
from emulators.tranzila import TranzilaEmulator
from payments.world import BASE, paypal_environ, tranzila_environ
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye
from whole_service import Service, on_the_line, speech, until

CALLER = "+972500000000"
AGENT = """
business = "Corner Agency"
language = "en-US"
persona = "You are calm and brief."
facts = ["Advice on a house costs 149.90 shekels, paid in advance."]
greeting = "Corner Agency, good morning."
questions = [
  { id = "intent", ask = "Buy or rent?", save_as = "intent", answers = [
    { value = "buy", say = ["i want to buy a house"] },
  ] },
]
closing = ["Thank you.", "Goodbye."]
"""
WORDS = "i want to buy a house"
RULES = [
    Rule.from_dict({"after_tool": "send_payment_link", "say": "The link is on its way."}),
    Rule.from_dict(
        {
            "says": "buy a house",
            "calls": [
                {
                    "name": "send_payment_link",
                    "arguments": '{"amount": "149.90", "currency": "ILS", "what_for": "advice"}',
                }
            ],
        }
    ),
]


def ours(service: Service, url: str) -> str:
    """An address of the service as the payer's browser reaches it here."""
    parts = urlsplit(url)
    return f"{service.url}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def payer(service: Service, url: str, provider: str) -> str:
    """Opens the link, presses the button, pays, comes back; the page that is shown then."""
    browser: httpx.Client = service.client
    assert "149.90" in browser.get(ours(service, url)).text
    at_provider = browser.post(ours(service, url)).headers["location"]
    paid = browser.request("GET" if provider == "paypal" else "POST", at_provider)
    back = browser.get(ours(service, paid.headers["location"]))
    return browser.get(ours(service, BASE + back.headers["location"])).text


@pytest.mark.parametrize("provider", ["paypal", "tranzila"])
async def test_a_caller_pays_by_a_link_that_came_while_on_the_line(
    tmp_path: Path, provider: str
) -> None:
    (tmp_path / "agent.toml").write_text(AGENT)
    with ExitStack() as stack:
        environ = (
            paypal_environ(stack.enter_context(PayPalEmulator()))
            if provider == "paypal"
            else tranzila_environ(stack.enter_context(TranzilaEmulator()))
        )
        async with SidecarEmulator(tmp_path / "sidecar") as sidecar, OpenAIEmulator(RULES) as model:
            environ |= {
                "AGENT_FILE": str(tmp_path / "agent.toml"),
                "LLM_BASE_URL": model.base_url,
                "LLM_MODEL": "emulated",
                "BAILEYS_URL": sidecar.url,
                "BAILEYS_TOKEN": TOKEN,
                "PUBLIC_BASE_URL": BASE,
            }
            with Service(tmp_path / "data", **environ) as service:
                await service.until_ready()
                sidecar.events_to = service.url
                await _call_and_pay(service, sidecar, provider)


async def _call_and_pay(service: Service, sidecar: SidecarEmulator, provider: str) -> None:
    def texts() -> list[str]:
        return [letter["text"] for letter in sidecar.wire if letter["to"] == CALLER]

    def payments() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = service.api("/api/crm/payments").json()["items"]
        return found

    steps = [Answer(speech(WORDS), patience_ms=20_000), AwaitGoodbye()]
    async with on_the_line(service, steps) as [line]:
        await line.answers(2)
        await until(lambda: len(texts()) == 1)
        [payment] = payments()
        assert payment["pay_url"] in texts()[0]
        assert (payment["status"], payment["call_sid"]) == ("sent", line.call_sid)
        # Still on the line.
        assert "payment has come" in payer(service, payment["pay_url"], provider)
        assert [one["status"] for one in payments()] == ["paid"]
        await until(lambda: len(texts()) == 2)
        await line.hang_up()
    assert "Payment received, thank you! ₪149.90 (advice)" in texts()[1]
    [payment] = payments()
    timeline = service.api(f"/api/crm/contacts/{payment['contact_id']}/timeline").json()["items"]
    assert ("payment", "paid") in [(item["kind"], item["status"]) for item in timeline]
    spoken = service.call_record(line.call_sid)["turns"]
    assert not any("https" in turn["text"] for turn in spoken)

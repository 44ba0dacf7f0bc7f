"""Payments put together: a caller asks to pay, and the conversation is told that the money came."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crm.records import announced
from emulators.openai_rules import Rule
from emulators.openai_server import OpenAIEmulator
from emulators.paypal import PayPalEmulator
from emulators.provider_server import Fault
from emulators.sidecar import SidecarEmulator
from emulators.tranzila import TranzilaEmulator
from fixtures_database import _server, database, database_url
from front_desk import clinic
from payments.world import (
    BASE,
    PHONE,
    House,
    house,
    order_of,
    path_of,
    paypal_environ,
    tranzila_environ,
)
from voiceagent.brain.ports import CallerTurn, Exchange, Party, Say
from voiceagent.crm.messages.drafts import Routes
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import ProviderError
from voiceagent.settings import load_settings
from voiceagent.whatsapp.messenger import OutboxMessenger
from voiceagent.wiring.brains import House as BrainHouse
from voiceagent.wiring.brains import choose_brain, choose_model
from whatsapp import world as whatsapp

__all__ = ["_server", "database", "database_url"]

RULES = [
    Rule.from_dict({"after_tool": "send_payment_link", "say": "The link is on its way."}),
    Rule.from_dict(
        {
            "says": "pay",
            "calls": [
                {
                    "name": "send_payment_link",
                    "arguments": '{"amount": "149.90", "currency": "ILS", "what_for": "ייעוץ"}',
                }
            ],
        }
    ),
]


@pytest.fixture
def providers() -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        yield {
            "paypal": stack.enter_context(PayPalEmulator()),
            "tranzila": stack.enter_context(TranzilaEmulator()),
        }


def environ_of(providers: dict[str, Any], *names: str) -> dict[str, str]:
    makers = {"paypal": paypal_environ, "tranzila": tranzila_environ}
    merged: dict[str, str] = {}
    for name in names:
        merged |= makers[name](providers[name])
    return merged


async def call(database: Database, sid: str = "CA1", caller: str = PHONE) -> Party:
    """Somebody is on the line."""
    await RecordsRepository(database).apply([announced(sid, caller)])
    return Party(call_sid=sid)


@pytest.fixture
async def both(
    database: Database, tmp_path: Path, providers: dict[str, Any]
) -> AsyncIterator[House]:
    async with house(database, tmp_path, environ_of(providers, "paypal", "tranzila")) as one:
        yield one


# -- whole way -------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["paypal", "tranzila"])
async def test_a_caller_asks_to_pay_and_is_thanked_when_the_money_came(
    database: Database, tmp_path: Path, providers: dict[str, Any], provider: str
) -> None:
    async with (
        SidecarEmulator(tmp_path / "sidecar") as phone,
        OpenAIEmulator(RULES) as model,
        whatsapp.house(database, tmp_path, phone) as messages,
        house(
            database,
            tmp_path,
            environ_of(providers, provider),
            works=True,
            poll_s=0.05,
            messenger=messages.office.messenger,
        ) as one,
    ):
        party = await call(database)
        await ask_the_agent(one, messages, model, party)
        # The link comes to the caller's WhatsApp, and to nobody else's.
        await whatsapp.until(lambda: len(phone.wire) == 1)
        [letter] = phone.wire
        assert letter["to"] == PHONE
        url = next(line for line in letter["text"].splitlines() if line.startswith("https:"))
        assert url.startswith(f"{BASE}/pay/")
        [payment] = (await one.client.get("/api/crm/payments", headers=whatsapp.KEY)).json()[
            "items"
        ]
        assert (payment["status"], payment["author"], payment["pay_url"]) == ("sent", "agent", url)
        # The payer opens it, goes to the provider, pays there, and comes back.
        assert "₪149.90" in (await one.client.get(path_of(url))).text
        link = (await one.client.post(path_of(url))).headers["location"]
        paid = await one.visit(link, "GET" if provider == "paypal" else "POST")
        back = await one.visit(paid.headers["location"])
        assert "התשלום התקבל" in (await one.client.get(back.headers["location"])).text
        # The CRM shows it where it was asked for, the conversation is told, and the owner too.
        now = await one.read(payment)
        assert (now["status"], now["call_sid"]) == ("paid", "CA1")
        [item] = [
            item
            for item in (await Conversations(database).timeline(now["contact_id"])).items
            if item.kind == "payment"
        ]
        assert (item.status, item.content, item.call_sid) == ("paid", "ILS 149.90", "CA1")
        await whatsapp.until(lambda: len(phone.wire) == 2)
        assert phone.wire[1]["to"] == PHONE
        assert "התשלום התקבל, תודה" in phone.wire[1]["text"]
        assert "payment.paid" in await one.notices()


async def ask_the_agent(
    one: House, messages: whatsapp.House, model: OpenAIEmulator, party: Party
) -> None:
    """The agent's brain answers a caller who wants to pay."""
    settings = load_settings(
        {"LLM_BASE_URL": model.base_url, "LLM_MODEL": "emulated", "STT_ENGINE": "local"}
    )
    chat = choose_model(settings)
    assert chat is not None
    tools = BrainHouse(messenger=messages.office.messenger, cashier=one.office.cashier)
    try:
        dialogue = choose_brain(settings, clinic(), tools, chat).open(party)
        dialogue.opening()
        words = "I want to pay for the advice now."
        proposal = dialogue.reply(CallerTurn(words, history=[Exchange("caller", words)]))
        said = [event.text async for event in proposal.events if isinstance(event, Say)]
        proposal.commit()
    finally:
        await chat.close()
    assert "on its way" in " ".join(said)
    assert not any("https" in text for text in said), "nobody hears a link read out"


# -- the agent's links -----------------------------------------------------------------------


async def test_a_link_is_one_for_its_key(both: House, database: Database) -> None:
    cashier = both.office.cashier
    assert cashier is not None
    party = await call(database)
    links = await asyncio.gather(
        *(cashier.payment_link(party, 14990, "ILS", "advice", "key") for _ in range(4))
    )
    assert len({link.url for link in links}) == 1
    other = await cashier.payment_link(party, 14990, "ILS", "advice", "another")
    assert other.url != links[0].url
    with pytest.raises(ProviderError) as refused:
        await cashier.payment_link(party, 1, "ILS", "advice", "key")
    assert not refused.value.retryable


@pytest.mark.parametrize(
    ("names", "currency", "provider"),
    [
        (("paypal", "tranzila"), "ILS", "tranzila"),
        (("paypal",), "ILS", "paypal"),
        (("tranzila",), "USD", "tranzila"),
        (("paypal", "tranzila"), "JPY", "paypal"),
    ],
)
async def test_who_takes_the_money(
    database: Database,
    tmp_path: Path,
    providers: dict[str, Any],
    *,
    names: tuple[str, ...],
    currency: str,
    provider: str,
) -> None:
    async with house(database, tmp_path, environ_of(providers, *names)) as one:
        assert one.office.cashier is not None
        link = await one.office.cashier.payment_link(Party(), 500, currency, "x", "k")
        payment = await one.payments.by_token(link.url.rpartition("/")[2])
        assert payment.provider == provider


@pytest.mark.parametrize(
    ("minor", "currency"), [(0, "ILS"), (-5, "ILS"), (10**12, "ILS"), (5, "XYZ"), (5, "")]
)
async def test_what_is_no_amount_has_no_link(both: House, minor: int, currency: str) -> None:
    assert both.office.cashier is not None
    with pytest.raises(ProviderError) as refused:
        await both.office.cashier.payment_link(Party(), minor, currency, "x", "k")
    assert not refused.value.retryable


async def test_without_a_known_address_there_is_no_link(
    database: Database, tmp_path: Path, providers: dict[str, Any]
) -> None:
    environ = environ_of(providers, "paypal") | {"PUBLIC_BASE_URL": ""}
    seen: list[str] = []
    base_url = lambda: seen[0] if seen else None  # noqa: E731
    async with house(database, tmp_path, environ, base_url=base_url) as one:
        cashier = one.office.cashier
        assert cashier is not None
        with pytest.raises(ProviderError):
            await cashier.payment_link(Party(), 5, "ILS", "x", "k")
        seen.append("https://seen.example.com")
        link = await cashier.payment_link(Party(), 5, "ILS", "x", "k")
        assert link.url.startswith("https://seen.example.com/pay/")


async def test_without_a_database_the_agent_is_told_in_time(both: House) -> None:
    await both.database.close()
    assert both.office.cashier is not None
    with pytest.raises(ProviderError) as failed:
        await both.office.cashier.payment_link(Party(), 5, "ILS", "x", "k")
    assert failed.value.retryable


# -- what follows ----------------------------------------------------------------------------


class _Told(OutboxMessenger):
    """Messages to payers go to the outbox, and before that to a test."""

    def __init__(self, database: Database, tell: Callable[[str, str], None]) -> None:
        super().__init__(database, OutboxRepository(database, Routes(("baileys",), "baileys")))
        self._tell = tell

    async def send(self, party: Party, text: str, key: str) -> None:
        self._tell(text, key)
        await super().send(party, text, key)


async def test_the_conversation_is_told_once_also_after_a_kill(
    database: Database, tmp_path: Path, providers: dict[str, Any]
) -> None:
    heard: list[str] = []
    messenger = _Told(database, lambda _, key: heard.append(key))
    environ = environ_of(providers, "paypal")
    async with house(database, tmp_path, environ, messenger=messenger) as one:
        payment = await one.ask(contact_id=await one.contact())
        order = order_of((await one.press(payment)).headers["location"])
        providers["paypal"].approve(order)
        await one.back(payment)
        await one.tell()
        # Killed before it was noted.
        await database.pool.execute("UPDATE payments SET told_at = NULL")
        await one.tell()
        await one.tell()
    assert heard == [f"payment-{payment['id']}-received"] * 2
    async with database.connection() as connection:
        texts = await connection.fetch("SELECT text FROM messages")
    assert len(texts) == 1


async def test_who_cannot_be_told_now_is_told_later(
    database: Database, tmp_path: Path, providers: dict[str, Any]
) -> None:
    answers: list[ProviderError | None] = [ProviderError("not now", retryable=True), None]

    def tell(_text: str, _key: str) -> None:
        if (error := answers.pop(0)) is not None:
            raise error

    environ = environ_of(providers, "paypal")
    async with house(database, tmp_path, environ, messenger=_Told(database, tell)) as one:
        payment = await one.ask(contact_id=await one.contact())
        providers["paypal"].approve(order_of((await one.press(payment)).headers["location"]))
        await one.back(payment)
        await one.tell()
        assert await one.messages() == []
        await one.tell()
        assert len(await one.messages()) == 1
        await one.tell()
    assert answers == []


async def test_who_wants_no_messages_is_not_told_again_and_again(
    database: Database, tmp_path: Path, providers: dict[str, Any]
) -> None:
    async with house(database, tmp_path, environ_of(providers, "paypal")) as one:
        payment = await one.ask(contact_id=await one.contact())
        await database.pool.execute("UPDATE contacts SET whatsapp_stop_at = now()")
        providers["paypal"].approve(order_of((await one.press(payment)).headers["location"]))
        await one.back(payment)
        await one.tell()
        assert await one.messages() == []
        assert await one.payments.untold(9) == []


async def test_the_background_work_finds_expires_and_ends(
    database: Database, tmp_path: Path, providers: dict[str, Any]
) -> None:
    environ = environ_of(providers, "paypal")
    async with house(database, tmp_path, environ, works=True, poll_s=0.02) as one:
        paid, over = await one.opened(), await one.ask()
        providers["paypal"].fail("/v2/checkout/orders/", Fault.SERVER_ERROR)
        providers["paypal"].approve(order_of(paid["link"]))
        await one.due_now(paid)
        await database.pool.execute(
            "UPDATE payments SET expires_at = $1, next_look_at = $1 WHERE id = $2::text::uuid",
            datetime.now(UTC),
            over["id"],
        )

        async def is_over() -> bool:
            await one.due_now(paid)
            return [await one.status(paid), await one.status(over)] == ["paid", "expired"]

        await whatsapp.until_true(is_over)


def test_half_of_the_keys_are_warned_of() -> None:
    told = load_settings({"PAYPAL_CLIENT_ID": "x", "TRANZILA_TERMINAL": "t"}).warnings()
    assert "PayPal takes no payments: PAYPAL_CLIENT_SECRET missing." in told
    assert "Tranzila takes no payments: TRANZILA_APP_KEY, TRANZILA_SECRET missing." in told
    assert not any("PayPal" in line or "Tranzila" in line for line in load_settings({}).warnings())
    whole = load_settings({"PAYPAL_CLIENT_ID": "x", "PAYPAL_CLIENT_SECRET": "y"}).warnings()
    assert any("PAYPAL_WEBHOOK_ID is not set" in line for line in whole)

"""Words of providers over HTTP: bounded, whoever sends them and however many."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from emulators.paypal import PayPalEmulator
from emulators.provider_server import Fault
from emulators.tranzila import TranzilaEmulator
from fixtures_database import _server, database, database_url
from payments.world import House, house, order_of, paypal_environ, query_of, tranzila_environ
from voiceagent.crm.postgres.database import Database
from voiceagent.web.payment_webhooks import AT_ONCE, MAX_BODY_BYTES

__all__ = ["_server", "database", "database_url"]


@pytest.fixture
def paypal() -> Iterator[PayPalEmulator]:
    with PayPalEmulator() as emulator:
        yield emulator


@pytest.fixture
def tranzila() -> Iterator[TranzilaEmulator]:
    with TranzilaEmulator() as emulator:
        yield emulator


@pytest.fixture
async def one(
    database: Database, tmp_path: Path, paypal: PayPalEmulator, tranzila: TranzilaEmulator
) -> AsyncIterator[House]:
    environ = paypal_environ(paypal) | tranzila_environ(tranzila)
    async with house(database, tmp_path, environ) as one:
        yield one


async def test_beyond_a_number_at_a_time_paypal_is_told_to_come_again(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    paypal.approve(order_of(payment["link"]))
    [word] = paypal.webhooks
    paypal.fail("verify-webhook-signature", *[Fault.HANG] * AT_ONCE)
    waiting = [asyncio.create_task(one.deliver(word)) for _ in range(2 * AT_ONCE)]
    await asyncio.to_thread(paypal.wait_until_hanging, AT_ONCE)
    refused = await one.deliver(word)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    paypal.release()
    answers = await asyncio.gather(*waiting)
    assert {answer.status_code for answer in answers} == {200}
    assert (await one.deliver(word)).status_code == 200
    assert (await one.changes(payment)).count("paid") == 1


async def test_beyond_a_number_at_a_time_a_notify_is_followed_later(
    one: House, tranzila: TranzilaEmulator
) -> None:
    payment = await one.opened("tranzila")
    tranzila.charge(query_of(payment["link"]))
    [notify] = tranzila.notifies
    tranzila.fail("/v1/transaction", *[Fault.HANG] * AT_ONCE)
    waiting = [asyncio.create_task(one.notify(notify)) for _ in range(2 * AT_ONCE)]
    await asyncio.to_thread(tranzila.wait_until_hanging, AT_ONCE)
    assert (await one.notify(notify)).status_code == 200
    assert await one.sweep() == 1, "it is due at once"
    assert await one.status(payment) == "paid"
    tranzila.release()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}


async def test_a_body_that_is_too_long_is_not_read(one: House, paypal: PayPalEmulator) -> None:
    paypal.asked.clear()
    answer = await one.client.post("/webhook/payments/paypal", content=b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert paypal.asked == []


async def test_without_its_headers_paypal_is_not_even_asked(
    one: House, paypal: PayPalEmulator
) -> None:
    answer = await one.client.post("/webhook/payments/paypal", json={"resource": {}})
    assert answer.status_code == 403
    assert paypal.asked == []


@pytest.mark.parametrize(
    "resource",
    [None, [], "x", {"purchase_units": [1]}, {"purchase_units": {}}, {"links": "x"}, {"id": 5}],
)
async def test_whatever_a_genuine_event_holds_it_is_taken(
    one: House, paypal: PayPalEmulator, resource: object
) -> None:
    word = paypal.signed("ANY.EVENT", {"custom_id": None})
    body = json.loads(word.body)
    body["resource"] = resource
    signed = paypal.signed_body(json.dumps(body).encode())
    answer = await one.client.post(
        "/webhook/payments/paypal", content=signed.body, headers=dict(signed.headers)
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", ""),
        (b"index=1", "application/x-www-form-urlencoded"),
        (b"voiceagent_token=%00&index=%00", "application/x-www-form-urlencoded"),
        (b"\xff\xfe" * 100, "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"a=1&" * 5000, "application/x-www-form-urlencoded"),
    ],
)
async def test_whatever_comes_as_a_notify_is_answered_alike(
    one: House, body: bytes, content_type: str
) -> None:
    answer: httpx.Response = await one.client.post(
        "/webhook/payments/tranzila", content=body, headers={"content-type": content_type}
    )
    assert (answer.status_code, answer.content) == (200, b"")

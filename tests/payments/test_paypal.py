"""PayPal whole way against its API on loopback: order, approval, capture, webhook, refund."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulators.paypal import CLIENT_ID, SECRET, WEBHOOK_ID, PayPalEmulator
from emulators.provider_server import Fault
from payments.payment import payment as a_payment
from payments.world import House, house, order_of, paypal_environ
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import EngineTimeout
from voiceagent.http_clients import http_client
from voiceagent.payments.paypal import Account, PayPal
from voiceagent.payments.ports import Addresses, Gone, Unanswered


@pytest.fixture
def paypal() -> Iterator[PayPalEmulator]:
    with PayPalEmulator() as emulator:
        yield emulator


@pytest.fixture
async def one(database: Database, tmp_path: Path, paypal: PayPalEmulator) -> AsyncIterator[House]:
    async with house(database, tmp_path, paypal_environ(paypal)) as one:
        yield one


async def test_a_payer_pays_and_the_return_settles_it(one: House, paypal: PayPalEmulator) -> None:
    payment = await one.ask(contact_id=await one.contact())
    assert payment["status"] == "created"
    assert not paypal.asked, "nothing is asked of PayPal before the payer wants to pay"
    answer = await one.press(payment)
    assert answer.status_code == 303
    at_paypal = await one.visit(answer.headers["location"])
    back = await one.visit(at_paypal.headers["location"])
    assert back.headers["location"].endswith("?came=thanks")
    now = await one.read(payment)
    assert now["status"] == "paid"
    assert [event["change"] for event in now["events"]] == ["created", "opened", "paid"]
    [capture] = paypal.captures.values()
    assert now["provider_payment_id"] == capture["id"]
    assert capture["amount"] == {"currency_code": "ILS", "value": "149.90"}
    assert await one.notices() == ["payment.paid"]


async def test_a_webhook_settles_it_when_the_payer_never_comes_back(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    paypal.approve(order_of(payment["link"]))
    [approved] = paypal.webhooks
    assert (await one.deliver(approved)).status_code == 200
    assert await one.status(payment) == "paid"


async def test_repeated_and_reordered_webhooks_settle_once(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    paypal.approve(order_of(payment["link"]))
    await one.back(payment)
    approved, captured = paypal.webhooks
    answers = [await one.deliver(word) for word in (captured, approved, captured, approved)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert await one.changes(payment) == ["created", "opened", "paid"]
    assert len(paypal.captures) == 1
    assert await one.notices() == ["payment.paid"]


async def test_many_who_notice_at_the_same_time_settle_once(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    paypal.approve(order_of(payment["link"]))
    [approved] = paypal.webhooks
    await one.due_now(payment)
    await asyncio.gather(
        *(one.deliver(approved) for _ in range(5)),
        *(one.back(payment) for _ in range(5)),
        one.sweep(),
    )
    assert (await one.changes(payment)).count("paid") == 1
    assert len(paypal.captures) == 1


@pytest.mark.parametrize("forger", ["other key", "other body", "no headers", "no json"])
async def test_a_forged_webhook_is_refused_and_settles_nothing(
    one: House, paypal: PayPalEmulator, forger: str
) -> None:
    payment = await one.opened()
    resource = {"id": "C1", "custom_id": payment["id"], "status": "COMPLETED"}
    word = paypal.signed("PAYMENT.CAPTURE.COMPLETED", resource)
    body, headers = word.body, dict(word.headers)
    match forger:
        case "other key":
            word = paypal.signed("PAYMENT.CAPTURE.COMPLETED", resource, key="mine")
            body, headers = word.body, dict(word.headers)
        case "other body":
            body = body.replace(b"COMPLETED", b"COMPLETED ")
        case "no headers":
            headers = {}
        case "no json":
            body = b"}, {"
    answer = await one.client.post("/webhook/payments/paypal", content=body, headers=headers)
    assert answer.status_code == 403
    assert await one.status(payment) == "sent"


async def test_even_a_genuine_webhook_settles_nothing_that_paypal_does_not_confirm(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    capture = {"id": "C1", "custom_id": payment["id"], "status": "COMPLETED"}
    answer = await one.deliver(paypal.signed("PAYMENT.CAPTURE.COMPLETED", capture))
    assert answer.status_code == 200
    assert await one.status(payment) == "sent"


async def test_a_webhook_of_something_else_in_the_account_is_taken(
    one: House, paypal: PayPalEmulator
) -> None:
    resource: dict[str, Any] = {"id": "I-1", "custom_id": "not ours", "links": [1, {"rel": "up"}]}
    answer = await one.deliver(paypal.signed("BILLING.SUBSCRIPTION.CREATED", resource))
    assert answer.status_code == 200


async def test_a_webhook_that_cannot_be_checked_is_to_be_sent_again(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    paypal.approve(order_of(payment["link"]))
    [approved] = paypal.webhooks
    paypal.fail("verify-webhook-signature", Fault.SERVER_ERROR)
    assert (await one.deliver(approved)).status_code == 503
    assert (await one.deliver(approved)).status_code == 200
    assert await one.status(payment) == "paid"


async def test_the_sweep_finds_what_no_word_told(one: House, paypal: PayPalEmulator) -> None:
    payment = await one.opened()
    paypal.approve(order_of(payment["link"]))
    assert await one.sweep() == 0, "it is not due yet"
    await one.due_now(payment)
    assert await one.sweep() == 1
    assert await one.status(payment) == "paid"
    assert await one.sweep() == 0


async def test_a_capture_whose_answer_was_lost_is_found(one: House, paypal: PayPalEmulator) -> None:
    payment = await one.opened()
    paypal.approve(order_of(payment["link"]))
    paypal.fail("/capture", Fault.RESET_AFTERWARDS)
    await one.back(payment)
    assert await one.status(payment) == "sent"
    await one.due_now(payment)
    await one.sweep()
    assert await one.status(payment) == "paid"
    assert len(paypal.captures) == 1


async def test_an_order_that_others_captured_meanwhile_is_reconciled(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    order = paypal.orders[order_of(payment["link"])]
    paypal.approve(order["id"])
    # Between our reading and our capture somebody else's capture is done.
    paypal.chaos = lambda asked: (
        paypal._capture(order) and None
        if asked.path.endswith("/capture") and order["status"] == "APPROVED"
        else None
    )
    await one.back(payment)
    assert await one.status(payment) == "paid"
    assert len(paypal.captures) == 1


@pytest.mark.parametrize("change", [{"value": "1.00"}, {"currency_code": "USD"}])
async def test_another_amount_or_currency_is_never_captured(
    one: House, paypal: PayPalEmulator, change: dict[str, str]
) -> None:
    payment = await one.opened()
    order = paypal.orders[order_of(payment["link"])]
    paypal.approve(order["id"])
    order["purchase_units"][0]["amount"] |= change
    await one.back(payment)
    assert not paypal.captures
    assert await one.status(payment) == "approved"


@pytest.mark.parametrize("change", [{"value": "1.00"}, {"currency_code": "USD"}])
async def test_another_amount_that_was_captured_pays_for_nothing_and_is_shown(
    one: House, paypal: PayPalEmulator, change: dict[str, str]
) -> None:
    payment = await one.opened()
    order = paypal.orders[order_of(payment["link"])]
    paypal.approve(order["id"])
    paypal._capture(order)
    order["purchase_units"][0]["payments"]["captures"][0]["amount"] |= change
    for _ in range(2):
        await one.back(payment)
    now = await one.read(payment)
    assert now["status"] == "sent"
    assert "came for" in now["problem"]
    assert [event["change"] for event in now["events"]].count("not_accepted") == 1


async def test_money_for_another_payment_pays_for_nothing(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    order = paypal.orders[order_of(payment["link"])]
    order["purchase_units"][0]["custom_id"] = "01890000-0000-7000-8000-000000000000"
    paypal.approve(order["id"])
    paypal._capture(order)
    await one.back(payment)
    assert await one.status(payment) == "sent"


async def test_a_card_that_is_declined_can_be_tried_again(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    order_id = order_of(payment["link"])
    paypal.approve(order_id)
    paypal.declines.add(order_id)
    await one.back(payment)
    assert await one.status(payment) == "failed"
    assert "לא אושר" in await one.page(payment)
    # The payer was told that nothing was taken: nobody takes it behind their back.
    paypal.declines.clear()
    await one.deliver(paypal.webhooks[0])
    await one.due_now(payment)
    await one.sweep()
    assert await one.status(payment) == "failed"
    again = await one.press(payment)
    assert order_of(again.headers["location"]) != order_id
    await one.visit((await one.visit(again.headers["location"])).headers["location"])
    assert await one.status(payment) == "paid"
    assert len(paypal.captures) == 1


@pytest.mark.parametrize(
    ("issue", "status"),
    [
        ("INSTRUMENT_DECLINED", "failed"),
        ("PAYEE_ACCOUNT_RESTRICTED", "failed"),
        ("COMPLIANCE_VIOLATION", "failed"),
        ("PAYER_ACTION_REQUIRED", "sent"),
        ("ORDER_NOT_APPROVED", "sent"),
        ("PREVIOUS_REQUEST_IN_PROGRESS", "sent"),
    ],
)
async def test_why_nothing_was_captured_is_kept(
    one: House, paypal: PayPalEmulator, issue: str, status: str
) -> None:
    payment = await one.opened()
    order_id = order_of(payment["link"])
    paypal.approve(order_id)
    paypal.declines.add(order_id)
    paypal.decline_issue = issue
    await one.back(payment)
    now = await one.read(payment)
    assert now["status"] == status
    details = [event["detail"] for event in now["events"] if event["change"] == "declined"]
    assert details == ([issue] if status == "failed" else [])


async def test_a_capture_that_paypal_denies_leads_to_a_new_order(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    first = order_of(payment["link"])
    paypal.approve(first)
    paypal.capture_status = "DECLINED"
    await one.back(payment)
    assert await one.status(payment) == "failed"
    paypal.capture_status = "COMPLETED"
    again = await one.press(payment)
    second = order_of(again.headers["location"])
    assert second != first
    paypal.approve(second)
    await one.back(payment)
    assert await one.status(payment) == "paid"


async def test_money_that_is_pending_is_approved_and_paid_when_it_comes(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    paypal.capture_status = "PENDING"
    paypal.approve(order_of(payment["link"]))
    await one.back(payment)
    assert await one.status(payment) == "approved"
    [capture] = paypal.captures
    paypal.settle_pending(capture)
    await one.deliver(paypal.webhooks[-1])
    assert await one.status(payment) == "paid"


async def test_pressing_twice_makes_one_order(one: House, paypal: PayPalEmulator) -> None:
    payment = await one.ask()
    answers = await asyncio.gather(*(one.press(payment) for _ in range(4)))
    links = {answer.headers["location"] for answer in answers}
    assert len(links) == 1
    assert len(paypal.orders) == 1
    assert (await one.press(payment)).headers["location"] in links


async def test_an_order_that_is_gone_is_made_anew(one: House, paypal: PayPalEmulator) -> None:
    payment = await one.opened()
    paypal.forget(order_of(payment["link"]))
    again = await one.press(payment)
    assert again.headers["location"] != payment["link"]
    assert order_of(again.headers["location"]) in paypal.orders


async def test_an_answer_that_was_lost_leads_to_the_same_order(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.ask()
    paypal.fail("/v2/checkout/orders", Fault.RESET_AFTERWARDS)
    assert (await one.press(payment)).status_code == 503
    assert (await one.press(payment)).status_code == 303
    assert len(paypal.orders) == 1


async def test_a_payer_is_sent_nowhere_but_to_paypal(one: House, paypal: PayPalEmulator) -> None:
    paypal.payer_host = "https://paypal.example.net"
    payment = await one.ask()
    answer = await one.press(payment)
    assert answer.status_code == 503
    assert "paypal.example.net" not in answer.text


async def test_the_token_is_kept_and_replaced_once_when_it_is_refused(
    one: House, paypal: PayPalEmulator
) -> None:
    await one.opened()
    await one.opened()
    assert paypal.count("POST", "/v1/oauth2/token") == 1
    paypal.revoke_tokens()
    await one.opened()
    assert paypal.count("POST", "/v1/oauth2/token") == 2


async def test_yen_have_no_decimals(one: House, paypal: PayPalEmulator) -> None:
    payment = await one.opened(currency="JPY", amount_minor=1500)
    order = paypal.orders[order_of(payment["link"])]
    assert order["purchase_units"][0]["amount"] == {"currency_code": "JPY", "value": "1500"}
    paypal.approve(order["id"])
    await one.back(payment)
    assert await one.status(payment) == "paid"


async def test_a_refund_is_made_once(one: House, paypal: PayPalEmulator) -> None:
    payment = await _paid(one, paypal)
    answers = await asyncio.gather(*(one.act(payment, "refund") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    now = await one.read(payment)
    assert (now["status"], now["refund"]) == ("refunded", None)
    [unit] = next(iter(paypal.orders.values()))["purchase_units"]
    assert len(unit["payments"]["refunds"]) == 1
    assert await one.notices() == ["payment.paid", "payment.refunded"]
    assert (await one.act(payment, "refund")).json()["status"] == "refunded"


async def test_a_refund_whose_answer_was_lost_is_found(one: House, paypal: PayPalEmulator) -> None:
    payment = await _paid(one, paypal)
    paypal.fail("/refund", Fault.RESET_AFTERWARDS)
    answer = await one.act(payment, "refund")
    assert (answer.status_code, answer.json()["refund"]) == (200, "asked")
    await one.due_now(payment)
    await one.sweep()
    assert await one.status(payment) == "refunded"


async def test_a_refund_that_is_pending_is_done_later(one: House, paypal: PayPalEmulator) -> None:
    payment = await _paid(one, paypal)
    paypal.refund_status = "PENDING"
    assert (await one.act(payment, "refund")).json()["refund"] == "asked"
    # The same request again has the same answer; what became of it is seen at the capture.
    next(iter(paypal.captures.values()))["status"] = "REFUNDED"
    await one.due_now(payment)
    await one.sweep()
    assert await one.status(payment) == "refunded"


async def test_a_refund_that_was_made_at_paypal_is_seen(one: House, paypal: PayPalEmulator) -> None:
    payment = await _paid(one, paypal)
    [capture] = paypal.captures
    paypal._refund(capture)
    refunded = paypal.webhooks[-1]
    assert json.loads(refunded.body)["event_type"] == "PAYMENT.CAPTURE.REFUNDED"
    assert (await one.deliver(refunded)).status_code == 200
    assert await one.status(payment) == "refunded"


async def test_a_refund_that_paypal_does_not_make_is_told(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await _paid(one, paypal)
    paypal.refund_status = "FAILED"
    answer = await one.act(payment, "refund")
    assert (answer.json()["status"], answer.json()["refund"]) == ("paid", "refused")
    assert "failed" in answer.json()["problem"]


async def test_money_that_came_after_it_was_cancelled_is_shown_as_paid(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    order = paypal.orders[order_of(payment["link"])]
    paypal.approve(order["id"])
    paypal._capture(order)
    assert (await one.act(payment, "cancel")).json()["status"] == "cancelled"
    await one.due_now(payment)
    await one.sweep()
    now = await one.read(payment)
    assert now["status"] == "paid"
    assert "cancelled" in now["problem"]


async def test_what_was_cancelled_is_never_captured(one: House, paypal: PayPalEmulator) -> None:
    payment = await one.opened()
    await one.act(payment, "cancel")
    paypal.approve(order_of(payment["link"]))
    await one.deliver(paypal.webhooks[-1])
    await one.back(payment)
    await one.due_now(payment)
    await one.sweep()
    assert not paypal.captures
    assert await one.status(payment) == "cancelled"


@pytest.mark.parametrize("fault", [f for f in Fault if f is not Fault.HANG])
@pytest.mark.parametrize("path", ["/token", "/orders", "/capture"])
async def test_whatever_fails_it_is_paid_in_the_end(
    one: House, paypal: PayPalEmulator, fault: Fault, path: str
) -> None:
    payment = await one.ask()
    paypal.fail(path, fault)
    while (answer := await one.press(payment)).status_code != 303:
        assert answer.status_code == 503
        assert "a-secret" not in answer.text
    [order_id] = paypal.orders
    paypal.approve(order_id)
    await one.back(payment)
    await one.due_now(payment)
    await one.sweep()
    assert await one.status(payment) == "paid"
    assert len(paypal.captures) == 1


async def test_a_paypal_that_says_nothing_is_waited_for_until_the_deadline(
    paypal: PayPalEmulator,
) -> None:
    account = Account(CLIENT_ID, SECRET, paypal.base_url, WEBHOOK_ID)
    slow = PayPal(account, http_client, request_s=0.2)
    opened = a_payment(provider="paypal")
    paypal.fail("/", Fault.HANG)
    with pytest.raises(EngineTimeout):
        await slow.open(opened, Addresses("https://a", "https://b", "https://c"))
    paypal.release()
    paypal.fail("/v2/", Fault.HANG)
    assert await slow.look([opened]) == {opened.id: Unanswered("PayPal did not answer")}
    paypal.release()
    assert await slow.look([opened]) == {opened.id: Gone()}
    await slow.close()


async def test_no_secret_comes_into_a_log(
    one: House, paypal: PayPalEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    payment = await one.ask()
    paypal.fail("/token", Fault.SERVER_ERROR, Fault.RESET)
    for _ in range(3):
        await one.press(payment)
    token = payment["pay_url"].rpartition("/")[2]
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("voiceagent")]
    assert ours
    for secret in ("a-secret-of-nobody", "A21-", token):
        assert not any(secret in line for line in ours)


async def _paid(one: House, paypal: PayPalEmulator) -> dict[str, Any]:
    payment = await one.opened()
    paypal.approve(order_of(payment["link"]))
    await one.back(payment)
    assert await one.status(payment) == "paid"
    return payment

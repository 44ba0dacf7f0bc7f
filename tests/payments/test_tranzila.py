"""Tranzila whole way against its servers on loopback: handshake, page, report, notify, credit."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from emulators.provider_server import Fault
from emulators.tranzila import PASSWORD, TERMINAL, Notify, TranzilaEmulator
from payments.world import House, house, query_of, tranzila_environ
from voiceagent.crm.postgres.database import Database

REPORT = "/v1/transaction"


@pytest.fixture
def tranzila() -> Iterator[TranzilaEmulator]:
    with TranzilaEmulator() as emulator:
        yield emulator


@pytest.fixture
async def one(
    database: Database, tmp_path: Path, tranzila: TranzilaEmulator
) -> AsyncIterator[House]:
    async with house(database, tmp_path, tranzila_environ(tranzila)) as one:
        yield one


@pytest.mark.parametrize(
    ("environ", "path"),
    [({}, "/v2/handshake/create"), ({"TRANZILA_PASSWORD": PASSWORD}, "/v1/handshake/create")],
)
async def test_a_payer_pays_and_the_return_settles_it(
    database: Database,
    tmp_path: Path,
    tranzila: TranzilaEmulator,
    environ: dict[str, str],
    path: str,
) -> None:
    async with house(database, tmp_path, tranzila_environ(tranzila) | environ) as one:
        payment = await one.ask("tranzila", contact_id=await one.contact())
        assert not tranzila.asked, "nothing is asked of Tranzila before the payer wants to pay"
        link = (await one.press(payment)).headers["location"]
        assert [asked.path for asked in tranzila.asked] == [path]
        assert link.startswith(f"{tranzila.base_url}/{TERMINAL}/iframenew.php?")
        assert query_of(link)["sum"] == "149.90"
        assert PASSWORD not in link
        assert (await one.visit(link)).status_code == 200
        back = await one.visit((await one.visit(link, "POST")).headers["location"], "POST")
        assert back.headers["location"].endswith("?came=thanks")
        now = await one.read(payment)
        assert (now["status"], now["provider_payment_id"]) == ("paid", "1696")
        assert await one.notices() == ["payment.paid"]


async def test_a_notify_leads_to_the_report_which_settles_it(
    one: House, tranzila: TranzilaEmulator
) -> None:
    payment = await one.opened("tranzila")
    tranzila.charge(query_of(payment["link"]))
    [notify] = tranzila.notifies
    assert (await one.notify(notify)).status_code == 200
    assert await one.status(payment) == "paid"
    asked = tranzila.asked[-1]
    assert (asked.path, asked.json()) == (
        REPORT,
        {"terminal_name": TERMINAL, "transaction_index": 1696},
    )


async def test_a_notify_without_our_field_is_followed_by_its_address(
    one: House, tranzila: TranzilaEmulator
) -> None:
    payment = await one.opened("tranzila")
    tranzila.charge(query_of(payment["link"]))
    [notify] = tranzila.notifies
    reference = query_of(payment["link"])["voiceagent_token"]
    assert reference not in notify.url, "addresses come into logs"
    form = {name: value for name, value in notify.form.items() if name != "voiceagent_token"}
    for url in (
        "https://own.example.com/webhook/payments/tranzila",
        "https://own.example.com/webhook/payments/tranzila?payment=x",
        f"https://own.example.com/webhook/payments/tranzila?payment={uuid4()}",
    ):
        assert (await one.notify(Notify(url, form))).status_code == 200
        assert await one.status(payment) == "sent"
    await one.notify(Notify(notify.url, form))
    assert await one.status(payment) == "paid"


async def test_repeated_notifies_settle_once(one: House, tranzila: TranzilaEmulator) -> None:
    payment = await one.opened("tranzila")
    tranzila.charge(query_of(payment["link"]))
    [notify] = tranzila.notifies
    await one.due_now(payment)
    await asyncio.gather(
        *(one.notify(notify) for _ in range(6)), *(one.back(payment) for _ in range(3)), one.sweep()
    )
    assert (await one.changes(payment)).count("paid") == 1
    assert await one.notices() == ["payment.paid"]


async def test_a_forged_notify_settles_nothing(one: House, tranzila: TranzilaEmulator) -> None:
    payment = await one.opened("tranzila")
    token = query_of(payment["link"])["voiceagent_token"]
    for index in ("1696", "1", "0", "-1", "9" * 30, "1 OR 1=1", ""):
        form = {"Response": "000", "index": index, "sum": "149.90", "voiceagent_token": token}
        url = query_of(payment["link"])["notify_url_address"]
        assert (await one.notify(Notify(url, form))).status_code == 200
    assert await one.status(payment) == "sent"


async def test_anothers_charge_of_the_same_amount_pays_for_nothing(
    one: House, tranzila: TranzilaEmulator
) -> None:
    mine, others = await one.opened("tranzila"), await one.opened("tranzila")
    _, index = tranzila.charge(query_of(others["link"]))
    [notify] = tranzila.notifies
    form = {**notify.form, "voiceagent_token": query_of(mine["link"])["voiceagent_token"]}
    await one.notify(Notify(notify.url, form))
    assert await one.status(mine) == "sent"
    await one.notify(notify)
    assert (await one.read(others))["provider_payment_id"] == str(index)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"sum": "1.00"}, "₪1.00 came for ₪149.90."),
        ({"currency": "2"}, "$149.90 came for ₪149.90."),
        ({"tranmode": "V"}, "its mode is V"),
        ({"tranmode": "N"}, "it is no debit but VERIFY"),
        ({"cred_type": "8"}, "it is paid by instalments or credit"),
    ],
)
async def test_what_a_payer_changed_in_the_address_pays_for_nothing_and_is_shown(
    one: House, tranzila: TranzilaEmulator, changed: dict[str, str], problem: str
) -> None:
    payment = await one.opened("tranzila")
    tranzila.charge(query_of(payment["link"]) | changed)
    for _ in range(2):
        await one.notify(tranzila.notifies[-1])
        await one.back(payment)
    now = await one.read(payment)
    assert (now["status"], now["problem"]) == ("sent", problem)
    assert [event["change"] for event in now["events"]].count("not_accepted") == 1


async def test_a_locked_sum_cannot_be_changed(one: House, tranzila: TranzilaEmulator) -> None:
    payment = await one.opened("tranzila")
    answer = await one.visit(payment["link"].replace("sum=149.90", "sum=1.00"), "POST")
    assert answer.headers["location"].endswith("/failed")
    assert not tranzila.notifies


async def test_a_declined_card_can_be_tried_again(one: House, tranzila: TranzilaEmulator) -> None:
    payment = await one.opened("tranzila")
    tranzila.declines.add(query_of(payment["link"])["voiceagent_token"])
    answer = await one.visit(payment["link"], "POST")
    assert answer.headers["location"].endswith("/failed")
    await one.visit(answer.headers["location"])
    assert await one.status(payment) == "failed"
    assert "לא אושר" in await one.page(payment)
    again = (await one.press(payment)).headers["location"]
    assert await one.status(payment) == "sent"
    await one.visit((await one.visit(again, "POST")).headers["location"])
    now = await one.read(payment)
    assert now["status"] == "paid"
    assert [event["change"] for event in now["events"]] == [
        *("created", "opened", "declined", "opened", "paid")
    ]


async def test_a_charge_that_the_report_does_not_have_yet_is_found_by_the_sweep(
    one: House, tranzila: TranzilaEmulator
) -> None:
    tranzila.report_lags = True
    payment = await one.opened("tranzila")
    tranzila.charge(query_of(payment["link"]))
    await one.notify(tranzila.notifies[-1])
    assert await one.status(payment) == "sent"
    assert await one.sweep() == 1, "the notify made it due"
    assert await one.status(payment) == "sent"
    tranzila.publish()
    await one.due_now(payment)
    await one.sweep()
    assert await one.status(payment) == "paid"


async def test_the_sweep_reads_the_report_once_for_all(
    one: House, tranzila: TranzilaEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceagent.payments.tranzila.PAGE_ROWS", 4)
    payments = [await one.opened("tranzila") for _ in range(10)]
    for payment in payments:
        tranzila.charge(query_of(payment["link"]))
        await one.due_now(payment)
    assert await one.sweep() == 10
    assert {await one.status(payment) for payment in payments} == {"paid"}
    assert [asked.json()["page"] for asked in tranzila.asked if asked.path == REPORT] == [1, 2, 3]


async def test_in_a_report_that_is_too_long_the_younger_half_is_found(
    one: House, tranzila: TranzilaEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceagent.payments.tranzila.PAGE_ROWS", 2)
    monkeypatch.setattr("voiceagent.payments.tranzila.MAX_PAGES", 2)
    old, young = await one.opened("tranzila"), await one.opened("tranzila")
    await one.database.pool.execute(
        "UPDATE payments SET opened_at = now() - interval '9 days' WHERE id = $1::text::uuid",
        old["id"],
    )
    for _ in range(4):
        tranzila.charge(query_of(old["link"]))
    for row in tranzila.rows(query_of(old["link"])["voiceagent_token"]):
        row["transaction_date"] = _days_ago(8)
    tranzila.charge(query_of(young["link"]))
    for payment in (old, young):
        await one.due_now(payment)
    await one.sweep()
    assert await one.status(young) == "paid"
    assert await one.status(old) == "sent", "not found, and nobody says that it is not paid"


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


async def test_a_terminal_without_the_token_field_leaves_it_open(
    one: House, tranzila: TranzilaEmulator
) -> None:
    tranzila.has_token_field = False
    payment = await one.opened("tranzila")
    tranzila.charge(query_of(payment["link"]))
    await one.notify(tranzila.notifies[-1])
    await one.back(payment)
    assert await one.status(payment) == "sent"


async def test_a_payment_that_may_be_paid_already_is_not_opened_again(
    one: House, tranzila: TranzilaEmulator
) -> None:
    payment = await one.opened("tranzila")
    tranzila.charge(query_of(payment["link"]))
    tranzila.fail(REPORT, Fault.SERVER_ERROR)
    assert (await one.press(payment)).status_code == 503
    assert (await one.press(payment)).headers["location"].endswith("?came=thanks")
    assert await one.status(payment) == "paid"


async def test_paying_twice_is_shown(one: House, tranzila: TranzilaEmulator) -> None:
    payment = await one.opened("tranzila")
    query = query_of(payment["link"])
    first, second = tranzila.charge(query), tranzila.charge(query)
    for notify in tranzila.notifies:
        await one.notify(notify)
    now = await one.read(payment)
    assert (now["status"], now["provider_payment_id"]) == ("paid", str(first[1]))
    assert now["problem"] == "It was paid more than once."
    [again] = [event for event in now["events"] if event["change"] == "paid_again"]
    assert again["reference"] == str(second[1])


async def test_a_report_that_is_refused_is_not_taken_for_an_empty_one(
    one: House, tranzila: TranzilaEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    payment = await one.opened("tranzila", valid_hours=1)
    tranzila.may_report = False
    async with one.database.connection() as connection:
        await connection.execute("UPDATE payments SET expires_at = now(), next_look_at = now()")
    await one.sweep()
    assert await one.status(payment) == "sent", "it may be paid: it does not expire"
    assert "does not tell what was paid" in caplog.text
    tranzila.may_report = True
    await one.due_now(payment)
    await one.sweep()
    assert await one.status(payment) == "expired"


@pytest.mark.parametrize("fault", [f for f in Fault if f is not Fault.HANG])
@pytest.mark.parametrize("path", ["/handshake", REPORT])
async def test_whatever_fails_it_is_paid_in_the_end(
    one: House, tranzila: TranzilaEmulator, fault: Fault, path: str
) -> None:
    payment = await one.ask("tranzila")
    tranzila.fail(path, fault)
    while (answer := await one.press(payment)).status_code != 303:
        assert answer.status_code == 503
    tranzila.charge(query_of(answer.headers["location"]))
    await one.back(payment)
    await one.due_now(payment)
    await one.sweep()
    assert await one.status(payment) == "paid"


async def test_a_refund_is_asked_for_once(one: House, tranzila: TranzilaEmulator) -> None:
    payment = await _paid(one, tranzila)
    answers = await asyncio.gather(*(one.act(payment, "refund") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    now = await one.read(payment)
    assert (now["status"], now["refund"]) == ("refunded", None)
    body = next(a for a in tranzila.asked if a.path.endswith("/credit_card/create")).body.decode()
    assert '"unit_price": 149.90' in body
    assert tranzila.count("POST", "/credit_card/create") == 1


async def test_a_refund_whose_answer_was_lost_is_found_and_never_asked_again(
    one: House, tranzila: TranzilaEmulator
) -> None:
    payment = await _paid(one, tranzila)
    tranzila.fail("/credit_card/create", Fault.RESET_AFTERWARDS)
    for _ in range(3):
        now = (await one.act(payment, "refund")).json()
        assert (now["status"], now["refund"]) == ("paid", "asked")
    assert now["problem"] == "It is not known whether it was refunded."
    await one.due_now(payment)
    await one.sweep()
    now = await one.read(payment)
    assert (now["status"], now["refund"], now["problem"]) == ("refunded", None, None)
    assert tranzila.count("POST", "/credit_card/create") == 1


async def test_a_person_settles_a_refund_of_which_nobody_knows(
    one: House, tranzila: TranzilaEmulator
) -> None:
    payment = await _paid(one, tranzila)
    path = f"/api/crm/payments/{payment['id']}/refund/outcome"
    assert (await one.post(path, {"reference": None})).status_code == 409
    tranzila.fail("/credit_card/create", Fault.RESET)
    assert (await one.act(payment, "refund")).json()["refund"] == "asked"
    assert (await one.post(path, {"reference": ""})).status_code == 422

    # Not made: it may be asked for again, and this time nobody knows again.
    now = (await one.post(path, {"reference": None})).json()
    assert (now["status"], now["refund"]) == ("paid", None)
    tranzila.fail("/credit_card/create", Fault.RESET)
    assert (await one.act(payment, "refund")).json()["refund"] == "asked"

    # Made by hand, in the provider's own pages.
    now = (await one.post(path, {"reference": "1697"})).json()
    assert (now["status"], now["refund"]) == ("refunded", None)
    assert (await one.post(path, {"reference": "1697"})).status_code == 409


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.RESET, Fault.NOT_JSON])
async def test_a_refund_for_which_nothing_was_asked_can_be_asked_again(
    one: House, tranzila: TranzilaEmulator, fault: Fault
) -> None:
    payment = await _paid(one, tranzila)
    tranzila.fail(REPORT, fault)
    assert (await one.act(payment, "refund")).status_code == 503
    assert (await one.read(payment))["refund"] is None
    assert (await one.act(payment, "refund")).json()["status"] == "refunded"


async def test_a_refund_that_is_refused_is_told(one: House, tranzila: TranzilaEmulator) -> None:
    payment = await _paid(one, tranzila)
    tranzila.refuses_credit = "033"
    now = (await one.act(payment, "refund")).json()
    assert (now["status"], now["refund"]) == ("paid", "refused")
    assert now["problem"] == "Tranzila refused it: code 033"
    tranzila.refuses_credit = ""
    assert (await one.act(payment, "refund")).json()["status"] == "refunded"


async def test_yen_are_not_taken(one: House) -> None:
    body = {"provider": "tranzila", "amount_minor": 5, "currency": "JPY", "what_for": "x"}
    assert (await one.post("/api/crm/payments", body)).status_code == 422


async def test_no_secret_comes_into_a_log_or_an_answer(
    database: Database,
    tmp_path: Path,
    tranzila: TranzilaEmulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "voiceagent")
    caplog.set_level("INFO", "httpx")
    environ = tranzila_environ(tranzila) | {"TRANZILA_PASSWORD": PASSWORD}
    async with house(database, tmp_path, environ) as one:
        payment = await one.ask("tranzila")
        tranzila.fail("/handshake", *(f for f in Fault if f is not Fault.HANG))
        answers = [await one.press(payment) for _ in range(7)]
        tranzila.fail(REPORT, Fault.SERVER_ERROR, Fault.RESET)
        answers += [await one.back(payment) for _ in range(2)]
        reference = (await one.payments.by_token(payment["pay_url"].rpartition("/")[2])).reference
    said = caplog.text + "".join(answer.text for answer in answers)
    assert "Tranzila" in said
    for secret in (PASSWORD, "a-secret-of-nobody", "an-app-key-of-nobody", reference):
        assert secret not in said
    assert not re.search("TranzilaPW=", said)


async def _paid(one: House, tranzila: TranzilaEmulator) -> dict[str, Any]:
    payment = await one.opened("tranzila")
    tranzila.charge(query_of(payment["link"]))
    await one.back(payment)
    assert await one.status(payment) == "paid"
    return payment

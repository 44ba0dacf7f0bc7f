"""`/api/crm/payments` over HTTP: with providers, without any, and what was Stripe's."""

import ast
import asyncio
import json
import re
import string
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import voiceagent
from emulators.paypal import PayPalEmulator
from emulators.tranzila import TranzilaEmulator
from fixtures_database import _server, database, database_url, new_database
from payments.world import (
    BASE,
    KEY,
    House,
    house,
    order_of,
    paypal_environ,
    tranzila_environ,
)
from voiceagent.crm.postgres.database import Database

__all__ = ["_server", "database", "database_url"]

NOBODY = "0195aaaa-0000-7000-8000-000000000001"
PATH = "/api/crm/payments"
PROBLEM = "application/problem+json"
BODY = {"provider": "paypal", "amount_minor": 14990, "currency": "ILS", "what_for": "ייעוץ"}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.fixture
async def bare(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    """Nothing is configured."""
    async with house(database, tmp_path) as one:
        yield one


@pytest.fixture
async def one(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    """Both are."""
    with PayPalEmulator() as paypal, TranzilaEmulator() as tranzila:
        environ = paypal_environ(paypal) | tranzila_environ(tranzila)
        async with house(database, tmp_path, environ) as one:
            yield one


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    return problem


# -- not configured --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        ("paypal", ["PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET"]),
        ("tranzila", ["TRANZILA_TERMINAL", "TRANZILA_APP_KEY", "TRANZILA_SECRET"]),
    ],
)
async def test_a_provider_without_keys_is_501_and_says_what_is_missing(
    bare: House, provider: str, names: list[str]
) -> None:
    for method in METHODS:
        for path in ("", "/", f"/{uuid4()}", f"/{uuid4()}/refund", "/what/ever"):
            answer = await bare.client.request(method, f"{PATH}/{provider}{path}", headers=KEY)
            assert answer.status_code == 501, (method, path)
            if method != "HEAD":
                problem = is_problem(answer, 501)
                assert all(name in problem["detail"] for name in names)
    problem = is_problem(await bare.post(PATH, BODY | {"provider": provider}), 501)
    assert all(name in problem["detail"] for name in names)
    answer = await bare.client.post(f"/webhook/payments/{provider}", content=b"{}")
    assert all(name in is_problem(answer, 501)["detail"] for name in names)


async def test_only_what_is_missing_is_named(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path, {"PAYPAL_CLIENT_ID": "x"}) as one:
        detail = is_problem(await one.post(PATH, BODY), 501)["detail"]
        assert detail == "PayPal is not configured: PAYPAL_CLIENT_SECRET is not set."


async def test_a_webhook_without_its_id_is_501(database: Database, tmp_path: Path) -> None:
    environ = {"PAYPAL_CLIENT_ID": "x", "PAYPAL_CLIENT_SECRET": "y"}
    async with house(database, tmp_path, environ) as one:
        answer = await one.client.post("/webhook/payments/paypal", content=b"{}")
        assert "PAYPAL_WEBHOOK_ID is not set" in is_problem(answer, 501)["detail"]


async def test_without_keys_the_list_is_there_and_empty(bare: House) -> None:
    answer = await bare.client.get(PATH, headers=KEY)
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})
    assert bare.office.cashier is None


# -- Stripe ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*METHODS, "TRACE", "PROPFIND", "BREW"])
@pytest.mark.parametrize("path", ["", "/", "/charges", "/a/b/c?d=e", f"/{NOBODY}/refund"])
async def test_stripe_is_gone_for_every_method_and_path(
    bare: House, method: str, path: str
) -> None:
    for headers in ({}, KEY, {"Authorization": "Bearer wrong"}):
        answer = await bare.client.request(method, f"{PATH}/stripe{path}", headers=headers)
        assert answer.status_code == 410
        if method != "HEAD":
            is_problem(answer, 410)


def test_nothing_imports_stripe() -> None:
    for path in sorted(Path(voiceagent.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("stripe") for alias in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("stripe"), path


# -- asked for -------------------------------------------------------------------------------


async def test_without_a_key_nobody_asks(one: House) -> None:
    for method, path in (("GET", PATH), ("POST", PATH), ("GET", f"{PATH}/paypal")):
        is_problem(await one.client.request(method, path), 401)


async def test_a_payment_is_asked_for(one: House) -> None:
    answer = await one.post(PATH, BODY | {"contact_id": await one.contact()})
    assert answer.status_code == 201
    payment = answer.json()
    assert payment["pay_url"].startswith(f"{BASE}/pay/")
    assert (payment["status"], payment["amount"], payment["currency"]) == (
        *("created", "149.90"),
        "ILS",
    )
    assert payment["author"] == "program"
    read = await one.read(payment)
    assert [event["change"] for event in read.pop("events")] == ["created"]
    assert read == payment
    listed = (await one.client.get(PATH, headers=KEY)).json()["items"]
    assert listed == [payment]


async def test_the_same_key_is_the_same_payment(one: House) -> None:
    key = {"Idempotency-Key": "order-7"}
    first = await one.post(PATH, BODY, **key)
    again = await one.post(PATH, BODY, **key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    is_problem(await one.post(PATH, BODY | {"amount_minor": 1}, **key), 422)
    assert (await one.post(PATH, BODY)).json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_minor": 149.9},
        {"amount_minor": 14990.0},
        {"amount_minor": "14990"},
        {"amount_minor": True},
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 10**12},
        {"currency": "ils"},
        {"currency": "XYZ"},
        {"provider": "stripe"},
        {"what_for": ""},
        {"what_for": "  "},
        {"what_for": "x" * 121},
        {"what_for": "a\nb"},
        {"valid_hours": 0},
        {"contact_id": "x"},
        {"more": 1},
    ],
)
async def test_what_is_no_payment_is_422(one: House, wrong: dict[str, Any]) -> None:
    is_problem(await one.post(PATH, BODY | wrong), 422)


async def test_a_contact_that_is_not_there_is_404(one: House) -> None:
    is_problem(await one.post(PATH, BODY | {"contact_id": str(uuid4())}), 404)


async def test_each_provider_has_its_own_beneath(one: House) -> None:
    body = {key: value for key, value in BODY.items() if key != "provider"}
    mine = (await one.post(f"{PATH}/paypal", body)).json()
    other = (await one.post(f"{PATH}/tranzila", body)).json()
    assert (mine["provider"], other["provider"]) == ("paypal", "tranzila")
    listed = (await one.client.get(f"{PATH}/paypal", headers=KEY)).json()["items"]
    assert [item["id"] for item in listed] == [mine["id"]]
    read = await one.client.get(f"{PATH}/paypal/{mine['id']}", headers=KEY)
    assert read.json()["id"] == mine["id"]
    is_problem(await one.client.get(f"{PATH}/paypal/{other['id']}", headers=KEY), 404)
    is_problem(await one.post(f"{PATH}/paypal/{other['id']}/cancel"), 404)


async def test_cancelling_twice_is_cancelling_once(one: House) -> None:
    payment = await one.ask()
    for _ in range(2):
        answer = await one.act(payment, "cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert await one.changes(payment) == ["created", "cancelled"]
    is_problem(await one.act(payment, "refund"), 409)
    is_problem(await one.act(payment, "send"), 409)


async def test_what_is_not_there_is_404(one: House) -> None:
    for what in ("cancel", "refund", "check", "send"):
        is_problem(await one.post(f"{PATH}/{uuid4()}/{what}"), 404)
    is_problem(await one.client.get(f"{PATH}/{uuid4()}", headers=KEY), 404)


async def test_the_provider_is_asked_when_people_want_to_know(
    database: Database, tmp_path: Path
) -> None:
    with PayPalEmulator() as paypal:
        async with house(database, tmp_path, paypal_environ(paypal)) as one:
            payment = await one.opened()
            assert (await one.act(payment, "check")).json()["status"] == "sent"
            paypal.approve(order_of(payment["link"]))
            assert (await one.act(payment, "check")).json()["status"] == "paid"
            is_problem(await one.act(payment, "cancel"), 409)


async def test_what_a_provider_has_taken_can_be_read_without_its_keys(
    database: Database, tmp_path: Path
) -> None:
    with PayPalEmulator() as paypal:
        async with house(database, tmp_path, paypal_environ(paypal)) as one:
            payment = await one.opened()
            paypal.approve(order_of(payment["link"]))
            await one.back(payment)
    async with house(database, tmp_path) as bare:
        assert await bare.status(payment) == "paid"
        is_problem(await bare.act(payment, "refund"), 501)
        assert "התשלום התקבל" in await bare.page(payment)


# -- sent ------------------------------------------------------------------------------------


async def test_a_link_is_sent_by_whatsapp(one: House) -> None:
    payment = await one.ask(contact_id=await one.contact())
    answer = await one.act(payment, "send")
    assert (answer.status_code, answer.json()["status"]) == (202, "sent")
    [text] = await one.messages()
    assert payment["pay_url"] in text
    assert "ייעוץ" in text
    assert "₪149.90" in text
    await one.act(payment, "send")
    assert len(await one.messages()) == 1, "the same message again is none"
    await one.post(f"{PATH}/{payment['id']}/send", **{"Idempotency-Key": "once-more"})
    assert len(await one.messages()) == 2


async def test_a_link_of_nobody_is_not_sent(one: House) -> None:
    is_problem(await one.act(await one.ask(), "send"), 409)


async def test_who_wants_no_messages_gets_none(one: House) -> None:
    payment = await one.ask(contact_id=await one.contact())
    await one.database.pool.execute("UPDATE contacts SET whatsapp_stop_at = now()")
    is_problem(await one.act(payment, "send"), 422)
    assert await one.messages() == []


async def test_without_messages_nothing_is_sent(database: Database, tmp_path: Path) -> None:
    with PayPalEmulator() as paypal:
        environ = paypal_environ(paypal)
        async with house(database, tmp_path, environ, messenger=None) as one:
            payment = await one.ask(contact_id=await one.contact())
            is_problem(await one.act(payment, "send"), 501)


# -- whatever is asked -----------------------------------------------------------------------


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "payment" in path or path.startswith("/pay/")
    ]


async def test_every_operation_is_described(one: House) -> None:
    document = (await one.client.get("/openapi.json")).json()
    found = operations(document)
    assert len(found) > 20
    for method, path, operation in found:
        assert operation["summary"], (method, path)
        assert operation["responses"], (method, path)
    ids = [operation["operationId"] for _, _, operation in found]
    assert len(ids) == len(set(ids))


values = st.one_of(
    st.uuids().map(str),
    st.text(string.printable, max_size=20),
    st.text(max_size=10),
    st.integers().map(str),
    st.sampled_from(["paypal", "tranzila", "ILS", "created", "..", "%00", ""]),
)
bodies = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), values),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(sorted(BODY)), values), inner, max_size=5
        ),
    ),
    max_leaves=8,
)  # fmt: skip
headers = st.fixed_dictionaries(
    {},
    optional={
        "Idempotency-Key": st.text(string.ascii_letters + " ", max_size=12),
        "Content-Type": st.sampled_from(["application/json", "text/plain", "multipart/form-data"]),
        "Accept-Language": st.text(string.ascii_letters + ",;=-*", max_size=20),
    },
)


class Asking:
    """A house in a loop of its own, of which a test without one asks things."""

    def __init__(self, data_dir: Path, configured: bool) -> None:
        self.allowed = set() if configured else {501}
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.one: House = self._runner.run(self._open(data_dir, configured))
        self.operations = operations(self.one.app.openapi())

    async def _open(self, data_dir: Path, configured: bool) -> House:
        database = Database(await new_database("migrated"), data_dir)
        await database.start()
        self._stack.push_async_callback(database.close)
        environ: dict[str, str] = {}
        if configured:
            paypal = self._stack.enter_context(PayPalEmulator())
            tranzila = self._stack.enter_context(TranzilaEmulator())
            environ = paypal_environ(paypal) | tranzila_environ(tranzila)
        return await self._stack.enter_async_context(house(database, data_dir, environ))

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self.one.client.request(method, path, **more))

    def known(self) -> dict[str, Any]:
        """A payment that is there, where there can be any."""
        if self.allowed:
            return {"id": str(uuid4()), "pay_url": f"{BASE}/pay/x"}
        return self._runner.run(self.one.ask())

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()


@pytest.fixture(params=[False, True], ids=["without keys", "with keys"])
def asking(
    request: pytest.FixtureRequest, _server: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asking]:
    asking = Asking(tmp_path_factory.mktemp("house"), request.param)
    yield asking
    asking.close()


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_is_asked_nothing_breaks(asking: Asking, data: st.DataObject) -> None:
    """Without keys there is no 5xx but 501, with them none."""
    method, path, operation = data.draw(st.sampled_from(asking.operations))
    payment = asking.known()
    real = [payment["id"], payment["pay_url"].rpartition("/")[2]]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            value = data.draw(st.one_of(st.sampled_from(real), values)) or "x"
            path = re.sub(r"\{" + parameter["name"] + r"(:path)?\}", quote(value, safe=""), path)
    query = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
    answer = asking.ask(
        method,
        path,
        params=data.draw(st.dictionaries(st.sampled_from(query), values)) if query else {},
        # What no JSON should hold comes as well: `NaN`, `Infinity`.
        content=json.dumps(data.draw(st.one_of(bodies, st.just(BODY)))),
        headers=KEY | data.draw(headers),
    )
    assert answer.status_code < 500 or answer.status_code in asking.allowed, (
        method,
        path,
        answer.text,
    )
    if answer.status_code >= 400 and not path.startswith("/pay/"):
        assert answer.headers["content-type"] == PROBLEM

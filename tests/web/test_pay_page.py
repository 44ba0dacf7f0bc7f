"""The payer's page: what it shows when, in both languages, and what it lets a browser do."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.paypal import PayPalEmulator
from emulators.provider_server import Fault
from fixtures_database import _server, database, database_url
from payments.world import BASE, House, house, order_of, path_of, paypal_environ
from voiceagent.crm.postgres.database import Database
from voiceagent.payments.money import Money
from voiceagent.payments.wording import WORDS
from voiceagent.web.pay_page_html import Page, View, page_html

__all__ = ["_server", "database", "database_url"]

VIEWS: list[View] = [
    *("to_pay", "not_accepted", "left_unpaid", "confirming", "paid", "refunded"),
    *("cancelled", "expired", "unknown", "trouble"),
]
VOID = {"meta", "link", "br", "img", "input", "hr"}


@pytest.fixture
def paypal() -> Iterator[PayPalEmulator]:
    with PayPalEmulator() as emulator:
        yield emulator


@pytest.fixture
async def one(database: Database, tmp_path: Path, paypal: PayPalEmulator) -> AsyncIterator[House]:
    async with house(database, tmp_path, paypal_environ(paypal)) as one:
        yield one


class Tags(HTMLParser):
    """The tags of a page; wrong nesting is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# -- what it shows ---------------------------------------------------------------------------


async def test_it_shows_what_for_and_how_much_from_right_to_left(one: House) -> None:
    payment = await one.ask(what_for="ביקור בדירה ברחוב הרצל 5")
    answer = await one.client.get(path_of(payment["pay_url"]))
    assert answer.status_code == 200
    page = answer.text
    assert '<html lang="he" dir="rtl">' in page
    for text in ("ביקור בדירה ברחוב הרצל 5", "₪149.90", "תיווך כהן", "לתשלום ב-PayPal"):
        assert text in page
    [form] = Tags(page).all("form")
    assert form["method"] == "post"
    assert str(form["action"]).startswith("/pay/")


@pytest.mark.parametrize(
    ("wish", "query", "language"),
    [
        ("", "", "he"),
        ("en-GB,en;q=0.9", "", "en"),
        ("fr, he;q=0.8", "", "he"),
        ("iw", "", "he"),
        ("fr-FR", "", "he"),
        ("en", "?lang=he", "he"),
        ("he", "?lang=en", "en"),
        ("he", "?lang=xx", "he"),
    ],
)
async def test_it_speaks_the_payers_language(
    one: House, wish: str, query: str, language: str
) -> None:
    payment = await one.ask()
    page = await one.client.get(
        path_of(payment["pay_url"]) + query, headers={"Accept-Language": wish}
    )
    assert f'<html lang="{language}"' in page.text


async def test_looking_at_it_changes_nothing(one: House, paypal: PayPalEmulator) -> None:
    payment = await one.ask()
    for method in ("GET", "HEAD", "GET"):
        await one.client.request(method, path_of(payment["pay_url"]))
    assert paypal.asked == []
    assert await one.changes(payment) == ["created"]


async def test_a_link_that_is_not_right_is_a_page_that_says_so(one: House) -> None:
    for path in ("/pay/x", "/pay/x/thanks", "/pay/x/failed", "/pay/%00", "/pay/" + "x" * 5000):
        answer = await one.client.get(path)
        assert (answer.status_code, "הקישור אינו נכון" in answer.text) == (404, True)
    assert (await one.client.post("/pay/x")).status_code == 404


async def test_coming_back_before_the_money_it_looks_again_by_itself(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.opened()
    back = await one.back(payment)
    page = (await one.client.get(back.headers["location"])).text
    assert "מאמתים את התשלום" in page
    [refresh] = [meta for meta in Tags(page).all("meta") if meta.get("http-equiv") == "refresh"]
    paypal.approve(order_of(payment["link"]))
    address = str(refresh["content"]).partition("url=")[2]
    page = (await one.client.get(address)).text
    assert "התשלום התקבל" in page
    assert 'http-equiv="refresh"' not in page


async def test_it_does_not_look_for_ever(one: House) -> None:
    payment = await one.opened()
    page = await one.page(payment, "?came=thanks&looks=30")
    assert "מאמתים את התשלום" in page
    assert 'http-equiv="refresh"' not in page


async def test_who_turned_back_can_try_again(one: House) -> None:
    payment = await one.opened()
    back = await one.back(payment, "failed")
    page = (await one.client.get(back.headers["location"])).text
    assert "התשלום לא הושלם" in page
    assert Tags(page).all("form")


async def test_saying_that_it_is_paid_pays_nothing(one: House) -> None:
    payment = await one.ask()
    page = await one.page(payment, "?came=thanks&looks=5&status=paid")
    assert "התשלום התקבל" not in page
    assert Tags(page).all("form")


@pytest.mark.parametrize(
    ("what", "said"), [("cancel", "התשלום בוטל"), ("expire", "תוקף הקישור פג")]
)
async def test_what_is_closed_cannot_be_paid(
    one: House, paypal: PayPalEmulator, what: str, said: str
) -> None:
    payment = await one.ask()
    if what == "cancel":
        await one.act(payment, "cancel")
    else:
        await one.database.pool.execute(
            "UPDATE payments SET expires_at = now(), next_look_at = now()"
        )
        await one.sweep()
    assert said in await one.page(payment)
    pressed = await one.press(payment)
    assert pressed.headers["location"].startswith("/pay/")
    assert paypal.asked == []


async def test_when_the_provider_is_away_the_payer_is_told(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.ask()
    paypal.fail("/", Fault.SERVER_ERROR)
    answer = await one.press(payment)
    assert answer.status_code == 503
    assert "אי אפשר לשלם כרגע" in answer.text
    assert Tags(answer.text).all("a")


async def test_without_a_database_there_is_a_page_too(
    one: House, caplog: pytest.LogCaptureFixture
) -> None:
    payment = await one.ask()
    token = payment["pay_url"].rpartition("/")[2]
    await one.database.close()
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/thanks"), ("POST", "/failed")):
        answer = await one.client.request(method, path_of(payment["pay_url"]) + path)
        assert (answer.status_code, "אי אפשר לשלם" in answer.text) == (503, True)
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("voiceagent")]
    assert not any(token in line for line in ours)


# -- what a browser may do -------------------------------------------------------------------


async def test_a_browser_loads_nothing_and_sends_the_form_to_nobody_else(
    one: House, paypal: PayPalEmulator
) -> None:
    payment = await one.ask()
    answer = await one.client.get(path_of(payment["pay_url"]))
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": f"'self' {paypal.base_url}",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert (await one.press(payment)).headers["referrer-policy"] == "no-referrer"


async def test_the_real_paypal_is_where_payers_of_the_real_one_are_sent(
    database: Database, tmp_path: Path
) -> None:
    for api in ("https://api-m.paypal.com", "https://api-m.sandbox.paypal.com"):
        environ = {
            "PAYPAL_CLIENT_ID": "x",
            "PAYPAL_CLIENT_SECRET": "y",
            "PAYPAL_BASE_URL": api,
            "TRANZILA_TERMINAL": "t",
            "TRANZILA_APP_KEY": "a",
            "TRANZILA_SECRET": "s",
        }
        async with house(database, tmp_path, environ) as one:
            assert set(one.office.payer_origins) == {
                "https://*.paypal.com",
                "https://*.tranzila.com",
            }
            assert one.office.paypal is not None
            for link, is_own in (
                ("https://www.paypal.com/checkoutnow?token=1", True),
                ("https://www.sandbox.paypal.com/checkoutnow?token=1", True),
                ("http://www.paypal.com/checkoutnow", False),
                ("https://paypal.com.example.net/", False),
                ("https://evilpaypal.com/", False),
                ("", False),
            ):
                assert one.office.paypal._is_own(link) == is_own


@given(
    view=st.sampled_from(VIEWS),
    language=st.sampled_from(["he", "en"]),
    business=st.text(max_size=30),
    what_for=st.text(max_size=60),
)
def test_whatever_stands_on_it_the_page_stays_whole(
    view: View, language: str, business: str, what_for: str
) -> None:
    tags = Tags(
        page_html(
            Page(
                view=view,
                language="he" if language == "he" else "en",
                business=f"<script>{business}</p>",
                action="/pay/t",
                provider="tranzila",
                money=Money(14990, "ILS"),
                what_for=f'"><img src=x onerror=y>{what_for}',
                refresh_to="/pay/t?came=thanks&looks=1",
            )
        )
    )
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in tags.tags}
    assert not any(name.startswith("on") for _, attrs in tags.tags for name in attrs)
    assert [attrs["lang"] for attrs in tags.all("html")] == [language]


def test_both_languages_say_the_same_things() -> None:
    hebrew, english = WORDS["he"], WORDS["en"]
    assert (hebrew.direction, english.direction) == ("rtl", "ltr")
    assert hebrew.other_language == "English"
    for words in WORDS.values():
        assert set(words.buttons) == {"paypal", "tranzila"}


async def test_addresses_for_the_provider_are_ours(one: House, paypal: PayPalEmulator) -> None:
    await one.opened()
    [order] = [asked for asked in paypal.asked if asked.path == "/v2/checkout/orders"]
    context = order.json()["payment_source"]["paypal"]["experience_context"]
    assert context["return_url"].startswith(f"{BASE}/pay/")
    assert context["cancel_url"].endswith("/failed")
    assert context["brand_name"] == "תיווך כהן"
    assert context["user_action"] == "PAY_NOW"

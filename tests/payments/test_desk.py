"""What the desk makes of wishes and of what a provider answers, with nothing else around it."""

from dataclasses import replace
from typing import Any

import pytest

from payments.notebook import Notebook, Till
from payments.payment import NOON
from voiceagent.errors import Conflict, EngineTimeout, ProviderError
from voiceagent.payments import desk as desks
from voiceagent.payments.desk import NotConfigured, PaymentDesk
from voiceagent.payments.money import Money
from voiceagent.payments.ports import (
    Addresses,
    Agreed,
    Declined,
    Finding,
    Gone,
    NewPayment,
    News,
    NotAsked,
    NotYet,
    Refunded,
    RefundOutcome,
    RefundPending,
    RefundRefused,
    Taken,
    Unanswered,
    Wrong,
)
from voiceagent.payments.states import NotAllowed

PRICE = Money(14990, "ILS")
ADDRESSES = Addresses("https://a/paid", "https://a/failed", "https://a/notify")
AWAY = ProviderError("it is away", retryable=True)
NO_ORDER = {"order_id": None, "link": None, "opened_at": None, "status": "created"}
ASKED = {"status": "paid", "proof": "C1", "paid_at": NOON, "refund": "asked"}


class Office:
    def __init__(self, **provider: Any) -> None:
        self.book = Notebook()
        self.till = Till(**provider)
        self.paid = 0
        self.desk = PaymentDesk(self.book, {"tranzila": self.till}, self._on_paid)

    def _on_paid(self) -> None:
        self.paid += 1


def new(money: Money = PRICE, **changes: Any) -> NewPayment:
    return replace(NewPayment("tranzila", money, "", "agent", "k", NOON), **changes)


class TestAskingFor:
    async def test_what_the_provider_takes_is_recorded(self) -> None:
        office = Office()
        recorded = await office.desk.ask_for(new())
        assert (recorded.payment.status, recorded.payment.money) == ("created", PRICE)
        given = await office.desk.given_out(recorded.payment.id)
        assert given.status == "sent"

    async def test_what_it_does_not_take_is_not(self) -> None:
        office = Office()
        with pytest.raises(ValueError, match="tranzila takes no EUR"):
            await office.desk.ask_for(new(Money(1, "EUR")))
        assert office.book.kept == {}

    async def test_a_provider_that_is_not_there_is_named(self) -> None:
        with pytest.raises(NotConfigured, match="paypal is not configured") as caught:
            await Office().desk.ask_for(new(provider="paypal"))
        assert (caught.value.provider, caught.value.retryable) == ("paypal", False)

    async def test_a_desk_may_have_nobody_who_waits_for_money(self) -> None:
        office = Office()
        desk = PaymentDesk(office.book, {"tranzila": office.till})
        paid = await desk.apply(office.book.keep(), Taken("C1", PRICE))
        assert paid.status == "paid"


class TestPaying:
    async def test_the_first_time_an_order_is_made(self) -> None:
        office = Office()
        waiting = office.book.keep(**NO_ORDER)
        opened = await office.desk.pay(waiting, ADDRESSES)
        assert (opened.order_id, opened.status) == ("NEW-1", "sent")
        assert opened.link == "https://provider.example.com/new"
        assert office.till.orders == [(waiting, ADDRESSES)]
        assert office.till.looked == []

    async def test_an_order_that_is_paid_only_once_is_used_again(self) -> None:
        office = Office()
        waiting = office.book.keep(status="failed")
        opened = await office.desk.pay(waiting, ADDRESSES)
        assert (opened.order_id, opened.link) == ("ORDER", waiting.link)
        assert opened.status == "sent"
        assert office.till.orders == []
        assert office.till.looked == [[waiting]]

    async def test_an_order_that_could_be_paid_twice_is_made_anew(self) -> None:
        office = Office(an_order_is_paid_once=False)
        opened = await office.desk.pay(office.book.keep(), ADDRESSES)
        assert opened.order_id == "NEW-1"

    async def test_an_order_that_is_gone_is_made_anew(self) -> None:
        office = Office(finding=Gone())
        opened = await office.desk.pay(office.book.keep(), ADDRESSES)
        assert opened.order_id == "NEW-1"

    @pytest.mark.parametrize("once", [True, False])
    @pytest.mark.parametrize("status", ["paid", "refunded", "expired", "cancelled"])
    async def test_what_cannot_be_paid_stays_as_it_is(self, status: str, once: bool) -> None:
        office = Office(an_order_is_paid_once=once)
        over = office.book.keep(status=status)
        assert await office.desk.pay(over, ADDRESSES) == over
        assert office.till.orders == []

    async def test_what_turns_out_to_be_paid_is_not_paid_again(self) -> None:
        office = Office(finding=Taken("C1", PRICE))
        paid = await office.desk.pay(office.book.keep(), ADDRESSES)
        assert (paid.status, paid.proof) == ("paid", "C1")
        assert office.till.orders == []

    async def test_while_the_provider_is_away_an_order_that_is_paid_once_still_serves(self) -> None:
        office = Office(finding=AWAY)
        opened = await office.desk.pay(office.book.keep(), ADDRESSES)
        assert opened.order_id == "ORDER"

    @pytest.mark.parametrize(
        ("provider", "changes"),
        [({"an_order_is_paid_once": False}, {}), ({}, {"link": None})],
    )
    async def test_otherwise_nobody_is_sent_to_pay_perhaps_twice(
        self, provider: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        office = Office(finding=AWAY, **provider)
        with pytest.raises(ProviderError, match="it is away"):
            await office.desk.pay(office.book.keep(**changes), ADDRESSES)
        assert office.till.orders == []

    @pytest.mark.parametrize("changes", [{}, NO_ORDER])
    async def test_what_is_cancelled_in_this_moment_is_told_as_it_is(
        self, changes: dict[str, Any]
    ) -> None:
        office = Office()
        waiting = office.book.keep(**changes)
        cancelled = office.book.keep(**(changes | {"status": "cancelled"}))
        assert await office.desk.pay(waiting, ADDRESSES) == cancelled


class TestAsking:
    async def test_without_an_order_there_is_nothing_to_ask_for(self) -> None:
        office = Office(finding=AWAY)
        waiting = office.book.keep(**NO_ORDER)
        assert await office.desk.check(waiting) == waiting
        assert await office.desk.follow(waiting, "hint") == waiting
        assert (office.till.looked, office.till.hints) == ([], [])

    async def test_a_check_settles_what_is_proved(self) -> None:
        office = Office(finding=Taken("C1", PRICE))
        waiting = office.book.keep()
        assert (await office.desk.check(waiting)).status == "paid"
        assert office.till.looked == [[waiting]]

    async def test_a_word_is_followed_to_the_provider(self) -> None:
        office = Office(finding=Taken("C1", PRICE))
        waiting = office.book.keep()
        assert (await office.desk.follow(waiting, "capture 7")).status == "paid"
        assert office.till.hints == [(waiting, "capture 7")]
        assert office.book.soon == []

    async def test_a_word_that_nothing_proves_yet_is_soon_looked_into(self) -> None:
        office = Office()
        waiting = office.book.keep()
        assert await office.desk.follow(waiting, "hint") == waiting
        assert office.book.soon == [waiting.id]

    async def test_a_provider_that_was_not_reached_may_be_asked_again(self) -> None:
        office = Office(finding=Unanswered("503"))
        waiting = office.book.keep()
        for asked in (office.desk.check(waiting), office.desk.follow(waiting, "hint")):
            with pytest.raises(ProviderError, match="503") as caught:
                await asked
            assert caught.value.retryable
        assert office.book.soon == [waiting.id]

    async def test_a_provider_that_says_nothing_is_given_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(desks, "LOOK_S", 0.01)
        office = Office(finding=None)
        waiting = office.book.keep()
        for asked in (office.desk.check(waiting), office.desk.follow(waiting, "hint")):
            with pytest.raises(EngineTimeout, match="did not answer in time"):
                await asked


class TestFindings:
    @pytest.mark.parametrize(
        ("finding", "news", "status"),
        [
            (Agreed("on its way"), News("approved", "", "on its way"), "approved"),
            (Declined("D1", "no funds"), News("declined", "D1", "no funds"), "failed"),
        ],
    )
    async def test_what_is_told_of_a_payment(
        self, finding: Finding, news: News, status: str
    ) -> None:
        office = Office()
        assert (await office.desk.apply(office.book.keep(), finding)).status == status
        assert office.book.news == [news]

    async def test_nothing_yet_changes_nothing(self) -> None:
        office = Office()
        waiting = office.book.keep()
        assert await office.desk.apply(waiting, NotYet()) == waiting
        assert (office.book.news, office.book.noted, office.book.gone) == ([], [], [])

    async def test_an_order_that_is_gone_has_no_link(self) -> None:
        office = Office()
        waiting = office.book.keep()
        assert (await office.desk.apply(waiting, Gone())).link is None
        assert office.book.gone == [waiting]

    async def test_what_was_not_asked_for_is_shown_and_settles_nothing(self) -> None:
        office = Office()
        shown = await office.desk.apply(office.book.keep(), Wrong("W1", "a hold"))
        assert shown.status == "sent"
        assert office.book.noted == [("not_accepted", "W1", "a hold")]

    async def test_the_money_that_was_asked_for_pays_once(self) -> None:
        office = Office()
        waiting = office.book.keep()
        for _ in range(2):
            paid = await office.desk.apply(waiting, Taken("C1", PRICE))
            assert (paid.status, paid.proof) == ("paid", "C1")
        assert office.book.noted == []
        assert office.paid == 1

    @pytest.mark.parametrize("money", [Money(14989, "ILS"), Money(14990, "USD")])
    async def test_another_amount_or_currency_pays_for_nothing(self, money: Money) -> None:
        office = Office()
        shown = await office.desk.apply(office.book.keep(), Taken("C1", money))
        assert shown.status == "sent"
        said = f"{money.shown()} came for ₪149.90."
        assert office.book.noted == [("not_accepted", "C1", said)]
        assert office.paid == 0

    async def test_money_that_paid_for_another_payment_pays_for_nothing(self) -> None:
        office = Office()
        office.book.spoken_for = {"C1"}
        shown = await office.desk.apply(office.book.keep(), Taken("C1", PRICE))
        assert shown.status == "sent"
        said = "That money has paid for another payment."
        assert office.book.noted == [("not_accepted", "C1", said)]
        assert office.paid == 0

    async def test_money_that_came_more_than_once_is_shown_each_time(self) -> None:
        office = Office()
        paid = await office.desk.apply(office.book.keep(), Taken("C1", PRICE, None, ("C2", "C3")))
        said = "It was paid more than once."
        assert office.book.noted == [("paid_again", "C2", said), ("paid_again", "C3", said)]
        assert (paid.proof, paid.problem) == ("C1", said)

    async def test_of_two_proofs_the_one_that_was_known_first_stays(self) -> None:
        office = Office()
        office.book.keep(status="paid", proof="C0", paid_at=NOON)
        paid = await office.desk.apply(
            office.book.keep(status="paid", proof="C0"), Taken("C1", PRICE)
        )
        assert paid.proof == "C0"
        assert office.book.noted == [("paid_again", "C1", "It was paid more than once.")]
        assert office.paid == 0

    async def test_money_that_was_given_back_at_the_provider_is_refunded_here(self) -> None:
        office = Office()
        back = await office.desk.apply(office.book.keep(), Taken("C1", PRICE, "R1"))
        assert (back.status, back.refund_proof) == ("refunded", "R1")
        assert office.paid == 1


class TestEnding:
    async def test_it_is_cancelled_and_it_expires(self) -> None:
        office = Office()
        assert (await office.desk.cancel(office.book.keep().id)).status == "cancelled"
        assert (await office.desk.expire(office.book.keep())).status == "expired"
        assert (await office.desk.expire(office.book.keep(status="approved"))).status == "approved"
        with pytest.raises(NotAllowed):
            await office.desk.cancel(office.book.keep(status="paid").id)


class TestRefunding:
    def paid(self, office: Office, **changes: Any) -> Any:
        return office.book.keep(**({"status": "paid", "proof": "C1", "paid_at": NOON} | changes))

    @pytest.mark.parametrize(
        ("outcome", "status", "refund", "problem"),
        [
            (Refunded("R1"), "refunded", None, ""),
            (RefundPending(), "paid", "asked", ""),
            (RefundRefused("too late"), "paid", "refused", "too late"),
            (ProviderError("no such charge", retryable=False), "paid", "refused", "no such charge"),
            (AWAY, "paid", "asked", "It is not known whether it was refunded."),
        ],
    )
    async def test_what_comes_of_it(
        self, outcome: RefundOutcome | Exception, status: str, refund: str | None, problem: str
    ) -> None:
        office = Office(outcome=outcome)
        after = await office.desk.refund(self.paid(office).id)
        assert (after.status, after.refund, after.problem) == (status, refund, problem)
        assert after.refund_proof == ("R1" if status == "refunded" else None)
        assert [one.refund for one in office.till.refunded] == ["asked"]

    async def test_what_is_not_known_is_noted_once_for_a_refund(self) -> None:
        office = Office(outcome=AWAY)
        await office.desk.refund(self.paid(office).id)
        said = "It is not known whether it was refunded."
        assert office.book.noted == [("refund_unclear", "refund", said)]

    async def test_what_is_not_paid_is_not_given_back(self) -> None:
        office = Office()
        with pytest.raises(NotAllowed):
            await office.desk.refund(office.book.keep().id)
        assert office.till.refunded == []

    async def test_a_request_that_never_went_out_may_be_made_again(self) -> None:
        office = Office(outcome=NotAsked("no connection"))
        paid = self.paid(office)
        with pytest.raises(NotAsked):
            await office.desk.refund(paid.id)
        assert office.book.kept[paid.id] == paid
        office.till.outcome = Refunded("R1")
        assert (await office.desk.refund(paid.id)).status == "refunded"

    async def test_one_that_went_out_before_stays_asked_for_when_the_next_does_not(self) -> None:
        office = Office(outcome=NotAsked("no connection"))
        asked = office.book.keep(**ASKED)
        with pytest.raises(NotAsked):
            await office.desk.refund(asked.id)
        assert office.book.kept[asked.id].refund == "asked"

    async def test_it_is_asked_for_again_only_where_that_is_safe(self) -> None:
        safe, unsafe = Office(outcome=Refunded("R1")), Office(refunds_once=False)
        assert (await safe.desk.refund(safe.book.keep(**ASKED).id)).status == "refunded"
        asked = unsafe.book.keep(**ASKED)
        assert await unsafe.desk.refund(asked.id) == asked
        assert await unsafe.desk.refund_again(asked) == asked
        assert unsafe.till.refunded == []

    async def test_what_was_given_back_is_not_given_back_again(self) -> None:
        office = Office(outcome=Refunded("R2"))
        back = office.book.keep(status="refunded", proof="C1", refund_proof="R1")
        assert await office.desk.refund(back.id) == back
        assert await office.desk.refund_again(back) == back
        assert office.till.refunded == []

    async def test_an_answer_that_was_lost_is_asked_for_again(self) -> None:
        office = Office(outcome=Refunded("R1"))
        back = await office.desk.refund_again(office.book.keep(**ASKED))
        assert (back.status, back.refund_proof) == ("refunded", "R1")

    async def test_a_person_tells_what_became_of_it(self) -> None:
        office = Office()
        made = await office.desk.refund_known(office.book.keep(**ASKED).id, "R9")
        assert (made.status, made.refund_proof) == ("refunded", "by hand: R9")
        not_made = await office.desk.refund_known(office.book.keep(**ASKED).id, None)
        assert (not_made.status, not_made.refund, not_made.problem) == ("paid", None, "")
        with pytest.raises(Conflict, match=r"^no refund of this payment is open$"):
            await office.desk.refund_known(self.paid(office).id, "R9")

"""Rounds over what is due, and conversations that are told of their money."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from payments.notebook import Notebook, Till
from payments.payment import NOON
from voiceagent.errors import ProviderError
from voiceagent.payments import sweep as sweeps
from voiceagent.payments.desk import PaymentDesk
from voiceagent.payments.money import Money
from voiceagent.payments.ports import Finding, NotYet, Payment, Refunded, Taken, Unanswered
from voiceagent.payments.sweep import BATCH, LEASE_S, POLL_S, ROUND_S, Sweep, Teller

PRICE = Money(14990, "ILS")
LATER = datetime.now(UTC) + timedelta(days=1)
AWAY = ProviderError("it is away", retryable=True)


def number(at: int) -> UUID:
    return UUID(int=at)


class Round:
    """One process's sweep over a notebook; `tranzila` is there, PayPal is not."""

    def __init__(self) -> None:
        self.book = Notebook()
        self.till = Till()
        self.desk = PaymentDesk(self.book, {"tranzila": self.till})
        self.sweep = Sweep(self.book, self.desk, poll_s=0.01)

    def due(self, at: int = 1, **changes: object) -> Payment:
        one = self.book.keep(**({"id": number(at), "expires_at": LATER} | changes))
        self.book.due.append(one)
        return one

    async def again(self, finding: Finding | Exception) -> list[Payment]:
        """One more round, in which the provider answers so: who is looked at again."""
        self.till.finding = finding
        self.book.looked_again.clear()
        await self.sweep.round()
        return self.book.looked_again


async def test_a_round_asks_about_all_that_is_due_at_once() -> None:
    one = Round()
    due = [one.due(1), one.due(2)]
    assert await one.sweep.round() == 2
    assert one.till.looked == [due]
    assert one.book.looked_again == due
    assert one.book.claims == [(BATCH, LEASE_S)]
    assert LEASE_S > ROUND_S > POLL_S
    assert await one.sweep.round() == 0


async def test_what_is_proved_is_settled() -> None:
    one = Round()
    one.due(1)
    (paid,) = await one.again(Taken("C1", PRICE))
    assert (paid.status, paid.proof) == ("paid", "C1")


async def test_what_is_over_expires_after_a_last_look() -> None:
    one = Round()
    one.due(1, expires_at=NOON)
    one.due(2)
    one.due(3, expires_at=NOON, status="approved")
    again = await one.again(NotYet())
    assert [payment.status for payment in again] == ["expired", "sent", "approved"]


async def test_without_an_order_time_alone_decides() -> None:
    one = Round()
    for at, expires_at in ((1, NOON), (2, LATER)):
        one.due(at, order_id=None, link=None, expires_at=expires_at)
    again = await one.again(AWAY)
    assert [payment.status for payment in again] == ["expired", "sent"]
    assert one.till.looked == []


async def test_while_a_provider_is_away_nothing_expires() -> None:
    one = Round()
    due = one.due(1, expires_at=NOON)
    assert await one.again(Unanswered("503")) == [due]
    assert one.book.news == []


async def test_a_provider_that_was_taken_away_holds_nobody_up() -> None:
    one = Round()
    stranger = one.due(1, provider="paypal", expires_at=NOON)
    known = one.due(2)
    assert await one.again(NotYet()) == [stranger, known]


async def test_a_refund_whose_answer_was_lost_is_asked_for_again() -> None:
    one = Round()
    one.till.outcome = Refunded("R1")
    one.due(1, status="paid", proof="C1", refund="asked")
    (back,) = await one.again(NotYet())
    assert (back.status, back.refund_proof) == ("refunded", "R1")


async def test_one_that_cannot_be_settled_now_comes_again_and_so_do_the_others() -> None:
    one = Round()

    async def away(payment_id: UUID, news: object) -> None:
        raise AWAY

    first = one.due(1)
    second = one.due(2)
    one.book.record = away  # type: ignore[method-assign, assignment]
    assert await one.again(Taken("C1", PRICE)) == [first, second]


async def test_a_provider_that_fails_is_told_of_once_and_when_it_answers_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "voiceagent.payments.sweep")
    one = Round()
    told = []
    for finding in (NotYet(), Unanswered("503"), Unanswered("504"), NotYet(), NotYet()):
        one.due(1)
        await one.again(finding)
        told.append([record.levelname for record in caplog.records])
        caplog.clear()
    assert told == [[], ["WARNING"], [], ["INFO"], []]


async def test_what_fails_is_told_of_the_provider_that_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "voiceagent.payments.sweep")
    one = Round()
    one.till.finding = Unanswered("503")
    desk = PaymentDesk(one.book, {"tranzila": one.till, "paypal": Till("paypal")})
    sweep = Sweep(one.book, desk)
    for _ in range(2):
        one.due(1)
        one.due(2, provider="paypal")
        await sweep.round()
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("tranzila does not tell what was paid")


class TestRunning:
    async def run_until(self, work: Sweep | Teller, done: asyncio.Event) -> None:
        task = asyncio.create_task(work.run())
        async with asyncio.timeout(5):
            await done.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_it_goes_on_whatever_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweeps, "ROUND_S", 0.01)
        one = Round()
        done = asyncio.Event()
        rounds = 0

        async def claim_due(limit: int, lease_s: float) -> list[Payment]:
            nonlocal rounds
            rounds += 1
            if rounds == 1:
                raise AWAY
            if rounds == 2:
                await asyncio.Event().wait()
            done.set()
            return []

        one.book.claim_due = claim_due  # type: ignore[method-assign]
        await self.run_until(one.sweep, done)

    async def test_a_full_round_is_followed_by_the_next_at_once(self) -> None:
        one = Round()
        sweep = Sweep(one.book, one.desk, poll_s=60, lease_s=7)
        for at in range(2 * BATCH):
            one.due(at, order_id=None, link=None)
        done = asyncio.Event()
        looked_again = one.book.look_again

        async def look_again(payment: Payment) -> None:
            await looked_again(payment)
            if len(one.book.looked_again) == 2 * BATCH:
                done.set()

        one.book.look_again = look_again  # type: ignore[method-assign]
        await self.run_until(sweep, done)
        assert set(one.book.claims) == {(BATCH, 7)}

    async def test_a_round_that_was_not_full_is_followed_by_a_pause(self) -> None:
        one = Round()
        sweep = Sweep(one.book, one.desk, poll_s=60)
        task = asyncio.create_task(sweep.run())
        await asyncio.sleep(0.05)
        task.cancel()
        assert len(one.book.claims) == 1


class TestTelling:
    failure: ProviderError | None = None

    def teller(self, poll_s: float = POLL_S) -> tuple[Notebook, list[UUID], Teller]:
        self.all_told = asyncio.Event()
        book = Notebook()
        book.not_told = [book.keep(id=number(at)) for at in (1, 2, 3)]
        told: list[UUID] = []

        async def tell(payment: Payment) -> None:
            if payment.id == number(1) and self.failure is not None:
                raise self.failure
            told.append(payment.id)
            if len(told) == 3:
                self.all_told.set()

        return book, told, Teller(book, tell, poll_s=poll_s)

    async def test_each_is_told_once(self) -> None:
        book, told, teller = self.teller()
        await teller.round()
        await teller.round()
        assert told == [number(1), number(2), number(3)]
        assert book.not_told == []

    async def test_who_cannot_be_told_now_is_told_later_and_holds_nobody_up(self) -> None:
        self.failure = AWAY
        book, told, teller = self.teller()
        await teller.round()
        assert told == [number(2), number(3)]
        assert [payment.id for payment in book.not_told] == [number(1)]

    async def test_where_there_is_nobody_to_tell_it_is_left(self) -> None:
        self.failure = ProviderError("no conversation", retryable=False)
        book, told, teller = self.teller()
        await teller.round()
        assert told == [number(2), number(3)]
        assert book.not_told == []

    async def test_it_tells_when_it_is_woken_and_from_time_to_time(self) -> None:
        for poll_s, woken in ((0.01, False), (60.0, True)):
            _, _, teller = self.teller(poll_s)
            if woken:
                teller.wake()
            task = asyncio.create_task(teller.run())
            async with asyncio.timeout(5):
                await self.all_told.wait()
            task.cancel()

    async def test_it_does_not_tell_before_its_time(self) -> None:
        book, told, teller = self.teller(60.0)
        task = asyncio.create_task(teller.run())
        await asyncio.sleep(0.02)
        assert told == []
        teller.wake()
        async with asyncio.timeout(5):
            await self.all_told.wait()
        book.not_told = [book.keep(id=number(9))]
        await asyncio.sleep(0.02)
        assert len(told) == 3
        task.cancel()

    async def test_it_goes_on_when_the_payments_are_away(self) -> None:
        book, _, teller = self.teller(0.001)
        untold = book.untold
        asked = 0

        async def sometimes(limit: int) -> list[Payment]:
            nonlocal asked
            asked += 1
            assert limit == BATCH
            if asked == 1:
                raise AWAY
            return list(await untold(limit))

        book.untold = sometimes  # type: ignore[method-assign]
        task = asyncio.create_task(teller.run())
        async with asyncio.timeout(5):
            await self.all_told.wait()
        task.cancel()

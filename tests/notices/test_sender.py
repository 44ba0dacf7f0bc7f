"""Notices reach a real receiver over HTTP, from a real database."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.webhook_receiver import Answer, WebhookReceiver, hang, hang_up
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import ProviderError
from voiceagent.http_clients import http_client
from voiceagent.notices.notices import Notice, NoticeQueue, NoticeView, Target, queue_notice
from voiceagent.notices.sender import AT_ONCE, DELAYS_S, JITTER, Sender, retry_delay_s, written
from voiceagent.notices.standard_webhooks import WebhookKey
from voiceagent.notices.webhook import OwnerWebhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW_S = 1_800_000_000
NOTICE = Notice(
    type="call.ended",
    subject="CA1",
    at=datetime(2026, 3, 1, 12, 3, tzinfo=UTC),
    data={"call_sid": "CA1", "summary": "נועה רוצה לקנות", "duration_s": 12.5},
    text="נועה רוצה לקנות",
)


async def put(database: Database, *notices: Notice, target: Target = "webhook") -> None:
    async with database.transaction() as connection:
        for notice in notices:
            await queue_notice(connection, notice, [target])


async def only(database: Database) -> NoticeView:
    [view] = (await NoticeQueue(database).page()).items
    return view


async def until(come: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await come():  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)


async def until_status(database: Database, status: str) -> NoticeView:
    async def come() -> bool:
        return (await only(database)).status == status

    await until(come)
    return await only(database)


@asynccontextmanager
async def sending(
    database: Database,
    receiver: WebhookReceiver,
    *,
    delays_s: Sequence[float] = DELAYS_S,
    deadline_s: float = 10.0,
    senders: int = 1,
) -> AsyncIterator[list[Sender]]:
    webhook = OwnerWebhook(
        receiver.url, SECRET, http_client, deadline_s=deadline_s, now_s=lambda: NOW_S + 0.9
    )
    made = [
        Sender(NoticeQueue(database), "webhook", webhook.deliver, delays_s=delays_s, poll_s=0.02)
        for _ in range(senders)
    ]
    tasks = [asyncio.create_task(sender.run()) for sender in made]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await webhook.close()


async def test_a_notice_arrives_signed_and_once(database: Database) -> None:
    await put(database, NOTICE, NOTICE)
    async with WebhookReceiver() as receiver, sending(database, receiver, senders=3):
        view = await until_status(database, "delivered")
    [request] = receiver.received
    assert (request.method, request.path) == ("POST", "/owner")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-timestamp"] == str(NOW_S)
    key = WebhookKey.parse(SECRET)
    assert key.verify(request.headers, request.body, NOW_S) == str(view.id)
    assert json.loads(request.body) == {
        "type": "call.ended",
        "timestamp": "2026-03-01T12:03:00Z",
        "data": NOTICE.data,
    }
    assert (view.attempts, view.last_error) == (1, "")
    assert view.delivered_at is not None


async def test_a_receiver_that_fails_twice_gets_the_same_message_again(database: Database) -> None:
    await put(database, NOTICE)
    async with (
        WebhookReceiver([500, 503, 200]) as receiver,
        sending(database, receiver, delays_s=(0, 0, 0)),
    ):
        view = await until_status(database, "delivered")
    assert view.attempts == 3
    assert {request.headers["webhook-id"] for request in receiver.received} == {str(view.id)}
    assert len({request.body for request in receiver.received}) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (500, "answered 500"),
        (404, "answered 404"),
        (304, "answered 304"),
        ((302, {"location": "/elsewhere"}), "answered 302"),
        (hang_up, "cannot be reached"),
        (hang, "did not answer"),
    ],
)
async def test_what_is_no_success_is_tried_again_later(
    database: Database, answer: Answer, why: str
) -> None:
    await put(database, NOTICE)

    async def failed() -> bool:
        return (await only(database)).last_error != ""

    async with (
        WebhookReceiver([answer]) as receiver,
        sending(database, receiver, deadline_s=0.5),
    ):
        await until(failed)
    view = await only(database)
    assert (view.status, view.attempts) == ("queued", 1)
    assert why in view.last_error
    assert receiver.url not in view.last_error
    assert len(receiver.received) == 1
    waits_s = (view.next_attempt_at - view.created_at).total_seconds()
    assert waits_s >= DELAYS_S[0] * (1 - JITTER)


async def test_a_receiver_that_is_gone_gets_nothing_more(database: Database) -> None:
    await put(database, NOTICE)
    async with WebhookReceiver([410]) as receiver, sending(database, receiver, delays_s=(0, 0)):
        view = await until_status(database, "dead")
    assert len(receiver.received) == 1
    assert (view.attempts, view.last_error) == (1, "the receiver answered 410")


async def test_after_the_last_delay_a_notice_is_dead_until_it_is_sent_again(
    database: Database,
) -> None:
    await put(database, NOTICE)
    queue = NoticeQueue(database)
    async with (
        WebhookReceiver([500, 500, 500]) as receiver,
        sending(database, receiver, delays_s=(0, 0)) as [sender],
    ):
        view = await until_status(database, "dead")
        assert view.attempts == 3
        again = await queue.send_again(view.id)
        assert (again.status, again.attempts, again.id) == ("queued", 0, view.id)
        sender.wake()
        await until_status(database, "delivered")
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert len(receiver.received) == 4


async def test_many_senders_share_the_work_and_nothing_is_sent_twice(database: Database) -> None:
    notices = [replace(NOTICE, subject=f"CA{n}") for n in range(40)]
    await put(database, *notices)
    queue = NoticeQueue(database)

    async def all_delivered() -> bool:
        return len((await queue.page("delivered", limit=100)).items) == 40

    async with WebhookReceiver() as receiver, sending(database, receiver, senders=3):
        await until(all_delivered)
    ids = [request.headers["webhook-id"] for request in receiver.received]
    assert len(ids) == len(set(ids)) == 40


async def test_hanging_attempts_do_not_hold_up_the_others_for_long(database: Database) -> None:
    await put(database, *(replace(NOTICE, subject=f"CA{n}") for n in range(AT_ONCE + 2)))
    async with (
        WebhookReceiver([hang] * (AT_ONCE - 1)) as receiver,
        sending(database, receiver, deadline_s=0.3),
    ):
        await receiver.has(AT_ONCE + 2)


async def test_a_sender_that_is_killed_leaves_its_notice_to_another(database: Database) -> None:
    await put(database, NOTICE)
    async with WebhookReceiver([hang]) as receiver:
        async with sending(database, receiver):
            await receiver.has(1)
        await database.pool.execute("UPDATE notices SET next_attempt_at = now()")  # lease over
        async with sending(database, receiver):
            view = await until_status(database, "delivered")
    first, second = receiver.received
    assert view.attempts == 2
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_while_an_attempt_is_under_way_nobody_else_makes_one(database: Database) -> None:
    await put(database, NOTICE)
    queue = NoticeQueue(database)
    [held] = await queue.claim("webhook", 10, 60)
    assert await queue.claim("webhook", 10, 60) == []
    await database.pool.execute("UPDATE notices SET next_attempt_at = now()")
    [newer] = await queue.claim("webhook", 10, 60)
    # The older attempt's failure says nothing about the newer one; its success does.
    await queue.failed(held, "too late", None)
    assert (await only(database)).status == "queued"
    await queue.delivered(held)
    await queue.failed(newer, "no", None)
    assert (await only(database)).status == "delivered"


async def test_each_target_has_its_own_notices(database: Database) -> None:
    sent: list[tuple[str, str]] = []

    async def send_text(text: str, key: str) -> None:
        sent.append((text, key))
        if len(sent) == 1:
            raise ProviderError("not now", retryable=True)

    async with database.transaction() as connection:
        await queue_notice(connection, NOTICE, ["whatsapp", "webhook"])
    queue = NoticeQueue(database)
    sender = Sender(queue, "whatsapp", written(send_text), delays_s=(0,), poll_s=0.02)
    task = asyncio.create_task(sender.run())

    async def delivered() -> bool:
        return len((await queue.page("delivered")).items) == 1

    await until(delivered)
    task.cancel()
    [view] = (await queue.page("delivered")).items
    assert sent == [(NOTICE.text, str(view.id))] * 2
    [other] = (await queue.page("queued")).items
    assert (other.target, other.attempts) == ("webhook", 0)


async def test_any_failure_of_a_delivery_is_a_failed_attempt(database: Database) -> None:
    async def deliver(_outgoing: object) -> None:
        raise KeyError("secret")

    await put(database, NOTICE)
    task = asyncio.create_task(
        Sender(NoticeQueue(database), "webhook", deliver, delays_s=(), poll_s=0.02).run()
    )
    view = await until_status(database, "dead")
    task.cancel()
    assert view.last_error == "KeyError"


async def test_a_database_that_is_away_is_told_once_and_waited_for(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await put(database, NOTICE)
    with caplog.at_level(logging.WARNING):
        async with WebhookReceiver() as receiver, sending(database, receiver) as [sender]:
            await until_status(database, "delivered")
            pool, database._pool = database._pool, None
            sender.wake()
            rounds = iter(range(10))

            async def some_rounds() -> bool:
                return next(rounds, None) is None

            await until(some_rounds)
            database._pool = pool
            await put(database, replace(NOTICE, subject="CA2"))
            await receiver.has(2)
    assert caplog.text.count("the database is away") == 1


async def test_no_log_line_holds_what_is_private(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await put(database, NOTICE)
    with caplog.at_level(logging.DEBUG, logger="voiceagent"):
        async with (
            WebhookReceiver([500, hang_up, 200]) as receiver,
            sending(database, receiver, delays_s=(0, 0)),
        ):
            await until_status(database, "delivered")
    told = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("voiceagent"))
    assert "attempt=3" in told
    for private in ("127.0.0.1", "whsec_", "MfKQ", "נועה", "CA1"):
        assert private not in told


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "http://127.0.0.1.example.com/",
        "http://10.0.0.1/",
        "ftp://example.com",
        "https://",
        "/hook",
        "http://[::1",
    ],
)
def test_an_address_that_would_show_notices_to_the_network_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        OwnerWebhook(url, SECRET, http_client)


@pytest.mark.parametrize(
    "url",
    ["https://example.com/hook?a=b", "http://localhost:1", "http://127.0.0.1", "http://[::1]/"],
)
async def test_a_private_address_is_taken(url: str) -> None:
    await OwnerWebhook(url, SECRET, http_client).close()


@given(st.integers(1, 20), st.floats(0, 1))
def test_delays_grow_as_the_schedule_says(attempt: int, chance: float) -> None:
    delay_s = retry_delay_s(attempt, DELAYS_S, chance)
    if attempt > len(DELAYS_S):
        assert delay_s is None
        return
    assert delay_s == pytest.approx(DELAYS_S[attempt - 1], rel=JITTER + 1e-9)
    assert DELAYS_S == (5, 30, 120, 600, 3600, 21_600, 86_400)

"""Signals to a whole service: who is on the line goes on, who comes new is turned away."""

import asyncio
import signal
from pathlib import Path

import pytest

from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.views import CallDetailView
from whole_service import Service, on_the_line, postmaster, talk, until

BENCH = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.6"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all starts: only the first makes a database."""
    return tmp_path_factory.mktemp("data")


async def record(data_dir: Path, call_sid: str) -> CallDetailView:
    """What a later start finds of a call."""
    database = Database(None, data_dir)
    await database.start()
    try:
        return await CallsRepository(database).get(call_sid)
    finally:
        await database.close()


async def test_a_call_goes_on_to_its_end_and_new_ones_are_turned_away(
    data_dir: Path,
) -> None:
    with Service(data_dir, **BENCH) as service:
        await service.until_ready()
        async with on_the_line(service, talk(20)) as [line]:
            await line.answers(1)
            service.send_signal(signal.SIGHUP)
            await asyncio.to_thread(service.wait_for, "SIGHUP: .* it goes on")
            assert service.readyz()[0] == 200
            service.send_signal(signal.SIGTERM)
            await until(lambda: service.readyz()[0] == 503)
            _, told = service.readyz()
            assert told["draining"] is True
            assert told["accepting_calls"] is False
            assert service.get("/healthz").text == "ok"
            answer = service.post("/webhook/incoming_call", CallSid="CAnew", From="+972500000009")
            assert answer.status_code == 200
            assert "<Say" in answer.text
            assert "<Stream" not in answer.text
            await line.answers(1)
            result = await line.hang_up()
        assert result.ended_by == "caller"
        assert all(turn.answered_ms is not None for turn in result.turns[:2])
        assert [answer.status for answer in result.webhooks] == [200, 204, 204, 204]
        assert await service.ended() == 0
        assert "Finished server process" in service.output
    assert postmaster(data_dir) is None
    call = await record(data_dir, line.call_sid)
    assert (call.status, call.end_reason) == ("completed", "caller_hangup")
    assert len([turn for turn in call.turns if turn.who == "caller"]) >= 2
    # The call's end is told by its socket as well, at the same moment.
    assert "/webhook/stream_ended" in [webhook.route for webhook in call.webhooks[-3:]]


async def test_at_the_deadline_a_goodbye_is_spoken(data_dir: Path) -> None:
    with Service(data_dir, DRAIN_SECONDS="0.5", **BENCH) as service:
        await service.until_ready()
        async with on_the_line(service, talk(1)) as [line]:
            await line.answers(1)
            service.send_signal(signal.SIGTERM)
            result = await line.over()
        assert result.ended_by == "agent"
        assert await service.ended() == 0
    call = await record(data_dir, line.call_sid)
    assert call.end_reason == "drain"
    goodbye = call.turns[-1]
    assert (goodbye.source, goodbye.heard) == ("goodbye", goodbye.text)


async def test_a_caller_who_was_just_told_to_come_is_served(data_dir: Path) -> None:
    with Service(data_dir, **BENCH) as service:
        await service.until_ready()
        # The socket comes by another connection, a moment after the webhook's answer.
        assert "<Stream" in service.post("/webhook/incoming_call", CallSid="CAbefore").text
        service.send_signal(signal.SIGTERM)
        await until(lambda: service.readyz()[0] == 503)
        socket = service.url.replace("http", "ws") + "/ws/twilio-media"
        async with on_the_line(service, talk(1), media_url=socket, base_url=None) as [line]:
            await line.answers(1)
            assert (await line.hang_up()).ended_by == "caller"
        assert await service.ended() == 0


async def test_without_calls_it_ends_at_once(data_dir: Path) -> None:
    with Service(data_dir, **BENCH) as service:
        await service.until_ready()
        service.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
    assert postmaster(data_dir) is None


async def test_in_the_middle_of_the_warm_up_it_ends_in_order(data_dir: Path) -> None:
    with Service(data_dir) as service:
        await until(lambda: service.get("/healthz").text == "ok")
        service.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
        assert "Traceback" not in service.output
    assert postmaster(data_dir) is None


async def test_a_second_sigterm_cuts_the_calls_and_keeps_their_records(data_dir: Path) -> None:
    with Service(data_dir, **BENCH) as service:
        await service.until_ready()
        async with on_the_line(service, talk(20)) as [line]:
            await line.answers(1)
            service.send_signal(signal.SIGTERM)
            await until(lambda: service.readyz()[0] == 503)
            service.send_signal(signal.SIGTERM)
            result = await line.over()
        assert result.ended_by == "lost"
        assert await service.ended() == 0
    call = await record(data_dir, line.call_sid)
    assert (call.status, call.end_reason) == ("failed", "socket_lost")
    assert postmaster(data_dir) is None


async def test_sigint_stops_at_once_and_keeps_the_records(data_dir: Path) -> None:
    with Service(data_dir, **BENCH) as service:
        await service.until_ready()
        async with on_the_line(service, talk(20)) as [line]:
            await line.answers(1)
            service.send_signal(signal.SIGINT)
            assert (await line.over()).ended_by == "lost"
        await service.ended()
    assert (await record(data_dir, line.call_sid)).status == "failed"
    assert postmaster(data_dir) is None

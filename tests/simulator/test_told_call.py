"""One call told on a terminal, against a real peer and a real record over HTTP."""

import io
import socket

from emulators.provider_server import Asked, ProviderServer, Reply
from simulator.peer import serving
from voiceagent.simulator import sounds, told_call
from voiceagent.simulator.behaviour import Answer, HangUp
from voiceagent.simulator.caller import CallPlan, Destination
from voiceagent.simulator.live_transcript import Terminal

KEY = "the-key"
PLAN = CallPlan([Answer(sounds.utterance(sounds.tone(700, 500), "a private house")), HangUp()])


class Records(ProviderServer):
    """One call's record, whoever asks for which."""

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return Reply(401)
        if len(self.asked) == 1:
            return Reply(404)
        turns = [
            {
                "seq": 1,
                "who": "agent",
                "source": "greeting",
                "status": "played",
                "text": "Hello.",
                "heard": "Hello.",
                "timings": {"first_frame_at_ms": 10},
            }
        ]
        return Reply(200, {"turns": turns, "ended_at": "2026-01-01T00:00:00Z"})


async def told(records: told_call.CallRecords | None = None) -> list[str]:
    out = io.StringIO()
    async with serving() as (url, _):
        result, _ = await told_call.place(PLAN, Destination(media_url=url), Terminal(out), records)
    assert result.completed, result
    return out.getvalue().splitlines()


async def test_the_words_of_the_record_are_told() -> None:
    with Records() as server:
        async with told_call.CallRecords(server.base_url + "/", KEY) as records:
            lines = await told(records)
    assert "  0:00.0  agent   Hello." in lines
    assert any(line.endswith("caller  a private house") for line in lines)
    assert not any("(speaks)" in line for line in lines)
    assert lines[-1].startswith(f"Record: {server.base_url}/api/crm/calls/CA")
    assert {asked.path for asked in server.asked} == {
        lines[-1].removeprefix(f"Record: {server.base_url}")
    }


async def test_without_a_record_the_line_tells_what_it_knows() -> None:
    lines = await told()
    agent = [line for line in lines if line.endswith("agent   (speaks)")]
    assert len(agent) == 2
    assert any("answer heard" in line for line in lines)
    assert "completed" in lines[-2]
    assert "API_KEY" in lines[-1]


async def test_a_record_that_is_not_given_to_us_ends_no_call() -> None:
    with Records() as server:
        async with told_call.CallRecords(server.base_url, "wrong") as records:
            lines = await told(records)
    assert len(server.asked) == 1
    assert [line for line in lines if "cannot be read" in line] == [
        "The record of the call cannot be read: /api/crm/calls answers 401."
    ]
    assert sum(line.endswith("agent   (speaks)") for line in lines) == 2


async def test_a_service_that_is_away_is_asked_again() -> None:
    with socket.socket() as nobody:
        # Ours, so that nobody else takes it, and nobody listens.
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with told_call.CallRecords(address, KEY) as records:
            lines = await told(records)
    assert "The record of the call is not whole yet." in lines


async def test_a_call_that_reached_nobody_has_no_record() -> None:
    out = io.StringIO()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with told_call.CallRecords(address, KEY) as records:
            await told_call.place(PLAN, Destination(base_url=address), Terminal(out), records)
    [line] = out.getvalue().splitlines()
    assert "FAILED" in line
    assert f"{address}/webhook/incoming_call: " in line

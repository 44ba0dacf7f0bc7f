"""Bad peers against the real service, with a good call beside.

The same with large numbers: `bench/bad_input.py`.
"""

import asyncio
import random
from collections.abc import Awaitable, Iterator

import pytest

from faults import bad_peers as bad
from whole_service import Service, on_the_line, speech, talk, until

pytestmark = pytest.mark.alone

BENCH = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.6"}
SEED = 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("data"), **BENCH) as running:
        asyncio.run(running.until_ready())
        yield running


@pytest.fixture
def rng() -> random.Random:
    return random.Random(SEED)  # noqa: S311 - no secret


async def with_a_good_call(service: Service, peers: Awaitable[bad.Tally]) -> bad.Tally:
    """The bad peers' tally; the caller beside is answered whenever they say something."""
    async with on_the_line(service, talk(50)) as [line]:
        await line.answers(1)
        tally = await peers
        assert service.get("/healthz").text == "ok"
        await line.answers(1)
        result = await line.hang_up()
    assert result.ended_by == "caller"
    assert result.violations == ()
    assert all(turn.answered_ms is not None for turn in result.turns[:-1])
    ended = {"completed", "failed"}
    await until(lambda: service.call_record(line.call_sid).get("status") in ended)
    record = service.call_record(line.call_sid)
    assert (record["status"], record["end_reason"]) == ("completed", "caller_hangup")
    return tally


class TestContent:
    async def test_random_messages(self, service: Service, rng: random.Random) -> None:
        tally = await with_a_good_call(service, bad.babble(service.port, rng, 10_000))
        assert tally.messages == 10_000
        # Who closes first is chance: the next two tests leave it to the service.
        assert set(tally.codes) <= {1000, 1008, 1006}

    async def test_a_hundred_broken_messages_before_the_start(self, service: Service) -> None:
        tally = await with_a_good_call(service, bad.say_nothing(service.port, ["{"] * 100))
        assert tally.codes == {1008: 1}

    async def test_more_than_a_thousand_broken_messages_in_a_call(self, service: Service) -> None:
        said = [bad.messages.CONNECTED, bad.start("CA_BROKEN"), *["{"] * 1001]
        tally = await with_a_good_call(service, bad.say_nothing(service.port, said))
        assert tally.codes == {1008: 1}

    async def test_messages_of_a_megabyte(self, service: Service, rng: random.Random) -> None:
        whole = "x" * (1 << 20)
        tally = await with_a_good_call(service, bad.babble(service.port, rng, 5, lambda _: whole))
        # The rest of the message is still on its way when we close: the peer may see a reset.
        assert set(tally.codes) <= {1000, 1006, 1009}

    async def test_bytes_that_are_no_frames(self, service: Service, rng: random.Random) -> None:
        peers = bad.bytes_behind_the_upgrade(service.port, rng, 30)
        tally = await with_a_good_call(service, peers)
        assert tally.codes[1002] > 0  # RFC 6455: protocol error
        assert set(tally.codes) <= {1002, 1006, 1007, 1008, 1009}

    async def test_bytes_that_are_no_http(self, service: Service, rng: random.Random) -> None:
        await with_a_good_call(service, bad.bytes_instead_of_http(service.port, rng, 50))


class TestFloods:
    @pytest.mark.parametrize(
        "frames",
        [(bad.PING,), (bad.EMPTY_PIECE, bad.FIRST_PIECE), (bad.BROKEN,)],
        ids=["pings", "empty pieces", "broken messages"],
    )
    async def test_a_flood_is_cut_off(self, service: Service, frames: tuple[bytes, ...]) -> None:
        # It ends long before its time: the service resets the connection.
        flood = bad.flood_without_reading(service.port, frames[0], 60, frames[1:])
        async with asyncio.timeout(30):
            await with_a_good_call(service, flood)

    async def test_a_flood_of_good_messages_is_read_no_faster_than_it_can_be_heard(
        self, service: Service
    ) -> None:
        frame = bad.text_frame(bad.media())
        tally = await with_a_good_call(service, bad.flood_without_reading(service.port, frame, 3))
        # What the service takes, and what the kernel's buffers hold meanwhile.
        assert tally.messages < 5_000 + 3 * 1_000 + 40_000

    async def test_upgrades_that_never_end(self, service: Service) -> None:
        await with_a_good_call(service, bad.loris(service.port, 100, 2))

    async def test_audio_ten_times_too_fast(self, service: Service) -> None:
        spoken = b"".join(frame.ulaw for frame in speech("good morning").frames)
        peers = bad.too_fast(service.port, spoken * 20, factor=10)
        tally = await with_a_good_call(service, peers)
        assert tally.codes == {1000: 1}


class TestLeaving:
    async def test_at_every_point(self, service: Service, rng: random.Random) -> None:
        tally = await with_a_good_call(service, bad.leave_everywhere(service.port, rng, 1))
        assert tally.sockets == 99

    @pytest.mark.slow
    async def test_whoever_never_starts_is_closed(self, service: Service) -> None:
        tally = await with_a_good_call(service, bad.say_nothing(service.port, []))
        assert tally.codes == {1008: 1}


async def test_afterwards_nothing_is_left(service: Service, rng: random.Random) -> None:
    """The last test: no call, no socket, no rubbish in the database."""
    await bad.babble(service.port, rng, 2_000)
    await until(lambda: service.readyz()[1]["calls"]["live"] == 0)
    await until(lambda: service.parts() == {"ws": "ok", "db": "ok", "stt": "ok", "tts": "ok"})
    calls = service.api("/api/crm/calls?limit=200").json()["items"]
    assert calls
    await until(
        lambda: all(
            call["ended_at"] for call in service.api("/api/crm/calls?limit=200").json()["items"]
        )
    )
    assert all(call["call_sid"].startswith("CA") for call in calls)
    assert not (service.data_dir / "journal" / "dead-letter.jsonl").exists()
    assert "Traceback" not in service.output
    assert "level=error" not in service.output
    answer = service.get("/metrics").text
    assert "voiceagent_malformed_messages_total" in answer


def test_the_rubbish_is_what_it_says(rng: random.Random) -> None:
    """The generator makes every kind: or the tests above prove less than they seem to."""
    made = [bad.rubbish(rng) for _ in range(3000)]
    assert any(isinstance(one, bytes) for one in made)
    texts = [one for one in made if isinstance(one, str)]
    for sign in ("\\ud800", "\\u0000", "\0", "[[[[", '{"event": "media"', "9999999999", "NaN"):
        assert any(sign in text for text in texts), sign

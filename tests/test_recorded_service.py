"""Recorded calls through the whole service, in processes of its own, with simulated phones."""

import signal
from pathlib import Path
from typing import Final

import httpx
import pytest

from fixtures_database import _server, database_url
from voiceagent.call.audio import FRAME_BYTES
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye
from voiceagent.speech.riff import WAVE_ULAW, RiffStripper, WaveFormat
from whole_service import Line, Service, agent_of, on_the_line, speech, talk, until

__all__ = ["_server", "database_url"]

KEY: Final = "a-key-of-the-tests"
ON: Final = {"RECORD_CALLS": "1"}
BENCH: Final = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.6"}


def recording_of(service: Service, line: Line) -> httpx.Response:
    return service.api(f"/api/crm/calls/{line.call_sid}/recording")


def is_kept(service: Service, line: Line) -> bool:
    return service.call_record(line.call_sid).get("recording") is not None


def sides(file: bytes) -> tuple[bytes, bytes]:
    """The caller's samples and the agent's."""
    stripper = RiffStripper()
    samples = stripper.feed(file) + stripper.finish()
    assert stripper.wave_format == WaveFormat(WAVE_ULAW, 2, 8000, 8)
    return samples[0::2], samples[1::2]


def waiting_in(data_dir: Path) -> list[str]:
    folder = data_dir / "recordings"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def test_a_call_is_recorded_and_heard_on_every_machine(
    tmp_path: Path, database_url: str
) -> None:
    agent = tmp_path / "agent.toml"
    agent.write_text(agent_of(1))
    here = {"AGENT_FILE": str(agent), "DATABASE_URL": database_url, "API_KEY": KEY}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with (
        Service(tmp_path / "one", **here, **ON) as one,
        Service(tmp_path / "two", **here, **BENCH) as two,
    ):
        for service in (one, two):
            (service.data_dir / "api_key").write_text(KEY)
            await service.until_ready()
        steps = [Answer(speech("tomorrow morning"), patience_ms=20_000), AwaitGoodbye()]
        async with on_the_line(one, steps, keep_audio=True) as [line]:
            result = await line.over()
            assert result.completed
            assert not result.violations
            played = line.call.line.audio(line.call.line.spans[-1].end_ms)
            said = b"".join(frame.ulaw for frame in line.call.sent)
        await until(lambda: is_kept(two, line))
        record = two.call_record(line.call_sid)
        assert record["turns"][0]["text"].startswith("This call is being recorded. Hello.")
        answer = recording_of(two, line)
        assert answer.status_code == 200
        left, right = sides(answer.content)
        # The caller's words and the noise of the line, frame by frame as they were sent.
        assert said.startswith(left, said.index(left[: 50 * FRAME_BYTES]))
        # The agent's, but where the phone had to wait for a busy machine.
        words = bytes(played).strip(b"\xff")
        pieces = [words[at : at + 1600] for at in range(0, len(words) - 1600, 1600)]
        assert sum(piece in right for piece in pieces) > 0.8 * len(pieces)
        assert record["recording"]["seconds"] == len(left) / 8000
        assert record["recording"]["offset_s"] > 0
        part = two.get(
            f"/api/crm/calls/{line.call_sid}/recording",
            headers={"Authorization": f"Bearer {KEY}", "Range": "bytes=1000-1999"},
        )
        assert (part.status_code, part.content) == (206, answer.content[1000:2000])
        # In the pages it is heard by whoever has signed in, and by nobody else.
        page = two.get(f"/console/calls/{line.call_sid}/recording")
        assert page.status_code in (303, 401)
        assert waiting_in(one.data_dir) == waiting_in(two.data_dir) == []


async def test_callers_are_told_in_hebrew(tmp_path: Path) -> None:
    with Service(tmp_path, AGENT_LANGUAGE="he-IL", **ON) as service:
        await service.until_ready()
        async with on_the_line(service, talk(1)) as [line]:
            await line.answers(1)
            await line.hang_up()
        await until(lambda: service.call_record(line.call_sid).get("status") == "completed")
        opening = service.call_record(line.call_sid)["turns"][0]
        assert opening["text"].startswith("השיחה הזאת מוקלטת. ")


@pytest.mark.alone
async def test_what_a_killed_service_recorded_is_kept_by_the_next(tmp_path: Path) -> None:
    with Service(tmp_path, **BENCH, **ON) as service:
        await service.until_ready()
        async with on_the_line(service, talk(30)) as [line]:
            await line.answers(3)
            file = tmp_path / "recordings" / f"{line.call_sid}.wav"
            await until(lambda: file.exists() and file.stat().st_size > 2 * 8000)
            service.send_signal(signal.SIGKILL)
            await line.over()
        assert await service.ended() == -signal.SIGKILL
        left, right = sides(file.read_bytes())
        assert len(left) == len(right) >= 8000
    # Nothing is recorded any more; what was, is kept.
    with Service(tmp_path, **BENCH) as service:
        await service.until_ready()
        await until(lambda: is_kept(service, line))
        kept_left, kept_right = sides(recording_of(service, line).content)
        assert kept_left.startswith(left)
        assert kept_right.startswith(right)
        async with on_the_line(service, talk(1)) as [unrecorded]:
            await unrecorded.answers(1)
            await unrecorded.hang_up()
        await until(lambda: service.call_record(unrecorded.call_sid).get("status") == "completed")
        turns = service.call_record(unrecorded.call_sid)["turns"]
        assert "recorded" not in "".join(turn["text"] for turn in turns)
        assert not is_kept(service, unrecorded)
        missing = recording_of(service, unrecorded)
        assert missing.status_code == 404
        assert missing.headers["content-type"] == "application/problem+json"
        assert waiting_in(tmp_path) == []

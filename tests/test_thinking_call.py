"""The whole service with a language model behind it, and a caller on a simulated phone."""

from pathlib import Path

from emulators.openai_rules import Rule
from emulators.openai_server import OpenAIEmulator
from voiceagent.crm.postgres.database import Database
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye
from whole_service import Service, on_the_line, speech, until

AGENT = """
business = "Corner Agency"
language = "en-US"
persona = "You are calm and brief."
greeting = "Corner Agency, good morning."
questions = [
  { id = "intent", ask = "Buy or rent?", save_as = "intent", answers = [
    { value = "buy", say = ["i want to buy a house"] },
    { value = "rent", say = ["i want to rent a flat"] },
  ] },
]
closing = ["Thank you.", "Goodbye."]
"""
WANTS_TO_BUY = "i want to buy a house"
RULES = [
    Rule.from_dict({"says": "buy a house", "after_tool": "save_details", "say": "A house, fine."}),
    Rule.from_dict(
        {
            "says": "buy a house",
            "system_has": "Corner Agency",
            "calls": [
                {
                    "name": "save_details",
                    "arguments": '{"fields": {"intent": "buy"}}',
                }
            ],
        }
    ),
]


def service_with(emulator: OpenAIEmulator, tmp_path: Path) -> Service:
    agent = tmp_path / "agent.toml"
    agent.write_text(AGENT)
    return Service(
        tmp_path / "data",
        AGENT_FILE=str(agent),
        LLM_BASE_URL=emulator.base_url,
        LLM_MODEL="emulated",
    )


async def test_the_model_answers_saves_and_is_timed(tmp_path: Path) -> None:
    async with OpenAIEmulator(RULES) as emulator:
        with service_with(emulator, tmp_path) as service:
            await service.until_ready()
            steps = [Answer(speech(WANTS_TO_BUY), patience_ms=20_000), AwaitGoodbye()]
            async with on_the_line(service, steps) as [line]:
                await line.answers(2)
                await until(lambda: service.call_record(line.call_sid).get("fields"))
                await line.hang_up()
            await until(lambda: service.call_record(line.call_sid).get("summary"))
            record = service.call_record(line.call_sid)
    assert record["fields"] == {"intent": "buy"}
    greeting, caller, reply = record["turns"][:3]
    assert greeting["text"] == "Corner Agency, good morning."
    assert caller["text"] == WANTS_TO_BUY
    assert reply["text"] == "A house, fine."
    order = ["first_token_at_ms", "first_sentence_at_ms", "first_audio_at_ms", "first_frame_at_ms"]
    times = [reply["timings"][name] for name in order]
    assert times == sorted(times)


async def test_when_the_model_is_away_the_script_takes_over(tmp_path: Path) -> None:
    broken = [Rule.from_dict({"says": "house", "fault": {"kind": "status", "status": 500}})]
    async with OpenAIEmulator(broken) as emulator:
        with service_with(emulator, tmp_path) as service:
            await service.until_ready()
            steps = [
                Answer(speech(WANTS_TO_BUY), patience_ms=20_000),
                Answer(speech(WANTS_TO_BUY), patience_ms=20_000),
                AwaitGoodbye(),
            ]
            async with on_the_line(service, steps) as [line]:
                assert (await line.over()).completed
            await until(lambda: service.call_record(line.call_sid).get("status") == "completed")
            record = service.call_record(line.call_sid)
            failed = await engines_that_failed(tmp_path / "data")
    said = [turn["text"] for turn in record["turns"] if turn["who"] == "agent"]
    assert said[0] == "Corner Agency, good morning."
    assert said[1].endswith("Let me take your details. Buy or rent?")
    assert said[2] == "Thank you. Goodbye."
    assert record["fields"] == {"intent": "buy"}
    assert record["end_reason"] == "agent_hangup"
    assert set(failed) == {"brain"}


async def engines_that_failed(data_dir: Path) -> list[str]:
    """As the numbers page will count them."""
    database = Database(None, data_dir)
    await database.start()
    try:
        rows = await database.pool.fetch("SELECT engine FROM engine_failures")
    finally:
        await database.close()
    return [row["engine"] for row in rows]

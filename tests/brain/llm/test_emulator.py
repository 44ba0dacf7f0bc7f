"""The emulated model itself: its rules, and that the official client takes it for real."""

import sys
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from emulators.openai_rules import DEFAULT_SENTENCE, Action, Asked, Call, Fault, Rule, Rules
from emulators.openai_server import OpenAIEmulator
from serving import Server

TESTS = Path(__file__).parents[2]


def asked(*messages: dict[str, object], number: int = 1) -> Asked:
    return Asked(number, {"messages": messages}, {})


USER = {"role": "user", "content": "I want an Appointment"}
SYSTEM = {"role": "system", "content": "You speak Hebrew."}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "slots"}}],
}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "10:00 is free"}
YES = Action("Yes.")


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule(YES), True),
        (Rule(YES, says=("appointment",)), True),
        (Rule(YES, says=("flat", "appoint")), True),
        (Rule(YES, says=("flat",)), False),
        (Rule(YES, matches="^i .* app"), True),
        (Rule(YES, matches="^app"), False),
        (Rule(YES, system_has=("hebrew",)), True),
        (Rule(YES, system_has=("hebrew", "dana")), False),
        (Rule(YES, has_not=("flat",)), True),
        (Rule(YES, has_not=("appointment",)), False),
        (Rule(YES, request=1), True),
        (Rule(YES, request=2), False),
        (Rule(YES, after_tool="*"), False),
    ],
)
def test_when_a_rule_fits(rule: Rule, fits: bool) -> None:
    assert rule.fits(asked(SYSTEM, USER)) == fits


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule(YES), False),
        (Rule(YES, after_tool="*"), True),
        (Rule(YES, after_tool="slots"), True),
        (Rule(YES, after_tool="book"), False),
        (Rule(YES, after_tool="slots", result_has="10:00"), True),
        (Rule(YES, after_tool="slots", result_has="11:00"), False),
        (Rule(YES, after_tool="slots", says=("appointment",)), True),
    ],
)
def test_when_a_rule_fits_behind_a_tool(rule: Rule, fits: bool) -> None:
    assert rule.fits(asked(SYSTEM, USER, CALLED, RESULT)) == fits


def test_the_first_rule_that_fits_answers_as_often_as_it_may() -> None:
    rules = Rules([Rule(YES, times=1), Rule(Action("No."), says=("appointment",))])
    answers = [rules(asked(USER)).text for _ in range(2)]
    assert answers == ["Yes.", "No."]
    assert rules(asked({"role": "user", "content": "Hm"})).text == DEFAULT_SENTENCE


def test_a_rule_as_toml_has_it() -> None:
    assert Rule.from_dict(
        {
            "says": "appointment",
            "calls": [{"name": "slots", "arguments": {"day": "יום"}}],
            "first_token_ms": 300,
        }
    ) == Rule(
        Action(calls=(Call("slots", '{"day": "יום"}'),), first_token_ms=300),
        says=("appointment",),
    )
    assert Rule.from_dict({"fault": "hang"}) == Rule(Action(fault=Fault("hang")))
    table = {"fault": {"kind": "status", "status": 429}, "after_tool": "slots"}
    assert Rule.from_dict(table) == Rule(
        Action(fault=Fault("status", status=429)), after_tool="slots"
    )


@pytest.mark.parametrize("table", [{"say": "Hi", "when": "now"}, {"says": "x"}, {"fault": "odd"}])
def test_a_wrong_rule_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Rule.from_dict(table)


async def test_the_official_client_takes_it_for_real() -> None:
    action = Action("שלום", (Call("book", '{"a": 1}'),))
    async with (
        OpenAIEmulator([Rule(action)], api_key="key") as emulator,
        AsyncOpenAI(base_url=emulator.base_url, api_key="key", max_retries=0) as client,
    ):
        assert [model.id async for model in client.models.list()] == ["emulated"]
        whole = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}]
        )
        message = whole.choices[0].message
        assert message.content == "שלום"
        assert message.tool_calls is not None
        assert message.tool_calls[0].type == "function"
        assert message.tool_calls[0].function.arguments == '{"a": 1}'
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "שלום"


def test_it_runs_by_itself(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rules]]\nsays = "hi"\nsay = "Hello."\n', encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "emulators.openai_server",
        "--port",
        "0",
        "--rules",
        str(rules),
    ]
    with Server(command, cwd=TESTS) as server:
        assert server.wait_for(r"http://127\.0\.0\.1:\d+/v1")

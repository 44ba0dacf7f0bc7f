"""The rules that hold for every tool: checked, bounded, done once, and never an exception."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from front_desk import House
from voiceagent.brain.toolbox import ToolResult
from voiceagent.brain.tools.arguments import Arguments
from voiceagent.brain.tools.sets import voice_tools, written_tools
from voiceagent.brain.tools.tool import AgentTools, Refused, Tool
from voiceagent.errors import EngineTimeout, ProviderError

CONVERSATION = "CA1"


class _Note(Arguments):
    text: Annotated[str, Field(max_length=20)]
    times: int = 1


class _Notebook:
    """A tool with an effect that can be told how to end."""

    def __init__(self, at_most: int | None = 2, deadline_s: float = 5.0) -> None:
        self.keys: list[str] = []
        self.ends: Callable[[], Awaitable[None]] | None = None
        self._tool = Tool("note", "Write it down.", _Note, self._run, at_most)
        self.tools = AgentTools([self._tool], CONVERSATION, deadline_s=deadline_s)

    async def _run(self, request: _Note, key: str) -> ToolResult:
        self.keys.append(key)
        if self.ends is not None:
            await self.ends()
        return ToolResult(f"noted {len(self.keys)}")

    async def note(self, text: str) -> str:
        return (await self.tools.call("note", json.dumps({"text": text}))).text


def _raising(error: Exception) -> Callable[[], Awaitable[None]]:
    async def end() -> None:
        raise error

    return end


async def _hang() -> None:
    await asyncio.Event().wait()


def test_each_tool_is_described_as_the_api_wants_it() -> None:
    for tools in (voice_tools(House().setting()), written_tools(House().setting())):
        specs = AgentTools(tools, CONVERSATION).specs()
        assert json.loads(json.dumps(specs)) == list(specs)
        for spec in specs:
            assert spec["type"] == "function"
            function = spec["function"]
            assert isinstance(function, dict)
            assert set(function) == {"name", "description", "parameters"}
            assert function["parameters"]["type"] == "object"
            assert function["parameters"]["additionalProperties"] is False
            assert "anyOf" not in json.dumps(function)
            assert '"title"' not in json.dumps(function)


def test_an_effect_is_what_changes_something_outside() -> None:
    tools = AgentTools(voice_tools(House().setting()), CONVERSATION)
    names = [tool.name for tool in voice_tools(House().setting())]
    assert {name for name in names if tools.has_effect(name)} == {
        "request_callback",
        "book_appointment",
        "send_whatsapp",
        "send_payment_link",
    }
    assert not tools.has_effect("no_such_tool")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("{", "not a JSON object"),
        ("[" * 5000, "not a JSON object"),
        ('{"text": NaN}', "not a JSON object"),
        ("[1]", "valid dictionary"),
        ('{"text": "' + "x" * 9000 + '"}', "too long"),
        ("", "text is missing"),
        ("null", "text is missing"),
        ('{"text": "a", "to": "+972501234567"}', "to is not one of its arguments"),
        ('{"text": "' + "x" * 21 + '"}', "text String should have at most 20 characters"),
        ('{"text": "a", "times": "often"}', "times Input should be a valid integer"),
    ],
)
async def test_arguments_that_are_wrong_are_told_to_the_model(arguments: str, told: str) -> None:
    notebook = _Notebook()
    result = await notebook.tools.call("note", arguments)
    assert told in result.text
    assert not notebook.keys
    assert not result.events


async def test_a_tool_that_does_not_exist_is_gone_on_without() -> None:
    result = await _Notebook().tools.call("open_the_safe\n" * 20, "{}")
    assert "There is no tool" in result.text
    assert len(result.text) < 120


@given(
    st.sampled_from([tool.name for tool in voice_tools(House().setting())]),
    st.one_of(
        st.text(max_size=60),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.one_of(
                        st.sampled_from(
                            "fields when about date start name text amount currency what_for"
                            " reason digits language phone".split()
                        ),
                        st.text(max_size=5),
                    ),
                    inner,
                    max_size=4,
                ),
            ),
            max_leaves=8,
        ).map(json.dumps),
    ),
)
def test_whatever_a_model_writes_never_raises(name: str, arguments: str) -> None:
    tools = AgentTools(voice_tools(House().setting()), CONVERSATION)
    result = asyncio.run(tools.call(name, arguments))
    assert result.text
    assert "another way" not in result.text


async def test_the_same_request_is_done_once() -> None:
    notebook = _Notebook()
    assert await notebook.note("milk") == await notebook.note("milk") == "noted 1"
    again = await notebook.tools.call("note", '{ "times": 1,\n "text": "milk" }')
    assert again.text == "noted 1"
    assert len(notebook.keys) == 1


async def test_the_same_request_twice_at_once_is_done_once() -> None:
    notebook = _Notebook()
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    notebook.ends = wait
    async with asyncio.TaskGroup() as group:
        both = [group.create_task(notebook.note("milk")) for _ in range(2)]
        await asyncio.sleep(0)
        gate.set()
    assert [task.result() for task in both] == ["noted 1", "noted 1"]
    assert len(notebook.keys) == 1


async def test_a_tool_without_an_effect_is_run_each_time() -> None:
    notebook = _Notebook(at_most=None)
    assert await notebook.note("milk") == "noted 1"
    assert await notebook.note("milk") == "noted 2"


async def test_a_conversation_has_a_limit() -> None:
    notebook = _Notebook(at_most=2)
    await notebook.note("milk")
    await notebook.note("bread")
    assert "used 2 times" in await notebook.note("butter")
    assert await notebook.note("bread") == "noted 2"
    assert len(notebook.keys) == 2


@pytest.mark.parametrize(
    "error", [Refused("not today"), ProviderError("no such thing", retryable=False)]
)
async def test_what_was_not_done_is_no_part_of_the_limit_and_may_be_tried_again(
    error: Exception,
) -> None:
    notebook = _Notebook(at_most=1)
    notebook.ends = _raising(error)
    assert "noted" not in await notebook.note("milk")
    assert "noted" not in await notebook.note("bread")
    notebook.ends = None
    assert await notebook.note("bread") == "noted 3"
    assert "used 1 times" in await notebook.note("milk")


async def test_a_request_that_may_have_been_done_counts_and_keeps_its_key() -> None:
    notebook = _Notebook(at_most=1, deadline_s=0.01)
    notebook.ends = _hang
    assert "not known whether" in await notebook.note("milk")
    assert "used 1 times" in await notebook.note("bread")
    notebook.ends = None
    assert await notebook.note("milk") == "noted 2"
    assert notebook.keys[0] == notebook.keys[1]


@pytest.mark.parametrize(
    "error",
    [
        ProviderError("the connection was lost", retryable=True),
        EngineTimeout("no answer"),
        TimeoutError(),
        RuntimeError("a bug"),
    ],
)
async def test_whatever_is_not_sure_to_have_failed_counts(error: Exception) -> None:
    """A database that is lost at the end of a booking may have booked."""
    notebook = _Notebook(at_most=1)
    notebook.ends = _raising(error)
    assert "not known whether" in await notebook.note("milk")
    notebook.ends = None
    assert "used 1 times" in await notebook.note("bread")
    assert await notebook.note("milk") == "noted 2"
    assert notebook.keys[0] == notebook.keys[1]


async def test_a_question_that_gets_no_answer_may_be_asked_again() -> None:
    notebook = _Notebook(at_most=None)
    notebook.ends = _raising(EngineTimeout("no answer"))
    assert (await notebook.note("milk")).startswith("No answer.")


async def test_it_still_counts_when_the_second_try_fails() -> None:
    notebook = _Notebook(at_most=1, deadline_s=0.01)
    notebook.ends = _hang
    await notebook.note("milk")
    notebook.ends = _raising(ProviderError("away", retryable=False))
    assert "nothing was done" in await notebook.note("milk")
    notebook.ends = None
    assert "used 1 times" in await notebook.note("bread")


async def test_a_call_that_is_no_longer_wanted_is_cancelled_and_may_be_made_again() -> None:
    notebook = _Notebook(at_most=1)
    running = asyncio.Event()

    async def hang() -> None:
        running.set()
        await _hang()

    notebook.ends = hang
    task = asyncio.create_task(notebook.note("milk"))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    notebook.ends = None
    assert await notebook.note("milk") == "noted 2"
    assert notebook.keys[0] == notebook.keys[1]


@pytest.mark.parametrize(
    "error",
    [
        ProviderError("secret-host:5432 refused the password hunter2", retryable=False),
        EngineTimeout("secret-host:5432 did not answer"),
        RuntimeError("hunter2 at secret-host"),
    ],
)
async def test_the_inside_of_a_failure_is_not_told_to_the_model(error: Exception) -> None:
    notebook = _Notebook()
    notebook.ends = _raising(error)
    text = await notebook.note("milk")
    assert "say so and offer another way" in text or "nothing was done" in text
    assert "hunter2" not in text
    assert "secret-host" not in text


async def test_a_key_is_the_same_after_a_restart_and_another_in_another_conversation() -> None:
    first, second = _Notebook(), _Notebook()
    await first.note("milk")
    await second.note("milk")
    await second.note("bread")
    assert first.keys[0] == second.keys[0] != second.keys[1]
    other = AgentTools([first._tool], "CA2")
    await other.call("note", '{"text": "milk"}')
    assert first.keys[0] != first.keys[1]
    assert "milk" not in first.keys[0]


async def test_nothing_of_a_model_names_another_person() -> None:
    """No tool takes a telephone number to reach, a contact or a key."""
    names = {
        name
        for tool in voice_tools(House().setting())
        for name in tool.arguments.model_json_schema().get("properties", {})
    }
    assert not names & {"to", "number", "phone", "contact_id", "contact", "party", "key", "url"}

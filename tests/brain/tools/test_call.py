"""Tools on the conversation itself, and which of them are offered where."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from front_desk import House, clinic
from voiceagent.brain.ports import HangUp, PressKeys, Save, SwitchLanguage, Transfer
from voiceagent.brain.toolbox import ToolResult
from voiceagent.brain.tools.sets import voice_tools, written_tools
from voiceagent.brain.tools.tool import AgentTools

_FRIDAY_EVENING = datetime(2026, 11, 27, 16, 0, tzinfo=UTC)


async def _does(name: str, house: House | None = None, **arguments: object) -> ToolResult:
    setting = (house or House()).setting()
    return await AgentTools(voice_tools(setting), "CA1").call(name, json.dumps(arguments))


async def test_what_was_learnt_is_saved() -> None:
    result = await _does("save_details", fields={"name": "Dana", "phone": "050-123 4567"})
    assert result.events == (Save({"name": "Dana", "phone": "+972501234567"}),)
    assert result.text == "Saved: name, phone."


async def test_the_files_own_fields_are_told_to_the_model() -> None:
    (details, *_) = voice_tools(House().setting())
    assert "name, message, phone" in details.description


async def test_a_caller_is_connected_to_the_files_number_only() -> None:
    result = await _does("transfer_to_person", reason="a broken tooth, call +972509999999")
    assert result.events == (
        Save({"transfer_reason": "a broken tooth, call +972509999999"}),
        Transfer("+97231234567"),
    )
    assert "I am connecting you now." in result.text


async def test_a_closed_business_offers_a_callback_instead() -> None:
    result = await _does("transfer_to_person", House(now=_FRIDAY_EVENING), reason="a tooth")
    assert not result.events
    assert "closed now; opens Sunday 2026-11-29 09:00" in result.text
    assert "call-back" in result.text


async def test_a_file_may_have_callers_connected_at_any_time() -> None:
    profile = clinic().model_copy(update={"transfer_when": "always"})
    result = await _does(
        "transfer_to_person", House(profile, now=_FRIDAY_EVENING), reason="a tooth"
    )
    assert result.events[-1] == Transfer("+97231234567")


async def test_keys_are_pressed_each_time() -> None:
    setting = House().setting()
    tools = AgentTools(voice_tools(setting), "CA1")
    for _ in range(2):
        assert (await tools.call("press_keys", '{"digits": "1w2#"}')).events == (PressKeys("1w2#"),)


async def test_a_call_is_ended_however_often_that_is_asked() -> None:
    """The first answer may have been interrupted before it counted."""
    tools = AgentTools(voice_tools(House().setting()), "CA1")
    for _ in range(2):
        assert (await tools.call("hang_up", "")).events == (HangUp(),)


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("ru", "ru-RU"),
        ("ru-RU", "ru-RU"),
        ("Russian", "ru-RU"),
        ("iw-IL", "he-IL"),
        ("HE", "he-IL"),
        ("en-US", "en-GB"),
    ],
)
async def test_a_language_that_is_spoken_here(wanted: str, language: str) -> None:
    result = await _does("switch_language", language=wanted)
    assert result.events == (SwitchLanguage(language),)


@pytest.mark.parametrize("wanted", ["ar", "Arabic", "fr-FR", "Klingon"])
async def test_a_language_that_is_not_spoken_here(wanted: str) -> None:
    result = await _does("switch_language", language=wanted)
    assert not result.events
    assert "I do not speak that language" in result.text


async def test_a_language_of_the_file_that_the_engines_lack_is_not_spoken() -> None:
    tools = AgentTools(voice_tools(House().setting(("en-GB", "he-IL"))), "CA1")
    assert not (await tools.call("switch_language", '{"language": "ru"}')).events


def test_everything_is_offered_where_everything_is_there() -> None:
    assert [tool.name for tool in voice_tools(House().setting())] == [
        "save_details",
        "opening_hours",
        "request_callback",
        "free_slots",
        "book_appointment",
        "send_payment_link",
        "send_whatsapp",
        "transfer_to_person",
        "switch_language",
        "press_keys",
        "hang_up",
    ]


def test_in_writing_there_is_no_line_to_handle() -> None:
    assert [tool.name for tool in written_tools(House().setting())] == [
        "save_details",
        "opening_hours",
        "request_callback",
        "free_slots",
        "book_appointment",
        "send_payment_link",
        "hand_over_to_person",
    ]


def test_what_has_no_port_is_not_offered() -> None:
    setting = replace(House().setting(), desk=None, messenger=None)
    assert [tool.name for tool in voice_tools(setting)] == [
        "save_details",
        "opening_hours",
        "transfer_to_person",
        "switch_language",
        "press_keys",
        "hang_up",
    ]


def test_nobody_is_connected_without_a_switchboard() -> None:
    setting = replace(House().setting(), switchboard=False)
    assert "transfer_to_person" not in [tool.name for tool in voice_tools(setting)]


def test_what_the_file_does_not_have_is_not_offered() -> None:
    bare = clinic().model_copy(
        update={
            "hours": type(clinic().hours)(),
            "appointments": None,
            "transfer_number": "",
            "languages": (),
        }
    )
    assert [tool.name for tool in voice_tools(House(bare).setting())] == [
        "save_details",
        "request_callback",
        "send_payment_link",
        "send_whatsapp",
        "press_keys",
        "hang_up",
    ]

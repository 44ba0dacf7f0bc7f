"""A conversation in a terminal, as people hold it."""

import asyncio
import os
import sys

import pytest
from warped_time import on_warped_time

from voiceagent.written.minds import ScriptedMind
from voiceagent.written.script_answers import ScriptAnswers
from voiceagent.written.terminal import USAGE, Terminal, Wished
from written.agents import HELLO, shop
from written.world import SlowMind, World


def wished(text: str) -> Wished | None:
    return {"STOP": Wished(True, "No more."), "START": Wished(False, "Again.")}.get(text)


SILENT = "  [the agent is silent: a person answers; /agent gives it back]"
STOPPED = "  [the agent is silent: you want no messages (STOP); START has it answer again]"


def chat(*lines: str | float, failure: Exception | None = None) -> list[str]:
    """What is shown while these lines are typed, with pauses of so many seconds."""
    shown: list[str] = []

    @on_warped_time
    async def talk() -> None:
        script = ScriptAnswers(shop())
        mind = ScriptedMind(script)
        if failure is not None:
            mind = SlowMind(script, thinks_s=0, failure=failure)
        typed: asyncio.Queue[str | None] = asyncio.Queue()

        async def type_them() -> None:
            for line in lines:
                if isinstance(line, float):
                    await asyncio.sleep(line)
                else:
                    typed.put_nowait(line)
            typed.put_nowait(None)

        typing = asyncio.create_task(type_them())
        terminal = Terminal(mind, script, show=shown.append, now=World.now, wished=wished)
        await terminal.hold(typed)
        await typing

    talk()
    assert shown[0] == USAGE
    return shown[1:]


def test_lines_are_messages_and_answers_are_shown() -> None:
    assert chat("hi", "", "some tea please") == [
        "  [saved: drink = tea]",
        f"< {HELLO}\n\n  Small or large?",
    ]


def test_a_person_takes_over_and_gives_back() -> None:
    assert chat("/person", "some tea") == ["  [a person answers]", SILENT]
    assert chat("/person", "some tea", "/agent") == [
        "  [a person answers]",
        "  [the agent answers]",
        "  [saved: drink = tea]",
        f"< {HELLO}\n\n  Small or large?",
    ]


def test_who_asks_for_a_person_has_the_owner_told() -> None:
    shown = chat("a real person please")
    assert shown[0] == "  [owner told: a person was asked for]"
    assert "answer you here" in shown[1]
    assert len(shown) == 2


def test_what_is_written_after_that_is_answered_by_nobody_and_said_to_be() -> None:
    shown = chat("a real person please", 20.0, "some tea", "hello?", 20.0, "hello?")
    assert shown[2:] == [SILENT, SILENT]


def test_whoever_looks_like_a_machine_is_told_that_nobody_answers() -> None:
    messages = [part for n in range(9) for part in (f"message {n} of a machine", 4.0)]
    shown = chat(*messages)
    assert "  [owner told: this looks like a machine's messages]" in shown
    assert any("it takes you for a machine" in line for line in shown)


def test_a_wish_for_no_messages_is_confirmed_and_honoured() -> None:
    assert chat("some tea", "STOP") == ["< No more."]
    assert chat("STOP", "some tea") == ["< No more.", STOPPED]
    assert chat("STOP", "START") == ["< No more.", "< Again."]
    [*_, why] = chat("START", "some tea")
    assert "within a minute" in why


def test_a_command_that_there_is_not_is_no_message() -> None:
    assert chat("/agnet") == [USAGE]


def test_a_file_without_words() -> None:
    [shown] = chat("/file")
    assert "Only words" in shown


def test_what_fails_is_told() -> None:
    assert chat("tea", failure=ValueError()) == ["  [owner told: no answer could be made]"]


def test_it_can_be_left_without_waiting() -> None:
    assert chat("some tea", "/quit", "large") == []


async def command(language: str, line: str) -> str:
    """What the command shows when one line is typed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "voiceagent.cli",
        "chat",
        env={"PATH": os.environ["PATH"], "AGENT_LANGUAGE": language, "PYTHONIOENCODING": "utf-8"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(f"{line}\n".encode()), 60)
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode()


@pytest.mark.parametrize(
    ("language", "line", "answer"),
    [
        ("he-IL", "שלום, אני רוצה לשכור דירה", "כמה חדרים?"),
        ("en-US", "Hello, I want to rent an apartment", "How many rooms?"),
    ],
)
async def test_the_command(language: str, line: str, answer: str) -> None:
    assert answer in await command(language, line)


async def test_the_command_knows_the_words_that_end_messages() -> None:
    shown = await command("he-IL", "תפסיקו לשלוח")
    assert shown.startswith(f"{USAGE}\n< הוסרתם")

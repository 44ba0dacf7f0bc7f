"""A conversation in a terminal, as people hold it."""

import asyncio
import os
import sys

import pytest
from warped_time import on_warped_time

from voiceagent.written.minds import ScriptedMind
from voiceagent.written.script_answers import ScriptAnswers
from voiceagent.written.terminal import USAGE, Terminal
from written.agents import HELLO, shop
from written.world import SlowMind, World


def chat(*lines: str, failure: Exception | None = None) -> list[str]:
    """What is shown while these lines are typed."""
    shown: list[str] = []

    @on_warped_time
    async def talk() -> None:
        script = ScriptAnswers(shop())
        mind = ScriptedMind(script)
        if failure is not None:
            mind = SlowMind(script, thinks_s=0, failure=failure)
        typed: asyncio.Queue[str | None] = asyncio.Queue()
        for line in (*lines, None):
            typed.put_nowait(line)
        terminal = Terminal(
            mind, script, show=shown.append, now=World.now, is_wish=lambda text: text == "STOP"
        )
        await terminal.hold(typed)

    talk()
    assert shown[0] == USAGE
    return shown[1:]


def test_lines_are_messages_and_answers_are_shown() -> None:
    assert chat("hi", "", "some tea please") == [
        "  [saved: drink = tea]",
        f"< {HELLO}\n\n  Small or large?",
    ]


def test_a_person_takes_over_and_gives_back() -> None:
    assert chat("/person", "some tea") == ["  [a person answers]"]
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


def test_a_wish_for_no_messages_is_not_answered() -> None:
    assert chat("some tea", "STOP") == []


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
    assert await command("he-IL", "תפסיקו לשלוח") == f"{USAGE}\n"

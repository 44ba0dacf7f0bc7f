"""Every command that a document tells people to type works.

The blocks of README.md and docs/ are run by bash in a prepared world (`world.py`), one document
after its own order, several documents at once. What is run otherwise than it is written, or not
at all, stands in `rules.py` with its reason.
"""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from documentation import rules
from documentation.blocks import ROOT, SHELL, Block, blocks_of, commands, documents, programs
from documentation.reader import Ran, Reader
from documentation.world import World
from real_whatsapp import node

AT_ONCE = 6
LASTING = re.compile(r"voiceagent (call|evidence) --")
BLOCKS = [
    block for document in documents() for block in blocks_of(document) if block.language in SHELL
]
PLAIN = [block for block in BLOCKS if block.dialogue is None]
ALL = [command for block in PLAIN for command in commands(block.text)]

TOLD = {
    r"/api/calls \\": '"status":"queued"',
    r"doctor --fix": "Its voice webhook points here",
    r"doctor --json": '"well": true',
    r"twilio connect \+972501234567(\n|$)": "+972501234567 is set up",
    r"whatsapp pair": "linked",
    r"whatsapp logout": "unlinked",
    r"voiceagent evidence": "var/evidence/report",
    r"control/state": '"faults":[]',
    r"voiceagent call": "completed",
    r"voiceagent chat\b": "< ",
    r"LLM_MODEL=emulated script/voiceagent chat": "In which town?",
}
"""What must stand in the answer, besides that the command ends well."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    node()  # a document starts the sidecar
    with World(tmp_path_factory.mktemp("documentation")) as made:
        asyncio.run(made.until_ready())
        yield made


@pytest.fixture(scope="module")
def performed(world: World, request: pytest.FixtureRequest) -> Iterator[dict[Block, Future[Ran]]]:
    """What comes of each block that is asked for, begun with all the others."""
    names = {item.name for item in request.session.items}
    wanted = [block for block in BLOCKS if any(f"[{block.place}]" in name for name in names)]
    results: dict[Block, Future[Ran]] = {block: Future() for block in wanted}

    def read(document: str) -> None:
        with Reader(document, world) as reader:
            for block in wanted:
                if block.document == document:
                    try:
                        results[block].set_result(reader.run(block))
                    except Exception as error:
                        results[block].set_exception(error)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        # Calls last longest: they begin first.
        calling = {block.document for block in wanted if LASTING.search(block.text)}
        for document in sorted(
            {one.document for one in wanted}, key=lambda name: (name not in calling, name)
        ):
            threads.submit(read, document)
        yield results


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_block_works(block: Block, performed: dict[Block, "Future[Ran]"]) -> None:
    ran = performed[block].result()
    whole = f"{block.place}\n{ran.script}\n---\n{ran.said}"
    assert ran.code == 0, whole
    for pattern, words in TOLD.items():
        if re.search(pattern, ran.script):
            assert words in ran.said, whole
    if block.dialogue is not None:
        for line in block.dialogue.answered:
            assert line in ran.said.splitlines(), f"not said: {line}\n{whole}"


@pytest.mark.parametrize("block", PLAIN, ids=lambda block: block.place)
def test_each_command_has_somebody_who_says_how_it_is_run(block: Block) -> None:
    for command in commands(block.text):
        strangers = rules.strangers(command)
        assert not strangers, (
            f"{block.place}: nobody has said how {command!r} is run in a test. If"
            f" {', '.join(sorted(strangers))} may simply be run, add it to AS_WRITTEN in"
            " tests/documentation/rules.py; else add a rule there: INSTEAD, SERVES, or LEFT_OUT"
            " with a reason and the nearest proof."
        )


def test_no_rule_is_left_over() -> None:
    for rule in (*rules.LEFT_OUT, *rules.SERVES, *rules.INSTEAD):
        found = [one for one in ALL if re.search(rule.pattern, _addressed(one))]
        assert found, f"no document has a command of {rule.pattern!r} any more"
    for program in rules.AS_WRITTEN:
        assert any(program in programs(one) for one in ALL), program
    for pattern in TOLD:
        assert any(re.search(pattern, one) for one in ALL), pattern
    for address in rules.ADDRESSES:
        assert any(re.search(address.pattern, one) for one in ALL), address.pattern


def test_what_is_left_out_is_proved_elsewhere() -> None:
    for rule in rules.LEFT_OUT:
        assert (ROOT / rule.proof).exists(), rule.proof


@pytest.mark.parametrize("command", sorted({one for one in ALL if rules.left_out(one)}))
def test_what_is_left_out_names_what_there_is(command: str) -> None:
    for word in re.findall(r"(?<![\w/.-])(?:\./)?[a-z_]+(?:/[\w.-]+)+|\./\w+\.sh", command):
        if word.removeprefix("./").split("/")[0] in {path.name for path in ROOT.iterdir()}:
            # What the reader makes of an example is not in the checkout.
            assert (ROOT / word).exists() or (ROOT / f"{word}.example").exists(), word
    if (script := ROOT / programs(command)[0]).is_file():
        assert script.stat().st_mode & 0o100, f"{script} cannot be run"


def _addressed(command: str) -> str:
    for rule in rules.ADDRESSES:
        command = re.sub(rule.pattern, rule.replacement, command)
    return command

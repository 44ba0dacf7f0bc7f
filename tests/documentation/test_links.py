"""What the documents point at is there: files, headings, tests, commands, options."""

import argparse
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from documentation.blocks import ROOT, SHELL, anchors, blocks_of, code_spans, documents, links
from voiceagent.cli import _parser
from voiceagent.settings import Settings

PACKAGE = ROOT / "src" / "voiceagent"
ALL = [
    *documents(),
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
    ROOT / "tests" / "mutations" / "README.md",
    ROOT / "node" / "baileys" / "README.md",
]
READ = [*documents(), ROOT / "node" / "baileys" / "README.md"]
"""The decisions tell of what was there when they were made."""
TOP = frozenset({"src", "tests", "docs", "bench", "script", "deploy", "node", "evals"})
OTHERS = frozenset(
    {
        *("SSL_CERT_FILE", "PNG_PONG_TX", "PNG_PONG_RX"),
        *("TEST_KILLS", "FUZZ_CALLS", "FUZZ_SEED", "FUZZ_ROUNDS", "FUZZ_DATABASE_URL"),
    }
)
"""Variables of Python and of tests, and words of the log."""
_VARIABLE = re.compile(r"([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=.*)?")
_PATH = re.compile(r"(?:[\w.*-]+/)+(?:[\w.*-]+)?(?:::\w+)?")
_OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", ALL, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in links(document.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        there = (document.parent / file).resolve() if file else document
        assert there.exists(), f"{name_of(document)}: {link}"
        if anchor:
            known = anchors(there.read_text(encoding="utf-8"))
            assert anchor in known, f"{name_of(document)}: {link}; there are {sorted(known)}"


@pytest.mark.parametrize("document", READ, ids=name_of)
def test_every_file_that_is_named_is_there(document: Path) -> None:
    for span in code_spans(document.read_text(encoding="utf-8")):
        if not _PATH.fullmatch(span):
            continue
        path, _, test = span.partition("::")
        first = path.split("/")[0]
        if first in TOP:
            base = ROOT
        elif (PACKAGE / first).is_dir() and path.endswith((".py", ".toml", "/")):
            base = PACKAGE
        else:
            continue
        found = list(base.glob(path.rstrip("/")))
        assert found, f"{name_of(document)}: `{span}`"
        if test:
            text = found[0].read_text(encoding="utf-8")
            assert re.search(rf"(?:def|class) {test}\b", text), f"{name_of(document)}: `{span}`"


def options_of(words: list[str]) -> set[str]:
    """Of the subcommand that the words begin with; fails where there is none."""
    parser: argparse.ArgumentParser = _parser()
    options: set[str] = set()
    for word in words:
        choices = next(
            (
                action.choices
                for action in parser._actions
                if isinstance(action, argparse._SubParsersAction)
            ),
            None,
        )
        if choices is None:
            break
        assert word in choices, f"there is no command {word!r}"
        parser = choices[word]
        options |= set(parser._option_string_actions)
    return options


@pytest.mark.parametrize("document", READ, ids=name_of)
def test_every_command_in_the_text_has_its_options(document: Path) -> None:
    for span in code_spans(document.read_text(encoding="utf-8")):
        match = re.match(r"(?:\w+=\S+ )*(script/voiceagent|voiceagent|\S*\.py)(?= |$)(.*)", span)
        if match is None:
            continue
        program, rest = match[1], match[2]
        wanted = set(_OPTION.findall(rest))
        if program.endswith("voiceagent"):
            words = [word for word in shlex.split(rest) if not word.startswith(("-", "…"))]
            known = options_of(words)
        elif wanted and (ROOT / program).is_file():
            text = (ROOT / program).read_text(encoding="utf-8")
            known = {option for option in wanted if f'"{option}"' in text}
        else:
            continue
        assert wanted <= known, f"{name_of(document)}: `{span}`: {sorted(wanted - known)}"


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_variable_is_read_by_somebody(document: Path) -> None:
    ours = {name.upper() for name in Settings.model_fields} | OTHERS
    sidecar = (ROOT / "node/baileys/src/config.js").read_text(encoding="utf-8")
    for span in code_spans(document.read_text(encoding="utf-8")):
        if match := _VARIABLE.fullmatch(span):
            name = match[1]
            known = {name, name.removesuffix("_FILE")} & ours or f"'{name}'" in sidecar
            assert known, f"{name_of(document)}: nobody reads `{span}`"


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_block_is_what_it_says(document: Path) -> None:
    for block in blocks_of(document):
        match block.language:
            case "toml":
                tomllib.loads(block.text)
            case "json":
                json.loads(block.text)
            case "yaml":
                list(yaml.safe_load_all(block.text))
            case "python":
                compile(block.text, block.place, "exec")
            case other:
                assert other in {*SHELL, "sql", "text", "nginx"}, (
                    f"{block.place}: a block begins with ```sh, ```json … and not with ```{other}:"
                    " the tests know by that what to do with it"
                )


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_no_command_hides_in_an_indented_block(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    hidden = re.findall(r"\n\n(    (?:script/|\./|curl |\w+=\S+ ).*)", text)
    assert not hidden, f"{name_of(document)}: put it between ```sh and ```: {hidden}"


def test_the_index_names_every_document_once() -> None:
    index = ROOT / "docs" / "README.md"
    named = [
        link.partition("#")[0]
        for link in links(index.read_text(encoding="utf-8"))
        if re.fullmatch(r"[\w-]+\.md(#.*)?", link)
    ]
    there = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert sorted(named) == sorted(there)

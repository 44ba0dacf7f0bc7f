"""What a document tells people to type, and what it points at.

The text of a Markdown file flows in; fenced blocks, their commands, links, anchors and the names
of files flow out. Nothing is run and nothing is looked up here.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHELL = ("sh", "bash", "shell", "console")

_FENCE = re.compile(r"^( *)```([\w-]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_HERE_DOCUMENT = re.compile(r"<<-? *(['\"]?)(\w+)\1")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_SUBSTITUTED = re.compile(r"\$\(([\w./-]+)")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+?) *#*$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_OPERATORS = frozenset({"|", "||", "&", "&&", ";", "(", ")"})
_REDIRECTIONS = frozenset({"<", ">", ">>", "<<", "<<<", ">&", "<&"})


@dataclass(frozen=True)
class Dialogue:
    """`$ command`, the lines that somebody types, then what is answered: `  [saved …]`, `< …`."""

    command: str
    typed: str
    answered: list[str]


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its first line of text."""

    document: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def dialogue(self) -> Dialogue | None:
        if not self.text.startswith("$ "):
            return None
        first, *lines = self.text.splitlines()
        begins = next(at for at, line in enumerate(lines) if line.startswith(("< ", "  [")))
        typed = "".join(f"{line}\n" for line in lines[:begins])
        return Dialogue(first.removeprefix("$ "), typed, list(filter(str.strip, lines[begins:])))


def documents(root: Path = ROOT) -> list[Path]:
    """What people read: not the decisions, which tell what was measured once."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def blocks_of(document: Path, root: Path = ROOT) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    name = document.relative_to(root).as_posix()
    found = []
    for match in _FENCE.finditer(text):
        indent = match[1]
        lines = match[3].splitlines()
        found.append(
            Block(
                name,
                text.count("\n", 0, match.start()) + 2,
                match[2],
                "\n".join(line.removeprefix(indent) for line in lines),
            )
        )
    return found


def commands(text: str) -> list[str]:
    """The commands of a block, one by one: continued lines and here-documents stay together,
    comments are left out."""
    found: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        command = _without_comment(line)
        while command.endswith("\\") or not _is_closed(command):
            command = _without_comment(f"{command}\n{next(lines)}")
        if match := _HERE_DOCUMENT.search(command):
            for more in lines:
                command += "\n" + more
                if more == match[2]:
                    break
        found.append(command)
    return found


def programs(command: str) -> list[str]:
    """What a command runs: the first word of each part, those of `$(…)` included."""
    first_line = command.partition("\n")[0] if "<<" in command else command
    lexer = shlex.shlex(first_line.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    found = []
    begins, is_target = True, False
    for token in lexer:
        if set(token) <= set("|&;()"):
            begins = token in _OPERATORS
        elif token in _REDIRECTIONS:
            is_target = True
        elif is_target:
            is_target = False
        elif begins and not _ASSIGNMENT.fullmatch(token):
            found.append(token)
            begins = False
    return found + _SUBSTITUTED.findall(first_line)


def links(text: str) -> list[str]:
    """Where a document points, images included; not what stands in blocks."""
    return _LINK.findall(_FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """The names of its headings, as GitHub makes them."""
    names: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        again = 0
        while (unique := name if not again else f"{name}-{again}") in names:
            again += 1
        names.add(unique)
    return names


def code_spans(text: str) -> Iterator[str]:
    """What stands between single backticks."""
    for match in _CODE.finditer(_FENCE.sub("", text)):
        yield match[1]


def _is_closed(command: str) -> bool:
    try:
        shlex.split(command, comments=False)
    except ValueError:
        return False
    return True


def _without_comment(line: str) -> str:
    """Without what stands behind a `#` of its own, outside quotation marks."""
    for match in re.finditer(r" +#", line):
        if _is_closed(line[: match.start()]):
            return line[: match.start()]
    return line.rstrip()

"""Single values of an agent file are changed, and everything else stays as it was written.

TOML text and new values flow in, TOML text flows out, with comments, order and blank lines kept.
It finds where statements begin and end; what they mean is TOML's own reader to say, which has the
last word on what came out. Pure.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Value = str | Sequence[str]
"""A text, or a list of them; an empty one takes the key out."""

_TOKEN: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*|[\[\]{}=]|\n"
    r"|[^\"'\#\[\]{}=\n]+"
    r"|.",
    re.DOTALL,
)
_HEADER: Final = re.compile(r"\s*\[(\[)?\s*([^\[\]]+?)\s*\]")


class CannotRewrite(Exception):
    """The text is written in a way that this module does not find its way through."""


@dataclass(frozen=True, slots=True)
class _Statement:
    start: int
    end: int
    """Behind the last character of the statement, its newline not included."""
    key: str
    """A plain key; empty for a table's header."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table's header, and what stands below it up to the next one."""

    name: str
    """Empty for what stands above all headers."""
    body: tuple[_Statement, ...]
    start: int
    """Where its first statement could stand."""


def rewritten(toml: str, top: Mapping[str, Value], questions: Sequence[Mapping[str, Value]]) -> str:
    """The same text with these values.

    `top`: by keys of the file itself; `questions`: by keys of each question, in the order of the
    file. Raises `CannotRewrite`, and `tomllib.TOMLDecodeError` for what is no TOML.
    """
    wanted = tomllib.loads(toml)
    _put(wanted, top)
    asked = wanted.get("questions", [])
    if not isinstance(asked, list) or len(asked) < len(questions):
        raise CannotRewrite
    for question, values in zip(asked, questions, strict=False):
        _put(question, values)
    text = toml
    # From the end, so that what comes before stays where it was.
    tables = _tables(toml)
    headed = [table for table in tables if table.name == "questions"]
    for table, values in reversed(list(zip(headed, questions, strict=False))):
        text = _with(text, table, values)
    text = _with(text, tables[0], top)
    try:
        came_out = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise CannotRewrite from None
    if came_out != wanted:
        raise CannotRewrite
    return text


def _put(table: dict[str, Any], values: Mapping[str, Value]) -> None:
    for key, value in values.items():
        if value:
            table[key] = value if isinstance(value, str) else list(value)
        else:
            table.pop(key, None)


def _with(text: str, table: _Table, values: Mapping[str, Value]) -> str:
    known = {statement.key: statement for statement in table.body}
    changes = []
    for key, value in values.items():
        statement = known.get(key)
        if statement is None:
            if value:
                at = table.body[-1].end if table.body else table.start
                line = f"{key} = {_toml(value)}"
                changes.append((at, at, f"\n{line}" if table.body else f"{line}\n"))
        elif not value:
            end = statement.end + (text[statement.end : statement.end + 1] == "\n")
            changes.append((statement.start, end, ""))
        elif tomllib.loads(text[statement.start : statement.end]) != {key: _plain(value)}:
            changes.append((statement.start, statement.end, f"{key} = {_toml(value)}"))
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _plain(value: Value) -> object:
    return value if isinstance(value, str) else list(value)


def _toml(value: Value) -> str:
    if isinstance(value, str):
        lines = value.split("\n")
        if len(lines) == 1:
            return _quoted(value)
        inside = "\n".join(_quoted(line)[1:-1] for line in lines)
        return f'"""\n{inside}"""'
    if len(value) == 1:
        return f"[{_quoted(value[0])}]"
    return "[\n" + "".join(f"  {_quoted(one)},\n" for one in value) + "]"


def _quoted(text: str) -> str:
    """A basic string. JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# --- where everything stands --------------------------------------------------------------------


def _tables(toml: str) -> list[_Table]:
    tables: list[_Table] = []
    name, start, body = "", 0, list[_Statement]()
    for begins, ends in _spans(toml):
        text = toml[begins:ends]
        header = _HEADER.match(text)
        if header is None:
            body.append(_Statement(begins, ends, text.partition("=")[0].strip()))
            continue
        tables.append(_Table(name, tuple(body), start))
        name = header[2] if header[1] else f"[{header[2]}]"
        start, body = min(ends + 1, len(toml)), []
    tables.append(_Table(name, tuple(body), start))
    return tables


def _spans(toml: str) -> Iterator[tuple[int, int]]:
    """Where each statement begins and ends, comments behind it and indents before it left out."""
    begins: int | None = None
    ends = depth = 0
    has_equals = False
    for token in _TOKEN.finditer(toml):
        text = token[0]
        if text == "\n" and depth == 0:
            if begins is not None:
                yield begins, ends
            begins, has_equals = None, False
        elif text.isspace() or text.startswith("#"):
            continue
        else:
            if begins is None:
                begins = token.start() + len(text) - len(text.lstrip())
            if text == "=":
                has_equals = True
            # The brackets of a header are no list: it ends with its line in any case.
            if has_equals:
                depth += (text in "[{") - (text in "]}")
            ends = token.end() - (len(text) - len(text.rstrip()))
    if begins is not None:
        yield begins, ends

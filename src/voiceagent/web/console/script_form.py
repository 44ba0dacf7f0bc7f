"""The agent's script as a form: its most used values as fields, and a form as a script again.

TOML text flows in, fields flow out; what was typed flows in, the text with these values flows out.
Faults are put beside the field that they are about. Sentences stand one a line. Pure.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from voiceagent.brain.agent.rewrite import CannotRewrite, Value, rewritten
from voiceagent.brain.languages import primary_of

RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "iw", "ur", "yi"})

MAX_VERSION: Final = 2**63 - 1
"""What the database counts up to."""

Kind = Literal["line", "lines", "text"]
"""One line; sentences, one a line; a longer text."""

TOP: Final[Mapping[str, Kind]] = {
    "business": "line",
    "greeting": "lines",
    "persona": "text",
    "facts": "lines",
    "prompt": "text",
    "closing": "lines",
    "transfer_number": "line",
}
"""Keys of the file itself that have a field, in the order of the form."""
OF_QUESTION: Final[Mapping[str, Kind]] = {"ask": "lines", "retry": "lines", "confirm": "lines"}
"""Keys of each question."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form."""

    name: str
    """Of the form: `greeting`, `questions.0.ask`."""
    key: str
    """Of the script: `greeting`, `ask`."""
    kind: Kind
    text: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionFields:
    """The fields of one question, and what is wrong with the rest of it."""

    id: str
    fields: tuple[Field, ...]
    answers: tuple[str, ...]
    """Told, not changed here."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScriptForm:
    """All of it."""

    fields: tuple[Field, ...]
    questions: tuple[QuestionFields, ...]
    faults: tuple[str, ...] = ()
    """Those that are about no field."""
    direction: Literal["ltr", "rtl"] = "ltr"
    """Of the agent's language: a sentence may begin with a blank, whose name is English."""


def form_of(script: str, language: str, faults: Sequence[str] = ()) -> ScriptForm:
    """The form of a script, each fault beside its field. Whatever is no TOML has empty fields.

    `language`: what the agent speaks when the script does not say so.
    """
    raw = _read(script)
    left = list(faults)
    questions = tuple(
        _question_fields(number, question, left) for number, question in enumerate(_questions(raw))
    )
    fields = tuple(
        Field(key, key, kind, _shown(raw.get(key)), _taken(left, key)) for key, kind in TOP.items()
    )
    spoken = primary_of(str(raw.get("language", language)))
    return ScriptForm(fields, questions, tuple(left), "rtl" if spoken in RIGHT_TO_LEFT else "ltr")


def script_of(script: str, typed: Mapping[str, str]) -> str:
    """The script with what was typed, by the names of the fields.

    What was not changed is left as it is written. Raises `CannotRewrite`, and
    `tomllib.TOMLDecodeError` for a script that is no TOML.
    """
    raw = tomllib.loads(script)
    top = _changes("", raw, TOP, typed)
    questions = [
        _changes(f"questions.{number}.", question, OF_QUESTION, typed)
        for number, question in enumerate(_questions(raw))
    ]
    while questions and not questions[-1]:
        questions.pop()
    return rewritten(script, top, questions)


def fits_form(script: str) -> bool:
    """Whether its values can be changed by the form, however they are changed."""
    form = form_of(script, "")
    fields = (*form.fields, *(field for question in form.questions for field in question.fields))
    try:
        script_of(script, {field.name: f"{field.text}." for field in fields})
    except (CannotRewrite, ValueError, RecursionError):
        return False
    return True


def number_of(text: str) -> int:
    """A version's number as a form has it; what is no number stands for the file."""
    return (
        min(int(text), MAX_VERSION) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    )


def tidy(text: str) -> str:
    """What a browser sends, with the line ends of a file."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(script: str) -> dict[str, Any]:
    try:
        return tomllib.loads(script)
    except (ValueError, RecursionError):
        return {}


def _questions(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = raw.get("questions")
    if isinstance(found, list) and all(isinstance(question, dict) for question in found):
        return found
    return []


def _question_fields(number: int, question: Mapping[str, Any], left: list[str]) -> QuestionFields:
    id_ = str(question.get("id", number))
    fields = tuple(
        Field(
            f"questions.{number}.{key}",
            key,
            kind,
            _shown(question.get(key)),
            _taken(left, f"questions.{id_}.{key}"),
        )
        for key, kind in OF_QUESTION.items()
    )
    answers = question.get("answers")
    listed = answers if isinstance(answers, list) else []
    values = [str(answer.get("value", "")) for answer in listed if isinstance(answer, dict)]
    return QuestionFields(id_, fields, tuple(values), _taken(left, f"questions.{id_}"))


def _taken(left: list[str], key: str) -> tuple[str, ...]:
    """The faults about this key or what is below it, taken out."""
    about = [fault for fault in left if fault.startswith((f"{key}:", f"{key}."))]
    for fault in about:
        left.remove(fault)
    return tuple(fault.partition(": ")[2] or fault for fault in about)


def _shown(value: object) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return value if isinstance(value, str) else ""


def _changes(
    prefix: str, table: Mapping[str, Any], keys: Mapping[str, Kind], typed: Mapping[str, str]
) -> dict[str, Value]:
    changes = {}
    for key, kind in keys.items():
        text = typed.get(f"{prefix}{key}")
        if text is not None and tidy(text).strip() != tidy(_shown(table.get(key))).strip():
            changes[key] = _value(kind, tidy(text))
    return changes


def _value(kind: Kind, text: str) -> Value:
    if kind != "lines":
        return text.strip()
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return lines if len(lines) > 1 else "".join(lines)

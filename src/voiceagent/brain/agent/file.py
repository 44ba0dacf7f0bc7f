"""The agent's own file: what a business lets its telephone say and ask.

In goes TOML (`AGENT_FILE`, or a file of this package); out comes an
`AgentProfile` that cannot hold a wrong script, or an `AgentFileError` with one
line per fault. It reads nothing else. docs/agent-file.md explains every key.
"""

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from voiceagent.brain.agent.checks import faults_of
from voiceagent.brain.agent.message_taking import message_taking
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.agent.wording import completed, with_business
from voiceagent.brain.languages import primary_of
from voiceagent.errors import AgentFileError


def load_agent(path: Path | None, language: str) -> AgentProfile:
    """The agent of a file, or the bundled estate agent of a language.

    `language` is what the agent speaks when its file does not say so. Raises
    `AgentFileError` with one line per fault.
    """
    if path is None:
        name = "estate_agent.he.toml" if primary_of(language) == "he" else "estate_agent.en.toml"
        bundled = resources.files("voiceagent.brain.agent") / "bundled" / name
        return read_agent(bundled.read_text(encoding="utf-8"), name, language)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise AgentFileError(f"{path}: cannot be read: {reason}") from error
    return read_agent(text, str(path), language)


def read_agent(toml: str, source: str, language: str) -> AgentProfile:
    """The agent of TOML text; `source` names it in faults. Raises `AgentFileError`."""
    try:
        raw = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise AgentFileError(f"{source}: not TOML: {error}") from error
    raw.setdefault("language", language)
    phrases = raw.setdefault("phrases", {})
    if isinstance(phrases, dict):
        raw["phrases"] = completed(phrases, str(raw["language"]))
    if "questions" not in raw and (raw.get("persona") or raw.get("prompt")):
        raw = {**message_taking(str(raw["language"])), **raw}
    try:
        profile = AgentProfile.model_validate(with_business(raw, raw.get("business")))
    except ValidationError as error:
        faults = list(_faults(error, raw))
    else:
        faults = faults_of(profile)
        if not faults:
            return profile
    raise AgentFileError("\n".join(f"{source}: {fault}" for fault in faults))


def _faults(error: ValidationError, raw: Mapping[str, Any]) -> Iterator[str]:
    for fault in error.errors():
        what = {
            "missing": "missing",
            "extra_forbidden": "no such key",
            "string_pattern_mismatch": f"not allowed here: {fault['input']!r}",
        }.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        yield f"{_key(fault['loc'], raw)}: {what}"


def _key(location: tuple[int | str, ...], raw: Any) -> str:
    """The place of a fault, with the ids of questions and answers instead of their numbers."""
    names: list[str] = []
    for step in location:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            raw = None
        name = raw.get("id", raw.get("value")) if isinstance(raw, dict) else None
        names.append(str(name) if isinstance(step, int) and name is not None else str(step))
    return ".".join(names)

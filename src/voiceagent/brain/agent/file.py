"""The agent's own file: what a business lets its telephone say and ask.

In goes TOML (`AGENT_FILE`, or a file of this package); out comes an
`AgentProfile` that cannot hold a wrong script, or an `AgentFileError` with one
line per fault. It reads nothing else. docs/agent-file.md explains every key.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class AgentText:
    """An agent's TOML, not looked into yet."""

    toml: str
    source: str
    """Where it comes from: names it in faults."""
    language: str
    """What the agent speaks when the text does not say so; BCP 47."""

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.toml.encode()).hexdigest()


def agent_text(path: Path | None, language: str) -> AgentText:
    """The text of a file, or of the bundled estate agent of a language.

    Raises `AgentFileError` for a file that cannot be read.
    """
    if path is None:
        name = "estate_agent.he.toml" if primary_of(language) == "he" else "estate_agent.en.toml"
        bundled = resources.files("voiceagent.brain.agent") / "bundled" / name
        return AgentText(bundled.read_text(encoding="utf-8"), name, language)
    try:
        return AgentText(path.read_text(encoding="utf-8"), str(path), language)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise AgentFileError([f"{path}: cannot be read: {reason}"]) from error


def load_agent(path: Path | None, language: str) -> AgentProfile:
    """The agent of a file, or the bundled estate agent of a language.

    `language` is what the agent speaks when its file does not say so. Raises
    `AgentFileError` with one line per fault.
    """
    text = agent_text(path, language)
    return read_agent(text.toml, text.source, language)


def read_agent(toml: str, source: str, language: str) -> AgentProfile:
    """The agent of TOML text; `source` names it in faults. Raises `AgentFileError`."""
    try:
        raw = tomllib.loads(toml)
    except RecursionError:
        raise AgentFileError([f"{source}: not TOML: nested too deeply"]) from None
    except ValueError as error:
        # Not only TOML's own: a number may have more digits than Python takes.
        raise AgentFileError([f"{source}: not TOML: {error}"]) from error
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
    raise AgentFileError([f"{source}: {fault}" for fault in faults])


def _faults(error: ValidationError, raw: Mapping[str, Any]) -> Iterator[str]:
    for fault in error.errors():
        what = {
            "missing": "missing",
            "extra_forbidden": "no such key",
            "string_pattern_mismatch": f"not allowed here: {fault['input']!r:.80}",
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

"""The emulated model of a checkout: an OpenAI-compatible server on loopback, told by rules.

A scenario's rules flow in, a server of its own with an address flows out. The emulator is
a part of the tests (`tests/emulators/`); where they are not, scenarios of a model are left
out.
"""

import importlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from voiceagent.errors import SettingsError
from voiceagent.evals.model import Environ
from voiceagent.evals.scenario import Scenario

_FIRST_TOKEN_MS: Final = 300.0
"""Of a middling server; the rest of an answer comes at once."""


class EmulatedModels:
    """Implements `Models` with a checkout's emulator."""

    def __init__(self, checkout: Path) -> None:
        """`checkout`: the directory that holds `tests/emulators`."""
        self._tests = checkout / "tests"

    def refusal(self, scenario: Scenario) -> str:
        if scenario.brain == "script" or (self._tests / "emulators/openai_server.py").is_file():
            return ""
        return f"the emulated model comes with a checkout, and {self._tests} holds none"

    @asynccontextmanager
    async def at_hand(self, scenario: Scenario) -> AsyncIterator[Environ]:
        if scenario.brain == "script":
            yield {}
            return
        rules = self._rules(scenario.model)
        emulator = self._load("openai_server").OpenAIEmulator
        async with emulator(rules, first_token_ms=_FIRST_TOKEN_MS) as server:
            yield {"LLM_BASE_URL": server.base_url, "LLM_MODEL": "emulated"}

    def _rules(self, tables: Sequence[dict[str, Any]]) -> Any:
        """Raises `SettingsError` for a rule that cannot be."""
        module = self._load("openai_rules")
        try:
            return module.Rules([module.Rule.from_dict(table) for table in tables])
        except (ValueError, TypeError, KeyError) as error:
            raise SettingsError([f"[[model]]: {error}"]) from None

    def _load(self, module: str) -> Any:
        """A part of the emulator. It is a program of its own, beside the package."""
        tests = str(self._tests)
        if tests not in sys.path:
            sys.path.append(tests)
        return importlib.import_module(f"emulators.{module}")

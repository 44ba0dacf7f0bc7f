"""`voiceagent doctor`: gathers what there is to know, judges it, tells it.

The environment flows in, an exit code flows out: 0 only if nothing is broken. All probes run
at once, each within a deadline; what one of them does not answer holds up no other.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TextIO

from voiceagent.crm.postgres.database import Database
from voiceagent.doctor import checks, outside_probes, speech_probes
from voiceagent.doctor.configuration import configured, settings_faults
from voiceagent.doctor.database_probe import look_at_database, probe_database
from voiceagent.doctor.facts import DatabaseSeen, Facts, Outcome, RecognizerSeen, VoiceSeen
from voiceagent.doctor.findings import Finding, as_json, is_well, lines
from voiceagent.errors import ProviderError, SettingsError
from voiceagent.settings import Settings, load_settings
from voiceagent.wiring.brains import load_profile
from voiceagent.wiring.engines import Engines

PROBE_S: Final = 30.0
"""An embedded database may take 25 s to come up; everything else is far quicker."""
CLOSE_S: Final = 5.0

Probe = Callable[[], Awaitable[None]]
"""Asks one part, and notes what it says."""


async def examine(environ: Mapping[str, str]) -> list[Finding]:
    """Everything that there is to say."""
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        return settings_faults(error.faults)
    return [*configured(settings), *checks.judge(settings, await gather(settings))]


async def repair(environ: Mapping[str, str]) -> list[Finding]:
    """Point the number's webhook here, then examine."""
    failed: list[Finding] = []
    try:
        await outside_probes.point_number_here(load_settings(environ))
    except SettingsError:
        pass  # told by the examination
    except ProviderError as error:
        failed = [Finding("twilio number", "broken", f"It could not be pointed here: {error}.")]
    return [*await examine(environ), *failed]


async def gather(settings: Settings) -> Facts:
    """Ask everybody, all at once."""
    facts = Facts()
    engines = _engines(settings, facts)
    try:
        await _ask_all(settings, engines, lambda: probe_database(settings, facts), facts)
    finally:
        if engines is not None:
            await _closed(engines)
    return facts


async def examine_running(
    settings: Settings, engines: Engines, database: Database, deadline_s: float
) -> list[Finding]:
    """The same of a service that runs, by what it runs with: nothing is made anew or closed."""
    facts = Facts()
    await _ask_all(settings, engines, lambda: look_at_database(database, facts), facts, deadline_s)
    return checks.judge(settings, facts)


async def _ask_all(
    settings: Settings,
    engines: Engines | None,
    ask_database: Probe,
    facts: Facts,
    deadline_s: float = PROBE_S,
) -> None:
    probes: dict[str, Probe] = {
        "twilio": lambda: outside_probes.probe_twilio(settings, facts),
        "public address": lambda: outside_probes.probe_public_address(settings, facts),
        "sidecar": lambda: outside_probes.probe_sidecar(settings, facts),
        "database": ask_database,
        "directory": lambda: _directory(settings, facts),
    }
    if engines is not None:
        probes["stt"] = lambda: speech_probes.probe_ears(settings, engines, facts)
        probes["tts"] = lambda: speech_probes.probe_voice(settings, engines, facts)
        probes["llm"] = lambda: speech_probes.probe_model(engines, facts)
    async with asyncio.TaskGroup() as tasks:
        for name, probe in probes.items():
            tasks.create_task(_within(probe, name, facts, deadline_s), name=name)


def tell(findings: list[Finding], stream: TextIO, *, colour: bool, machine: bool) -> int:
    """Print them, as JSON for a `machine`; the exit code."""
    if machine:
        print(json.dumps(as_json(findings), indent=2, ensure_ascii=False), file=stream)
    else:
        print("\n".join(lines(findings, colour=colour)), file=stream)
    return 0 if is_well(findings) else 1


def run(environ: Mapping[str, str], stream: TextIO, *, fix: bool, machine: bool) -> int:
    """The whole command."""
    # What the parts log while they are tried is told in the findings.
    logging.disable(logging.CRITICAL)
    try:
        findings = asyncio.run(repair(environ) if fix else examine(environ))
    finally:
        logging.disable(logging.NOTSET)
    colour = stream.isatty() and "NO_COLOR" not in environ
    return tell(findings, stream, colour=colour, machine=machine)


def _engines(settings: Settings, facts: Facts) -> Engines | None:
    try:
        profile = load_profile(settings)
    except SettingsError as error:
        facts.agent_fault = " ".join(error.faults)
        return None
    return speech_probes.make_engines(settings, profile, facts)


async def _directory(settings: Settings, facts: Facts) -> None:
    facts.directory = await asyncio.to_thread(outside_probes.look_at_directory, settings.data_dir)


async def _within(probe: Probe, name: str, facts: Facts, deadline_s: float) -> None:
    try:
        async with asyncio.timeout(deadline_s):
            await probe()
    except TimeoutError:
        late = Outcome(works=False, said=f"no answer within {deadline_s:.0f} s")
        match name:
            case "stt":
                facts.recognizer = RecognizerSeen(late)
            case "tts":
                facts.voice = VoiceSeen(late)
            case "llm":
                facts.model = late
            case "database":
                facts.database = DatabaseSeen(late)
            case "sidecar":
                facts.sidecar = late
            case "public address":
                facts.public = late


async def _closed(engines: Engines) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await speech_probes.close_engines(engines)
    except TimeoutError:
        pass  # its own owner ends it: the process does

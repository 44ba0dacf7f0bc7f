"""Runs scenarios: all at once, in real time, in this process.

Scenarios and the environment flow in, outcomes flow out as they come. Engines and models
are opened only for the scenarios that need them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from voiceagent.call.vad import VoiceActivity
from voiceagent.errors import ProviderError, SettingsError
from voiceagent.evals import caller_voice
from voiceagent.evals.call import Circumstances, EvalCall, RealHearing
from voiceagent.evals.caller_voice import Uttered
from voiceagent.evals.model import Models
from voiceagent.evals.outcome import Outcome
from voiceagent.evals.scenario import Play, Speak
from voiceagent.evals.scenario_files import LoadedScenario
from voiceagent.settings import load_settings
from voiceagent.simulator import sounds
from voiceagent.simulator.voice import speak
from voiceagent.wiring.brains import House, load_profile
from voiceagent.wiring.engines import choose_engines

_ENGINES: Final = {"STT_ENGINE": "google", "TTS_ENGINE": "google"}
"""Text stands in for engines that know as many languages as Google's."""
_AT_ONCE: Final = 50
"""Calls in one process; each costs some 2 % of a processor."""


async def run_scenarios(
    scenarios: Sequence[LoadedScenario],
    models: Models,
    environ: Mapping[str, str],
    on_outcome: Callable[[Outcome], None],
) -> list[Outcome]:
    """Run them and return what became of each, in their order."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def run(loaded: LoadedScenario) -> Outcome:
        async with places:
            outcome = await _run_one(loaded, models, environ)
        on_outcome(outcome)
        return outcome

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(run(loaded)) for loaded in scenarios]
    return [task.result() for task in running]


async def _run_one(loaded: LoadedScenario, models: Models, environ: Mapping[str, str]) -> Outcome:
    scenario = loaded.scenario
    try:
        async with models.at_hand(scenario) as named, AsyncExitStack() as stack:
            hearing = None
            made: dict[Speak | Play, Uttered] = {}
            if scenario.needs_engines:
                made = await asyncio.to_thread(_sounds, loaded)
                hearing = await stack.enter_async_context(_hearing(scenario.language, environ))
            settings = load_settings({**_ENGINES, **named})
            around = Circumstances(loaded.profile, settings, hearing, made)
            return await EvalCall(loaded.name, scenario, around).run()
    except (ProviderError, SettingsError, OSError, ValueError) as error:
        return Outcome(loaded.name, scenario.about, [f"it could not be begun: {error}"], 0.0, ())
    except Exception as error:
        return Outcome(loaded.name, scenario.about, [f"a fault of our own: {error!r}"], 0.0, ())


@asynccontextmanager
async def _hearing(language: str, environ: Mapping[str, str]) -> AsyncIterator[RealHearing]:
    """The engines that the environment names, and the neural voice activity detector."""
    settings = load_settings({**environ, "STT_LANGUAGE": language, "AGENT_LANGUAGE": language})
    profile = load_profile(settings)
    engines = choose_engines(settings, profile, House(), lambda _works, _why: None)
    voice_activity = VoiceActivity()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engines.recognizer.close)
        await engines.recognizer.warm_up()
        stack.push_async_callback(voice_activity.close)
        await voice_activity.start()
        yield RealHearing(engines.recognizer, voice_activity)


def _sounds(loaded: LoadedScenario) -> dict[Speak | Play, Uttered]:
    """The scenario's audio. Takes a moment; raises `ProviderError`, `OSError`, `ValueError`."""
    acts = [step.act for step in loaded.scenario.steps]
    made: dict[Speak | Play, Uttered] = {}
    spoken = [act for act in acts if isinstance(act, Speak)]
    played = [act for act in acts if isinstance(act, Play)]
    if spoken:
        pcm, rate_hz = speak([act.text for act in spoken])
        for speech, samples in zip(spoken, pcm, strict=True):
            made[speech] = _levelled(sounds.from_pcm16(samples, rate_hz), speech.text)
    for file in played:
        made[file] = _levelled(sounds.read_wav(loaded.directory / file.file), file.file)
    return made


def _levelled(samples: sounds.Samples, what: str) -> Uttered:
    return caller_voice.sounded(sounds.utterance(samples, what))

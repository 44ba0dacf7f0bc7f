"""Short real exchanges with the engines: hear silence, say a word, think of one.

Engines flow in as the service itself makes them, what they did flows out. Each is made and
closed here; nothing is kept and no caller is served.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.doctor.facts import Facts, Outcome, RecognizerSeen, VoiceSeen
from voiceagent.errors import ProviderError, SettingsError
from voiceagent.settings import Settings
from voiceagent.speech.google_channel import credentials_of, host_of
from voiceagent.speech.google_stt import GoogleRecognizer
from voiceagent.speech.google_tts import SERVICE as GOOGLE_TTS_SERVICE
from voiceagent.speech.google_tts import GoogleSynthesizer
from voiceagent.speech.google_voices import voices_of
from voiceagent.wiring.brains import House
from voiceagent.wiring.engines import Engines, choose_engines


def make_engines(settings: Settings, profile: AgentProfile, facts: Facts) -> Engines | None:
    """As the service makes them; None, with the faults noted, when it could not either."""
    try:
        return choose_engines(settings, profile, House(), lambda _works, _why: None)
    except SettingsError as error:
        facts.engine_faults = tuple(error.faults)
        return None


async def probe_ears(settings: Settings, engines: Engines, facts: Facts) -> None:
    """Have a moment of silence recognised in the language of the settings."""

    async def listen() -> None:
        await engines.recognizer.warm_up()
        # An engine that works may still not know the language.
        await engines.recognizer.open(settings.stt_language).close()

    outcome = await outcome_of(listen)
    refused = False
    if isinstance(engines.recognizer, GoogleRecognizer) and settings.stt_model is not None:
        granted = engines.recognizer.wishes(settings.stt_language, ())
        refused = outcome.works and granted.model != settings.stt_model
    facts.recognizer = RecognizerSeen(outcome, refused)


async def probe_voice(settings: Settings, engines: Engines, facts: Facts) -> None:
    """Have a word spoken, and see which voices there are."""
    voice = engines.first_voice
    outcome = await outcome_of(voice.warm_up)
    if not isinstance(voice, GoogleSynthesizer):
        facts.voice = VoiceSeen(outcome, settings.tts_voice or "")
        return
    offered = None
    if outcome.works:
        with suppress(ProviderError):
            inline = settings.gcp_credentials_json
            offered = await voices_of(
                host_of(settings.google_tts_endpoint, GOOGLE_TTS_SERVICE),
                credentials_of(
                    settings.google_application_credentials,
                    inline.get_secret_value() if inline else None,
                ),
                settings.agent_language,
            )
    facts.voice = VoiceSeen(outcome, voice.voice(settings.agent_language), offered)


async def probe_model(engines: Engines, facts: Facts) -> None:
    """Have the language model say a word, where there is one."""
    if engines.model is not None:
        facts.model = await outcome_of(engines.model.warm_up)


async def close_engines(engines: Engines) -> None:
    """End their processes and connections."""
    await engines.recognizer.close()
    await engines.synthesizer.close()
    if engines.model is not None:
        await engines.model.close()


async def outcome_of(work: Callable[[], Awaitable[None]]) -> Outcome:
    """Whether that worked."""
    try:
        await work()
    except ProviderError as error:
        return Outcome(works=False, said=str(error), retryable=error.retryable)
    return Outcome(works=True)

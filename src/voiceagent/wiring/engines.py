"""Which engines hear, speak and think, by the settings.

Settings flow in, adapters behind their ports flow out. The vendors' libraries are
imported later, in each engine's own warm-up: nothing here is slow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.canned import CannedBrain
from voiceagent.brain.chat import ChatModel
from voiceagent.brain.ports import Brain
from voiceagent.call.speaking import PhraseStore
from voiceagent.errors import SettingsError
from voiceagent.metrics import Metrics, error_kind
from voiceagent.observability.measured import MeasuredSynthesizer, measured_model
from voiceagent.settings import Settings
from voiceagent.speech.google_channel import (
    GoogleCredentials,
    credentials_of,
    host_of,
    require_access,
)
from voiceagent.speech.google_stt import SERVICE as GOOGLE_STT_SERVICE
from voiceagent.speech.google_stt import GoogleRecognizer
from voiceagent.speech.google_tts import SERVICE as GOOGLE_TTS_SERVICE
from voiceagent.speech.google_tts import GoogleSynthesizer
from voiceagent.speech.local_stt import LocalRecognizer
from voiceagent.speech.local_tts import LocalSynthesizer
from voiceagent.speech.phrase_cache import PhraseCache
from voiceagent.speech.ports import SpeechRecognizer, SpeechSynthesizer
from voiceagent.speech.spoken import spoken
from voiceagent.speech.synthesizer_pair import SynthesizerPair
from voiceagent.wiring.brains import House, choose_brain, choose_model


@dataclass(frozen=True, slots=True)
class Engines:
    """What hears, speaks and thinks in this process."""

    recognizer: SpeechRecognizer
    synthesizer: SpeechSynthesizer
    brain: Brain
    first_voice: SpeechSynthesizer
    """Whose sound the fixed phrases are to have."""
    second_voice: SpeechSynthesizer | None = None
    """What speaks while the first voice is away."""
    first_voice_works: Callable[[], bool] = lambda: True
    phrase_store: PhraseStore | None = None
    model: ChatModel | None = None
    """The language model that thinks; None: a script does."""
    brain_of: Callable[[AgentProfile], Brain] | None = None
    """What thinks for another agent; None: the same for all of them."""
    expected_of: Callable[[AgentProfile], Sequence[str]] = lambda _: ()
    """What ears are to expect besides what they know, whoever thinks."""


def choose_engines(
    settings: Settings,
    profile: AgentProfile,
    house: House,
    on_voice_change: Callable[[bool, str], None],
    metrics: Metrics | None = None,
) -> Engines:
    """The engines that the settings name.

    `on_voice_change(works, why)` is called when the first of two voices begins to fail and
    when it is back. Raises `SettingsError`.
    """
    metrics = metrics or Metrics()
    if settings.bench_engines:
        return _bench(settings, metrics)
    model = measured_model(choose_model(settings), "call", metrics)
    brain_of = partial(choose_brain, settings, house=house, model=model)
    brain = brain_of(profile)
    credentials = _credentials(settings)
    _check_access(settings, credentials)
    recognizer = _recognizer(settings, credentials, profile)
    if settings.tts_engine == "local":
        voice = LocalSynthesizer(voice=settings.tts_voice)
        heard = MeasuredSynthesizer(voice, metrics)
        return Engines(
            recognizer,
            heard,
            brain,
            voice,
            model=model,
            brain_of=brain_of,
            expected_of=hints_of,
        )
    first = GoogleSynthesizer(
        host_of(settings.google_tts_endpoint, GOOGLE_TTS_SERVICE),
        credentials,
        language=brain.language,
        read_aloud=spoken,
        voice=settings.tts_voice,
    )
    second = LocalSynthesizer()
    pair = SynthesizerPair(
        MeasuredSynthesizer(first, metrics),
        MeasuredSynthesizer(second, metrics),
        on_change=on_voice_change,
        on_failure=lambda error: metrics.tts_errors.labels(first.name, error_kind(error)).inc(),
        read_aloud=spoken,
    )
    store = PhraseCache(settings.data_dir / "phrases").shelf(first.name, first.voice, spoken)
    return Engines(
        recognizer,
        pair,
        brain,
        first_voice=first,
        second_voice=second,
        first_voice_works=lambda: pair.first_works,
        phrase_store=store,
        model=model,
        brain_of=brain_of,
        expected_of=hints_of,
    )


def _bench(settings: Settings, metrics: Metrics) -> Engines:
    # Not for production, so not imported by it.
    from voiceagent.speech.bench_engines import CannedRecognizer, ToneSynthesizer  # noqa: PLC0415

    tone = ToneSynthesizer(settings.bench_reply_seconds)
    voice = MeasuredSynthesizer(tone, metrics)
    return Engines(CannedRecognizer(), voice, CannedBrain(), first_voice=tone)


def _credentials(settings: Settings) -> GoogleCredentials | None:
    inline = settings.gcp_credentials_json
    return credentials_of(
        settings.google_application_credentials, inline.get_secret_value() if inline else None
    )


def _check_access(settings: Settings, credentials: GoogleCredentials | None) -> None:
    """Raises `SettingsError` for each engine of Google's that has no key and needs one."""
    faults: list[str] = []
    for variable, engine, endpoint, service in (
        ("STT_ENGINE", settings.stt_engine, settings.google_stt_endpoint, GOOGLE_STT_SERVICE),
        ("TTS_ENGINE", settings.tts_engine, settings.google_tts_endpoint, GOOGLE_TTS_SERVICE),
    ):
        if engine == "google":
            try:
                require_access(variable, host_of(endpoint, service), credentials)
            except SettingsError as error:
                faults += error.faults
    if faults:
        raise SettingsError(faults)


def _recognizer(
    settings: Settings, credentials: GoogleCredentials | None, profile: AgentProfile
) -> SpeechRecognizer:
    if settings.stt_engine == "local":
        return LocalRecognizer()
    return GoogleRecognizer(
        credentials,
        endpoint=settings.google_stt_endpoint,
        language=settings.stt_language,
        model=settings.stt_model,
        api=settings.google_stt_api,
        region=settings.google_stt_region,
        recognizer=settings.google_stt_recognizer,
        endpointing=settings.google_stt_endpointing,
        hints=hints_of(profile),
    )


def hints_of(profile: AgentProfile) -> tuple[str, ...]:
    """Names, streets, products: what this business's callers are likely to say."""
    phrases = [profile.business]
    for question in profile.questions:
        phrases += question.expect
        for answer in question.answers:
            phrases += answer.say
    return tuple(dict.fromkeys(phrases))

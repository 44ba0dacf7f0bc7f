"""What goes over the wire to Google's speech-to-text, API v1 and v2.

A call's wishes flow in, request messages flow out; response messages flow in, plain
results flow out; gRPC's statuses become failures. The vendor modules are handed in, loaded:
this module imports none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Final, Literal, Protocol

from voiceagent.call.audio import SAMPLE_RATE_HZ
from voiceagent.speech.google_stt_policy import Failure, Heard

Endpointing = Literal["standard", "short", "supershort"]

_MAX_PHRASES: Final = 500
_MAX_PHRASE_CHARS: Final = 100
"""Longer phrases are refused (quota of speech adaptation)."""
_HINT_BOOST: Final = 10.0
"""Of 0 to 20; Google's own advice for a start."""

_FATAL: Final = frozenset(
    {
        "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
        "FAILED_PRECONDITION", "UNIMPLEMENTED", "UNAUTHENTICATED",
    }
)  # fmt: skip
"""The same request would fail in the same way. All others may heal."""
_REFUSED: Final = frozenset({"INVALID_ARGUMENT", "NOT_FOUND"})
_STATUS_LOST: Final = "Internal error from Core"
"""What gRPC's library says when a stream ended while a message was being written."""
_LANGUAGES: Final = {"he": "iw", "yi": "ji"}
"""Google keeps the codes that ISO 639 withdrew."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a stream is asked for."""

    language: str
    """Google's own code, see `google_language`."""
    model: str | None = None
    hints: tuple[str, ...] = ()
    voice_events: bool = True
    endpointing: Endpointing | None = None
    """v2 only."""
    recognizer: str = ""
    """v2 only: `projects/P/locations/L/recognizers/R`."""

    def plainer(self, why: str) -> "tuple[Wishes, str] | None":
        """The same with less that Google could refuse, and what was given up.

        `why` is Google's sentence: hints are given up first when it is about them.
        """
        if self.hints and any(word in why.lower() for word in ("adapt", "phrase", "context")):
            return replace(self, hints=()), "speech hints"
        if self.model is not None:
            return replace(self, model=None), f"the model {self.model!r}"
        if self.endpointing is not None:
            return replace(self, endpointing=None), f"the endpointing {self.endpointing!r}"
        return None


class Wire(Protocol):
    """One version of the API."""

    module: str
    """The vendor module to load."""

    def client(self, vendor: ModuleType, channel: Any) -> Any: ...

    def first_request(self, wishes: Wishes) -> Any: ...

    def audio_request(self, ulaw: bytes) -> Any: ...

    def results(self, response: Any) -> list[Heard]:
        """Empty: a sign of life. Raises `ErrorInResponse`."""


class ErrorInResponse(Exception):
    """v1 may tell an error as a message instead of a status; `code` is gRPC's number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def google_language(language: str) -> str:
    """`he-IL` is `iw-IL` there."""
    head, dash, rest = language.replace("_", "-").partition("-")
    return f"{_LANGUAGES.get(head.lower(), head)}{dash}{rest}"


def usable_hints(*sources: Sequence[str]) -> tuple[str, ...]:
    """The phrases of all sources, each once, earlier sources first, within Google's limits."""
    phrases: dict[str, None] = {}
    for source in sources:
        for phrase in source:
            text = " ".join(phrase.split())
            if text and len(text) <= _MAX_PHRASE_CHARS:
                phrases.setdefault(text)
    return tuple(phrases)[:_MAX_PHRASES]


def failure_of(status: str, details: str) -> Failure:
    """`status`: the name of the gRPC status code."""
    if details.startswith(_STATUS_LOST):
        return Failure("Google ended the stream; its status was lost", status_lost=True)
    reason = f"Google: {status}: {details}"[:300]
    return Failure(
        reason,
        fatal=status in _FATAL,
        expected=status == "OUT_OF_RANGE",
        refused=status in _REFUSED,
    )


class WireV1:
    """`google.cloud.speech.v1.Speech`."""

    module = "google.cloud.speech_v1"

    def client(self, vendor: ModuleType, channel: Any) -> Any:
        self._types = types = vendor.types.cloud_speech
        # Raw messages: building one of the library's wrappers takes ten times as long.
        self._request = types.StreamingRecognizeRequest.pb()
        self._response = types.StreamingRecognizeResponse
        transport = vendor.SpeechAsyncClient.get_transport_class("grpc_asyncio")(channel=channel)
        return vendor.SpeechAsyncClient(transport=transport)

    def first_request(self, wishes: Wishes) -> Any:
        types = self._types
        config = {
            "encoding": types.RecognitionConfig.AudioEncoding.MULAW,
            "sample_rate_hertz": SAMPLE_RATE_HZ,
            "audio_channel_count": 1,
            "language_code": wishes.language,
            "max_alternatives": 1,
        }
        if wishes.model is not None:
            config["model"] = wishes.model
        if wishes.hints:
            config["speech_contexts"] = [{"phrases": list(wishes.hints), "boost": _HINT_BOOST}]
        streaming = types.StreamingRecognitionConfig(
            config=config,
            interim_results=True,
            enable_voice_activity_events=wishes.voice_events,
        )
        return types.StreamingRecognizeRequest.pb(
            types.StreamingRecognizeRequest(streaming_config=streaming)
        )

    def audio_request(self, ulaw: bytes) -> Any:
        return self._request(audio_content=ulaw)

    def results(self, response: Any) -> list[Heard]:
        raw = self._response.pb(response)
        if raw.error.code:
            raise ErrorInResponse(raw.error.code, raw.error.message)
        return [_heard(result, result.result_end_time) for result in raw.results]


class WireV2:
    """`google.cloud.speech.v2.Speech`."""

    module = "google.cloud.speech_v2"

    def client(self, vendor: ModuleType, channel: Any) -> Any:
        types = vendor.types.cloud_speech
        self._types = types
        self._request = types.StreamingRecognizeRequest.pb()
        self._response = types.StreamingRecognizeResponse
        transport = vendor.SpeechAsyncClient.get_transport_class("grpc_asyncio")(channel=channel)
        return vendor.SpeechAsyncClient(transport=transport)

    def first_request(self, wishes: Wishes) -> Any:
        types = self._types
        config: dict[str, Any] = {
            "explicit_decoding_config": {
                "encoding": types.ExplicitDecodingConfig.AudioEncoding.MULAW,
                "sample_rate_hertz": SAMPLE_RATE_HZ,
                "audio_channel_count": 1,
            },
            "language_codes": [wishes.language],
            "features": {"max_alternatives": 1},
        }
        if wishes.model is not None:
            config["model"] = wishes.model
        if wishes.hints:
            phrases = [{"value": hint} for hint in wishes.hints]
            inline = {"inline_phrase_set": {"phrases": phrases, "boost": _HINT_BOOST}}
            config["adaptation"] = {"phrase_sets": [inline]}
        features: dict[str, Any] = {
            "interim_results": True,
            "enable_voice_activity_events": wishes.voice_events,
        }
        if wishes.endpointing is not None:
            sensitivity = types.StreamingRecognitionFeatures.EndpointingSensitivity
            features["endpointing_sensitivity"] = sensitivity[
                f"ENDPOINTING_SENSITIVITY_{wishes.endpointing.upper()}"
            ]
        return types.StreamingRecognizeRequest.pb(
            types.StreamingRecognizeRequest(
                recognizer=wishes.recognizer,
                streaming_config=types.StreamingRecognitionConfig(
                    config=config, streaming_features=features
                ),
            )
        )

    def audio_request(self, ulaw: bytes) -> Any:
        return self._request(audio=ulaw)

    def results(self, response: Any) -> list[Heard]:
        raw = self._response.pb(response)
        return [_heard(result, result.result_end_offset) for result in raw.results]


def _heard(result: Any, end: Any) -> Heard:
    end_ms = end.seconds * 1000.0 + end.nanos / 1e6
    return Heard(
        result.alternatives[0].transcript if result.alternatives else "",
        result.is_final,
        result.stability,
        end_ms or None,
    )

"""Which voices Google's text-to-speech offers for a language.

A language flows in, names flow out, by one request on a channel of its own. It speaks nothing.
"""

import asyncio
from typing import Final

from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.google_channel import GoogleCredentials, GoogleHost, load, open_channel
from voiceagent.speech.google_faults import provider_error

DEADLINE_S: Final = 10.0
_METHOD: Final = "/google.cloud.texttospeech.v1.TextToSpeech/ListVoices"
_MODULE: Final = "google.cloud.texttospeech_v1"


async def voices_of(
    host: GoogleHost, credentials: GoogleCredentials | None, language: str
) -> tuple[str, ...]:
    """The names in order. Raises `ProviderError`."""
    api = await load(_MODULE)
    channel = open_channel(host, credentials)
    try:
        ask = channel.unary_unary(
            _METHOD,
            request_serializer=api.ListVoicesRequest.serialize,
            response_deserializer=api.ListVoicesResponse.deserialize,
        )
        async with asyncio.timeout(DEADLINE_S):
            answer = await ask(api.ListVoicesRequest(language_code=language))
    except TimeoutError:
        raise EngineTimeout("Google did not list its voices in time") from None
    except ProviderError:
        raise
    except Exception as error:
        raise provider_error("Google's text-to-speech", error) from None
    finally:
        await channel.close(None)
    return tuple(sorted(voice.name for voice in answer.voices))

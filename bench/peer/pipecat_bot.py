"""The peer: a pipecat bot on Twilio's protocol, as its own templates make one.

Media Streams flow in and out at `/ws`. Ears, thought and voice are canned, like those of
`BENCH_ENGINES=1`: a transcript at once when the detector hears a pause, one sentence at once,
`REPLY_SECONDS` of an audible tone at once. Detector (Silero, 8 kHz), turn-taking, memory,
interruption and pacing are pipecat's own. Needs `requirements.txt` beside it, nothing else:

    python pipecat_bot.py --port 8100
"""

import argparse
import math
import struct
from collections.abc import AsyncGenerator

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.fastapi import (
    FastAPIWebsocketParams,
    FastAPIWebsocketTransport,
)
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 8_000
REPLY_SECONDS = 3.0
SILENCE_S = 0.3
"""Of silence that ends a turn, as `voiceagent` waits at least."""
ONSET_S = 0.12
"""Of speech that interrupts: `BARGE_IN_MIN_MS`."""
TONE = b"".join(
    struct.pack("<h", int(3276 * math.sin(2 * math.pi * 440 * n / RATE_HZ)))
    for n in range(int(REPLY_SECONDS * RATE_HZ))
)


class CannedEars(STTService):
    """Understands every utterance at once."""

    def __init__(self) -> None:
        super().__init__(ttfs_p99_latency=0.0, settings=STTSettings(model="canned", language=None))

    async def run_stt(self, _audio: bytes) -> AsyncGenerator[Frame | None, None]:
        yield None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            await self.push_frame(
                TranscriptionFrame("bench utterance", "caller", time_now_iso8601(), finalized=True)
            )


class CannedThought(FrameProcessor):
    """Answers every context with one sentence."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        await self.push_frame(LLMTextFrame("This is the answer."))
        await self.push_frame(LLMFullResponseEndFrame())


class CannedVoice(TTSService):
    """Says everything as a tone."""

    def __init__(self) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=RATE_HZ,
            settings=TTSSettings(model="canned", voice="tone", language=None),
        )

    async def run_tts(self, _text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        yield TTSAudioRawFrame(TONE, RATE_HZ, 1, context_id=context_id)


async def talk(websocket: WebSocket) -> None:
    """One call, to its end."""
    _, call = await parse_telephony_websocket(websocket)
    serializer = TwilioFrameSerializer(
        stream_sid=call["stream_id"],
        call_sid=call["call_id"],
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, serializer=serializer
        ),
    )
    aggregators = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(
            vad_analyzer=SileroVADAnalyzer(
                sample_rate=RATE_HZ,
                params=VADParams(start_secs=ONSET_S, stop_secs=SILENCE_S),
            ),
            user_turn_strategies=UserTurnStrategies(
                start=[VADUserTurnStartStrategy()],
                # The detector has waited through the silence already.
                stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)],
            ),
        ),
    )
    pipeline = Pipeline(
        [
            transport.input(),
            CannedEars(),
            aggregators.user(),
            CannedThought(),
            CannedVoice(),
            transport.output(),
            aggregators.assistant(),
        ]
    )
    worker = PipelineWorker(
        pipeline,
        params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
        enable_rtvi=False,
    )

    @transport.event_handler("on_client_disconnected")
    async def _gone(_transport: object, _client: object) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


app = FastAPI()


@app.get("/healthz")
async def healthz() -> dict[str, bool]:
    return {"ok": True}


@app.websocket("/ws")
async def media(websocket: WebSocket) -> None:
    await websocket.accept(
        subprotocol="audio.twilio.com" if websocket.headers.get("sec-websocket-protocol") else None
    )
    await talk(websocket)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8100)
    arguments = parser.parse_args()
    logger.remove()
    uvicorn.run(
        app,
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="error",
    )


if __name__ == "__main__":
    main()

"""This service with Google's ears and voice over gRPC, and a thought that costs nothing.

`uvicorn bench.google_app:app`: settings flow in as ever and the whole application flows out;
only its brain is that of `BENCH_ENGINES=1`, so that what is compared with it is the speech.
"""

from dataclasses import replace
from typing import Any

import voiceagent.app
from voiceagent.brain.canned import CannedBrain
from voiceagent.wiring.engines import Engines, choose_engines


def _engines(*given: Any) -> Engines:
    return replace(
        choose_engines(*given), brain=CannedBrain(), brain_of=None, expected_of=lambda _: ()
    )


voiceagent.app.choose_engines = _engines
app = voiceagent.app.create_app()

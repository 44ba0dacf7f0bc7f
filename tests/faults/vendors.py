"""Google, the language model and every way to the outside, in a process of their own.

A JSON document with what callers say and where the ways lead flows in by standard input, then
orders, one a line; an empty line of JSON answers each once it is done. Apart from the phones,
so that what is measured of these is not the work of those.
"""

import asyncio
import binascii
import gc
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from emulators.google import serving
from emulators.google_texttospeech import TextToSpeechEmulator
from emulators.openai_rules import Action, Asked, Call
from emulators.openai_server import OpenAIEmulator
from emulators.recorded_words import RecordedSpeech
from emulators.way import Condition, Way
from whole_service import ROOT

FIRST_TOKEN_MS: Final = 250.0
TOKEN_MS: Final = 15.0
NOT_UNDERSTOOD: Final = "I did not get that."
"""What the model answers to words that nobody says here, such as half a sentence."""
TRANSFER: Final = "transfer_to_person"
OWN: Final = ("stt", "tts", "llm")
"""Ways that lead to emulators of this process."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that callers say."""

    text: str
    frames: Sequence[str]
    """µ-law of 20 ms each, as the phone codes it (base64)."""
    answer: str
    """What the model answers to it; empty: it puts the caller through."""


class Model:
    """Answers each sentence that is known by its answer."""

    def __init__(self, answers: Mapping[str, str], put_through: str) -> None:
        self._answers = answers
        self._put_through = put_through

    def __call__(self, asked: Asked) -> Action:
        if TRANSFER in asked.results:
            return Action(self._put_through)
        answer = self._answers.get(asked.last_words.strip())
        if answer is None:
            return Action(NOT_UNDERSTOOD)
        if not answer:
            return Action(calls=(Call(TRANSFER, '{"reason": "wants a person"}'),))
        return Action(answer)


async def _serve(order: Mapping[str, Any]) -> None:
    said = [Said(**one) for one in order["said"]]
    ears = RecordedSpeech().knowing(
        {one.text: [binascii.a2b_base64(frame) for frame in one.frames] for one in said}
    )
    model = Model({one.text: one.answer for one in said}, order["put_through"])
    voice = TextToSpeechEmulator(stream_message_bytes=4800)
    async with AsyncExitStack() as stack:
        google = await stack.enter_async_context(serving(ears, voice))
        thinking = OpenAIEmulator(model, first_token_ms=FIRST_TOKEN_MS, token_ms=TOKEN_MS)
        await stack.enter_async_context(thinking)
        google = google.removeprefix("insecure://")
        targets = {
            "stt": google,
            "tts": google,
            "llm": thinking.base_url.removeprefix("http://").removesuffix("/v1"),
            **order["targets"],
        }
        ways = {
            name: await stack.enter_async_context(Way(target)) for name, target in targets.items()
        }
        _tell({name: way.port for name, way in ways.items()})
        gc.freeze()
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            wanted = json.loads(line)
            for name in wanted["ways"]:
                await ways[name].become(Condition(**wanted["condition"]))
            _tell({})


def _tell(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


class Vendors:
    """The other process, from here."""

    def __init__(self, process: asyncio.subprocess.Process, ports: Mapping[str, int]) -> None:
        self._process = process
        self.ports = ports
        self.pid = process.pid
        self._one_at_a_time = asyncio.Lock()

    async def become(self, condition: Condition, *ways: str) -> None:
        """Have these ways be like that."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._one_at_a_time:
            order = {"ways": ways, "condition": asdict(condition)}
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            assert await self._process.stdout.readline()


@asynccontextmanager
async def vendors(
    said: Sequence[Said], put_through: str, targets: Mapping[str, str], log: Path
) -> AsyncIterator[Vendors]:
    """Start them; `targets` are where further ways lead, by name."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "faults.vendors"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"},
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        order = {
            "said": [asdict(one) for one in said],
            "put_through": put_through,
            "targets": dict(targets),
        }
        process.stdin.write(json.dumps(order).encode() + b"\n")
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(await asyncio.to_thread(log.read_text))
        yield Vendors(process, json.loads(line))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


if __name__ == "__main__":
    uvloop.run(_serve(json.loads(sys.stdin.readline())))

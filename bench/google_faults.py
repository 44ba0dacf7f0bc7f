"""Whole calls in Hebrew while Google's recogniser fails in every way: a table.

    python bench/google_faults.py

Each row is one call of three utterances over real gRPC against the emulator. Printed are
how many utterances the brain was given word for word, the longest time from the end of an
utterance to the agent's next sound, and how the call ended.
"""

import asyncio
import logging
import sys
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "call"), str(ROOT / "src")]

from emulators.google_speech import Fault, SpeechEmulator  # noqa: E402
from emulators.hebrew_call import SCRIPT, Outcome, hebrew_call, hebrew_ears  # noqa: E402

AT_ONCE = 8
AMID_SPEECH_MS = 1900
LIMIT_MS = 3000


def cases() -> dict[str, tuple[SpeechEmulator, Fault | None, bool]]:
    """(emulator, fault, whether only the call's first stream has it)."""
    found: dict[str, tuple[SpeechEmulator, Fault | None, bool]] = {}
    for status in grpc.StatusCode:
        if status is not grpc.StatusCode.OK:
            name = status.name
            amid = Fault(status, after_ms=AMID_SPEECH_MS)
            found[f"{name} at the start, once"] = SpeechEmulator(), Fault(status), True
            found[f"{name} at the start, always"] = SpeechEmulator(), Fault(status), False
            found[f"{name} amid speech, once"] = SpeechEmulator(), amid, True
            found[f"{name} amid speech, always"] = SpeechEmulator(), amid, False
    hang, later = Fault(hangs=True, after_ms=1), Fault(hangs=True, after_ms=AMID_SPEECH_MS)
    found["hang from the start, once"] = SpeechEmulator(), hang, True
    found["hang amid speech, once"] = SpeechEmulator(), later, True
    found["hang, always"] = SpeechEmulator(), hang, False
    found["slow: 0.5 s"] = SpeechEmulator(response_delay_s=0.5), None, True
    found["slow: 1.5 s"] = SpeechEmulator(response_delay_s=1.5), None, True
    found["slow: 3 s"] = SpeechEmulator(response_delay_s=3.0), None, True
    found["finals 1.6 s late"] = SpeechEmulator(final_delay_s=1.6), None, True
    found["10 % of the responses dropped"] = SpeechEmulator(drop_share=0.1), None, True
    found["limit of a stream amid speech"] = SpeechEmulator(limit_ms=LIMIT_MS), None, True
    found["nothing wrong"] = SpeechEmulator(), None, True
    return found


async def _main() -> int:
    room = asyncio.Semaphore(AT_ONCE)

    async def call(emulator: SpeechEmulator, fault: Fault | None, once: bool) -> Outcome:
        async with room, hebrew_ears(emulator) as recognizer:
            if once:
                emulator.faults.append(fault)
            else:
                emulator.always = fault
            return await hebrew_call(recognizer)

    rows = cases()
    outcomes = await asyncio.gather(*(call(*case) for case in rows.values()))
    print("| Google | understood | longest wait | end |\n|---|---|---|---|")
    for name, outcome in zip(rows, outcomes, strict=True):
        right = sum(text in outcome.asked for text in SCRIPT)
        apology = outcome.played[-4:] == ["nobody", "can", "hear", "you"]
        end = outcome.reason + (" after an apology" if apology else "")
        print(f"| {name} | {right} of {len(SCRIPT)} | {outcome.longest_wait_ms:.0f} ms | {end} |")
    return 0


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    raise SystemExit(asyncio.run(_main()))

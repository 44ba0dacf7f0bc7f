"""What recording a call costs the event loop, and the thread behind it.

    python bench/recording.py --calls 100 --seconds 30

Plays the tapes of so many calls as fast as they are taken: one frame each way each 20 ms and a
mark each 200 ms. Prints, a frame of both sides: the time on the loop, and the time on the
thread, which includes the disk; and how much of one core a second of all calls takes on each.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from voiceagent.call.audio import FRAME_BYTES, FRAME_MS
from voiceagent.recordings.studio import WRITE_EVERY_S, Studio

FRAME = bytes(range(FRAME_BYTES))
FRAMES_A_MARK = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0, help="of sound in each call")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(Path(folder), arguments.calls, arguments.seconds))))


async def measure(folder: Path, calls: int, seconds: float) -> dict[str, float]:
    studio = Studio(folder, on_recorded=lambda: None, most_tapes=calls)
    tapes = [studio.tape(f"CA{n}") for n in range(calls)]
    for tape in tapes:
        tape.begin(0)
        tape.notice_heard()
    rounds, frames = round(seconds / WRITE_EVERY_S), round(WRITE_EVERY_S * 1000 / FRAME_MS)
    loop_s = thread_s = longest_s = 0.0
    for turn in range(rounds):
        began = time.perf_counter()
        for tape in tapes:
            for n in range(frames):
                tape.caller(FRAME)
                tape.agent(FRAME)
                if n % FRAMES_A_MARK == 0:
                    tape.mark(f"{turn} {n}")
                    tape.mark_came(f"{turn} {n}")
        loop_s += time.perf_counter() - began
        began = time.perf_counter()
        await studio.write()
        lasted_s = time.perf_counter() - began
        thread_s += lasted_s
        longest_s = max(longest_s, lasted_s)
    await studio.close()
    both_sides = calls * rounds * frames
    return {
        "loop_us_a_frame": round(loop_s / both_sides * 1e6, 2),
        "thread_us_a_frame": round(thread_s / both_sides * 1e6, 2),
        "loop_share_of_a_core": round(loop_s / seconds, 4),
        "thread_share_of_a_core": round(thread_s / seconds, 4),
        "longest_write_ms": round(longest_s * 1000, 1),
    }


if __name__ == "__main__":
    main()

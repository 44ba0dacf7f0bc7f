"""Calls whose messages come in any order: nothing but a call that ends in order comes of it.

Each call is made of forty steps by a seed: speech, keys, marks that were never asked for or never
come back, a second `start`, another stream's audio, rubbish, silence, a stop and what follows it.
The world at the end of each checks that its record is whole and nothing is left. Several thousand
calls: FUZZ_CALLS=5000.
"""

import asyncio
import json
import os
import random

import pytest
from session_world import CALL, STREAM, Call, call
from warped_time import on_warped_time

from faults import bad_peers
from voiceagent.brain.ports import Say
from voiceagent.simulator import messages

SEED = 20
CALLS = int(os.environ.get("FUZZ_CALLS", "8"))
STEPS = 40
ANSWERS = 60
"""More than anybody can ask for in so many steps."""


async def step(c: Call, rng: random.Random) -> None:
    phone = c.phone
    match rng.randrange(17):
        case 0 | 1 | 2:
            await asyncio.sleep(rng.choice((0.02, 0.3, 1.0, 4.0)))
        case 3 | 4:
            await c.say(rng.choice(("hello", "yes please", "no", "a longer thing to say", "")))
        case 5:
            await phone.voice(rng.choice((20, 60, 200, 1500)))
        case 6:
            phone.press("".join(rng.choices("0123456789*#", k=rng.choice((1, 2, 40)))))
        case 7:
            names = [sent.body["mark"]["name"] for sent in phone.sent if sent.event == "mark"]
            name = rng.choice([*names, "g0:0", "g999:end0:4", "", "x" * 900])
            phone.put(messages.mark(STREAM, rng.randrange(9), name))
        case 8:
            phone.put(rng.choice((bad_peers.start("CA_SECOND"), bad_peers.start(CALL, STREAM))))
        case 9:
            phone.put_media(rng.randbytes(rng.choice((0, 1, 159, 160, 4000))), "MZ_OTHER")
        case 10:
            phone.put_media(rng.randbytes(rng.choice((0, 1, 159, 161, 1600, 16_000))))
        case 11:
            phone.put(rng.randbytes(rng.choice((0, 1, 400))))
        case 12:
            phone.put(_harmless(rng))
        case 13:
            phone.put(messages.CONNECTED)
        case 14:
            phone.returns_marks = rng.random() < 0.5
        case 15:
            phone.is_silent = rng.random() < 0.5
        case _:
            late = messages.media(STREAM, 1, 1, rng.choice((0, 10**14, 5)), "fn5+")
            for _ in range(rng.choice((1, 30))):
                phone.put(late)


def _harmless(rng: random.Random) -> str:
    """Rubbish that is no good `stop` of this very stream: those have steps of their own."""
    while True:
        made = bad_peers.rubbish(rng)
        if isinstance(made, bytes):
            return made.decode("latin-1")
        if '"stop"' not in made:
            return made


async def held(seed: int) -> None:
    """One call, from its beginning to its end."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    async with call([[Say(f"answer {number}")] for number in range(ANSWERS)]) as c:
        for _ in range(rng.randrange(STEPS)):
            work = asyncio.ensure_future(step(c, rng))
            # A phone whose call is over says nothing to its end.
            await asyncio.wait({work, c.running}, return_when=asyncio.FIRST_COMPLETED)
            if c.running.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                break
            await work
        match rng.randrange(4):
            case 0:
                c.phone.vanish()
            case 1:
                c.phone.put(json.dumps({"event": "stop", "streamSid": STREAM}))
                c.phone.put_media(b"\xff" * 160)
                c.phone.put(messages.mark(STREAM, 9, "g0:0"))
                c.phone.stop()
            case _:
                c.phone.stop()


@pytest.mark.parametrize("part", range(4))
@on_warped_time
async def test_any_order_ends_in_order(part: int) -> None:
    for number in range(part, CALLS, 4):
        try:
            await held(SEED * 100_000 + number)
        except BaseException as error:
            error.add_note(f"the call of seed {SEED * 100_000 + number}")
            raise

"""New inputs from old ones, by a seed: for the suite, and where no coverage guides.

Kept inputs and tokens flow in; mutants flow out, the same ones for the same seed. It knows
nothing of what they are for.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Final

MAX_BYTES: Final = 4096
TOKENS: Final = (
    b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"%00", b"%ED%A0%80", b"\r\n", b"\n",
    b"-1", b"0", b"9223372036854775808", b"1e999", b"NaN", b"-Infinity", b"null", b"true", b"[]",
    b"{}", b'""', b"[" * 300, b'{"a":' * 200, b"9" * 4400, b"A" * 600, "\u202e\u05d0".encode(),
    "\U0001f600".encode(), b"&", b"=", b"%", b";", b"'", b'"', b"<!--", b"../", b"RIFF", b"RF64",
    b"\xff\xff\xff\xff", b"WAVE", b"data", b"OggS", b"OpusHead", b"2026-02-30T25:61:61Z", b"+00:00",
)  # fmt: skip


def mutants(seeds: Sequence[bytes], count: int, rng: random.Random) -> Iterator[bytes]:
    """So many inputs, each made of a kept one by one to eight changes."""
    for _ in range(count):
        data = bytearray(rng.choice(seeds) if seeds else b"")
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            _change(data, seeds, rng)
        yield bytes(data[:MAX_BYTES])


def _change(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randint(0, len(data))
    to = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
    match rng.randrange(7):
        case 0:  # another byte
            data[at:to] = rng.randbytes(to - at)
        case 1:  # one bit
            if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
        case 2:  # out
            del data[at:to]
        case 3:  # twice
            data[at:at] = data[at:to]
        case 4:  # a token in, or instead
            data[at : rng.choice((at, to))] = rng.choice(TOKENS)
        case 5 if seeds:  # the rest of another
            other = rng.choice(seeds)
            data[at:] = other[rng.randint(0, len(other)) :]
        case _:  # a value of JSON, TOML or a form becomes another
            end = min(
                (data.find(sign, at) for sign in b",&}\n" if data.find(sign, at) > 0), default=at
            )
            data[at:end] = rng.choice(TOKENS)

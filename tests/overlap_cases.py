"""The cases of the overlap bench: which call is held, and what happens over the agent's answer.

Word lists flow in (`bench/overlap_cases.toml`), cases flow out, always the same. Languages,
levels, voices and texts are taken in turn, so that each meets each; the rest is drawn from
the seed. No sound is made here.
"""

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

Kind = Literal["interruption", "back_channel", "aside", "background"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
CASES_OF_A_KIND: Final = 200

Hearing = Literal["plain", "late", "misheard", "garbled", "nothing"]
"""What the recogniser makes of the words: tells them as they come; with a final 1.2 s after the
end; with interims that say something else until the final; every second word; nothing at all."""

_WORD_LISTS: Final = Path(__file__).parents[1] / "bench/overlap_cases.toml"
_LANGUAGES: Final = ("en", "he")
_ECHO_LOSSES_DB: Final = (None, 46.0)
"""No echo at all, and as much as a mobile phone may have (3GPP TS 26.132, 8.7.1)."""
_ABOVE_NOISE_DB: Final = 10
"""A caller speaks into the phone; a television stands across the room."""
_OVERHEARD_DBFS: Final = -40
"""Of a television that is as loud as this the recogniser may catch words."""
_BACK_CHANNEL: Final = {"en": "okay", "he": "אוקיי"}
_WORD: Final = {"en": "the", "he": "של"}


@dataclass(frozen=True)
class Voice:
    """How eSpeak NG is told to speak."""

    name: str
    words_a_minute: int
    pitch: int


@dataclass(frozen=True)
class Line:
    """Something to be said."""

    text: str
    spoken_as: str
    """The same, spelt for eSpeak."""


@dataclass(frozen=True)
class Agent:
    """What the agent of a language says, and how."""

    voice: Voice
    greeting: str
    answer: tuple[str, ...]
    acknowledgement: str


@dataclass(frozen=True)
class Case:
    """One call. Levels are in dBFS: of speech its active level, of noise RMS."""

    kind: Kind
    number: int
    language: str
    question: Line
    """What the caller asks first; the agent's long answer follows."""
    caller: Voice
    caller_dbfs: float
    said: Line
    """What is said over the answer; empty for noise without words."""
    speaker: Voice
    level_dbfs: float
    noise: str
    """Kind of background; empty for what a person near the phone says."""
    is_steady: bool
    """The background was there when the line opened."""
    into_ms: float
    """How long the answer has been heard when it begins."""
    hearing: Hearing
    misheard_as: str
    """What the interims of a misheard phrase say in place of its first word."""
    echo_loss_db: float | None
    """How far below the agent its echo comes back; None: not at all."""
    echo_delay_ms: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.number:03}"

    @property
    def agent(self) -> Agent:
        return _agent(self.language)


@cache
def _lists() -> dict[str, Any]:
    return tomllib.loads(_WORD_LISTS.read_text())


@cache
def _agent(language: str) -> Agent:
    agent = _lists()["agent"]
    return Agent(
        Voice(agent["voices"][language], 150 if language == "he" else 165, 50),
        agent["greeting"][language],
        tuple(agent["answer"][language]),
        agent["acknowledgement"][language],
    )


def _line(text: str) -> Line:
    return Line(text, _lists()["spoken_as"].get(text, text))


def cases(
    kind: Kind,
    numbers: Sequence[int] = range(CASES_OF_A_KIND),
    echo_losses_db: Sequence[float | None] = _ECHO_LOSSES_DB,
) -> list[Case]:
    """These cases of a kind; each is the same whichever others are asked for."""
    return [_case(kind, number, echo_losses_db) for number in numbers]


def _case(kind: Kind, number: int, echo_losses_db: Sequence[float | None]) -> Case:
    lists = _lists()
    caller, words = lists["caller"], lists[kind]
    rng = random.Random(f"{lists['seed']} {kind} {number}")  # noqa: S311 (a bench, no secret)
    language, place = _LANGUAGES[number % 2], number // 2
    texts = words[language]
    # Shifted with each round of the texts, so that a text comes back at another level.
    shifted = place + place // len(texts)
    names, levels = caller["voices"][language], caller["levels_dbfs"]
    own = Voice(names[place % len(names)], rng.randint(140, 185), rng.randint(35, 65))
    other = Voice(names[(place + 3) % len(names)], rng.randint(140, 185), rng.randint(35, 65))
    caller_dbfs = levels[shifted % len(levels)]
    level_dbfs, speaker, text, noise = caller_dbfs, own, texts[place % len(texts)], ""
    is_steady = False
    hearing: Hearing = rng.choices(("plain", "late", "misheard"), (8, 1, 1))[0]
    if kind == "aside":
        below = words["below_caller_db"]
        level_dbfs -= below[(shifted // len(levels)) % len(below)]
    elif kind == "background":
        noise = words["kinds"][place % len(words["kinds"])]
        level_dbfs = words["levels_dbfs"][place % len(words["levels_dbfs"])]
        caller_dbfs = rng.choice([dbfs for dbfs in levels if dbfs >= level_dbfs + _ABOVE_NOISE_DB])
        speaker = other
        # One talker who never pauses keeps the caller's own question from ending.
        is_steady = noise != "television" and rng.random() < 0.5
        is_overheard = noise == "television" and level_dbfs >= _OVERHEARD_DBFS
        hearing = "garbled" if is_overheard and rng.random() < 0.5 else "nothing"
        text = text if noise == "television" else ""
    return Case(
        kind=kind,
        number=number,
        language=language,
        question=_line(rng.choice(caller["questions"][language])),
        caller=own,
        caller_dbfs=float(caller_dbfs),
        said=_line(text),
        speaker=speaker,
        level_dbfs=float(level_dbfs),
        noise=noise,
        is_steady=is_steady,
        into_ms=rng.uniform(1200.0, 6000.0),
        hearing=hearing,
        misheard_as=(_BACK_CHANNEL if kind == "interruption" else _WORD)[language],
        echo_loss_db=rng.choice(echo_losses_db),
        echo_delay_ms=rng.uniform(60.0, 300.0),
        seed=rng.randrange(2**31),
    )

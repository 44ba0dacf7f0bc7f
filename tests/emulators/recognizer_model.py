"""A call and a model of Google's recogniser around the rotation machine, without a clock.

Each word has a byte value of its own and lasts 120 ms, so the model reads from the bytes it
was really sent which words it heard whole. Everything that is late or breaks is drawn from
one seed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from voiceagent.speech.google_stt_policy import (
    Action,
    Drop,
    Failure,
    GiveUp,
    HalfClose,
    Heard,
    Open,
    StreamPolicy,
    Tell,
)
from voiceagent.speech.google_stt_rotation import Rotation
from voiceagent.speech.ports import Recognition

STEP_MS = 20
WORD_BYTES = 960
CODES = frozenset({*range(0x20), *range(0x80, 0xA0)})
"""One for each word: the loudest of µ-law, of either sign, within 12 dB."""
CUT = "cut"
_RUN = re.compile(rb"(?s)(.)\1*")
_CODES = sorted(CODES)
SILENCE = b"\xff"
ENDPOINT_BYTES = 700 * 8


@dataclass
class Behaviour:
    """Of the model; shares are of the legs."""

    latency_ms: tuple[float, float] = (40, 400)
    final_ms: tuple[float, float] = (0, 800)
    dies_at_start: float = 0.0
    dies_later: float = 0.0
    hangs: float = 0.0
    after_ms: tuple[float, float] = (200, 20_000)
    limit_ms: float = 305_000.0


@dataclass
class ModelLeg:
    """One stream as the server sees it."""

    number: int
    opened_ms: float
    hangs_after: int | None = None
    dies_after: int | None = None
    audio: bytearray = field(default_factory=bytearray)
    interim: str = ""
    answers: list[tuple[float, Heard | Failure | None]] = field(default_factory=list)
    """(when, what); None: it ends in order."""
    ended: bool = False
    words: list[tuple[str, int]] = field(default_factory=list)
    """(word, where it ends) of what is not final."""
    _parsed: int = 0

    def take(self, audio: bytes) -> None:
        """Hear more."""
        self.audio += audio
        last = self._parsed
        for run in _RUN.finditer(self.audio, self._parsed):
            last = run.start()
            if run.end() < len(self.audio):
                self._note(run)
        silent = self.audio[-1:] == SILENCE
        self._parsed = len(self.audio) if silent else last

    def finish(self) -> None:
        """Nothing comes any more: what is being heard is over."""
        for run in _RUN.finditer(self.audio, self._parsed):
            self._note(run)

    def _note(self, run: "re.Match[bytes]") -> None:
        code = self.audio[run.start()]
        if code in CODES:
            whole = run.end() - run.start() == WORD_BYTES
            self.words.append((str(code) if whole else CUT, run.end()))


class World:
    """One call. Time goes on by `step` only."""

    def __init__(
        self, seed: int, behaviour: Behaviour | None = None, policy: StreamPolicy | None = None
    ) -> None:
        self.random = Random(seed)  # noqa: S311 (repeatable)
        self.behaviour = behaviour or Behaviour()
        self.machine = Rotation(policy or StreamPolicy())
        self.now_ms = 1_000_000.0
        self.fed_ms = 0.0
        self.said: list[str] = []
        self.told: list[Recognition] = []
        self.given_up: GiveUp | None = None
        self.legs: dict[int, ModelLeg] = {}
        self.all_legs: list[ModelLeg] = []
        self._news: list[tuple[float, str, float]] = []
        self._steps = 0
        self._voiced_ms = -10_000.0
        self._began_ms = 0.0
        self._speaking = self._paused = False

    # --- the caller -----------------------------------------------------------------------

    def say(self, words: int, gap_ms: int = 80) -> None:
        for _ in range(words):
            word = self.random.choice(_CODES)
            self.said.append(str(word))
            self.feed(bytes([word]) * WORD_BYTES + SILENCE * (gap_ms * 8))

    def silence(self, ms: float) -> None:
        self.feed(SILENCE * int(ms * 8))

    def feed(self, audio: bytes) -> None:
        for at in range(0, len(audio), STEP_MS * 8):
            frame = audio[at : at + STEP_MS * 8]
            self.machine.feed(frame, self.now_ms)
            self.fed_ms += len(frame) / 8
            self._detect(any(code in CODES for code in frame))
            self.step()

    def missing(self, ms: float) -> None:
        for _ in range(int(ms / STEP_MS)):
            self.step()

    def _detect(self, loud: bool) -> None:
        """The voice activity detector; what it finds is told with its delay."""
        if loud:
            if self.fed_ms - self._voiced_ms > 300 and not self._speaking:
                self._began_ms = self.fed_ms - STEP_MS
            self._voiced_ms, self._paused = self.fed_ms, False
        silent_ms = self.fed_ms - self._voiced_ms
        if not self._speaking and loud and self.fed_ms - self._began_ms >= 100:
            self._speaking = True
            self._news.append((self.now_ms + 60, "started", self._began_ms))
        if self._speaking and silent_ms >= 120 and not self._paused:
            self._paused = True
            self._news.append((self.now_ms + 40, "paused", self._voiced_ms))
        if self._speaking and silent_ms >= 500:
            self._speaking = False
            self._news.append((self.now_ms + 40, "ended", 0.0))

    # --- time -----------------------------------------------------------------------------

    def step(self) -> None:
        self.now_ms += STEP_MS
        while self._news and self._news[0][0] <= self.now_ms:
            _, what, audio_ms = self._news.pop(0)
            match what:
                case "started":
                    self.machine.speech_started(audio_ms, self.now_ms)
                case "paused":
                    self.machine.speech_paused(audio_ms, self.now_ms)
                case _:
                    self.machine.utterance_ended()
        self._steps += 1
        if self._steps % 5 == 0:
            self._do(self.machine.advance(self.now_ms))
        for leg in tuple(self.legs.values()):
            self._serve(leg)

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Open(number):
                    self._open(number)
                case Drop(number):
                    self.legs.pop(number, None)
                case Tell(recognition):
                    assert 0 <= recognition.start_ms <= recognition.end_ms <= self.fed_ms + 1e-6
                    self.told.append(recognition)
                case GiveUp():
                    assert self.given_up is None
                    self.given_up = action
                    self.legs.clear()

    def _open(self, number: int) -> None:
        draw, how = self.random.random, self.behaviour
        leg = ModelLeg(number, self.now_ms)
        self.legs[number] = leg
        self.all_legs.append(leg)
        if draw() < how.dies_at_start:
            leg.answers.append((self._soon(), Failure("UNAVAILABLE")))
        elif draw() < how.dies_later:
            leg.dies_after = int(8 * self.random.uniform(*how.after_ms))
        elif draw() < how.hangs:
            leg.hangs_after = int(8 * self.random.uniform(*how.after_ms))

    def _soon(self) -> float:
        return self.now_ms + self.random.uniform(*self.behaviour.latency_ms)

    # --- the server -----------------------------------------------------------------------

    def _serve(self, leg: ModelLeg) -> None:
        while leg.number in self.legs and not leg.ended:
            request = self.machine.next_request(leg.number, self.now_ms)
            if request is None:
                break
            if isinstance(request, HalfClose):
                leg.ended = True
                leg.finish()
                self._final(leg, 0.0)
                self._answer(leg, None)
                break
            leg.take(request)
            self._hear(leg)
        for due_ms, answer in tuple(leg.answers):
            if due_ms > self.now_ms or leg.number not in self.legs:
                break
            leg.answers.pop(0)
            if isinstance(answer, Heard):
                self._do(self.machine.heard(leg.number, [answer], self.now_ms))
            else:
                del self.legs[leg.number]
                self._do(self.machine.leg_ended(leg.number, answer, self.now_ms))

    def _hear(self, leg: ModelLeg) -> None:
        if leg.dies_after is not None and len(leg.audio) >= leg.dies_after:
            leg.ended = True
            self._answer(leg, Failure("INTERNAL"))
            return
        if len(leg.audio) > self.behaviour.limit_ms * 8:
            leg.ended = True
            self._answer(leg, Failure("OUT_OF_RANGE", expected=True))
            return
        words = leg.words
        text = " ".join(word for word, _ in words)
        if text and text != leg.interim:
            leg.interim = text
            self._answer(leg, Heard(text, False, 0.5, len(leg.audio) / 8))
        if words and len(leg.audio) - words[-1][1] >= ENDPOINT_BYTES:
            self._final(leg, self.random.uniform(*self.behaviour.final_ms))

    def _final(self, leg: ModelLeg, late_ms: float) -> None:
        words = leg.words
        if words:
            end = min(len(leg.audio), words[-1][1] + 8 * self.random.randrange(0, 300))
            leg.interim, leg.words = "", []
            text = " ".join(word for word, _ in words)
            self._answer(leg, Heard(text, True, 0.0, end / 8), late_ms)

    def _answer(self, leg: ModelLeg, answer: Heard | Failure | None, late_ms: float = 0.0) -> None:
        if leg.hangs_after is not None and len(leg.audio) >= leg.hangs_after:
            return
        after_ms = leg.answers[-1][0] if leg.answers else 0.0
        leg.answers.append((max(self._soon() + late_ms, after_ms), answer))

    # --- what came of it ------------------------------------------------------------------

    @property
    def finals(self) -> list[Recognition]:
        return [recognition for recognition in self.told if recognition.is_final]

    @property
    def text(self) -> list[str]:
        """What the finals say together, in the order of the call."""
        ordered = sorted(self.finals, key=lambda recognition: recognition.start_ms)
        return " ".join(recognition.text for recognition in ordered).split()

    @property
    def page(self) -> list[str]:
        """What all recognitions say together, each replacing what it overlaps."""
        pieces = sorted(self._pieces(), key=lambda piece: piece.start_ms)
        return " ".join(piece.text for piece in pieces).split()

    @property
    def taken_back_ms(self) -> float:
        """The longest stretch whose words were told and then, for a while, were not."""
        longest, reached = 0.0, 0.0
        pieces: list[Recognition] = []
        for told in self.told:
            pieces = _replacing(pieces, told)
            end_ms = max(piece.end_ms for piece in pieces)
            longest, reached = max(longest, reached - end_ms), max(reached, end_ms)
        return longest

    def _pieces(self) -> list[Recognition]:
        pieces: list[Recognition] = []
        for told in self.told:
            pieces = _replacing(pieces, told)
        return pieces


def _replacing(pieces: list[Recognition], told: Recognition) -> list[Recognition]:
    kept = [p for p in pieces if p.end_ms <= told.start_ms or p.start_ms >= told.end_ms]
    return [*kept, told]

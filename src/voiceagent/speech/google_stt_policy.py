"""The words that the streams to Google are spoken of in, and every figure of them.

Plain values: what a response says, why a stream ended, what is to be done about it. Pure;
nothing here knows Google's library.
"""

from dataclasses import dataclass

from voiceagent.speech.ports import Recognition


@dataclass(frozen=True, slots=True)
class StreamPolicy:
    """Every figure of the streams to Google, in ms, with where it comes from."""

    request_ms: float = 100.0
    """Google's own advice: 100 ms of audio a request."""
    rotate_from_ms: float = 240_000.0
    """From this age on a leg is handed over in the first silence (limit: 305 s)."""
    rotate_by_ms: float = 290_000.0
    """At this age it is replaced even amid speech."""
    confirm_ms: float = 400.0
    """Audio after a cut that must be silent before the cut counts: the voice activity detector
    tells of a voice up to 250 ms late."""
    gap_ms: float = 1_000.0
    """How long a gap between two words is looked for when there is no end of speech."""
    drain_ms: float = 3_000.0
    """From the half-close to the last final; p99 of Google's finals is 1.57 s."""
    words_due_ms: float = 1_200.0
    """An utterance that ended so long ago without any result is asked for again."""
    final_due_ms: float = 2_500.0
    """Words that were told as interims are final so long after the voice, or are asked for."""
    hang_ms: float = 3_000.0
    """Speech for so long without any response: the leg hangs. Doubles with each time in a row."""
    kept_ms: float = 30_000.0
    """Audio that can be sent again; what is older is dropped and counted."""
    replay_ms: float = 20_000.0
    """More than this is not sent again amid speech: catching up would take too long."""
    preroll_ms: float = 500.0
    """Sent again from before a voice."""
    pause_told_ms: float = 100.0
    """After the end of a voice that still counts as its end."""
    recent_ms: float = 1_000.0
    """Sent again when there was no voice: the detector may be late, or miss a soft one."""
    catch_up_speed: float = 8.0
    """How much faster than real time the past is sent."""
    burst_ms: float = 2_000.0
    starve_ms: float = 2_000.0
    """Without media for so long, silence is sent instead; Google gives up after 10 s."""
    hold_ms: float = 2_500.0
    """How long a leg that catches up may keep back what was told before."""
    settled_slack_ms: float = 300.0
    """So much voice after the end of a final holds no further word."""
    covered_slack_ms: float = 400.0
    """So far behind the end of the voice may a result end and still be about all of it."""
    established_ms: float = 2_000.0
    """A leg that lived this long, or answered, was no failure to start."""
    backoff_ms: tuple[float, ...] = (100.0, 300.0, 900.0)
    give_up_ms: float = 8_000.0
    """Failing for so long, nobody waiting: no use."""
    give_up_waiting_ms: float = 1_800.0
    """The same while a caller waits in silence for the answer to a short voice."""
    short_voice_ms: float = 320.0
    """Words of a longer voice that never came are asked for again by the turn-taking
    (`TurnPolicy.not_understood_ms`): the caller does not wait in silence."""
    deaths: int = 5
    """So many legs that die over the same audio are no accident: it is left alone."""
    repairs: int = 6
    """How often a stretch is asked for again before what was told of it must do."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One result of a response."""

    text: str
    is_final: bool
    stability: float
    end_ms: float | None
    """In the leg's own audio; None: not told."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a leg ended."""

    reason: str
    fatal: bool = False
    """The same request would fail in the same way."""
    expected: bool = False
    """Google's own limit of a stream."""
    refused: bool = False
    """Something that was asked for is not granted."""
    status_lost: bool = False
    """It ended, but nobody knows why."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """No request comes any more."""


@dataclass(frozen=True, slots=True)
class Open:
    leg: int


@dataclass(frozen=True, slots=True)
class Drop:
    """End this leg at once."""

    leg: int
    hung: bool = False
    """It did not answer in time: its connection may be dead without anybody having said so."""


@dataclass(frozen=True, slots=True)
class Tell:
    recognition: Recognition


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: str
    retryable: bool


Action = Open | Drop | Tell | GiveUp


@dataclass(slots=True)
class Health:
    """What the calls know together of the engine."""

    failing_since_ms: float | None = None
    has_worked: bool = False
    """A refusal then is worth a second try: nothing was changed since."""


@dataclass(slots=True)
class Counters:
    legs: int = 0
    handed_over: int = 0
    replaced: int = 0
    repaired: int = 0
    hung: int = 0
    dropped_ms: float = 0.0
    """Of the call's audio, never heard by any leg."""

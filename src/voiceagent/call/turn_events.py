"""The words of turn-taking: what can happen in a call, and what can be done about it.

Events go into `turns.py`, actions come out; `session.py` carries the first and does
the second. Times ending in `_ms` are on the call's clock, those ending in
`_audio_ms` (and `audio_ms`) are ms of the call's inbound audio.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from voiceagent.call.activity import Heard
from voiceagent.speech.ports import Recognition

FarewellReason = Literal["drain", "staff_hangup"]

# --- events -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """The media stream is open."""


@dataclass(frozen=True, slots=True)
class BackFromTransfer:
    """The media stream is open again: the person to be connected could not be reached."""

    talked_ms: float = 0.0
    """How long the call had lasted before."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One window of inbound audio was judged."""

    audio_ms: float
    """Audio time at the window's end."""
    heard: Heard


@dataclass(frozen=True, slots=True)
class Arrived:
    """Inbound audio has come as far as `Turns.silence_due_audio_ms`."""

    audio_ms: float
    """How far; less than a window of it may not have been judged yet."""


@dataclass(frozen=True, slots=True)
class Recognised:
    recognition: Recognition


@dataclass(frozen=True, slots=True)
class Digit:
    digit: str


@dataclass(frozen=True, slots=True)
class ReplySentence:
    """The brain made a sentence of this reply."""

    reply: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyKeys:
    """The brain wants these keys to sound as the next of this reply."""

    reply: int
    digits: str


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The brain has no more to say in this reply."""

    reply: int
    hang_up: bool = False
    transfer_to: str = ""
    """E.164; the caller is to be connected there once the reply was heard."""


@dataclass(frozen=True, slots=True)
class GuessReady:
    """Nothing keeps this guess from being heard any more: it has its first audio, or will have
    none before it is confirmed."""

    guess: int


@dataclass(frozen=True, slots=True)
class TransferFailed:
    """The caller could not be connected."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """The brain or the voice failed in the middle of this reply."""

    reply: int


@dataclass(frozen=True, slots=True)
class AudioReleased:
    """Audio of this reply went to the playout; all of it so far will have played by `until_ms`."""

    reply: int
    until_ms: float


@dataclass(frozen=True, slots=True)
class ReplyHeard:
    """The phone acknowledged the first audio of this reply."""

    reply: int


@dataclass(frozen=True, slots=True)
class PlayedOut:
    """All of this reply was played."""

    reply: int


@dataclass(frozen=True, slots=True)
class EarsFailed:
    """The recogniser failed; another one listens in a moment. What was said to it is lost."""


@dataclass(frozen=True, slots=True)
class EarsLost:
    """The recogniser failed for good: nothing more can be understood in this call."""

    person: str = ""
    """E.164 number of somebody who can take it over; empty: nobody can."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """Say goodbye now and hang up: the service is closing, or somebody of the business wants it."""

    reason: FarewellReason = "drain"


@dataclass(frozen=True, slots=True)
class PutThrough:
    """Somebody of the business wants the caller connected to this number now."""

    number: str
    """E.164."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The socket is gone."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline may have passed."""


Event = (
    Begin
    | BackFromTransfer
    | Voice
    | Arrived
    | Recognised
    | Digit
    | ReplySentence
    | ReplyKeys
    | ReplyEnded
    | ReplyFailed
    | AudioReleased
    | ReplyHeard
    | PlayedOut
    | GuessReady
    | TransferFailed
    | EarsFailed
    | EarsLost
    | Farewell
    | PutThrough
    | Closed
    | Tick
)


# --- actions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UtteranceStarted:
    """The caller began to speak at this audio time."""

    audio_ms: float


@dataclass(frozen=True, slots=True)
class UtterancePaused:
    """The caller fell silent at this audio time, for long enough to ask for the words."""

    audio_ms: float


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The text to be answered is fixed."""

    turn: int
    text: str
    source: str
    """`final`, `interim`, `none` (spoken but not understood) or `dtmf`."""
    cause: str
    """`silence`; `media_gap` or `too_long` when it was cut without one; `keys`."""
    eou_ms: float
    """Silence after which the utterance was ended, in audio time; 0 for keys."""
    recognition_wait_ms: float
    """How much longer its words took to come."""
    started_audio_ms: float
    ended_audio_ms: float


@dataclass(frozen=True, slots=True)
class UtteranceDropped:
    """Voice without words, or a back-channel: not answered."""

    text: str


@dataclass(frozen=True, slots=True)
class LateRecognition:
    """Words of what was already answered."""

    text: str


@dataclass(frozen=True, slots=True)
class Introduce:
    """Let the brain open the conversation as this reply."""

    reply: int


@dataclass(frozen=True, slots=True)
class Guess:
    """Let the brain begin to answer this, unheard: it may turn out to be all that is said."""

    guess: int
    text: str
    """All of the caller's words that would be unanswered."""
    words: str
    """Those of the utterance under way alone."""


@dataclass(frozen=True, slots=True)
class DropGuess:
    """The guess was wrong: forget it."""

    guess: int


@dataclass(frozen=True, slots=True)
class Think:
    """Let the brain answer."""

    reply: int
    turn: int
    text: str
    """All of the caller's words that are still unanswered."""
    digits: str = ""
    guess: int = 0
    """The guess that this reply goes on with; 0 if there is none."""


class Phrase(Enum):
    """What the agent says without a brain."""

    REPROMPT = "reprompt"
    NEARLY_OVER = "nearly_over"
    APOLOGY = "apology"
    CANNOT_HEAR = "cannot_hear"
    GOODBYE = "goodbye"
    TRANSFER = "transfer"
    TRANSFER_FAILED = "transfer_failed"


@dataclass(frozen=True, slots=True)
class Speak:
    """Synthesise this sentence as the next of this reply."""

    reply: int
    text: str


@dataclass(frozen=True, slots=True)
class SoundKeys:
    """Sound these keys as the next of this reply."""

    reply: int
    digits: str


@dataclass(frozen=True, slots=True)
class SpeakPhrase:
    """Speak a fixed phrase as the next (and last) of this reply."""

    reply: int
    phrase: Phrase
    index: int = 0


@dataclass(frozen=True, slots=True)
class FinishReply:
    """Nothing more will be added to this reply: report when it has played."""

    reply: int


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """Clear the phone's buffer and hold this reply."""

    reply: int


@dataclass(frozen=True, slots=True)
class ResumeSpeaking:
    """Go on from the first word of this reply that was not heard."""

    reply: int


@dataclass(frozen=True, slots=True)
class AbandonReply:
    """Give this reply up: stop its brain and voice, drop its audio, keep what was heard of it."""

    reply: int


@dataclass(frozen=True, slots=True)
class CompleteReply:
    """All of this reply was played."""

    reply: int


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect the caller to this number; the reply stands for the attempt."""

    reply: int
    number: str


@dataclass(frozen=True, slots=True)
class HangUp:
    reason: str


Action = (
    UtteranceStarted
    | UtterancePaused
    | UtteranceEnded
    | UtteranceDropped
    | LateRecognition
    | Introduce
    | Guess
    | DropGuess
    | Think
    | Speak
    | SoundKeys
    | SpeakPhrase
    | FinishReply
    | StopSpeaking
    | ResumeSpeaking
    | AbandonReply
    | CompleteReply
    | Connect
    | HangUp
)

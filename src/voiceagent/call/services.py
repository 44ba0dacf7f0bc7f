"""What all calls of an agent share: its engines, its rules and where its records go.

Put together by `app.py`, anew for each agent by `wiring/agent_office.py`, and handed to each call
as it begins. Nothing here changes while a call lasts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voiceagent.brain.ports import Brain
from voiceagent.call.control import CallControl
from voiceagent.call.discretion import Find
from voiceagent.call.floor_words import BUILT_IN, FloorWords
from voiceagent.call.parking import Parking
from voiceagent.call.speaking import Voice
from voiceagent.call.tape import Tape
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.vad import VoiceActivity
from voiceagent.crm.recording.ports import Recorder
from voiceagent.metrics import Metrics
from voiceagent.speech.ports import SpeechRecognizer
from voiceagent.speech.sensitive_numbers import find


def nobody() -> str:
    """No number."""
    return ""


@dataclass(frozen=True, slots=True)
class CallServices:
    """What all calls share."""

    recognizer: SpeechRecognizer
    voice: Voice
    brain: Brain
    voice_activity: VoiceActivity
    recorder: Recorder
    metrics: Metrics
    policy: TurnPolicy
    language: str
    """What the caller is expected to speak, e.g. `he-IL`."""
    expected: Sequence[str]
    """What callers are likely to say at any time, for ears that know nothing else; a brain that
    expects something in particular says so (`Expect`)."""
    control: CallControl | None
    """None: callers cannot be connected to anybody."""
    parking: Parking
    report_failure: Callable[[str, str], None]
    """(part, sentence): an engine (`stt`, `tts`, `brain`) failed in a call."""
    person: Callable[[], str] = nobody
    """E.164 number of who takes a call over, just now, that the agent cannot go on with."""
    words: FloorWords = BUILT_IN
    """By which the floor is kept or taken, those of the business included."""
    record: Callable[[str], Tape] | None = None
    """A tape for the call of that sid; None: calls are not recorded."""
    find_sensitive: Find = find
    """What of a caller's words nobody may keep or be shown."""

"""One scenario's call, put together: the real session and brain, an imagined caller around.

A scenario flows in; whether it went as it should, and what was said, flows out. Everything
that the session talks to is made anew for each call, so that calls in one process cannot
disturb each other.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, cast

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.ports import Brain, Party
from voiceagent.brain.ports import Say as Sentence
from voiceagent.call.parking import Parking
from voiceagent.call.services import CallServices
from voiceagent.call.session import CallSession
from voiceagent.call.speaking import PhraseBook, Voice
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.vad import VoiceActivity
from voiceagent.evals.agent_voice import CodedVoice
from voiceagent.evals.caller_voice import Uttered
from voiceagent.evals.ears import TextActivity, TextEars
from voiceagent.evals.evidence import Afterwards, Records, ToolCall
from voiceagent.evals.expectations import faults_of, faults_of_end, faults_of_turns
from voiceagent.evals.house import Deeds, EvalCashier, EvalDesk, EvalMessenger, EvalSwitchboard
from voiceagent.evals.line import TextLine
from voiceagent.evals.memory import Remembering, faults_of_memory
from voiceagent.evals.model import RecordedModel
from voiceagent.evals.outcome import Outcome
from voiceagent.evals.performance import Performance, Stage, StepFailed
from voiceagent.evals.scenario import Play, Scenario, Speak
from voiceagent.metrics import Metrics
from voiceagent.settings import Settings
from voiceagent.speech.ports import SpeechRecognizer
from voiceagent.twilio.media_stream import Start
from voiceagent.wiring.brains import House, choose_brain, choose_model

_LONGEST_S: Final = 150.0
_ENDS_S: Final = 10.0
"""After the last words of the last step, the call is over within this."""


@dataclass(frozen=True, slots=True)
class RealHearing:
    """Engines for a caller who makes sound."""

    recognizer: SpeechRecognizer
    voice_activity: VoiceActivity


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a scenario's call is made of, besides the scenario."""

    profile: AgentProfile
    settings: Settings
    """They name the model that thinks, if one does."""
    hearing: RealHearing | None
    """For a scenario of real audio."""
    sounds: Mapping[Speak | Play, Uttered]
    """Its audio."""


class EvalCall:
    """One call. Made on the event loop; `run` it once."""

    def __init__(self, name: str, scenario: Scenario, around: Circumstances) -> None:
        self._name, self._scenario, self._around = name, scenario, around
        self._records, self._deeds = Records(), Deeds()
        self._failures: list[tuple[str, str]] = []
        self._voice = CodedVoice()
        self._line = TextLine(f"MZ{name}", f"CA{name}", self._voice.word)
        self._ears = TextEars(self._line)
        self._model: RecordedModel | None = None

    async def run(self) -> Outcome:
        """Hold the call and judge it."""
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(_LONGEST_S):
                faults = await self._hold()
        except TimeoutError:
            faults = [f"the call took longer than {_LONGEST_S:.0f} s"]
        seconds = time.monotonic() - started_s
        end = self._records.end
        return Outcome(
            self._name,
            self._scenario.about,
            faults,
            seconds,
            self._transcript(),
            end.counters if end else {},
        )

    async def _hold(self) -> list[str]:
        around = self._around
        async with AsyncExitStack() as stack:
            if (model := choose_model(around.settings)) is not None:
                stack.push_async_callback(model.close)
                await model.warm_up()
                self._model = RecordedModel(model)
            brain = choose_brain(around.settings, around.profile, self._house(), self._model)
            return await self._converse(brain)

    async def _converse(self, brain: Brain) -> list[str]:
        session = CallSession(
            self._line,
            Start(f"MZ{self._name}", f"CA{self._name}", parameters={}),
            await self._services(brain),
        )
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(session.run())
            living = tasks.create_task(self._line.live())
            stage = Stage(
                self._line, self._records, self._deeds, self._tool_calls, call.done, self._sound
            )
            performance = Performance(self._scenario, stage)
            try:
                await performance.run()
                faults = []
            except StepFailed as failed:
                faults = failed.faults
            await self._end(call, by_agent=not faults)
            await living
        if not faults:
            faults = [f"at the end: {fault}" for fault in self._faults_at_the_end(performance)]
        return faults

    async def _end(self, call: "asyncio.Task[None]", *, by_agent: bool) -> None:
        """Let the agent end the call if that is wanted; then the caller does."""
        if by_agent and self._scenario.end.reason != "caller_hangup":
            await asyncio.wait([call], timeout=_ENDS_S)
        if not call.done():
            self._line.put_down()
        await call

    def _faults_at_the_end(self, performance: Performance) -> list[str]:
        end = self._scenario.end
        after = Afterwards(
            self._ears.languages,
            [language for _, language in self._voice.spoken],
            self._failures,
            [f"{each.kind}: {each.detail}" for each in self._line.phone.violations],
        )
        return [
            *faults_of(end, performance.evidence()),
            *faults_of_end(end, self._records, after),
            *faults_of_turns(self._records),
            *faults_of_memory(self._remembering()),
        ]

    def _remembering(self) -> list[Remembering]:
        line, heard = self._line, self._line.heard()
        return [
            Remembering(request, heard, line.last_mark_ms(line.ms_of(request.at_s)))
            for request in (self._model.requests if self._model else ())
        ]

    # --- parts ------------------------------------------------------------------------------

    def _house(self) -> House:
        zone = self._around.profile.zone
        return House(
            EvalDesk(self._deeds, zone, self._scenario.caller, self._scenario.taken),
            EvalMessenger(self._deeds),
            EvalCashier(self._deeds),
            lambda why: self._on_failure("model", why),
        )

    async def _services(self, brain: Brain) -> CallServices:
        hearing = self._around.hearing
        activity = hearing.voice_activity if hearing else cast("VoiceActivity", TextActivity())
        return CallServices(
            recognizer=hearing.recognizer if hearing else self._ears,
            voice=Voice(self._voice, await self._phrases(brain), brain.language),
            brain=brain,
            voice_activity=activity,
            recorder=self._records,
            metrics=Metrics(),
            policy=TurnPolicy(),
            language=self._scenario.language,
            expected=(),
            control=EvalSwitchboard(self._deeds, self._line.put_down),
            parking=Parking(time.monotonic),
            report_failure=self._on_failure,
        )

    async def _phrases(self, brain: Brain) -> PhraseBook:
        """What is synthesised before the first call, as in the service."""
        book, fixed = PhraseBook(), brain.phrases
        opening = brain.open(Party()).opening()
        texts = [
            *(event.text for event in opening if isinstance(event, Sentence)),
            *fixed.reprompts,
            fixed.apology,
            fixed.goodbye,
        ]
        await asyncio.gather(*(book.learn(self._voice, text, brain.language) for text in texts))
        self._voice.spoken.clear()
        return book

    def _on_failure(self, part: str, why: str) -> None:
        self._failures.append((part, why))

    def _sound(self, act: Speak | Play) -> Uttered:
        return self._around.sounds[act]

    def _tool_calls(self) -> list[ToolCall]:
        return self._model.tool_calls if self._model else []

    def _transcript(self) -> list[str]:
        lines = []
        for turn in self._records.turns:
            heard = "" if turn.heard == turn.text else f" [heard: {turn.heard}]"
            lines.append(f"{turn.who}: {turn.text}{heard}")
        return lines

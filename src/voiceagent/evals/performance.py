"""One scenario's caller at work: does each step at its moment, and says what was not right.

The telephone, the records and the deeds of the call are looked at; acts go into the
telephone. It ends at the first step that is not answered as the scenario wants. It knows
nothing of how a call is put together.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.crm.recording.call_models import TurnSpoken
from voiceagent.evals import caller_voice
from voiceagent.evals.caller_voice import Uttered
from voiceagent.evals.evidence import Deed, Evidence, Records, ToolCall
from voiceagent.evals.expectations import faults_of
from voiceagent.evals.line import TextLine
from voiceagent.evals.scenario import (
    Act,
    Cough,
    Expectation,
    Overheard,
    Play,
    Press,
    PutDown,
    Say,
    Scenario,
    Speak,
    Step,
    Wait,
)

_POLICY: Final = TurnPolicy()
"""As of every scenario's call."""
_LOOK_S: Final = 0.02
_PATIENCE_S: Final = 20.0
"""A caller who hears nothing for so long has lost the line."""
_UNANSWERED_S: Final = (_POLICY.eou_max_ms + _POLICY.recognition_grace_ms) / 1000.0 + 0.5
"""What was not to be answered is not answered later than this: an utterance without words is
answered once they are no longer awaited."""
_QUIET_MS: Final = 300.0
"""The agent has finished when nothing was heard for so long."""


class StepFailed(Exception):
    """The call is not going as the scenario wants; one sentence for each fault."""

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        super().__init__("\n".join(f"{where}: {fault}" for fault in faults))
        self.faults = [f"{where}: {fault}" for fault in faults]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the caller has to do with."""

    line: TextLine
    records: Records
    deeds: Sequence[Deed]
    tool_calls: Callable[[], Sequence[ToolCall]]
    is_over: Callable[[], bool]
    """The service has ended the call."""
    sound: Callable[[Speak | Play], Uttered]
    """Real audio, made before the call."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """The state of the call when a step began."""

    at_ms: float
    last_seq: int


class Performance:
    """Goes through the steps of one scenario, once."""

    def __init__(self, scenario: Scenario, stage: Stage) -> None:
        self._scenario = scenario
        self._stage = stage

    async def run(self) -> None:
        """Do all steps. Raises `StepFailed` at the first that goes wrong."""
        began = _Moment(0.0, -1)
        steps = self._scenario.steps
        await self._come_of("opening", began, answered=True, before=steps[0])
        self._check("opening", self._scenario.opening, began)
        for number, step in enumerate(steps, 1):
            where = f"step {number}"
            if self._stage.is_over():
                raise StepFailed(where, ["the call is over"])
            # What comes up in the pause is judged with this step, not between two of them.
            began = self._now()
            if step.after_words is None:
                await asyncio.sleep(step.pause_s)
            await self._do(step.act)
            if isinstance(step.act, PutDown):
                return
            following = steps[number] if number < len(steps) else None
            await self._come_of(
                where, began, answered=step.is_answered, before=following, after=step
            )
            faults = self._faults_of_turn(step, began, interrupted=_cuts_in(following))
            self._check(where, step, began, faults)

    def evidence(self, since_ms: float = 0.0) -> Evidence:
        stage = self._stage
        return Evidence(stage.line.heard(since_ms), stage.records, stage.deeds, stage.tool_calls())

    # --- acts -------------------------------------------------------------------------------

    async def _do(self, act: Act) -> None:
        line = self._stage.line
        match act:
            case Say(text):
                await line.utter(caller_voice.said(text))
            case Overheard(text):
                await line.utter(caller_voice.overheard(text))
            case Cough(milliseconds):
                await line.utter(caller_voice.cough(milliseconds))
            case Speak() | Play():
                await line.utter(self._stage.sound(act))
            case Press(keys):
                line.press(keys)
            case Wait(seconds):
                await self._until(lambda: False, seconds)
            case PutDown():
                line.put_down()

    # --- moments ----------------------------------------------------------------------------

    def _now(self) -> _Moment:
        last_seq = max((turn.seq for turn in self._stage.records.turns), default=-1)
        return _Moment(self._stage.line.now_ms, last_seq)

    async def _come_of(
        self,
        where: str,
        began: _Moment,
        *,
        answered: bool,
        before: Step | None,
        after: Step | None = None,
    ) -> None:
        """Wait for what comes of a step, up to the moment of the next one."""
        line = self._stage.line
        if before is not None and before.after_words is not None:
            words = before.after_words
            if not await self._until(lambda: len(line.heard(began.at_ms)) >= words):
                heard = self.evidence(began.at_ms).heard_text
                raise StepFailed(where, [f'fewer than {words} words were heard: "{heard}"'])
            return
        if answered:
            if not await self._until(lambda: self._has_answered(began)):
                raise StepFailed(where, [f"no answer within {_PATIENCE_S:.0f} s"])
        elif not isinstance(after.act if after else None, Wait):
            await self._until(lambda: False, _UNANSWERED_S)
        if not await self._until(self._is_quiet):
            raise StepFailed(where, ["the agent does not come to an end"])

    def _has_answered(self, began: _Moment) -> bool:
        """The agent has begun to speak, and finished."""
        answers = [turn for turn in self._turns_since(began) if turn.who == "agent"]
        return any(turn.status != "abandoned" for turn in answers) and self._is_quiet()

    def _is_quiet(self) -> bool:
        """Nothing is being said, made to be said, or waits to be played."""
        line = self._stage.line
        if any(turn.status == "speaking" for turn in self._stage.records.turns):
            return False
        heard = line.heard()
        return line.is_quiet and (not heard or line.now_ms - heard[-1].end_ms >= _QUIET_MS)

    async def _until(self, happened: Callable[[], bool], within_s: float = _PATIENCE_S) -> bool:
        """Whether it happened in time; an end of the call ends the wait as well."""
        due_ms = self._stage.line.now_ms + within_s * 1000.0
        while not happened():
            if self._stage.is_over():
                return True
            if self._stage.line.now_ms >= due_ms:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    # --- judging ----------------------------------------------------------------------------

    def _check(
        self, where: str, expectation: Expectation, began: _Moment, others: Sequence[str] = ()
    ) -> None:
        faults = [*others, *faults_of(expectation, self.evidence(began.at_ms))]
        if faults:
            raise StepFailed(where, faults)

    def _faults_of_turn(self, step: Step, began: _Moment, *, interrupted: bool) -> list[str]:
        """What was said is one turn of the caller, answered once; what was none is no turn."""
        turns = self._turns_since(began)
        said = [turn.text for turn in turns if turn.who == "caller"]
        takes_turn = step.is_answered and isinstance(step.act, Say | Speak | Play | Press)
        faults = []
        if len(said) != int(takes_turn):
            taken = ", ".join(f'"{text}"' for text in said) or "nothing"
            faults.append(f"taken for a turn of the caller: {taken}")
        replies = [turn for turn in turns if turn.source == "reply" and turn.heard]
        if takes_turn and not interrupted and len(replies) > 1:
            faults.append(f"answered {len(replies)} times")
        return faults

    def _turns_since(self, began: _Moment) -> list[TurnSpoken]:
        return [turn for turn in self._stage.records.turns if turn.seq > began.last_seq]


def _cuts_in(step: Step | None) -> bool:
    return step is not None and step.after_words is not None

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from voiceagent.crm.recording.call_models import CallEnded, ContactLearnt, TurnSpoken
from voiceagent.evals.evidence import Afterwards, Deed, Evidence, HeardWord, Records, ToolCall
from voiceagent.evals.expectations import faults_of, faults_of_end, faults_of_turns
from voiceagent.evals.scenario import End, Expectation

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def evidence(
    heard: str = "",
    saved: Mapping[str, str] | None = None,
    deeds: tuple[Deed, ...] = (),
    calls: tuple[ToolCall, ...] = (),
) -> Evidence:
    records = Records()
    if saved:
        records.record(ContactLearnt(call_sid="CA1", at=NOW, fields=dict(saved)))
    words = [HeardWord(word, 0, 100, 100, 100) for word in heard.split()]
    return Evidence(words, records, deeds, calls)


def judged(expectation: dict[str, Any], what: Evidence) -> list[str]:
    return faults_of(Expectation.model_validate(expectation), what)


class TestWords:
    def test_all_must_be_heard(self) -> None:
        assert judged({"said": ["good day", "sir"]}, evidence("Good day, sir.")) == []
        (fault,) = judged({"said": ["good day", "madam"]}, evidence("Good day, sir."))
        assert fault == 'not said: "madam"; heard: "Good day, sir."'

    def test_one_of_several_may_be_enough(self) -> None:
        assert judged({"said_any": ["sir", "madam"]}, evidence("Good day, sir.")) == []
        assert len(judged({"said_any": ["sir", "madam"]}, evidence("Good day."))) == 1

    def test_some_must_not_be_heard(self) -> None:
        assert judged({"not_said": ["madam"]}, evidence("Good day, sir.")) == []
        assert len(judged({"not_said": ["sir"]}, evidence("Good day, sir."))) == 1


class TestFields:
    def test_have_exactly_that_value(self) -> None:
        saved = evidence(saved={"name": "Dana Cohen"})
        assert judged({"saved": {"name": "dana cohen"}}, saved) == []
        assert judged({"saved": {"name": "Dana"}}, saved) == [
            'name was saved as "Dana Cohen", not "Dana"'
        ]
        assert len(judged({"saved": {"rooms": "3"}}, saved)) == 1

    def test_may_have_to_be_missing(self) -> None:
        assert judged({"not_saved": ["rooms"]}, evidence(saved={"name": "Dana"})) == []
        assert len(judged({"not_saved": ["name"]}, evidence(saved={"name": "Dana"}))) == 1


class TestToolCalls:
    made = evidence(calls=(ToolCall("book", {"start": "10:00", "about": "tooth"}),))

    def test_have_these_arguments_among_others(self) -> None:
        assert judged({"called": [{"name": "book", "with": {"start": "10:00"}}]}, self.made) == []
        (fault,) = judged({"called": [{"name": "book", "with": {"start": "11:00"}}]}, self.made)
        assert fault.startswith("book(start=11:00) was not called; called: book(start=10:00")

    def test_may_have_to_be_missing(self) -> None:
        assert judged({"not_called": ["hang_up"]}, self.made) == []
        assert judged({"not_called": ["book"]}, self.made) == ["book was called"]


class TestDeeds:
    booked = Deed("appointment", {"at": "2026-01-05T10:00"})

    def test_are_done_and_nothing_else_of_their_kind(self) -> None:
        wanted = {"done": [{"what": "appointment", "with": {"at": "2026-01-05T10:00"}}]}
        assert judged(wanted, evidence(deeds=(self.booked, Deed("message", {})))) == []
        assert judged(wanted, evidence(deeds=(self.booked, self.booked))) == [
            "appointment was done 2 times, not 1"
        ]
        assert len(judged(wanted, evidence())) == 1

    def test_may_have_to_be_undone(self) -> None:
        assert judged({"not_done": ["message"]}, evidence(deeds=(self.booked,))) == []
        assert len(judged({"not_done": ["appointment"]}, evidence(deeds=(self.booked,)))) == 1


class TestEnd:
    def ended(self, end: dict[str, Any], **after: Any) -> list[str]:
        records = Records()
        reason = after.pop("reason", "caller_hangup")
        status = "failed" if reason == "error" else "completed"
        records.record(CallEnded(call_sid="CA1", at=NOW, status=status, reason=reason))
        known = {
            "languages_heard": ["en-US"],
            "languages_spoken": ["en-US"],
            "failures": [],
            "violations": [],
        }
        return faults_of_end(End.model_validate(end), records, Afterwards(**known | after))

    def test_is_the_caller_hanging_up_unless_told_otherwise(self) -> None:
        assert self.ended({}) == []
        assert len(self.ended({}, reason="agent_hangup")) == 1
        assert self.ended({"reason": "agent_hangup"}, reason="agent_hangup") == []

    def test_is_no_failure(self) -> None:
        assert self.ended({}, reason="error") == ["the call failed: error"]

    def test_is_recorded(self) -> None:
        assert len(faults_of_end(End(), Records(), Afterwards([], [], [], []))) == 1

    def test_is_in_the_language_that_was_wanted(self) -> None:
        wanted = {"language": "he-IL"}
        both = {"languages_heard": ["en-US", "he-IL"], "languages_spoken": ["en-US", "he-IL"]}
        assert self.ended(wanted, **both) == []
        assert len(self.ended(wanted, **both | {"languages_heard": ["he-IL", "en-US"]})) == 1
        assert len(self.ended(wanted, **both | {"languages_spoken": []})) == 1

    def test_tells_of_failures_that_nobody_wanted(self) -> None:
        failures = {"failures": [("brain", "it is away")]}
        assert self.ended({}, **failures) == ["brain failed: it is away"]
        assert self.ended({"failed": ["brain"]}, **failures) == []
        assert self.ended({"failed": ["brain"]}) == ["no failure of brain was reported"]

    def test_tells_of_what_no_telephone_may_be_sent(self) -> None:
        assert len(self.ended({}, violations=["frame-size: 3 bytes"])) == 1


class TestTurns:
    def judged(self, *replies: tuple[str, str]) -> list[str]:
        records = Records()
        for seq, (heard, status) in enumerate(replies):
            records.record(
                TurnSpoken(
                    call_sid="CA1",
                    at=NOW,
                    seq=seq,
                    turn=1,
                    who="agent",
                    text="well",
                    heard=heard,
                    status=status,  # type: ignore[arg-type]
                    source="reply",
                )
            )
        records.record(
            TurnSpoken(call_sid="CA1", at=NOW, seq=9, turn=1, who="caller", text="hi", heard="hi")
        )
        return faults_of_turns(records)

    def test_are_answered_once(self) -> None:
        assert self.judged(("well", "complete")) == []
        assert self.judged(("", "abandoned"), ("well", "complete")) == []
        assert len(self.judged(("well", "interrupted"), ("well", "complete"))) == 1

    def test_are_over_in_the_end(self) -> None:
        (fault,) = self.judged(("well", "speaking"))
        assert "still being spoken" in fault


@pytest.mark.parametrize("what", ["coffee", ""])
def test_a_deed_is_one_that_can_be_done(what: str) -> None:
    with pytest.raises(ValueError, match="done"):
        Expectation.model_validate({"done": [{"what": what}]})

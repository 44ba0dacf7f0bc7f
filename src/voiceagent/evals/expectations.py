"""Was what happened in a call what its scenario wants?

Expectations and evidence flow in; one sentence for each thing that is not as it should be
flows out. Pure.
"""

from collections.abc import Iterator, Mapping

from voiceagent.evals.evidence import Afterwards, Evidence, Records
from voiceagent.evals.patterns import Pattern
from voiceagent.evals.scenario import End, Expectation, ExpectedCall, ExpectedDeed


def faults_of(expectation: Expectation, evidence: Evidence) -> list[str]:
    """What a step, or the whole call, lacks or has too much."""
    return [
        *_of_words(expectation, evidence.heard_text),
        *_of_fields(expectation, evidence.records.saved),
        *_of_calls(expectation, evidence),
        *_of_deeds(expectation, evidence),
    ]


def faults_of_end(end: End, records: Records, after: Afterwards) -> list[str]:
    """What is wrong with how the call ended."""
    return list(_of_end(end, records, after))


def faults_of_turns(records: Records) -> list[str]:
    """Each of the caller's turns is answered once, and no reply is left open."""
    return list(_of_turns(records))


# --- inside -------------------------------------------------------------------------------------


def _of_words(expectation: Expectation, heard: str) -> Iterator[str]:
    for pattern in expectation.said:
        if not pattern.found_in(heard):
            yield f'not said: "{pattern}"; heard: "{heard}"'
    wanted = expectation.said_any
    if wanted and not any(pattern.found_in(heard) for pattern in wanted):
        yield f'said none of {", ".join(f"{p}" for p in wanted)}; heard: "{heard}"'
    for pattern in expectation.not_said:
        if pattern.found_in(heard):
            yield f'said "{pattern}", which was not to be said; heard: "{heard}"'


def _of_fields(expectation: Expectation, saved: Mapping[str, str]) -> Iterator[str]:
    for name, pattern in expectation.saved.items():
        if name not in saved:
            yield f'{name} was not saved, "{pattern}" was expected; saved: {_listed(saved)}'
        elif not pattern.is_all_of(saved[name]):
            yield f'{name} was saved as "{saved[name]}", not "{pattern}"'
    for name in expectation.not_saved:
        if name in saved:
            yield f'{name} was saved: "{saved[name]}"'


def _of_calls(expectation: Expectation, evidence: Evidence) -> Iterator[str]:
    calls = evidence.tool_calls
    for expected in expectation.called:
        if not any(
            call.name == expected.name and _has(expected.with_, call.arguments) for call in calls
        ):
            made = ", ".join(f"{call.name}({_listed(call.arguments)})" for call in calls)
            yield f"{_call(expected)} was not called; called: {made or 'nothing'}"
    for name in expectation.not_called:
        if any(call.name == name for call in calls):
            yield f"{name} was called"


def _of_deeds(expectation: Expectation, evidence: Evidence) -> Iterator[str]:
    for kind in dict.fromkeys(expected.what for expected in expectation.done):
        wanted = [expected for expected in expectation.done if expected.what == kind]
        done = [deed for deed in evidence.deeds if deed.what == kind]
        for expected in wanted:
            if not any(_has(expected.with_, deed.fields) for deed in done):
                what = "; ".join(f"{kind}: {_listed(deed.fields)}" for deed in done)
                yield f"{_deed(expected)} was not done; done: {what or f'no {kind}'}"
        if len(done) > len(wanted):
            yield f"{kind} was done {len(done)} times, not {len(wanted)}"
    for deed in evidence.deeds:
        if deed.what in expectation.not_done:
            yield f"{deed.what} was done: {_listed(deed.fields)}"


def _of_end(end: End, records: Records, after: Afterwards) -> Iterator[str]:
    record = records.end
    if record is None:
        yield "the call left no record of its end"
    elif record.status != "completed":
        yield f"the call failed: {record.reason}"
    elif record.reason != end.reason:
        yield f"the call ended by {record.reason}, not by {end.reason}"
    if end.language is not None:
        for what, languages in (
            ("heard", after.languages_heard),
            ("spoken", after.languages_spoken),
        ):
            if not languages or languages[-1] != end.language:
                yield f"{end.language} was not {what} at the end, but {', '.join(languages[-1:])}"
    for part, why in after.failures:
        if part not in end.failed:
            yield f"{part} failed: {why}"
    for part in end.failed:
        if part not in {failed for failed, _ in after.failures}:
            yield f"no failure of {part} was reported"
    yield from (f"a message that no telephone may be sent: {each}" for each in after.violations)


def _of_turns(records: Records) -> Iterator[str]:
    turns = records.turns
    spoken = [turn for turn in turns if turn.who == "caller"]
    for turn in spoken:
        replies = [
            reply
            for reply in turns
            if reply.who == "agent" and reply.turn == turn.turn and reply.source == "reply"
        ]
        heard = [reply for reply in replies if reply.heard]
        if len(heard) > 1:
            yield f'"{turn.text}" was answered {len(heard)} times'
    for reply in turns:
        if reply.status == "speaking":
            yield f'"{reply.text}" is still being spoken, says its record'


def _has(wanted: Mapping[str, Pattern], fields: Mapping[str, object]) -> bool:
    return all(
        name in fields and pattern.found_in(str(fields[name])) for name, pattern in wanted.items()
    )


def _listed(fields: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in fields.items()) or "nothing"


def _call(expected: ExpectedCall) -> str:
    return f"{expected.name}({_listed(expected.with_)})"


def _deed(expected: ExpectedDeed) -> str:
    return f"{expected.what} ({_listed(expected.with_)})"

"""What a brain said, put into messages that can be kept."""

import json

import pytest

from voiceagent.brain.llm.written_messages import MAX_CHARS
from voiceagent.brain.ports import Began, Expect, HangUp, PressKeys, Save, Say, Transfer
from voiceagent.brain.ports import SwitchLanguage as Switch
from voiceagent.written.drafts import MAX_FIELDS, MAX_MESSAGES, Reply, Said, joined
from written.threads import NOON


def test_what_has_no_meaning_in_writing_is_left_out() -> None:
    events = [Began(), Say("Hello."), Expect(("hi",)), PressKeys("1"), Switch("ru-RU"), HangUp()]
    assert Said.of(events) == Said(("Hello.",), {}, hands_over=False)


def test_what_is_learnt_and_who_is_wanted_is_kept() -> None:
    events = [Save({"a": "1"}), Say(""), Save({"a": "2", "b": "x\x00 y"}), Transfer("+12025550123")]
    assert Said.of(events) == Said((), {"a": "2", "b": "x y"}, hands_over=True)
    many = [Save({f"f{n}": "x" * 900}) for n in range(100)]
    fields = Said.of(many).fields
    assert len(fields) == MAX_FIELDS
    assert "f99" in fields
    assert max(map(len, fields.values())) <= 500


def test_sentences_are_one_message() -> None:
    assert joined([["Hello.", "It is me."], [], ["How are you?"]]) == (
        "Hello. It is me.\n\nHow are you?",
    )
    assert joined([]) == joined([[], [""]]) == ()


def test_what_is_too_long_for_a_channel_becomes_several() -> None:
    long = "A sentence of some length. " * 50
    messages = joined([["Hello."], [long], [long]])
    assert len(messages) == 2
    assert all(len(message) <= MAX_CHARS for message in messages)
    assert "".join(messages).count("A sentence of some length.") == 100
    assert len(joined([["x " * 20_000]])) == MAX_MESSAGES


def test_an_answer_outlives_its_process() -> None:
    reply = Reply(("שלום", "b"), "m7", NOON, {"name": "נועה"}, hands_over=True)
    assert Reply.from_json(json.loads(json.dumps(reply.to_json()))) == reply
    assert [reply.key(place) for place in range(3)] == ["m7", "m7/2", "m7/3"]


@pytest.mark.parametrize(
    "raw",
    [{}, {"messages": 1}, {**Reply((), "m", NOON).to_json(), "at": "noon"}, {"messages": None}],
)
def test_what_is_no_answer_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Reply.from_json(raw)

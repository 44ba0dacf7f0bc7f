"""The brain of the bench."""

from voiceagent.brain.canned import CannedBrain
from voiceagent.brain.ports import CallerTurn, Say


async def test_the_brain_says_one_sentence_a_turn_and_never_the_same_one_twice() -> None:
    dialogue = CannedBrain().open("CA1")
    assert not dialogue.opening()
    said = []
    for committed in (True, False, True):
        said.append([event async for event in dialogue.reply(CallerTurn("bench utterance"))])
        if committed:
            dialogue.commit()
    assert said[1] == said[2]
    assert said[0] != said[1]
    assert all(len(events) == 1 and isinstance(events[0], Say) for events in said)

"""The brain of the bench."""

from voiceagent.brain.canned import CannedBrain
from voiceagent.brain.ports import CallerTurn, Party, Say


async def test_the_brain_says_one_sentence_a_turn_and_never_the_same_one_twice() -> None:
    dialogue = CannedBrain().open(Party("CA1"))
    assert not dialogue.opening()
    said = []
    for committed in (True, False, True):
        proposal = dialogue.reply(CallerTurn("bench utterance"))
        said.append([event async for event in proposal.events])
        if committed:
            proposal.commit()
    assert said[1] == said[2]
    assert said[0] != said[1]
    assert all(len(events) == 1 and isinstance(events[0], Say) for events in said)

"""Another agent takes over in writing: what comes from then on is its own to answer."""

import asyncio

from warped_time import on_warped_time

from voiceagent.written.answerer import Answerer
from voiceagent.written.minds import ScriptedMind
from voiceagent.written.script_answers import ScriptAnswers
from written.agents import HELLO, shop
from written.world import ANN, BEN, SlowMind, World

OTHER = "Hello from another one."


@on_warped_time
async def test_what_is_being_answered_is_not_disturbed_and_the_next_is_anothers() -> None:
    world = World()
    mind = world.mind = SlowMind(world.script, thinks_s=5)
    other = ScriptAnswers(shop().model_copy(update={"greeting": (OTHER,)}))
    async with world.process() as agent:
        world.write("some tea", ANN, agent)
        while not mind.asked:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(1)
        agent.answer_with(Answerer(ScriptedMind(other), other, world.house, now=world.now))
        world.write("some tea", BEN, agent)
        await agent.idle()
    assert world.replies(ANN) == [f"{HELLO}\n\nSmall or large?"]
    assert world.replies(BEN) == [f"{OTHER}\n\nSmall or large?"]

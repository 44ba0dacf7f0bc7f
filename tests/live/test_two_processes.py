"""A call that one process holds is seen, ended and put through from another one's page."""

import asyncio
import signal

from fixtures_database import _server, database_url
from live.house import PERSON, PUBLIC, WORDS, House, house
from live.visitor import shown
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye
from whole_service import on_the_line, speech, until

__all__ = ["_server", "database_url", "house"]


async def test_a_call_is_seen_word_by_word_and_ended_from_another_process(house: House) -> None:
    steps = [Answer(speech(WORDS)), AwaitGoodbye()]
    async with on_the_line(house.a, steps, public_base_url=PUBLIC) as [line]:
        sid, heard = line.call_sid, [""]

        def follows() -> bool:
            page = house.at_b.page()
            words = shown(page, sid, "hearing") or ""
            if words != heard[-1]:
                heard.append(words)
            return "Where is it?" in (shown(page, sid, "said") or "")

        await until(follows)
        growing = [words.removeprefix("Being said now ") for words in heard if words]
        assert [len(words) for words in growing] == sorted(len(words) for words in growing)
        assert len(growing) > 3
        assert all(WORDS.startswith(words) for words in growing if words != "…")
        page = await asyncio.to_thread(house.at_b.page)
        assert "+972 50-000-0000" in page
        assert f":{house.a.pid}</bdi>" in page
        assert "One call now" in page
        # The button without a token, and with one that was not made for this session.
        for csrf in ("", "made-up"):
            action = f"/console/live/{sid}/hang-up"
            refused = await asyncio.to_thread(house.at_b.post, action, csrf=csrf)
            assert refused.status_code == 403

        page = await asyncio.to_thread(house.at_b.press, sid, "hang-up")
        assert "The agent is saying goodbye" in page
        # Pressed twice: once.
        page = await asyncio.to_thread(house.at_b.press, sid, "hang-up")
        assert "That is happening already" in page
        result = await line.over()
        assert result.ended_by == "agent"
    await until(lambda: house.a.call_record(sid).get("end_reason"))
    record = house.a.call_record(sid)
    assert (record["status"], record["end_reason"]) == ("completed", "staff_hangup")
    goodbyes = [turn for turn in record["turns"] if turn["source"] == "goodbye"]
    assert [turn["heard"] for turn in goodbyes] == [turn["text"] for turn in goodbyes] != []
    # Pressed when the call has just ended.
    page = await asyncio.to_thread(house.at_b.press, sid, "hang-up")
    assert "The call had just ended" in page
    assert "No calls now" in page
    said = house.a.output + house.b.output
    assert "old town" not in said, "words of a caller are in the log"


async def test_calls_are_put_through_and_those_of_a_process_that_dies_vanish(house: House) -> None:
    async with on_the_line(house.a, [AwaitGoodbye()], calls=4, public_base_url=PUBLIC) as lines:
        first, second, third, fourth = [line.call_sid for line in lines]
        for sid in (first, second):
            house.twilio.admit(sid)
        await until(lambda: "4 calls now" in house.at_b.page())
        # From the other process, to the agent's own number.
        page = await asyncio.to_thread(house.at_b.press, first, "transfer", to="own")
        assert "who will be put through" in page
        await until(lambda: PERSON in house.dialled(first))
        assert "Putting through to a person" in (shown(house.at_b.page(), first, "tags") or "")
        page = await asyncio.to_thread(house.at_b.press, first, "transfer", to="own")
        assert "That is happening already" in page
        # From the process that holds it, to a number as people type it; not to any number.
        for number, answer in (
            ("12", "no whole telephone number"),
            ("1-900-123456", "Only ordinary numbers"),
            ("+1 900 555 0100", "Only ordinary numbers"),
            ("+44 20 7946 0000", "Only ordinary numbers"),
        ):
            page = await asyncio.to_thread(house.at_a.press, second, "transfer", number=number)
            assert answer in page, number
        assert house.dialled(second) == ""
        page = await asyncio.to_thread(house.at_a.press, second, "transfer", number="03-555 1234")
        assert "who will be put through" in page
        await until(lambda: "+97235551234" in house.dialled(second))
        await lines[1].hang_up()
        await until(lambda: house.a.call_record(second).get("end_reason") == "transferred")

        # On one process it is the same.
        page = await asyncio.to_thread(house.at_a.press, fourth, "hang-up")
        assert "The agent is saying goodbye" in page
        assert (await lines[3].over()).ended_by == "agent"
        await until(lambda: house.a.call_record(fourth).get("end_reason") == "staff_hangup")

        assert shown(house.at_b.page(), third, "tags") is not None
        house.a.send_signal(signal.SIGKILL)
        await until(lambda: "No calls now" in house.at_b.page())
        page = await asyncio.to_thread(house.at_b.press, third, "hang-up")
        assert "The call had just ended" in page

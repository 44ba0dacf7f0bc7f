"""Whole calls: what the phone gets, what is written down, and how each of them ends."""

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator

import pytest
import uvloop
from session_world import CALL, PHRASES, Call, Thinker, call
from warped_time import on_warped_time

from voiceagent.brain.ports import (
    BrainEvent,
    CallerTurn,
    Exchange,
    HangUp,
    PressKeys,
    Proposal,
    Save,
    Say,
    SwitchLanguage,
    Transfer,
)
from voiceagent.call import turn_events as on
from voiceagent.call.parking import SEQ_OF_A_STRANGER
from voiceagent.call.session import CallSession
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.turns import Turns
from voiceagent.errors import ProviderError

BROKEN = ProviderError("broken", retryable=True)


def test_a_deadline_that_is_over_when_it_is_set_fails_no_call_on_uvloop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def late_twice() -> None:
        async with call([]) as c:
            with monkeypatch.context() as late:
                late.setattr(Turns, "next_deadline_ms", 0.0)
                c.session.dispatch(on.Tick())
                c.session.dispatch(on.Tick())
            c.phone.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(late_twice())


class TestTurns:
    @on_warped_time
    async def test_the_greeting_is_played_once(self) -> None:
        async with call([[Say("welcome to us"), Say("what is it")]]) as c:
            await c.until_quiet()
            await c.say("hello there")
            await c.until_quiet()
            assert c.played == ["welcome", "to", "us", "what", "is", "it"]
            c.phone.stop()
        assert c.brain.commits == 1
        assert c.agent_turns() == [
            ("opening", "welcome to us", "welcome to us", "complete"),
            ("reply", "what is it", "what is it", "complete"),
        ]

    @on_warped_time
    async def test_each_utterance_is_answered_once_and_the_brain_knows_what_was_said(self) -> None:
        async with call([[Say("one")], [Say("two"), Say("three")]]) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until_quiet()
            await c.say("second thing")
            await c.until_quiet(words=2)
            c.phone.stop()
        assert c.played == ["welcome", "to", "us", "one", "two", "three"]
        assert [turn.text for turn in c.brain.turns] == ["first thing", "second thing"]
        assert list(c.brain.turns[1].history) == [
            Exchange("agent", "welcome to us"),
            Exchange("caller", "first thing"),
            Exchange("agent", "one"),
            Exchange("caller", "second thing"),
        ]
        assert c.ended.counters["answers"] == 2
        for turn in c.turns:
            if turn.who == "caller":
                assert 300 <= turn.timings["eou_ms"] <= 600
            elif turn.source == "reply":
                ended, heard = turn.timings["speech_ended_at_ms"], turn.timings["heard_at_ms"]
                assert ended < turn.timings["first_audio_at_ms"] < heard

    @on_warped_time
    async def test_a_silence_ends_with_its_last_frame_wherever_the_windows_of_the_model_lie(
        self,
    ) -> None:
        async with call([[Say("yes")]] * 8) as c:
            await c.until_quiet()
            for more_ms in range(0, 160, 20):
                await c.say("do it", 600 + more_ms)
                await c.until_quiet()
            c.phone.stop()
        silences = [turn.timings["eou_ms"] for turn in c.turns if turn.who == "caller"]
        assert len(silences) == 8
        assert all(300 <= silence < 320 for silence in silences), silences

    @on_warped_time
    async def test_keys_are_an_answer(self) -> None:
        async with call([[Say("thank you")]]) as c:
            await c.until(lambda: "to" in c.played)
            c.phone.press("123#")
            await c.until_quiet()
            c.phone.stop()
        assert c.brain.turns[0].digits == "123"
        assert [(t.text, t.source) for t in c.turns if t.who == "caller"] == [("123", "dtmf")]
        assert c.played[-2:] == ["thank", "you"]

    @on_warped_time
    async def test_an_idle_caller_is_asked_twice_and_then_told_goodbye(self) -> None:
        async with call() as c:
            await c.ends()
        said = " ".join(c.played)
        assert said == f"welcome to us {' '.join(PHRASES.reprompts)} {PHRASES.goodbye}"
        assert c.ended.reason == "idle"
        assert c.phone.closed == (1000, "")

    @on_warped_time
    async def test_a_phone_that_returns_no_marks_is_served(self) -> None:
        async with call([[Say("one")], [Say("two")]]) as c:
            c.phone.returns_marks = False
            for text in ("first thing", "second thing"):
                await c.until_quiet()
                await asyncio.sleep(TurnPolicy().speak_slack_ms / 1000)
                await c.say(text)
            await c.until_quiet()
            c.phone.stop()
        assert [turn.text for turn in c.brain.turns] == ["first thing", "second thing"]
        assert c.played == ["welcome", "to", "us", "one", "two"]


LONG = "alpha beta gamma delta epsilon zeta eta theta iota kappa"


class TestInterruptions:
    @on_warped_time
    async def test_a_barge_in_clears_at_once_and_nothing_old_follows(self) -> None:
        async with call([[Say(LONG)], [Say("of course")]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "gamma" in c.played)
            began_ms = c.phone.now_ms
            await c.say("wait a moment")
            await c.until_quiet()
            c.phone.stop()
        (clear,) = (at for at, m in enumerate(c.phone.sent) if m.event == "clear")
        cleared_ms = c.phone.sent[clear].at_ms
        assert cleared_ms - began_ms <= TurnPolicy().barge_in_min_ms + 2 * 32
        assert all(m.at_ms > cleared_ms + 300 for m in c.phone.sent[clear + 1 :])
        assert c.played[3:] == ["alpha", "beta", "gamma", "of", "course"]
        generation = {
            m.body["mark"]["name"].split(":")[0] for m in c.phone.sent[clear:] if m.event == "mark"
        }
        before = {
            m.body["mark"]["name"].split(":")[0] for m in c.phone.sent[:clear] if m.event == "mark"
        }
        assert generation
        assert generation.isdisjoint(before)

    @on_warped_time
    async def test_only_what_was_heard_is_recorded_and_remembered(self) -> None:
        async with call([[Say(LONG)], [Say("of course")]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "gamma" in c.played)
            await c.say("wait a moment")
            await c.until_quiet()
            c.phone.stop()
        reply = c.agent_turns()[1]
        assert reply == ("reply", LONG, "alpha beta", "interrupted")
        assert c.brain.turns[1].history[-2] == Exchange("agent", "alpha beta", cut=True)
        assert c.ended.counters["barge_ins"] == 1

    @on_warped_time
    async def test_a_false_interruption_goes_on_at_the_first_unheard_word(self) -> None:
        async with call([[Say(LONG), Say("and so on")]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "delta" in c.played)
            await c.say("", ms=300)
            await c.until_quiet(words=5)
            c.phone.stop()
        # "delta" was cut in its middle, so it comes again.
        words = [*LONG.split(), "and", "so", "on"]
        assert c.played[3:] == [*words[:4], *words[3:]]
        assert c.agent_turns()[1][2:] == (f"{LONG} and so on", "complete")
        assert len([m for m in c.phone.sent if m.event == "clear"]) == 1
        assert c.ended.counters["false_interruptions"] == 1

    @on_warped_time
    async def test_a_back_channel_does_not_take_the_floor(self) -> None:
        async with call([[Say(LONG)]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "delta" in c.played)
            await c.say("mm-hm", ms=300)
            await c.until(lambda: "kappa" in c.played)
            await c.until_quiet(words=0)
            c.phone.stop()
        assert c.agent_turns()[1][2:] == (LONG, "complete")
        assert len(c.brain.turns) == 1

    @on_warped_time
    async def test_a_reply_that_nobody_heard_is_answered_again_with_the_rest(self) -> None:
        async with call([[1.0, Say("first")], [Say("both")]]) as c:
            await c.until_quiet()
            await c.say("I want a house")
            await asyncio.sleep(0.7)
            await c.say("with a garden")
            await c.until_quiet()
            c.phone.stop()
        assert [turn.text for turn in c.brain.turns] == [
            "I want a house",
            "I want a house with a garden",
        ]
        assert c.played == ["welcome", "to", "us", "both"]
        assert c.brain.commits == 1  # of the reply that was heard


class TestFailures:
    @on_warped_time
    async def test_a_brain_that_raises_is_apologised_for(self) -> None:
        async with call([[BROKEN], [Say("better")]]) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until_quiet()
            assert " ".join(c.played[3:]) == PHRASES.apology
            await c.say("once more")
            await c.until_quiet()
            c.phone.stop()
        assert c.failures == [("brain", "broken")]
        assert c.played[-1] == "better"

    @on_warped_time
    async def test_a_brain_with_a_fault_of_its_own_is_apologised_for(self) -> None:
        async with call([[Say("well then"), 0.5, ZeroDivisionError()]]) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until_quiet(words=4)
            assert " ".join(c.played[3:]) == f"well then {PHRASES.apology}"
            c.phone.stop()

    @on_warped_time
    async def test_a_brain_that_hangs_is_apologised_for_and_stopped(self) -> None:
        async with call([[3600.0, Say("too late")]]) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until_quiet()
            assert " ".join(c.played[3:]) == PHRASES.apology
            assert c.brain.at_work == 0
            c.phone.stop()

    @on_warped_time
    async def test_a_brain_that_says_nothing_is_apologised_for(self) -> None:
        async with call([[]]) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until_quiet()
            assert " ".join(c.played[3:]) == PHRASES.apology
            c.phone.stop()

    @on_warped_time
    async def test_a_brain_that_never_ends_a_reply_is_apologised_for(self) -> None:
        endless = [Say(f"sentence number{n}") for n in range(200)]
        async with call([[*endless, 0.1, Save({"name": "Dana"})]]) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until(lambda: c.failures)
            await c.until(lambda: PHRASES.apology.split()[-1] in c.played)
            await c.until_quiet(words=0)
            c.phone.stop()
        assert c.failures[0][0] == "brain"
        assert c.learnt == {}

    @on_warped_time
    async def test_a_voice_that_breaks_in_mid_sentence_is_apologised_for(self) -> None:
        async with call([[Say("well then"), Say("the price is high")], [Say("better")]]) as c:
            c.voice.breaks["is"] = BROKEN
            await c.until_quiet()
            await c.say("first thing")
            await c.until_quiet(words=7)
            assert " ".join(c.played[3:]) == f"well then the price {PHRASES.apology}"
            await c.say("once more")
            await c.until_quiet()
            c.phone.stop()
        assert c.failures == [("tts", "broken")]
        assert c.agent_turns()[1][2] == f"well then the price {PHRASES.apology}"
        assert c.brain.turns[1].history[-2].text == f"well then the price {PHRASES.apology}"

    @on_warped_time
    async def test_a_voice_that_hangs_in_mid_reply_is_apologised_for(self) -> None:
        async with call([[Say("well then"), Say("the price is high")]]) as c:
            c.voice.breaks["price"] = 3600.0
            await c.until_quiet()
            await c.say("first thing")
            await c.until(lambda: PHRASES.apology.split()[-1] in c.played, within_s=12)
            await c.until_quiet(words=0)
            assert c.voice.open_sentences == 0
            c.phone.stop()

    @on_warped_time
    async def test_a_voice_without_a_word_for_it_ends_the_call_in_order(self) -> None:
        def mute(c: Call) -> None:
            c.session._services.voice.phrase_book._chunks.clear()
            for word in f"{PHRASES.apology} one".split():
                c.voice.breaks[word] = BROKEN

        async with call([[Say("one")]], prepare=mute) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.ends()
        assert c.ended.reason == "error"
        assert c.phone.closed == (1011, "internal error")

    @on_warped_time
    async def test_ears_that_fail_twice_are_opened_again(self) -> None:
        async with call(
            [[Say("one")]], prepare=lambda c: c.ears.failures.extend([BROKEN] * 2)
        ) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until_quiet()
            c.phone.stop()
        assert c.ears.opened == 3
        assert c.failures == [("stt", "broken")] * 2
        assert c.played[-1] == "one"

    @pytest.mark.parametrize(
        "failures",
        [
            [BROKEN] * 60,
            [ProviderError("broken for good", retryable=False)],
            [None] * 60,
            [ZeroDivisionError()] * 60,
        ],
        ids=["for half a minute", "for good", "by ending", "by a fault"],
    )
    @on_warped_time
    async def test_ears_that_fail_for_good_are_apologised_for(
        self, failures: list[BaseException | None]
    ) -> None:
        async with call(prepare=lambda c: c.ears.failures.extend(failures)) as c:
            await c.ends()
        assert " ".join(c.played).endswith(PHRASES.cannot_hear)
        assert c.ended.reason == "error"
        assert c.failures[0][0] == "stt"

    @on_warped_time
    async def test_ears_that_are_away_for_a_while_cost_no_call(self) -> None:
        async with call(
            [[Say("again please")], [Say("one")]],
            prepare=lambda c: c.ears.failures.extend([BROKEN] * 20),
        ) as c:
            await c.until_quiet()
            await c.say("nobody hears this")
            await c.until_quiet()
            assert c.phone.closed is None
            c.ears.failures.clear()
            await asyncio.sleep(2.0)
            await c.say("first thing")
            await c.until_quiet()
            c.phone.stop()
        assert c.played[-1] == "one"
        assert c.ended.reason == "caller_hangup"

    @on_warped_time
    async def test_ears_that_do_not_even_close_do_no_harm(self) -> None:
        def break_them(c: Call) -> None:
            c.ears.failures.append(BROKEN)
            c.ears.close_error = BROKEN

        async with call([[Say("one")]], prepare=break_them) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until_quiet()
            c.phone.stop()
        assert c.played[-1] == "one"
        assert c.ended.reason == "caller_hangup"

    @on_warped_time
    async def test_a_fault_of_our_own_ends_one_call_in_order(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with call([[Say("one")]]) as c:
            await c.until(lambda: "to" in c.played)
            monkeypatch.setattr(Turns, "handle", None)
            await c.ends()
        assert c.ended.reason == "error"
        assert c.phone.closed == (1011, "internal error")
        assert "the call failed" in caplog.text


class TestEndings:
    @on_warped_time
    async def test_a_call_that_is_over_waits_for_no_collector(self) -> None:
        async def whole_call() -> "weakref.ref[CallSession]":
            async with call([[Say("what is it")]]) as c:
                await c.until_quiet()
                await c.say("hello there")
                await c.until_quiet()
                c.phone.stop()
            c.brain.turns.clear()
            return weakref.ref(c.session)

        def machines() -> int:
            return sum(isinstance(one, Turns) for one in gc.get_objects())

        gc.collect()
        gc.disable()
        before = machines()
        try:
            session = await whole_call()
            assert session() is None
            assert machines() <= before
        finally:
            gc.enable()

    @on_warped_time
    async def test_the_agent_hangs_up_after_its_last_word_was_heard(self) -> None:
        async with call([[Say("goodbye and thanks"), HangUp()]]) as c:
            await c.until_quiet()
            await c.say("that is all")
            await c.ends()
            assert c.played[3:] == ["goodbye", "and", "thanks"]
            assert c.phone.line.returned[-1].played
            assert ":end0:" in c.phone.line.returned[-1].name
        assert c.ended.reason == "agent_hangup"
        assert c.ended.status == "completed"
        assert c.phone.closed == (1000, "")
        assert c.agent_turns()[1][3] == "complete"

    @on_warped_time
    async def test_stop_while_speaking(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "voiceagent.words")
        async with call([[Say(LONG)]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "gamma" in c.played)
            c.phone.stop()
        assert (c.ended.reason, c.ended.status) == ("caller_hangup", "completed")
        assert c.phone.closed == (1000, "")
        assert c.agent_turns()[1] == ("reply", LONG, "alpha beta", "interrupted")
        words = [record.getMessage().split()[0].split("=")[0] for record in caplog.records]
        assert words[-3:] == ["TTS_LEN_ms", "MEDIA_TX", "WS_STOP"]

    @on_warped_time
    async def test_a_connection_that_is_gone(self) -> None:
        async with call([[Say(LONG)]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "gamma" in c.played)
            c.phone.vanish()
        assert (c.ended.reason, c.ended.status) == ("socket_lost", "failed")
        assert c.agent_turns()[1][2:] == ("alpha beta", "interrupted")

    @on_warped_time
    async def test_a_hang_up_that_is_read_after_a_send_has_failed(self) -> None:
        async with call([[Say(LONG)]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "beta" in c.played)
            c.phone.refuses = True
            await asyncio.sleep(0.5)
            c.phone.stop()
        assert (c.ended.reason, c.ended.status) == ("caller_hangup", "completed")

    @on_warped_time
    async def test_a_connection_that_takes_nothing_and_says_nothing_is_gone(self) -> None:
        async with call([[Say(LONG)]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "beta" in c.played)
            c.phone.refuses = True
            refused_ms = c.phone.now_ms
            await c.ends()
            assert c.phone.now_ms - refused_ms <= 2_000
        assert (c.ended.reason, c.ended.status) == ("socket_lost", "failed")

    @on_warped_time
    async def test_a_send_that_hangs_ends_the_call(self) -> None:
        async with call([[Say("one")]]) as c:
            await c.until_quiet()
            c.phone.hangs = True
            await c.say("first thing")
            hung_ms = c.phone.now_ms
            await c.ends()
            assert 5_000 <= c.phone.now_ms - hung_ms <= 6_500
        assert (c.ended.reason, c.ended.status) == ("send_timeout", "failed")

    @on_warped_time
    async def test_a_stream_without_media_does_not_live_for_ever(self) -> None:
        async with call() as c:
            await c.until_quiet()
            c.phone.is_silent = True
            await c.ends()
        assert c.ended.reason in ("idle", "socket_lost")

    @on_warped_time
    async def test_a_farewell_is_heard_before_the_call_is_closed(self) -> None:
        async with call([[Say(LONG)]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "gamma" in c.played)
            c.session.farewell()
            await c.ends()
        assert " ".join(c.played).endswith(f"gamma {PHRASES.goodbye}")
        assert (c.ended.reason, c.ended.status) == ("drain", "completed")
        assert c.agent_turns()[1] == ("reply", LONG, "alpha beta", "interrupted")
        assert c.agent_turns()[2] == ("goodbye", PHRASES.goodbye, PHRASES.goodbye, "complete")

    @on_warped_time
    async def test_a_call_that_has_lasted_long_enough_is_ended_in_words(self) -> None:
        policy = TurnPolicy(call_max_ms=40_000.0)
        async with call([[Say("very well")]], policy=policy) as c:
            await c.until_quiet()
            await c.until(lambda: c.phone.now_ms > 29_800)
            await c.say("one more thing")
            await c.ends()
        assert " ".join(c.played).endswith(f"very well {PHRASES.nearly_over} {PHRASES.goodbye}")
        assert (c.ended.reason, c.ended.status) == ("time_limit", "completed")
        assert [turn[0] for turn in c.agent_turns()[-3:]] == ["reply", "nearly_over", "goodbye"]
        assert c.phone.closed == (1000, "")

    @on_warped_time
    async def test_an_end_from_outside(self) -> None:
        async with call([[3600.0]]) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until(lambda: c.brain.at_work)
            c.session.end("drain")
        assert c.ended.reason == "drain"

    @on_warped_time
    async def test_a_farewell_after_the_end_does_nothing(self) -> None:
        async with call() as c:
            await c.until_quiet()
            c.phone.stop()
            await c.ends()
            count = len(c.records)
            c.session.farewell()
            c.session.end("drain")
            assert len(c.records) == count

    @on_warped_time
    async def test_a_call_that_is_cancelled_is_still_written_down(self) -> None:
        async with call([[Say(LONG)]]) as c:
            await c.until_quiet()
            await c.say("tell me all")
            await c.until(lambda: "gamma" in c.played)
            c.running.cancel()
            await asyncio.wait([c.running])
            c.check_complete()
            c.running = asyncio.create_task(asyncio.sleep(0))
            c.session.farewell()
        assert c.ended.reason == "error"
        assert c.agent_turns()[1] == ("reply", LONG, "alpha beta", "interrupted")

    @pytest.mark.parametrize("at_ms", range(0, 3000, 230))
    @on_warped_time
    async def test_a_hang_up_at_any_time_ends_in_order(self, at_ms: int) -> None:
        async with call([[0.2, Say(LONG), 0.3, Say("and so on")]], opening=[Say("hello")]) as c:
            c.ears.texts.append("tell me all")
            talking = asyncio.create_task(c.phone.voice(400))
            await asyncio.sleep(at_ms / 1000)
            c.phone.stop()
            await c.ends()
            talking.cancel()
            await asyncio.wait([talking])
        assert c.ended.reason == "caller_hangup"


class TestMessages:
    @on_warped_time
    async def test_what_is_no_message_of_this_call_is_counted_and_survived(self) -> None:
        async with call([[Say("one")]]) as c:
            await c.until_quiet()
            for message in (
                "{",
                b"\x00\x01",
                "[]",
                '{"event":"start","start":{"streamSid":"MZ_WORLD","callSid":"CA_WORLD"}}',
                '{"event":"stop","streamSid":"MZ_OTHER","stop":{}}',
                '{"event":"mark","streamSid":"MZ_OTHER","mark":{"name":"g1:end0:600"}}',
                '{"event":"dtmf","streamSid":"MZ_OTHER","dtmf":{"digit":"1"}}',
                '{"event":"media","streamSid":"MZ_WORLD","media":{"payload":"?"}}',
            ):
                c.phone.put(message)
            c.phone.put_media(b"\x00" * 160, stream_sid="MZ_OTHER")
            c.phone.put('{"event":"news","streamSid":"MZ_WORLD"}')  # unknown, but well-formed
            c.phone.put('{"event":"mark","streamSid":"MZ_WORLD","mark":{"name":"g9:unheard"}}')
            await c.say("first thing")
            await c.until_quiet()
            c.phone.stop()
        assert c.ended.counters["malformed"] == 9
        assert c.played[-1] == "one"
        assert c.metrics.malformed_messages._value.get() == 9

    @on_warped_time
    async def test_a_thousand_broken_messages_are_no_phone(self) -> None:
        async with call() as c:
            await c.until_quiet()
            for _ in range(1001):
                c.phone.put("{")
            await c.ends()
        assert c.phone.closed == (1008, "too many malformed messages")
        assert c.ended.counters["malformed"] == 1001

    @on_warped_time
    async def test_a_flood_of_messages_lets_others_have_their_turn(self) -> None:
        async with call() as c:
            turns_of_others = 0

            async def other() -> None:
                nonlocal turns_of_others
                while not c.running.done():
                    turns_of_others += 1
                    await asyncio.sleep(0)

            await c.until_quiet()
            beside = asyncio.create_task(other())
            for _ in range(3000):
                c.phone.put('{"event":"news","streamSid":"MZ_WORLD"}')
            c.phone.stop()
            await c.ends()
            await beside
        assert turns_of_others > 20

    @on_warped_time
    async def test_a_flood_is_read_no_faster_than_twenty_times_real_time(self) -> None:
        async with call() as c:
            await c.until_quiet()
            began_ms = c.phone.now_ms
            for _ in range(15_000):
                c.phone.put('{"event":"news","streamSid":"MZ_WORLD"}')
            c.phone.stop()
            await c.ends()
            assert 10_000 <= c.phone.now_ms - began_ms <= 12_000

    @on_warped_time
    async def test_keys_that_never_end_do_not_pile_up(self) -> None:
        async with call([[Say("one")]]) as c:
            await c.until_quiet()
            c.phone.press("7" * 10_000)
            await c.until_quiet()
            c.phone.stop()
        assert len(c.brain.turns[0].digits) == TurnPolicy().max_digits

    @on_warped_time
    async def test_audio_ten_times_faster_than_real_time_is_not_slowed(self) -> None:
        async with call() as c:
            await c.until_quiet()
            for _ in range(500):
                for _ in range(10):
                    c.phone.put_media(b"\xff" * 160)
                await asyncio.sleep(0.02)
            stopped_ms = c.phone.now_ms
            c.phone.stop()
            await c.ends()
            assert c.phone.now_ms - stopped_ms < 100
        assert c.ended.reason == "caller_hangup"
        assert c.ended.counters["frames_in"] > 5_500


class TestGuessing:
    @on_warped_time
    async def test_an_answer_made_ahead_is_heard_as_soon_as_the_utterance_has_ended(self) -> None:
        async with call([[0.3, Say("here it is"), Say("and more")]]) as c:
            await c.until_quiet()
            await c.say("I want a house")
            await c.until_quiet(words=5)
            c.phone.stop()
        assert c.played[3:] == ["here", "it", "is", "and", "more"]
        assert [turn.text for turn in c.brain.turns] == ["I want a house"]
        reply = c.turns[-1].timings
        assert reply["speculated_at_ms"] < reply["eou_at_ms"]
        assert reply["first_sentence_at_ms"] <= reply["eou_at_ms"]
        assert reply["first_frame_at_ms"] - reply["eou_at_ms"] < 5
        assert c.ended.counters["guesses_used"] == c.ended.counters["guesses"] == 1

    @on_warped_time
    async def test_what_has_an_effect_waits_until_the_caller_has_finished(self) -> None:
        seen: list[float] = []

        class Careful(Thinker):
            def reply(self, turn: CallerTurn) -> Proposal:
                return Proposal(self._careful(turn), self._commit)

            async def _careful(self, turn: CallerTurn) -> AsyncIterator[BrainEvent]:
                await turn.confirmed()
                seen.append(asyncio.get_running_loop().time())
                yield Say("it is done")

        async with call(brain=Careful([Say("welcome to us")], [])) as c:
            await c.until_quiet()
            await c.say("do it")
            await c.until_quiet()
            c.phone.stop()
        (done_at,) = seen
        timings = c.turns[-1].timings
        assert (done_at - c.session._clock.born_s) * 1000 >= timings["eou_at_ms"] - 1
        assert c.played[-3:] == ["it", "is", "done"]
        assert 300 <= timings["eou_ms"] < 320, (
            "an answer that waits for the end keeps nobody waiting"
        )

    @on_warped_time
    async def test_a_guess_that_breaks_is_told_once_the_utterance_has_ended(self) -> None:
        async with call([[BROKEN], [Say("better")]]) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until_quiet()
            assert " ".join(c.played[3:]) == PHRASES.apology
            c.phone.stop()

    @on_warped_time
    async def test_a_guess_at_a_coughed_call_leaves_nothing_behind(self) -> None:
        async with call([[30.0, Say("never")]]) as c:
            await c.until_quiet()
            c.ears.texts.append("I want")
            await c.phone.voice(600)
            await asyncio.sleep(0.2)
            c.phone.stop()
        assert c.brain.commits == 0
        assert c.brain.at_work == 0

    @on_warped_time
    async def test_the_history_of_a_guess_holds_what_was_heard_of_the_interrupted_reply(
        self,
    ) -> None:
        long = Say("one two three four five six seven eight nine ten")
        async with call([[long], [Say("very well")]]) as c:
            await c.until_quiet()
            await c.say("first thing")
            await c.until(lambda: "five" in c.played)
            await c.say("no I mean another thing")
            await c.until_quiet(words=2)
            c.phone.stop()
        caller, agent, last = c.brain.turns[-1].history[-3:]
        assert (caller.text, last.text) == ("first thing", "no I mean another thing")
        assert agent.cut
        heard = c.turns[2].heard
        assert agent.text == heard
        assert long.text.startswith(heard)


class Switchboard:
    """Takes orders to connect callers; Twilio may end the stream before it has answered."""

    def __init__(self, error: BaseException | None = None, *, answers_after_s: float = 0.0) -> None:
        self.error = error
        self.answers_after_s = answers_after_s
        self.orders: list[tuple[str, str]] = []
        self.answered = 0

    async def transfer(self, call_sid: str, number: str) -> None:
        self.orders.append((call_sid, number))
        await asyncio.sleep(self.answers_after_s)
        self.answered += 1
        if self.error is not None:
            raise self.error

    async def hang_up(self, call_sid: str) -> None: ...


def go_deaf(c: Call) -> None:
    c.ears.failures.append(ProviderError("no such language", retryable=False))


class TestTransfer:
    LEAVING = (Say("I connect you"), Transfer("+97231234567"))

    @on_warped_time
    async def test_the_caller_is_connected_once_the_agent_was_heard(self) -> None:
        board = Switchboard()
        async with call([self.LEAVING], control=board) as c:
            await c.until_quiet()
            await c.say("a person please")
            await c.until(lambda: board.orders)
            assert c.played[-1] == "you"
            c.phone.stop()  # Twilio takes the call away
        assert board.orders == [(CALL, "+97231234567")]
        assert (c.ended.reason, c.ended.status) == ("transferred", "completed")

    @on_warped_time
    async def test_the_stream_may_end_before_the_order_is_answered(self) -> None:
        board = Switchboard(answers_after_s=0.5)
        async with call([self.LEAVING], control=board) as c:
            await c.until_quiet()
            await c.say("a person please")
            await c.until(lambda: board.orders)
            c.phone.stop()
        assert board.answered == 1, "an order under way is not cut off"
        assert c.ended.reason == "transferred"

    @on_warped_time
    async def test_a_fault_of_our_own_is_said_likewise(self) -> None:
        async with call([self.LEAVING], control=Switchboard(RuntimeError("bug"))) as c:
            await c.until_quiet()
            await c.say("a person please")
            await c.until_quiet(words=5)
            assert " ".join(c.played[-2:]) == PHRASES.transfer_failed
            c.phone.stop()

    @on_warped_time
    async def test_one_that_fails_is_said_and_the_call_goes_on(self) -> None:
        board = Switchboard(ProviderError("no", retryable=False))
        async with call([self.LEAVING, [Say("noted")]], control=board) as c:
            await c.until_quiet()
            await c.say("a person please")
            await c.until_quiet(words=5)
            assert " ".join(c.played[-2:]) == PHRASES.transfer_failed
            await c.say("take a message")
            await c.until_quiet()
            c.phone.stop()
        assert c.played[-1] == "noted"
        assert ("transfer", "no") in c.failures

    @on_warped_time
    async def test_without_a_telephone_company_it_fails_likewise(self) -> None:
        async with call([self.LEAVING]) as c:
            await c.until_quiet()
            await c.say("a person please")
            await c.until_quiet(words=5)
            assert " ".join(c.played[-2:]) == PHRASES.transfer_failed
            c.phone.stop()

    @on_warped_time
    async def test_whom_nobody_understands_any_more_a_person_takes_over(self) -> None:
        board = Switchboard()
        async with call(prepare=go_deaf, control=board, person="+972501234567") as c:
            await c.until(lambda: board.orders)
            c.phone.stop()
        assert " ".join(c.played).endswith(PHRASES.transfer)
        assert board.orders == [(CALL, "+972501234567")]
        assert c.ended.reason == "transferred"

    @on_warped_time
    async def test_who_comes_back_from_them_and_is_not_understood_again_hears_so(self) -> None:
        board = Switchboard()
        back = {"resumed": "transfer_failed"}
        async with call(
            prepare=go_deaf, control=board, person="+972501234567", parameters=back
        ) as c:
            await c.ends()
        assert " ".join(c.played).endswith(PHRASES.cannot_hear)
        assert (board.orders, c.ended.reason) == ([], "error")

    @on_warped_time
    async def test_who_comes_back_is_told_and_the_record_goes_on(self) -> None:
        async with call([[Say("noted")]], parameters={"resumed": "transfer_failed"}) as c:
            await c.until_quiet(words=2)
            assert " ".join(c.played) == PHRASES.transfer_failed
            await c.say("take a message")
            await c.until_quiet()
            c.phone.stop()
        assert c.played[-1] == "noted"
        assert c.turns[0].seq >= SEQ_OF_A_STRANGER


class TestKeysOnTheLine:
    @on_warped_time
    async def test_an_answer_of_keys_alone_is_a_whole_turn(self) -> None:
        async with call([[PressKeys("12#")]]) as c:
            await c.until_quiet()
            await c.say("press one two")
            await c.until(lambda: c.turns[-1].status == "complete" and c.turns[-1].turn == 1)
            c.phone.stop()
        assert (c.turns[-1].text, c.turns[-1].status) == ("", "complete")

    @on_warped_time
    async def test_keys_without_end_are_stopped(self) -> None:
        async with call([[PressKeys("1")] * 70, [Say("better")]]) as c:
            await c.until_quiet()
            await c.say("press")
            await c.until(lambda: PHRASES.apology.split()[-1] in c.played)
            await c.until_quiet(words=0)
            c.phone.stop()
        assert c.failures[0][0] == "brain"


class TestOtherLanguages:
    @on_warped_time
    async def test_a_change_that_nobody_heard_did_not_happen(self) -> None:
        answers = [
            [SwitchLanguage("ru-RU"), 1.5, Say("zdravstvuyte")],
            [Say("english it is")],
        ]
        async with call(answers) as c:
            await c.until_quiet()
            await c.say("russian please")
            await asyncio.sleep(0.9)
            await c.say("no leave it")
            await c.until_quiet(words=3)
            c.phone.stop()
        assert c.ears.languages == ["en-US"]
        assert c.voice.languages[-1] == "en-US"

    @on_warped_time
    async def test_the_ears_and_the_voice_change(self) -> None:
        answers = [[SwitchLanguage("ru-RU"), Say("zdravstvuyte")], [Say("spasibo")]]
        async with call(answers) as c:
            await c.until_quiet()
            await c.say("russian please")
            await c.until_quiet()
            await c.say("dom")
            await c.until_quiet()
            c.phone.stop()
        assert c.ears.languages == ["en-US", "ru-RU"]
        assert c.voice.languages[-2:] == ["ru-RU", "ru-RU"]
        assert c.failures == []

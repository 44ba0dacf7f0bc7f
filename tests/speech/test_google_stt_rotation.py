"""The rotation machine against a model of Google: no word lost, none doubled, whatever breaks."""

from dataclasses import replace
from itertools import pairwise

import pytest

from emulators.recognizer_model import STEP_MS, Behaviour, World
from voiceagent.speech.google_stt_leg import AudioTape, Leg
from voiceagent.speech.google_stt_policy import (
    Failure,
    GiveUp,
    HalfClose,
    Health,
    Heard,
    Open,
    StreamPolicy,
    Tell,
)
from voiceagent.speech.google_stt_rotation import Rotation
from voiceagent.speech.google_stt_voices import Voices

USUAL = StreamPolicy()
QUICK = replace(USUAL, rotate_from_ms=8_000, rotate_by_ms=12_000, replay_ms=4_000)
"""Twenty times the rotations of a real call, each way of them."""


def a_call(seed: int, behaviour: Behaviour, policy: StreamPolicy, seconds: int = 60) -> World:
    world = World(seed, behaviour, policy)
    draw = world.random
    while world.fed_ms < seconds * 1000 and world.given_up is None:
        world.say(draw.randint(1, 12), draw.choice([60, 80, 100, 140]))
        world.silence(draw.choice([150, 300, 450, 700, 1500, 4000]))
        if draw.random() < 0.05:
            world.missing(draw.choice([500, 3000, 15000]))
    world.silence(12_000)
    return world


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("behaviour", "policy"),
    [
        pytest.param(Behaviour(), USUAL, id="usual"),
        pytest.param(Behaviour(limit_ms=14_000), QUICK, id="rotating"),
        pytest.param(
            Behaviour(latency_ms=(200, 900), final_ms=(0, 1500), limit_ms=14_000),
            QUICK,
            id="slow",
        ),
        pytest.param(Behaviour(dies_later=0.6, limit_ms=14_000), QUICK, id="dying"),
        pytest.param(Behaviour(limit_ms=25_000), USUAL, id="ended-by-the-server"),
    ],
)
def test_every_word_is_told_once(seed: int, behaviour: Behaviour, policy: StreamPolicy) -> None:
    world = a_call(seed, behaviour, policy)
    assert world.given_up is None
    assert world.text == world.said
    assert world.page == world.said
    assert world.machine.counters.dropped_ms == 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(Behaviour(dies_at_start=0.3, dies_later=0.3, limit_ms=14_000), id="start"),
        pytest.param(Behaviour(hangs=0.2, limit_ms=14_000), id="hanging"),
    ],
)
def test_it_loses_no_word_unless_it_says_that_it_gives_up(seed: int, behaviour: Behaviour) -> None:
    world = a_call(seed, behaviour, QUICK)
    if world.given_up is None:
        assert world.text == world.said


@pytest.mark.parametrize("seed", [50, 65])
def test_a_repair_that_hangs_too_keeps_what_it_had_settled(seed: int) -> None:
    world = a_call(seed, Behaviour(hangs=0.35, limit_ms=14_000), QUICK)
    assert world.text == world.said


@pytest.mark.parametrize("seed", range(20))
def test_words_that_were_told_are_not_taken_back_while_a_leg_catches_up(seed: int) -> None:
    world = a_call(seed, Behaviour(dies_later=0.6, limit_ms=14_000), QUICK)
    assert world.taken_back_ms < 1_500


def test_what_comes_after_a_cut_amid_a_voice_is_a_voice_however_short() -> None:
    voices = Voices()
    voices.started(0)
    voices.split(8_000)
    assert voices.speaking
    voices.paused(8_960)
    voices.ended(12_000)
    rest = voices.first_beyond(8_000, slack=2_400)
    assert rest is not None
    assert (rest.start, rest.end) == (8_000, 8_960)
    assert voices.over_to == 8_960


@pytest.mark.parametrize("seed", range(20))
def test_finals_never_overlap(seed: int) -> None:
    world = a_call(seed, Behaviour(dies_later=0.5, limit_ms=14_000), QUICK)
    finals = sorted(world.finals, key=lambda final: final.start_ms)
    assert all(one.end_ms <= other.start_ms + 1e-6 for one, other in pairwise(finals))


def test_it_rotates_in_the_first_silence_after_its_time() -> None:
    world = World(1)
    world.silence(239_900)
    world.say(10)  # across the time
    assert world.machine.counters.handed_over == 0
    world.silence(2_000)
    assert world.machine.counters.handed_over == 1
    old, new = world.all_legs
    assert old.ended
    assert world.text == world.said
    assert 241_500 < new.opened_ms - old.opened_ms < 244_000


def test_a_caller_who_never_pauses_is_cut_between_two_words_by_290_s() -> None:
    world = World(2)
    world.silence(238_000)
    world.say(290)
    world.silence(5_000)
    old, new = world.all_legs
    assert 290_000 <= new.opened_ms - old.opened_ms < 292_000
    assert world.text == world.said


def test_a_voice_that_begins_after_the_cut_cancels_it() -> None:
    world = World(3)
    world.silence(240_050)
    world.say(8)
    assert world.machine.counters.handed_over == 0
    world.silence(3_000)
    assert world.machine.counters.handed_over == 1
    assert world.text == world.said


def test_silence_without_media_is_fed_in_real_time_and_not_counted() -> None:
    world = World(4)
    world.say(3)
    world.missing(9_000)
    world.say(2)
    world.silence(3_000)
    (leg,) = world.all_legs
    assert len(leg.audio) / 8 == pytest.approx(world.fed_ms + 9_000 - USUAL.starve_ms, abs=300)
    first, second = world.finals
    assert first.end_ms < 1_000
    assert second.start_ms == pytest.approx(600, abs=350)
    assert second.end_ms <= world.fed_ms
    assert world.text == world.said


def test_short_gaps_in_the_media_are_not_filled() -> None:
    world = World(5)
    for _ in range(20):
        world.say(2)
        world.missing(1_500)
    (leg,) = world.all_legs
    assert len(leg.audio) / 8 <= world.fed_ms


def test_what_is_sent_again_comes_faster_than_real_time_but_not_all_at_once() -> None:
    machine = Rotation(USUAL)
    now_ms = 1000.0
    machine.speech_started(0.0, now_ms)
    for _ in range(1000):
        machine.feed(b"\x10" * 160, now_ms)
    machine.advance(now_ms)
    sent: list[tuple[float, int]] = []
    while len(sent) < 200:
        while isinstance(request := machine.next_request(1, now_ms), bytes):
            sent.append((now_ms, len(request)))
        now_ms += 50
    assert {count for _, count in sent} == {800}
    at_once = sum(count for at, count in sent if at == 1000.0)
    assert at_once == USUAL.burst_ms * 8
    assert sent[199][0] == pytest.approx(1000 + (20_000 - 2_000) / 8, abs=100)


def test_a_leg_that_takes_nothing_costs_the_oldest_audio_and_that_is_counted() -> None:
    machine = Rotation(USUAL)
    for step in range(2500):
        machine.feed(b"\xff" * 160, step * 20.0)
        machine.advance(step * 20.0)
    assert isinstance(machine.next_request(1, 50_000.0), bytes)
    assert 16_000 < machine.counters.dropped_ms < 20_500


def test_a_fatal_status_at_the_start_is_the_end() -> None:
    machine, now_ms = opened()
    (end,) = machine.leg_ended(1, Failure("PERMISSION_DENIED", fatal=True), now_ms)
    assert end == GiveUp("PERMISSION_DENIED", retryable=False)
    assert machine.advance(now_ms + 60_000) == []


def test_a_refusal_by_an_engine_that_has_worked_is_tried_once_more() -> None:
    machine = Rotation(USUAL, Health(has_worked=True))
    machine.feed(b"\xff" * 800, 1_000.0)
    machine.advance(1_000.0)
    assert machine.leg_ended(1, Failure("PERMISSION_DENIED", fatal=True), 1_010.0) == []
    assert machine.advance(1_200.0) == [Open(2)]
    (end,) = machine.leg_ended(2, Failure("PERMISSION_DENIED", fatal=True), 1_210.0)
    assert end == GiveUp("PERMISSION_DENIED", retryable=False)


def test_a_fatal_status_later_is_tried_once_more() -> None:
    machine, now_ms = opened()
    machine.heard(1, [], now_ms)
    assert machine.leg_ended(1, Failure("UNAUTHENTICATED", fatal=True), now_ms) == [Open(2)]
    assert machine.leg_ended(2, Failure("UNAUTHENTICATED", fatal=True), now_ms + 20) == []
    assert machine.advance(now_ms + 200) == [Open(3)]
    (end,) = machine.leg_ended(3, Failure("UNAUTHENTICATED", fatal=True), now_ms + 220)
    assert isinstance(end, GiveUp)


def test_failures_to_start_are_spaced_and_after_eight_seconds_given_up() -> None:
    machine, now_ms = opened()
    began_ms, opened_ms, leg = now_ms, [], 1
    while True:
        actions = machine.leg_ended(leg, Failure("UNAVAILABLE"), now_ms) if leg else []
        leg = 0
        while not actions:
            now_ms += STEP_MS
            machine.feed(b"\xff" * 160, now_ms)
            actions = machine.advance(now_ms)
        if isinstance(actions[0], GiveUp):
            break
        assert isinstance(actions[0], Open)
        leg = actions[0].leg
        opened_ms.append(now_ms - began_ms)
    assert opened_ms[:4] == pytest.approx([100, 400, 1300, 2200], abs=80)
    assert now_ms - began_ms == pytest.approx(8_000, abs=100)
    assert actions[0] == GiveUp("UNAVAILABLE", retryable=True)


def test_a_caller_who_waits_for_the_answer_to_a_short_word_is_not_kept_waiting() -> None:
    machine, now_ms = opened()
    machine.speech_started(100, now_ms)
    machine.speech_paused(400, now_ms)
    machine.utterance_ended()
    began_ms, leg = now_ms, 1
    while True:
        actions = machine.leg_ended(leg, Failure("UNAVAILABLE"), now_ms) if leg else []
        actions = actions or machine.advance(now_ms)
        leg = next((action.leg for action in actions if isinstance(action, Open)), 0)
        if any(isinstance(action, GiveUp) for action in actions):
            break
        now_ms += STEP_MS
    assert now_ms - began_ms == pytest.approx(USUAL.give_up_waiting_ms, abs=50)


def test_calls_know_from_each_other_that_the_engine_fails() -> None:
    health = Health(failing_since_ms=0.0)
    machine = Rotation(USUAL, health)
    machine.feed(b"\xff" * 800, 9_000.0)
    assert machine.advance(9_000.0) == [Open(1)]
    actions = machine.leg_ended(1, Failure("UNAVAILABLE"), 9_020.0)
    assert actions == [GiveUp("UNAVAILABLE", retryable=True)]


def test_ears_that_were_opened_late_learn_the_time_of_the_call() -> None:
    machine, now_ms = opened()
    machine.speech_started(60_000, now_ms)
    assert machine.next_request(1, now_ms) == b"\xff" * 800
    (told,) = machine.heard(1, [Heard("hello", True, 0.0, 80.0)], now_ms)
    assert isinstance(told, Tell)
    assert 59_800 <= told.recognition.start_ms <= told.recognition.end_ms <= 60_000


def test_the_same_word_in_the_next_utterance_does_not_reach_back_to_the_first() -> None:
    world = World(6)
    world.feed(b"\x01" * 960)
    world.silence(1_500)
    world.feed(b"\x01" * 960)
    world.silence(1_500)
    first, second = world.finals
    assert (first.text, second.text) == ("1", "1")
    assert second.start_ms >= 120 + 500


def test_consecutive_interim_results_are_one_recognition_with_the_least_stability() -> None:
    machine, now_ms = opened()
    machine.next_request(1, now_ms)
    heard = [Heard("good", False, 0.9, 60.0), Heard(" morning", False, 0.25, 90.0)]
    (told,) = machine.heard(1, heard, now_ms)
    assert isinstance(told, Tell)
    assert (told.recognition.text, told.recognition.stability) == ("good morning", 0.25)
    assert (told.recognition.start_ms, told.recognition.end_ms) == (0.0, 90.0)


def test_an_unknown_leg_is_told_to_stop() -> None:
    machine, now_ms = opened()
    assert machine.next_request(77, now_ms) == HalfClose()
    assert machine.heard(77, [Heard("x", True, 0.0, 1.0)], now_ms) == []
    assert machine.leg_ended(77, None, now_ms) == []


def test_a_place_in_a_leg_is_a_place_in_the_call() -> None:
    leg = Leg(1, start=8_000, opened_ms=0.0)
    leg.send(800)
    leg.fill(1_600)
    leg.send(800)
    leg.skip_to(16_000)
    leg.send(80)
    places = [leg.place(at / 8) for at in (0, 799, 800, 1_500, 2_400, 2_500, 3_200, 3_280, 9_999)]
    assert places == [8_000, 8_799, 8_800, 8_800, 8_800, 8_900, 16_000, 16_080, 16_080]
    assert leg.place(None) == 16_080


def test_the_tape_keeps_what_it_promised() -> None:
    tape = AudioTape(kept_ms=100)
    for value in range(200):
        tape.append(bytes([value]) * 80)
    assert tape.end == 16_000
    assert 800 <= tape.end - tape.begin <= 880
    assert tape.read(tape.end - 80, tape.end) == bytes([199]) * 80
    tape.forget(tape.end - 40)
    assert tape.read(tape.begin, tape.end) == bytes([199]) * 40


def opened() -> tuple[Rotation, float]:
    machine, now_ms = Rotation(USUAL), 1_000.0
    machine.feed(b"\xff" * 800, now_ms)
    assert machine.advance(now_ms) == [Open(1)]
    return machine, now_ms

"""One text from many recognitions."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.call.transcript import COVERS_SLACK_MS, STABLE_FROM, Transcript
from voiceagent.speech.ports import Recognition


def final(text: str, start_ms: float, end_ms: float) -> Recognition:
    return Recognition(text, True, 1.0, start_ms, end_ms)


def interim(text: str, start_ms: float, end_ms: float, stability: float = 0.9) -> Recognition:
    return Recognition(text, False, stability, start_ms, end_ms)


def test_nothing_was_heard_yet() -> None:
    assert Transcript().hearing.text == ""
    assert not Transcript().hearing.is_stable


def test_pieces_stand_in_the_order_in_which_they_were_said() -> None:
    transcript = Transcript()
    transcript.add(final("a house", 1000, 2000))
    transcript.add(final("I want", 0, 1000))
    assert transcript.hearing.text == "I want a house"


def test_a_later_one_about_the_same_stretch_replaces_the_earlier() -> None:
    transcript = Transcript()
    transcript.add(interim("I wand", 0, 900, stability=0.1))
    assert not transcript.hearing.is_stable
    transcript.add(final("I want a house", 0, 2000))
    assert transcript.hearing.text == "I want a house"
    assert transcript.hearing.is_final


def test_one_unstable_piece_makes_the_whole_unstable() -> None:
    transcript = Transcript()
    transcript.add(final("I want", 0, 1000))
    transcript.add(interim("a mouse", 1000, 2000, stability=0.3))
    assert not transcript.hearing.is_stable
    assert not transcript.hearing.is_final


def test_an_interim_is_stable_from_a_threshold_on() -> None:
    for stability, is_stable in ((STABLE_FROM, True), (STABLE_FROM - 0.01, False)):
        transcript = Transcript()
        transcript.add(interim("I want", 0, 900, stability=stability))
        assert transcript.hearing.is_stable is is_stable
        assert not transcript.hearing.is_final


def test_neighbours_stand_side_by_side_and_what_overlaps_gives_way() -> None:
    transcript = Transcript()
    transcript.add(final("one", 0, 500))
    transcript.add(final("three", 1000, 1500))
    transcript.add(final("two", 500, 1000))
    assert transcript.hearing.text == "one two three"
    transcript.add(final("four", 1499, 1800))
    assert transcript.hearing.text == "one two four"
    transcript.add(final("five", 300, 501))
    assert transcript.hearing.text == "five four"


def test_pieces_without_words_are_no_part_of_it() -> None:
    transcript = Transcript()
    transcript.add(final(" I want ", 0, 500))
    transcript.add(interim("…", 500, 900, stability=0.1))
    hearing = transcript.hearing
    assert (hearing.text, hearing.is_final, hearing.is_stable) == ("I want", True, True)
    assert hearing.covers_to_ms == 500
    transcript.add(final(" a flat", 900, 1400))
    assert transcript.hearing.text == "I want a flat"
    assert transcript.hearing.covers_to_ms == 1400


def test_how_far_behind_the_voice_it_may_end_is_the_caller_s_choice() -> None:
    transcript = Transcript()
    transcript.add(final("I want", 0, 1000))
    assert transcript.covers(1000 + COVERS_SLACK_MS)
    assert not transcript.covers(1001 + COVERS_SLACK_MS)
    assert transcript.covers(1100, 100)
    assert not transcript.covers(1101, 100)


def test_what_came_wholly_before_is_forgotten() -> None:
    transcript = Transcript()
    transcript.add(final("one", 0, 500))
    transcript.add(final("two", 500, 1000))
    transcript.forget_before(499)
    assert transcript.hearing.text == "one two"
    transcript.forget_before(500)
    assert transcript.hearing.text == "two"


def test_covers_the_voice_when_it_ends_near_its_end() -> None:
    transcript = Transcript()
    transcript.add(final("I want", 0, 1000))
    assert transcript.covers(1300)
    assert not transcript.covers(1500)


def test_an_empty_final_says_that_there_was_nothing() -> None:
    transcript = Transcript()
    assert not transcript.heard_nothing(1000)
    transcript.add(final("", 0, 1000))
    assert transcript.heard_nothing(1000 + COVERS_SLACK_MS)
    assert not transcript.heard_nothing(1001 + COVERS_SLACK_MS)
    transcript.add(final("hello", 500, 1000))
    assert not transcript.heard_nothing(1000)


def test_what_was_settled_never_comes_again() -> None:
    transcript = Transcript()
    transcript.add(final("two million", 0, 1000))
    transcript.close(1000)
    assert transcript.hearing.text == ""
    assert not transcript.add(final("two million", 0, 1100))
    assert not transcript.add(final("two million", 0, 1900))
    assert transcript.add(final("two million please", 0, 1900))
    assert transcript.hearing.text == "please"


def test_the_first_words_of_a_call_are_never_late() -> None:
    transcript = Transcript()
    assert transcript.add(final("hi", 0, 150))
    assert transcript.hearing.text == "hi"


def test_the_same_word_right_behind_the_answered_voice_is_another() -> None:
    transcript = Transcript()
    transcript.add(final("yes", 500, 1000))
    transcript.close(1000)
    assert transcript.add(final("yes", 1000, 1500))
    assert transcript.hearing.text == "yes"


def test_what_ends_with_the_answered_voice_or_hardly_later_is_late() -> None:
    for end_ms, is_taken in ((900, False), (1200, False), (1201, True)):
        transcript = Transcript()
        transcript.add(final("two million", 0, 1000))
        transcript.close(1000)
        assert transcript.add(final("yes", 1000, end_ms)) is is_taken


def test_what_is_left_of_one_that_reaches_back_is_as_sure_as_it_was() -> None:
    transcript = Transcript()
    transcript.add(final("two million", 0, 1000))
    transcript.close(1000)
    assert transcript.add(interim("two million plea", 0, 1500, stability=0.3))
    hearing = transcript.hearing
    assert (hearing.text, hearing.is_final, hearing.is_stable) == ("plea", False, False)
    assert hearing.covers_to_ms == 1500
    assert transcript.add(final("two million please", 0, 1900))
    assert transcript.hearing.text == "please"
    assert transcript.hearing.is_final


def test_what_is_left_of_it_begins_where_the_answered_voice_ended() -> None:
    transcript = Transcript()
    transcript.add(final("two million", 0, 1000))
    transcript.close(1000)
    transcript.add(final("two million please", 0, 1900))
    transcript.add(final("thanks", 500, 1000))
    assert transcript.hearing.text == "please", "late: it says nothing of what came after"
    transcript.add(final("and thanks", 1900, 2500))
    assert transcript.hearing.text == "please and thanks"


def test_what_was_settled_without_words_cuts_nothing() -> None:
    transcript = Transcript()
    transcript.close(1000)
    assert transcript.add(final("two million", 500, 1500))
    assert transcript.hearing.text == "two million"


def test_settling_never_goes_back() -> None:
    transcript = Transcript()
    transcript.close(1000)
    transcript.close(500)
    assert not transcript.add(final("two million", 0, 1100))


PIECES = st.builds(
    lambda text, is_final, start, length: Recognition(
        text, is_final, 1.0 if is_final else 0.5, float(start), float(start + length)
    ),
    st.sampled_from(["", "…", "one", "two three", "One two"]),
    st.booleans(),
    st.integers(0, 5000),
    st.integers(1, 2000),
)


@given(st.lists(PIECES, max_size=8), st.integers(0, 5000))
def test_nothing_of_what_is_settled_is_left(pieces: list[Recognition], to_ms: int) -> None:
    transcript = Transcript()
    for piece in pieces:
        transcript.add(piece)
    transcript.close(float(to_ms))
    assert transcript.hearing.text == ""
    for piece in pieces:
        if piece.end_ms <= to_ms:
            assert not transcript.add(piece)
    assert transcript.hearing.text == ""


@given(st.lists(PIECES, max_size=8))
def test_no_two_pieces_are_about_the_same_stretch(pieces: list[Recognition]) -> None:
    transcript = Transcript()
    for piece in pieces:
        transcript.add(piece)
        if piece.text.strip("…"):
            assert piece.text in transcript.hearing.text, "the newest is always part of it"
    stretches = sorted((piece.start_ms, piece.end_ms) for piece in transcript._pieces)
    assert all(one[1] <= other[0] for one, other in pairwise(stretches))


def test_the_same_words_said_again_count_again() -> None:
    transcript = Transcript()
    transcript.add(final("yes", 0, 500))
    transcript.close(500)
    assert transcript.add(final("yes", 2000, 2500))
    assert transcript.hearing.text == "yes"

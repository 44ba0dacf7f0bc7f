"""One text from many recognitions."""

from voiceagent.call.transcript import Transcript
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


def test_covers_the_voice_when_it_ends_near_its_end() -> None:
    transcript = Transcript()
    transcript.add(final("I want", 0, 1000))
    assert transcript.covers(1300)
    assert not transcript.covers(1500)


def test_an_empty_final_says_that_there_was_nothing() -> None:
    transcript = Transcript()
    assert not transcript.heard_nothing(1000)
    transcript.add(final("", 0, 1000))
    assert transcript.heard_nothing(1000)
    assert not transcript.heard_nothing(2000)
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


def test_the_same_words_said_again_count_again() -> None:
    transcript = Transcript()
    transcript.add(final("yes", 0, 500))
    transcript.close(500)
    assert transcript.add(final("yes", 2000, 2500))
    assert transcript.hearing.text == "yes"

import math

from voiceagent.speech.confidence import ACCEPT_FROM, Segment, confidence, log_of

SILENCE = Segment(0, 19, -5.0)
HEARD = (
    SILENCE,
    Segment(20, 27, -20.0, ("Y",)),
    Segment(28, 39, -30.0, ("EH",)),
    Segment(40, 49, -30.0, ("F",)),
    Segment(50, 69, -5.0),
)


def test_a_word_that_agrees_with_the_free_phones_was_said() -> None:
    word = Segment(20, 49, -100.0, ("Y", "EH", "S"))
    assert confidence((SILENCE, word), HEARD) > ACCEPT_FROM


def test_no_word_is_no_phrase() -> None:
    assert confidence((SILENCE,), HEARD) == -math.inf
    assert confidence((), ()) == -math.inf


def test_each_disagreement_lowers_it() -> None:
    good = confidence((Segment(20, 49, -100.0, ("Y", "EH", "S")),), HEARD)
    other_phones = confidence((Segment(20, 49, -100.0, ("G", "UW", "M")),), HEARD)
    unlikely = confidence((Segment(20, 49, -300.0, ("Y", "EH", "S")),), HEARD)
    stretched = confidence((Segment(0, 69, -110.0, ("Y", "EH", "S")),), HEARD)
    beside = confidence((Segment(20, 29, -30.0, ("Y", "EH", "S")),), HEARD)
    assert max(other_phones, unlikely, stretched, beside) < good - 0.5


def test_a_likelihood_that_ran_out_of_floating_point_is_still_a_number() -> None:
    assert math.isfinite(log_of(0.0))

from voiceagent.web.repeats import Repeats


def test_the_same_request_is_answered_alike() -> None:
    repeats = Repeats()
    assert repeats.answer_to("one") is None
    repeats.remember("one", "<Response/>")
    assert repeats.answer_to("one") == "<Response/>"
    assert repeats.answer_to("another") is None


def test_what_nobody_has_signed_is_always_new() -> None:
    repeats = Repeats()
    repeats.remember("", "x")
    assert repeats.answer_to("") is None


def test_only_so_many_are_kept() -> None:
    repeats = Repeats(most=3)
    for signature in "abcd":
        repeats.remember(signature)
    assert [repeats.answer_to(signature) for signature in "abcd"] == [None, "", "", ""]

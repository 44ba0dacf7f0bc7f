from voiceagent.web.ended_calls import EndedCalls


def test_a_call_is_over_until_it_rings_again() -> None:
    ended = EndedCalls()
    ended.rings("CA1")
    assert not ended.is_over("CA1")
    ended.ended("CA1")
    assert ended.is_over("CA1")
    ended.rings("CA1")
    assert not ended.is_over("CA1")


def test_one_that_rang_elsewhere_is_not_known() -> None:
    ended = EndedCalls()
    ended.ended("CA1")
    assert not ended.is_over("CA1")


def test_only_so_many_are_kept() -> None:
    ended = EndedCalls(most=2)
    for call_sid in ("CA1", "CA2", "CA3"):
        ended.rings(call_sid)
        ended.ended(call_sid)
    assert [ended.is_over(call_sid) for call_sid in ("CA1", "CA2", "CA3")] == [False, True, True]

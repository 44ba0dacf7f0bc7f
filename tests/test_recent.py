"""The last of many things."""

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.recent import Recent


def test_what_was_put_in_is_known() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    assert recent.get("a") == 1
    assert "a" in recent
    assert recent.get("b") is None
    assert "b" not in recent


def test_beyond_the_bound_the_oldest_is_forgotten() -> None:
    recent: Recent[str, int] = Recent(2)
    for key in "abc":
        recent.put(key, 0)
    assert [key in recent for key in "abc"] == [False, True, True]
    assert len(recent) == 2


def test_what_is_put_in_again_is_the_newest() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 1)
    recent.put("a", 2)
    recent.put("c", 1)
    assert recent.get("a") == 2
    assert "b" not in recent


def test_to_look_at_a_thing_does_not_make_it_newer() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 1)
    assert recent.get("a") == 1
    recent.put("c", 1)
    assert "a" not in recent


def test_what_is_taken_out_is_forgotten_and_leaves_room() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.pop("b") == 2
    assert recent.pop("b") is None
    recent.put("c", 3)
    assert [key in recent for key in "abc"] == [True, False, True]


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9), st.booleans()), max_size=40),
)
def test_it_holds_what_was_put_in_last_and_never_more(
    most: int, done: list[tuple[str, int, bool]]
) -> None:
    recent: Recent[str, int] = Recent(most)
    newest: OrderedDict[str, int] = OrderedDict()
    for key, value, stays in done:
        newest.pop(key, None)
        if stays:
            recent.put(key, value)
            newest[key] = value
            newest = OrderedDict(list(newest.items())[-most:])
        else:
            recent.pop(key)
        assert len(recent) == len(newest)
        assert list(recent) == list(newest.items())

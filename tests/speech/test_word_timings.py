from hypothesis import given
from hypothesis import strategies as st

from voiceagent.speech.ports import WordTiming
from voiceagent.speech.word_timings import word_timings


def test_each_word_is_found_in_the_text_that_was_given() -> None:
    text = "  שלום, אני כאן"
    events = [(2, 0.0), (8, 600.0), (12, 900.0)]
    assert word_timings(text, events) == (
        WordTiming(2, 0.0),
        WordTiming(8, 600.0),
        WordTiming(12, 900.0),
    )


def test_a_number_that_is_spoken_as_several_words_is_one_word() -> None:
    # eSpeak on "costs 2500 shekels"
    events = [(0, 0.0), (6, 400.0), (7, 700.0), (7, 1100.0), (11, 1600.0)]
    timings = word_timings("costs 2500 shekels", events)
    assert timings == (WordTiming(0, 0.0), WordTiming(6, 400.0), WordTiming(11, 1600.0))


def test_a_word_that_is_named_at_its_neighbour_gets_its_time() -> None:
    # eSpeak names both words of "Tel Aviv" inside "Tel".
    at_the_end = word_timings("in Tel Aviv.", [(0, 0.0), (3, 200.0), (4, 450.0)])
    assert at_the_end == (WordTiming(0, 0.0), WordTiming(3, 200.0), WordTiming(7, 450.0))
    inside = word_timings("Tel Aviv is", [(0, 0.0), (1, 250.0), (9, 500.0)])
    assert inside == (WordTiming(0, 0.0), WordTiming(4, 250.0), WordTiming(9, 500.0))


def test_signs_between_blanks_are_no_words() -> None:
    assert word_timings("a - b", [(0, 0.0), (4, 300.0)]) == (
        WordTiming(0, 0.0),
        WordTiming(4, 300.0),
    )
    assert word_timings("... 👍", [(0, 0.0)]) == ()


@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.integers(-5, 60), st.floats(0, 1e6)), max_size=20),
)
def test_whatever_the_engine_says_words_come_once_and_in_order(
    text: str, events: list[tuple[int, float]]
) -> None:
    events.sort(key=lambda event: event[1])
    timings = word_timings(text, events)
    starts = [timing.char_start for timing in timings]
    assert starts == sorted(set(starts))
    assert all(not text[start].isspace() for start in starts)
    times = [timing.start_ms for timing in timings]
    assert times == sorted(times)

"""What processes tell each other fits into a NOTIFY, whatever was said."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.live.messages import (
    MOST_BYTES,
    MOST_CHARACTERS,
    Done,
    LiveCall,
    Order,
    Over,
    Said,
    Watching,
    decoded,
    encoded,
    end_of,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def call(*texts: str, hearing: str = "") -> LiveCall:
    turns = [
        Said(seq=seq, who="caller", text=end_of(text), unheard="") for seq, text in enumerate(texts)
    ]
    return LiveCall(
        process="p1",
        where="host:1",
        call_sid="CA1",
        started_at=AT,
        doing="hearing",
        hearing=end_of(hearing),
        turns=tuple(turns),
        more=False,
    )


def test_each_comes_through_as_it_was() -> None:
    for message in (
        call("שלום", "hello\tthere\n", hearing="אני רוצה"),
        Over(process="p1", call_sid="CA1"),
        Watching(process="p2", afresh=True),
        Order(id="1", call_sid="CA1", act="put_through", number="+97231234567"),
        Done(id="1", outcome="already"),
    ):
        text = encoded(message)
        assert "\t" not in text
        assert decoded(text) == message


def test_of_a_long_call_the_oldest_turns_are_left_out() -> None:
    long = call(*["מ" * 2 * MOST_CHARACTERS] * 20, hearing="newest")
    text = encoded(long)
    assert len(text.encode()) <= MOST_BYTES
    told = decoded(text)
    assert isinstance(told, LiveCall)
    assert told.more
    assert told.hearing == "newest"
    assert 1 < len(told.turns) < 20
    assert told.turns[-1].seq == 19


def test_of_a_long_turn_the_end_is_kept() -> None:
    assert end_of("short") == "short"
    cut = end_of("a" * 1000 + " the end")
    assert cut.startswith("… ")
    assert cut.endswith(" the end")
    assert len(cut) <= MOST_CHARACTERS + 2


def test_what_is_none_of_ours_is_nothing() -> None:
    for text in ("", "{", "null", '{"kind":"call"}', '{"kind":"later version"}', "[]"):
        assert decoded(text) is None


@given(st.lists(st.text(), max_size=30), st.text())
def test_any_text_fits_and_is_text_to_a_database(texts: list[str], hearing: str) -> None:
    text = encoded(call(*texts, hearing=hearing))
    assert len(text.encode()) <= MOST_BYTES
    assert "\0" not in text
    assert "\t" not in text
    assert decoded(text) is not None

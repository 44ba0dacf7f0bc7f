"""Any records of a call make a story and a picture; what is known of it is told as it was."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.crm.views import CallDetailView, TurnView
from voiceagent.web.console.call_picture import CallPicture, picture_of
from voiceagent.web.console.call_story import Story, story_of
from voiceagent.web.console.call_texts import CALL_EN
from web.console.told_call import ENGLISH

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
MOMENTS = (
    "speech_started_at_ms",
    "speech_ended_at_ms",
    "eou_at_ms",
    "first_token_at_ms",
    "first_sentence_at_ms",
    "first_audio_at_ms",
    "first_frame_at_ms",
    "barge_in_onset_at_ms",
    "barge_in_at_ms",
    "resumed_at_ms",
    "ended_at_ms",
)
DURATIONS = ("eou_ms", "response_ms", "length_ms", "heard_ms")


def turn_view(seq: int, **more: object) -> TurnView:
    fields: dict[str, object] = {
        "turn": seq,
        "who": "agent",
        "text": "words",
        "heard": "words",
        "status": "complete",
        "source": "reply",
        "timings": {},
        "at": BEGAN + timedelta(seconds=seq),
    }
    return TurnView.model_validate({"seq": seq} | fields | more)


def call_of(turns: list[TurnView], length_s: float | None = 60.0) -> CallDetailView:
    return CallDetailView.model_validate(
        {
            "call_sid": "CA1",
            "contact_id": None,
            "from": "+972541112233",
            "to": "",
            "direction": "inbound",
            "status": "completed" if length_s else "in-progress",
            "started_at": BEGAN,
            "ended_at": BEGAN + timedelta(seconds=length_s) if length_s else None,
            "summary": None,
            "summary_source": None,
            "turns": turns,
            "stream_sid": None,
            "simulated": False,
            "end_reason": None,
            "counters": {},
            "fields": {},
            "webhooks": [],
            "recording": None,
        }
    )


def told() -> list[TurnView]:
    """The turns of the call that the page's tests show."""
    number, turns = 0, []
    for seq, (who, text, status, heard, source, timings) in enumerate(ENGLISH):
        number += who == "caller"
        anchor = timings["eou_at_ms"] if who == "caller" else timings.get("first_audio_at_ms")
        turns.append(
            turn_view(
                seq,
                turn=number,
                who=who,
                text=text,
                heard=text if heard is None else heard,
                status=status,
                source=source,
                timings=dict(timings),
                at=BEGAN + timedelta(milliseconds=anchor or timings["ended_at_ms"]),
            )
        )
    return turns


def drawn(story: Story) -> CallPicture:
    picture = picture_of(story, CALL_EN.picture_words)
    assert picture is not None
    return picture


turns_of_any_kind = st.builds(
    turn_view,
    st.integers(0, 30),
    turn=st.integers(0, 6),
    who=st.sampled_from(["caller", "agent"]),
    text=st.sampled_from(["", "some words", "<b>&"]),
    heard=st.sampled_from(["", "some", "other"]),
    status=st.sampled_from(["speaking", "complete", "interrupted", "abandoned"]),
    source=st.sampled_from(["final", "dtmf", "reply", "opening"]),
    timings=st.dictionaries(
        st.sampled_from([*MOMENTS, *DURATIONS]), st.floats(-1000, 90_000, width=32), max_size=9
    ),
    at=st.integers(0, 90_000).map(lambda ms: BEGAN + timedelta(milliseconds=ms)),
)


@given(
    st.lists(turns_of_any_kind, max_size=8, unique_by=lambda turn: turn.seq),
    st.sampled_from([None, 0.5, 60.0]),
)
def test_any_records_make_a_page(turns: list[TurnView], length_s: float | None) -> None:
    story = story_of(call_of(turns, length_s))
    assert [line.turn.seq for line in story.lines] == sorted(turn.seq for turn in turns)
    assert sum(line.is_slowest for line in story.lines) == bool(story.answers)
    for line in story.lines:
        assert all(stretch.ms >= 0 for stretch in line.way)
        assert f"{line.said} {line.unheard}".split() == line.turn.text.split() or line.unheard
    picture = picture_of(story, CALL_EN.picture_words)
    if picture is not None:
        assert len(picture.rows) == len(turns)
        assert picture.strips


@given(st.lists(st.floats(0, 3000), min_size=4, max_size=4).map(sorted), st.floats(0, 2000))
def test_the_parts_of_an_answers_way_are_all_of_it(after: list[float], end_ms: float) -> None:
    names = ("eou_at_ms", "first_sentence_at_ms", "first_audio_at_ms", "first_frame_at_ms")
    moments = {name: end_ms + ms for name, ms in zip(names, after, strict=True)}
    timings = moments | {"speech_ended_at_ms": end_ms, "response_ms": after[-1]}
    [line] = story_of(call_of([turn_view(0, timings=timings)])).lines
    assert [stretch.name for stretch in line.way] == ["wait", "think", "voice", "send"]
    assert sum(stretch.ms for stretch in line.way) == pytest.approx(after[-1])


def test_what_was_guessed_before_the_end_took_no_time() -> None:
    line = story_of(call_of(told())).lines[6]
    assert [(part.name, round(part.ms)) for part in line.way] == [
        ("wait", 330),
        ("think", 0),
        ("voice", 10),
        ("send", 10),
    ]


def test_the_slowest_answer_is_one_and_told_to_be_slow() -> None:
    story = story_of(call_of(told()))
    assert story.slowest is story.lines[4]
    assert story.is_slow
    assert story.median_ms == 700
    assert story.slowest.longest is not None
    assert story.slowest.longest.name == "think"
    assert not story_of(call_of(told()[:3])).is_slow


def test_a_stop_belongs_to_the_words_that_made_it() -> None:
    strips = drawn(story_of(call_of(told()))).strips
    first_stop = strips[1].index('class="stop"')
    assert strips[0].count('class="stop"') == 0
    # The words "in Haifa, please", and the noise that was none.
    assert strips[1].count('class="stop"') == 2
    assert "120 ms" in strips[1][first_stop:]
    assert strips[1].count('class="aside"') == 1


def test_what_was_interrupted_ended_when_the_agent_fell_silent() -> None:
    stopped = {"first_frame_at_ms": 100.0, "barge_in_at_ms": 2000.0, "ended_at_ms": 4000.0}
    resumed = stopped | {"resumed_at_ms": 2500.0}
    [one, other] = story_of(
        call_of([turn_view(0, timings=stopped), turn_view(1, timings=resumed)])
    ).lines
    assert (one.end_ms, other.end_ms) == (2000.0, 4000.0)


def test_the_legend_explains_what_is_there() -> None:
    short = drawn(story_of(call_of(told()[:2])))
    assert [name for name, _ in short.legend] == ["caller", "agent", "eou"]
    whole = drawn(story_of(call_of(told())))
    assert set(CALL_EN.legend) == whole.kinds


def test_what_is_being_said_is_shown_whole() -> None:
    line = story_of(call_of([turn_view(0, status="speaking", heard="")], None)).lines[0]
    assert (line.said, line.unheard) == ("words", "")


def test_a_picture_has_its_limit() -> None:
    timings = {"speech_started_at_ms": 0, "speech_ended_at_ms": 1000, "eou_at_ms": 1300}
    later = {name: ms + 2 * 3_600_000 for name, ms in timings.items()}
    turns = [
        turn_view(0, who="caller", timings=timings),
        turn_view(1, who="caller", timings=later),
    ]
    picture = drawn(story_of(call_of(turns, 3 * 3600.0)))
    assert picture.is_cut
    assert len(picture.strips) == 360
    assert sum(strip.count('class="caller"') for strip in picture.strips) == 1

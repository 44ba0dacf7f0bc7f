import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voiceagent.turn_picture.blocks import (
    NARROW,
    WIDE,
    AgentBlock,
    CallerBlock,
    Layout,
    PictureWords,
)
from voiceagent.turn_picture.strips import signs, strips

WORDS = PictureWords(
    caller="caller",
    agent="agent",
    ms="{ms} ms",
    eou="fixed after {ms} ms",
    first_words="token after {ms} ms",
    first_audio="sound after {ms} ms",
    stopped="stopped after {ms} ms",
)
LAYOUTS = pytest.mark.parametrize("layout", [WIDE, NARROW], ids=["wide", "narrow"])

moments = st.floats(-5_000, 70_000) | st.sampled_from([0.0, 10_000.0, 20_000.0, 60_000.0])
maybe = st.none() | moments | st.sampled_from([float("nan"), float("inf")])
callers = st.builds(
    CallerBlock,
    kind=st.sampled_from(["speech", "aside", "keys"]),
    text=st.text(max_size=20),
    start_ms=moments,
    end_ms=moments,
    eou_ms=maybe,
    first_token_ms=maybe,
    first_audio_ms=maybe,
    answered_ms=maybe,
    stopped_ms=maybe,
    turn=st.none() | st.integers(0, 99),
    label=st.sampled_from(["", "12"]),
)
agents = st.builds(
    AgentBlock,
    text=st.text(max_size=20),
    start_ms=moments,
    end_ms=moments,
    label=st.sampled_from(["", "12"]),
)
durations = st.floats(0, 60_000) | st.sampled_from([0.0, 10_000.0, 20_000.0, 60_000.0])


def parsed(strip: str) -> ET.Element:
    return ET.fromstring(f"<svg>{strip}</svg>")  # noqa: S314 - made here


def places(root: ET.Element) -> list[float]:
    """Every x at which something begins or ends, words apart: how wide they are nobody knows."""
    found = []
    for element in root.iter():
        numbers = {name: float(element.get(name, 0)) for name in ("x", "width", "cx", "x1", "x2")}
        match element.tag:
            case "rect":
                found += [numbers["x"], numbers["x"] + numbers["width"]]
            case "circle":
                found.append(numbers["cx"])
            case "line":
                found += [numbers["x1"], numbers["x2"]]
            case "text":
                found.append(numbers["x"])
            case "path" if element.get("class") in ("wait", "resume"):
                told = re.findall(r"[MH]([-\d.]+)", element.get("d", ""))
                found += [float(x) for x in told]
            case "path" if element.get("class") == "eou":
                found.append(float(element.get("d", "")[1:].split(" ")[0]))
            case "path":
                found.append(float(element.get("d", "")[1:].split(" ")[0]) + 4)
    return found


def count(root: ET.Element, name: str) -> int:
    return sum(element.get("class") == name for element in root.iter())


@LAYOUTS
@given(
    duration_ms=durations,
    caller=st.lists(callers, max_size=4),
    agent=st.lists(agents, max_size=4),
)
def test_whatever_was_recorded_is_drawn_inside_the_axis(
    layout: Layout, duration_ms: float, caller: list[CallerBlock], agent: list[AgentBlock]
) -> None:
    drawn = [
        parsed(re.sub(r"[^\t\n -\ufffd]", "?", strip))
        for strip in strips(duration_ms, caller, agent, WORDS, layout)
    ]
    assert len(drawn) == max(1, -(-duration_ms // layout.strip_ms))
    for root in drawn:
        axis = next(e for e in root.iter("line") if e.get("class") == "axis")
        assert all(-0.1 <= x <= layout.width + 0.1 for x in places(root))
        assert float(axis.get("x2", 0)) <= layout.width - layout.right
        for name in ("eou", "first", "token"):
            for element in root.iter():
                if element.get("class") == name:
                    single = ET.Element("svg")
                    single.append(element)
                    [x] = places(single)
                    assert float(axis.get("x1", 0)) - 0.1 <= x <= float(axis.get("x2", 0)) + 0.1


@LAYOUTS
@given(moment_ms=st.floats(0, 60_000), duration_ms=st.just(60_000.0))
def test_a_moment_is_drawn_once_at_any_place(
    layout: Layout, moment_ms: float, duration_ms: float
) -> None:
    block = CallerBlock("speech", "", 0, 1, moment_ms, moment_ms, moment_ms, None, moment_ms)
    drawn = [parsed(strip) for strip in strips(duration_ms, [block], [], WORDS, layout)]
    for name in ("eou", "token", "first", "stop"):
        assert sum(count(root, name) for root in drawn) == 1


@LAYOUTS
@given(st.lists(st.floats(0, 59_000), min_size=2, max_size=12, unique=True))
def test_what_comes_later_stands_further_on(layout: Layout, starts: list[float]) -> None:
    starts.sort()
    blocks = [AgentBlock("", start, start + 1, turn=n) for n, start in enumerate(starts)]
    seen = [
        (row, float(bar.get("x", 0)), int(bar.get("data-turn", 0)))
        for row, strip in enumerate(strips(60_000, [], blocks, WORDS, layout))
        for bar in parsed(strip).iter("rect")
        if bar.get("class") == "agent"
    ]
    first_of_each = {turn: (row, x) for row, x, turn in reversed(seen)}
    assert set(first_of_each) == set(range(len(starts)))
    for (row, x), (next_row, next_x) in itertools.pairwise(
        first_of_each[n] for n in range(len(starts))
    ):
        assert row < next_row or x <= next_x + 2


@LAYOUTS
def test_a_block_goes_on_in_the_next_strip(layout: Layout) -> None:
    edge = float(layout.strip_ms)
    block = AgentBlock("a", edge - 1000, edge + 1000)
    one, other = (
        next(e for e in parsed(strip).iter("rect") if e.get("class") == "agent")
        for strip in strips(edge + 5000, [], [block], WORDS, layout)
    )
    assert float(one.get("x", 0)) > float(other.get("x", 0))
    assert one.get("width") == other.get("width")


@LAYOUTS
@pytest.mark.parametrize("hostile", ['<script>"&', "]]><svg onload='x'>", "</title></text>"])
def test_hostile_words_stay_words(layout: Layout, hostile: str) -> None:
    words = PictureWords(*[hostile + " {ms}"] * 7)
    caller = CallerBlock("speech", hostile, 0, 900, 950, 960, 970, 980, 990, label=hostile)
    [strip] = strips(5000, [caller], [AgentBlock(hostile, 980, 2000, label=hostile)], words, layout)
    root = parsed(strip)
    assert {e.tag for e in root.iter()} <= {
        "svg",
        "rect",
        "line",
        "path",
        "circle",
        "text",
        "title",
    }
    assert any(hostile in (e.text or "") for e in root.iter("title"))


def test_how_long_it_took_stands_beside_it_and_inside() -> None:
    narrow = NARROW.width
    for end_ms, answered_ms in ((500, 1100), (9_000, 9_800), (200, 9_990), (0, 30_000)):
        block = CallerBlock("speech", "", 0, end_ms, answered_ms=answered_ms)
        first, *_ = strips(30_000, [block], [], WORDS, NARROW)
        [text] = [e for e in parsed(first).iter("text") if "ms" in (e.get("class") or "").split()]
        assert text.text == f"{answered_ms - end_ms} ms"
        wide = len("00000 ms") * NARROW.letter
        x = float(text.get("x", 0))
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[text.get("text-anchor", "")]
        assert left >= 0
        assert left + wide <= narrow


def labels(root: ET.Element, layout: Layout) -> list[tuple[float, float, float]]:
    """Of how long it took: from where to where, and how far down."""
    wide = len("00000 ms") * layout.letter
    found = []
    for text in root.iter("text"):
        if "ms" in (text.get("class") or "").split():
            x, y = float(text.get("x", 0)), float(text.get("y", 0))
            left = {"start": x, "middle": x - wide / 2, "end": x - wide}[
                text.get("text-anchor", "")
            ]
            found.append((left, left + wide, y))
    return found


@LAYOUTS
@given(starts=st.lists(st.floats(0, 19_000), min_size=2, max_size=8, unique=True))
@example(starts=[5_000.0, 8_300.0])
@example(starts=[7_000.0, 9_400.0])
def test_no_label_covers_another(layout: Layout, starts: list[float]) -> None:
    said = [
        CallerBlock("speech", "", at, at + 400, answered_ms=at + 1_000) for at in sorted(starts)
    ]
    for strip in strips(20_000, said, [], WORDS, layout):
        for one, other in itertools.combinations(labels(parsed(strip), layout), 2):
            beside = one[1] <= other[0] or other[1] <= one[0]
            assert beside or abs(one[2] - other[2]) > 11, (one, other)


def test_two_answers_at_the_end_of_a_strip_are_both_told() -> None:
    said = [
        CallerBlock("speech", "", 6_400, 7_200, answered_ms=7_569),
        CallerBlock("speech", "", 9_000, 9_600, answered_ms=10_196),
    ]
    first, _ = strips(20_000, said, [], WORDS, NARROW)
    told = [e.text for e in parsed(first).iter("text") if "ms" in (e.get("class") or "").split()]
    assert told == ["369 ms", "596 ms"]


def test_the_words_are_drawn_where_there_is_room_for_them() -> None:
    block = AgentBlock("word " * 100, 0, 3000, label="7")
    [wide] = strips(20_000, [], [block, AgentBlock("", 4000, 5000)], WORDS, WIDE)
    lines = [e.text for e in parsed(wide).iter("text") if (e.text or "").startswith("word")]
    assert len(lines) == WIDE.text_lines
    assert str(lines[-1]).endswith("…")
    [narrow] = strips(9_000, [], [block], WORDS, NARROW)
    shown = [e.text for e in parsed(narrow).iter("text")]
    assert "7" in shown
    assert not any("word" in str(text) for text in shown)


def test_every_sign_of_the_legend_is_one_that_is_drawn() -> None:
    block = CallerBlock("speech", "", 0, 900, 950, 960, 970, 980, 990)
    aside = CallerBlock("aside", "", 2000, 2300, answered_ms=3000)
    keys = CallerBlock("keys", "", 4000, 4100)
    [strip] = strips(9000, [block, aside, keys], [AgentBlock("", 980, 2000)], WORDS, NARROW)
    drawn = {e.get("class") for e in parsed(strip).iter()}
    for sign in signs().values():
        [name] = [e.get("class") for e in parsed(sign).iter() if e.get("class")]
        assert name in drawn

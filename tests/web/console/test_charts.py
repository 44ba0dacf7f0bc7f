"""Charts, whatever they are given: all of it inside the box, nothing of it but text and shapes."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.web.console.charts import HEIGHT, WIDTH, Bar, Frame, Span, band, bars

FRAME = Frame("calls", "Calls", "By the hour.")
CLASSES = ("bar good", "bar bad")
NUMBER = st.floats(allow_nan=True, allow_infinity=True)
SENSIBLE = st.floats(min_value=0, max_value=1e9)
# XML knows no control characters; the words of the pages have none.
LABEL = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Cn"]), max_size=12)
EVIL = "\"><script>alert(1)</script>&'"


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own


def shapes(root: ET.Element, tag: str, name: str = "") -> list[ET.Element]:
    return [one for one in root.iter(tag) if name in one.get("class", "")]


def points(root: ET.Element) -> list[tuple[float, float]]:
    """Every point that something is drawn at."""
    found: list[tuple[float, float]] = []
    for one in root.iter():
        got = {key: float(value) for key, value in one.items() if key in {*_X, *_Y, *_SIZES}}
        if one.tag == "rect":
            found += [
                (got["x"], got["y"]),
                (got["x"] + got["width"], got["y"] + got["height"]),
            ]
            assert min(got["width"], got["height"]) >= 0
        elif one.tag in ("text", "circle"):
            found.append((got.get("x", got.get("cx", 0)), got.get("y", got.get("cy", 0))))
        elif one.tag == "path":
            drawn = one.get("d", "")
            found += [
                (float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", drawn)
            ]
            found += [(float(x), 0.0) for x in re.findall(r"H([-\d.]+)", drawn)]
            assert re.fullmatch(r"[MLHZ\d. -]+", drawn)
    return found


_X, _Y, _SIZES = ("x", "cx"), ("y", "cy"), ("width", "height")


def all_inside(root: ET.Element) -> None:
    for x, y in points(root):
        assert math.isfinite(x)
        assert math.isfinite(y)
        assert -0.1 <= x <= WIDTH + 0.1
        assert -0.1 <= y <= HEIGHT + 0.1


@given(st.lists(st.builds(Bar, LABEL, st.tuples(NUMBER, NUMBER)), max_size=40))
def test_bars_of_any_numbers_stay_in_their_box(shown: list[Bar]) -> None:
    all_inside(parsed(bars(FRAME, shown, CLASSES)))


@given(
    st.lists(
        st.builds(Span, LABEL, st.none() | NUMBER, st.none() | NUMBER),
        max_size=40,
    )
)
def test_a_band_of_any_numbers_stays_in_its_box(shown: list[Span]) -> None:
    all_inside(parsed(band(FRAME, shown)))


@given(st.lists(SENSIBLE, min_size=1, max_size=40))
def test_bars_are_as_high_as_their_numbers(numbers: list[float]) -> None:
    root = parsed(bars(FRAME, [Bar("", (n,)) for n in numbers], CLASSES))
    drawn = [float(one.get("height", 0)) for one in shapes(root, "rect", "bar")]
    assert len(drawn) == sum(1 for n in numbers if n > 0)
    order = sorted(zip([n for n in numbers if n > 0], drawn, strict=True))
    assert all(small <= large + 0.11 for (_, small), (_, large) in pairwise(order))


def test_parts_of_a_bar_stand_on_each_other() -> None:
    root = parsed(bars(FRAME, [Bar("Mon", (3, 1))], CLASSES))
    low, high = shapes(root, "rect", "bar")
    assert (low.get("class"), high.get("class")) == CLASSES
    assert low.get("x") == high.get("x")
    top_of_low = float(low.get("y", 0))
    assert math.isclose(float(high.get("y", 0)) + float(high.get("height", 0)), top_of_low)
    assert math.isclose(float(low.get("height", 0)), 3 * float(high.get("height", 0)), abs_tol=0.2)


def test_next_to_nothing_has_an_axis_as_nothing_has() -> None:
    for least in (5e-324, 1e-320, 1e-9):
        all_inside(parsed(bars(FRAME, [Bar("a", (least,))], CLASSES)))
        all_inside(parsed(band(FRAME, [Span("a", least, least)])))


def test_below_nothing_is_nothing() -> None:
    root = parsed(bars(FRAME, [Bar("a", (-5, 2)), Bar("b", (0, 0))], CLASSES))
    assert [one.get("class") for one in shapes(root, "rect")] == ["bar bad"]
    root = parsed(band(FRAME, [Span("a", -200.0, -100.0), Span("b", 3.0, 1.0)]))
    all_inside(root)


def test_without_anything_there_is_an_axis() -> None:
    for svg in (bars(FRAME, [], CLASSES), band(FRAME, []), band(FRAME, [Span("", None, None)])):
        root = parsed(svg)
        assert len(shapes(root, "path", "axis")) == 1
        assert shapes(root, "rect") == shapes(root, "path", "line") == []


def test_one_point_is_seen_and_a_hole_breaks_the_line() -> None:
    one = parsed(band(FRAME, [Span("Mon", 0.5, 1.5)]))
    assert len(shapes(one, "circle")) == len(shapes(one, "rect", "band")) == 1
    known = [Span("a", 1.0, 2.0), Span("b", 1.0, 2.0)]
    two = parsed(band(FRAME, [*known, Span("c", None, None), *known]))
    assert len(shapes(two, "path", "line")) == 2
    assert len(shapes(two, "circle")) == 4


def test_what_comes_from_outside_is_text() -> None:
    frame = Frame(EVIL, EVIL, EVIL)
    for svg in (
        bars(frame, [Bar(EVIL, (1,))], [EVIL]),
        band(frame, [Span(EVIL, 1.0, 2.0)]),
    ):
        assert "<script" not in svg
        root = parsed(svg)
        assert root.find("title").text == EVIL  # type: ignore[union-attr]
        assert EVIL in [text.text for text in root.iter("text")]
        # No policy would let it do anything, yet it is not even there.
        names = {name for one in root.iter() for name, _ in one.items()}
        assert "style" not in names
        assert not any(name.startswith("on") for name in names)


def test_it_has_a_name_and_says_what_it_shows() -> None:
    root = parsed(bars(FRAME, [Bar("Mon", (1, 0))], CLASSES))
    assert root.get("role") == "img"
    ids = (root.get("aria-labelledby") or "").split()
    texts = {one.get("id"): one.text for one in root if one.get("id")}
    assert [texts[name] for name in ids] == ["Calls", "By the hour."]


def test_time_goes_from_left_to_right() -> None:
    root = parsed(bars(FRAME, [Bar("first", (1,)), Bar("last", (1,))], CLASSES))
    assert root.get("direction") == "ltr"
    places = {one.text: float(one.get("x", 0)) for one in shapes(root, "text", "label")}
    assert places["first"] < places["last"]


def test_labels_have_room() -> None:
    shown = [Bar(f"{n}.11", (1,)) for n in range(30)]
    labels = shapes(parsed(bars(FRAME, shown, CLASSES)), "text", "label")
    places = [float(one.get("x", 0)) for one in labels]
    assert labels[0].text == "0.11"
    assert all(b - a > 30 for a, b in pairwise(places))


def test_an_axis_has_round_numbers() -> None:
    def marks(*heights: float) -> list[str | None]:
        root = parsed(bars(FRAME, [Bar("", heights)], ["bar"] * len(heights)))
        return [one.text for one in shapes(root, "text", "mark")]

    assert marks(1) == ["0", "1", "2", "3", "4"]
    assert marks(53) == ["0", "15", "30", "45", "60"]
    assert marks(1200, 60) == ["0", "400", "800", "1.2k", "1.6k"]

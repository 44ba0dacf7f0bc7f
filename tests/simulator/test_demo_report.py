import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

from simulator import sample_call
from voiceagent.simulator.demo_checks import demo_turns, judge
from voiceagent.simulator.demo_report import DemoReport, html_report, json_report, picture
from voiceagent.simulator.picture_file import draw
from voiceagent.turn_picture.blocks import AgentBlock, CallerBlock


def report() -> DemoReport:
    result, record = sample_call.result(), sample_call.record()
    return DemoReport(
        when="2026-01-01T00:00:00+00:00",
        version={"commit": "abc"},
        result=result,
        record=record,
        turns=demo_turns(result, record),
        checks=judge(result, record, sample_call.words(), stopped_in_order=True),
        agent=[
            AgentBlock(f"Words of the agent, number {number}", span.start_ms, span.end_ms)
            for number, span in enumerate(sample_call.line().spans)
        ],
    )


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - made here


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_the_picture_is_well_formed_and_shows_both_voices_and_every_sign() -> None:
    root = parsed(picture(report()))
    classes = [element.get("class") for element in root.iter()]
    # One of each in the legend; blocks that cross a strip's edge are drawn in both.
    assert classes.count("caller") >= 1 + 6
    assert classes.count("agent") >= 1 + 8
    assert classes.count("eou") == 1 + 6
    assert classes.count("stop") == 1 + 2
    assert classes.count("first") == 1 + 6


def test_words_of_the_caller_cannot_break_the_picture() -> None:
    block = CallerBlock("speech", '<script>"&', 0, 1000)
    assert "<script>" not in draw("a & b", 1000, [block], [])
    parsed(draw("a & b", 1000, [block], []))


def test_the_page_loads_nothing_from_outside_and_escapes_what_was_said() -> None:
    page = html_report(report(), "<svg></svg>")
    parser = Links()
    parser.feed(page)
    assert parser.links == ["call.wav", "service.log", "report.json"]
    assert "script" not in parser.tags
    assert "b" in parser.tags
    assert "<b>Cohen</b>" not in page
    assert "The call worked" in page


def test_the_page_tells_of_every_turn_and_every_check() -> None:
    page = html_report(report(), "")
    for said in sample_call.SAID:
        assert said in page
    assert page.count("<tr>") == 2 + 7 + len(report().checks)


def test_the_json_holds_the_same_figures() -> None:
    told = json.loads(json.dumps(json_report(report())))
    assert told["passed"] is True
    assert [turn["response_ms"] for turn in told["turns"]] == [420, 420, 420, 420, 2100, 420, 420]
    assert told["totals"]["late_frames"] == 0

import io

from simulator import sample_call
from voiceagent.simulator.live_transcript import LiveTranscript, Terminal
from voiceagent.simulator.phone import Span


def told(*, colour: bool = False, times: int = 1) -> str:
    out = io.StringIO()
    transcript = LiveTranscript(Terminal(out, colour=colour))
    for one in sample_call.uttered():
        transcript.caller_begins(one)
    for _ in range(times):
        transcript.update(sample_call.record(), sample_call.result().turns)
    return out.getvalue()


def test_each_side_is_told_with_its_time() -> None:
    lines = told().splitlines()
    assert lines[0] == "  0:05.0  caller  I want to buy a house"
    assert "  0:00.0  agent   Hello." in lines
    assert any("understood: four rooms   [end of utterance 320 ms]" in line for line in lines)
    assert any("heard 420 ms after" in line for line in lines)


def test_the_cough_and_the_interruption_are_told() -> None:
    text = told()
    assert "(coughs while the agent speaks)" in text
    assert "yes, that is right   (interrupts)" in text
    assert "went on from the first unheard word" in text
    assert "interrupted; heard until: …" in text


def test_nothing_is_told_twice() -> None:
    assert told(times=3) == told()


def test_what_is_added_to_a_turn_is_told_when_it_comes() -> None:
    out = io.StringIO()
    transcript = LiveTranscript(Terminal(out))
    record = sample_call.record()
    record["turns"] = record["turns"][:1]
    transcript.update(record, [])
    record["turns"][0]["text"] = "Hello. How are you?"
    transcript.update(record, [])
    assert out.getvalue().splitlines() == ["  0:00.0  agent   Hello.", " " * 18 + "How are you?"]


def test_the_line_alone_tells_when_the_agent_speaks() -> None:
    out = io.StringIO()
    transcript = LiveTranscript(Terminal(out))
    heard = sample_call.result().turns
    spans = [Span(10, 2000, 5), Span(2300, 4000, 2300), Span(6620, 8000, 6620)]
    for known in (spans[:1], spans[:2], spans, spans):
        transcript.line_hears(known, heard)
    assert out.getvalue().splitlines() == [
        "  0:00.0  agent   (speaks)",
        " " * 18 + "answer heard 420 ms after the caller's last sound",
        "  0:06.6  agent   (speaks)",
    ]


def test_colour_only_where_it_is_wanted() -> None:
    assert "\033[" not in told()
    assert "\033[1;34mcaller" in told(colour=True)

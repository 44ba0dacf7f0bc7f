from voiceagent.evals.outcome import Outcome, as_json, line, report

GOOD = Outcome("buying.en", "A caller buys", [], 12.34, ["caller: hello"])
COUNTERS = {"answers": 3, "guesses": 4, "guesses_used": 2}
BAD = Outcome("robot", "A caller asks", ["step 1: not said"], 3.0, ["caller: are you?"], COUNTERS)


def test_the_progress_is_a_line_each() -> None:
    assert line(GOOD, 9) == "passed   12.3 s  buying.en  A caller buys"
    assert line(BAD, 9) == "FAILED    3.0 s  robot      A caller asks"


def test_the_report_has_the_faults_and_the_total() -> None:
    assert report([GOOD, BAD]) == [
        "robot:",
        "  step 1: not said",
        "    caller: are you?",
        "",
        "1 of 2 passed",
        "answers begun before the end of the utterance: 2 of 3; begun in vain: 2",
    ]


def test_json_has_the_same() -> None:
    told = as_json([GOOD, BAD])

    assert (told["passed"], told["failed"]) == (1, 1)
    assert told["speculation"] == {"answers": 3, "used": 2, "wasted": 2}
    assert told["scenarios"][1] == {
        "name": "robot",
        "passed": False,
        "seconds": 3.0,
        "faults": ["step 1: not said"],
        "transcript": ["caller: are you?"],
    }

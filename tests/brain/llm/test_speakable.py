"""What is left of written text for a voice, and which answers are none."""

import pytest

from voiceagent.brain.llm.gibberish import Coherence
from voiceagent.brain.llm.speakable import closed, speakable


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("# Hours", "Hours"),
        ("> quoted **words**", "quoted words"),
        ("- [x] a task", "a task"),
        ("__both__ and ~~neither~~", "both and neither"),
        ("5*3 and a * b", "5×3 and a * b"),
        ("mail me_at@x.com, _now_", "mail me_at@x.com, now"),
        ("![a map](https://a.b/c.png) here", "a map here"),
        ("[site](https://a.b 'x')", "site"),
        ("[laughs] Of course", "Of course"),
        ("<b>bold</b><br>text", "bold text"),
        ("2 < 3 and 4 > 3", "2 < 3 and 4 > 3"),
        ("1️⃣ first ✅ done ☎️", "1 first done"),
        ("25°, 3₪, 100%", "25°, 3₪, 100%"),
        ("well 👍 .", "well."),
        ("\u200fשלום\u200e, עולם\u202c", "שלום, עולם"),
        ("```json\n{}\n```", ""),
        ("|---|:-:|", ""),
        ("***", ""),
    ],
)
def test_markup_is_not_spoken(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@pytest.mark.parametrize(
    ("line", "sentence"),
    [("Sunday: 9-5", "Sunday: 9-5."), ("Really?", "Really?"), ('"Yes."', '"Yes."'), ("We:", "We:")],
)
def test_a_line_is_a_sentence(line: str, sentence: str) -> None:
    assert closed(line) == sentence


@pytest.mark.parametrize(
    "sentences",
    [
        ["Yes, of course."],
        ["No, no, no, no, please do not."],
        ["Yes.", "Yes.", "Yes.", "Yes."],
        ["Your number is 0 5 4 4 4 4 4 4 4 4."],
        ["We have flats in Haifa and in Acre. " * 2],
        ["כן, כן, כן, אני כאן."],
        ["👍"],
        ["One line\nand\tanother"],
    ],
)
def test_what_people_say_is_taken_for_an_answer(sentences: list[str]) -> None:
    coherence = Coherence()
    assert not any(coherence.lost(sentence) for sentence in sentences)


@pytest.mark.parametrize(
    "sentences",
    [
        ["..."],
        [""],
        ["the " * 10],
        ["of the of the of the of the of the of the of the of the of the of the of the of the"],
        ["We have many flats."] * 3,
        ["x" * 300],
        ["\ufffd\ufffd a \ufffd"],
        ["\x00\x01\x02 a b c"],
        ["דירה " * 12],
    ],
)
def test_rubbish_is_noticed(sentences: list[str]) -> None:
    coherence = Coherence()
    verdicts = [coherence.lost(sentence) for sentence in sentences]
    assert verdicts[-1]
    assert not any(verdicts[:-1])

"""Where an answer is cut, in Hebrew and English, and that no word is lost by it."""

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voiceagent.brain.llm.sentences import (
    EARLY_CHARS,
    FLUSH_AFTER_MS,
    MAX_CHARS,
    Splitter,
    SpokenSentences,
)
from voiceagent.brain.llm.speakable import speakable
from voiceagent.brain.llm.written_messages import MAX_CHARS as MESSAGE_CHARS
from voiceagent.brain.llm.written_messages import WrittenMessages


def sentences_of(text: str, size: int = 4) -> list[str]:
    """The text dealt out in deltas of so many characters."""
    splitter = SpokenSentences()
    deltas = [text[at : at + size] for at in range(0, len(text), size)]
    said = [sentence for delta in deltas for sentence in splitter.feed(delta, 0.0)]
    return said + splitter.finish()


def words_of(*sentences: str) -> list[str]:
    return re.findall(r"\w+", " ".join(sentences))


CASES: Sequence[tuple[str, list[str]]] = [
    # Ends of sentences.
    ("Hello. How are you?", ["Hello.", "How are you?"]),
    ("Yes! Of course. When?", ["Yes!", "Of course.", "When?"]),
    ("Really?! Yes!! Good", ["Really?!", "Yes!!", "Good."]),
    ("First; then the second. Done.", ["First;", "then the second.", "Done."]),
    ("One line\nanother line\n\nthird", ["One line.", "another line.", "third."]),
    ("A question\n?", ["A question."]),
    ("it is ok. we open at nine. come in.", ["it is ok. we open at nine.", "come in."]),
    ("שלום. מה שלומך?", ["שלום.", "מה שלומך?"]),
    ("בטח! אפשר לקבוע. מתי נוח?", ["בטח!", "אפשר לקבוע.", "מתי נוח?"]),
    ("הדירה פנויה; המחיר גמיש. מתאים?", ["הדירה פנויה;", "המחיר גמיש.", "מתאים?"]),
    ("סוף פסוק׃ התחלה", ["סוף פסוק׃", "התחלה."]),
    # Ellipses.
    ("Wait... let me see.", ["Wait... let me see."]),
    ("Well... Now then.", ["Well... Now then."]),
    ("I am not so sure… Anyway, yes.", ["I am not so sure…", "Anyway, yes."]),
    ("אז... אני בודקת. רגע.", ["אז... אני בודקת.", "רגע."]),
    ("אני לא בטוחה בזה... אבדוק.", ["אני לא בטוחה בזה...", "אבדוק."]),
    # Abbreviations.
    ("Mr. Smith is here. He waits.", ["Mr. Smith is here.", "He waits."]),
    ("Dr. and Mrs. Jones called.", ["Dr. and Mrs. Jones called."]),
    ("Take St. James Road. Turn left.", ["Take St. James Road.", "Turn left."]),
    ("Fruit, e.g. Apples. And i.e. pears.", ["Fruit, e.g. Apples.", "And i.e. pears."]),
    ("Open at 9 a.m. on Sunday.", ["Open at 9 a.m. on Sunday."]),
    ("We open at 9 a.m. Please come.", ["We open at 9 a.m.", "Please come."]),
    ("Until 5 p.m. 7 on Fridays.", ["Until 5 p.m. 7 on Fridays."]),
    ("Pens, paper etc. And so on.", ["Pens, paper etc.", "And so on."]),
    ("Pens, paper etc. are here.", ["Pens, paper etc. are here."]),
    ("See No. 5 there.", ["See No. 5 there."]),
    ("No. I said no.", ["No.", "I said no."]),
    ("It is the U.S. Army.", ["It is the U.S. Army."]),
    ("J. R. Tolkien wrote it.", ["J. R. Tolkien wrote it."]),
    ("Meet on Jan. 5 at noon.", ["Meet on Jan. 5 at noon."]),
    ("We like the sun. It shines.", ["We like the sun.", "It shines."]),
    ('דברו עם ד"ר כהן. הוא פנוי.', ['דברו עם ד"ר כהן.', "הוא פנוי."]),
    ('עו"ד לוי יחזור אליך. להתראות.', ['עו"ד לוי יחזור אליך.', "להתראות."]),
    ("עו״ד לוי כאן. תודה.", ["עו״ד לוי כאן.", "תודה."]),
    ("רח' הרצל 5, קומה ב'. מתאים?", ["רח' הרצל 5, קומה ב'.", "מתאים?"]),
    ("מס' 7, ליד הדואר. נכון?", ["מס' 7, ליד הדואר.", "נכון?"]),
    ("דירות, בתים וכו'. מה מעניין אותך?", ["דירות, בתים וכו'.", "מה מעניין אותך?"]),
    ("ת.ז. שלך בבקשה. תודה.", ["ת.ז. שלך בבקשה.", "תודה."]),
    ("ת.ד. 123 בחיפה.", ["ת.ד. 123 בחיפה."]),
    # Numbers and times.
    ("It costs 3.5 percent. Fine.", ["It costs 3.5 percent.", "Fine."]),
    ("At 10:30. Or 11.45.", ["At 10:30.", "Or 11.45."]),
    ("I am 25. You?", ["I am 25.", "You?"]),
    ("1,250.50 in all. Cash?", ["1,250.50 in all.", "Cash?"]),
    ("1. Buy a house\n2. Rent one", ["1. Buy a house.", "2. Rent one."]),
    ("Either: 1. Buy 2. Rent 3. Sell.", ["Either: 1. Buy", "2. Rent", "3. Sell."]),
    ('המחיר 1,200 ש"ח. בסדר?', ['המחיר 1,200 ש"ח.', "בסדר?"]),
    ("ב-5.11 בשעה 10:30. מתאים?", ["ב-5.11 בשעה 10:30.", "מתאים?"]),
    ("1. לקנות\n2. לשכור", ["1. לקנות.", "2. לשכור."]),
    ("יש 3 חדרים, 2.5 מיליון. יקר?", ["יש 3 חדרים, 2.5 מיליון.", "יקר?"]),
    # Addresses.
    ("See example.com/a.b?x=1 now. Good?", ["See example.com/a.b?x=1 now.", "Good?"]),
    ("Write to a.b@c.co.il. Thanks.", ["Write to a.b@c.co.il.", "Thanks."]),
    ("כתבו אל info@dira.co.il. תודה!", ["כתבו אל info@dira.co.il.", "תודה!"]),
    # Quotes and brackets.
    ('He said "Yes." Then he left.', ['He said "Yes."', "Then he left."]),
    ('"Really?" she asked. "Yes."', ['"Really?" she asked.', '"Yes."']),
    ("“Come in.” Sit down.", ["“Come in.”", "Sit down."]),
    ("(It is. Really.) Yes.", ["(It is. Really.) Yes."]),
    ('הוא אמר "כן." ואז הלך.', ['הוא אמר "כן."', "ואז הלך."]),
    ("הוא אמר ״כן.״ ואז הלך.", ["הוא אמר ״כן.״", "ואז הלך."]),
    ("(ימים א׳ עד ה׳. שישי סגור) נכון.", ["(ימים א׳ עד ה׳. שישי סגור) נכון."]),
    # Markup.
    ("**Great!** We can. *Now*?", ["Great!", "We can.", "Now?"]),
    ("## Hours\n- Sunday: 9-5\n* Monday: 9-5", ["Hours.", "Sunday: 9-5.", "Monday: 9-5."]),
    ("We have:\n• flats\n• houses", ["We have:", "flats.", "houses."]),
    ("See [our site](https://a.b/c_d). Good?", ["See our site.", "Good?"]),
    ("Hello 😀. Welcome 👋🏽!", ["Hello.", "Welcome!"]),
    ("| a | b |\n|---|---|\n| 1 | 2 |", ["a, b.", "1, 2."]),
    ("Use `snake_case` here.", ["Use snake_case here."]),
    ("[pressed 1] Good.", ["Good."]),
    ("**שעות פתיחה**\n- ראשון: 9-5\n- שני: 9-5", ["שעות פתיחה.", "ראשון: 9-5.", "שני: 9-5."]),
    ("מצוין 👍 נקבע? 😀", ["מצוין נקבע?"]),
    # Long ones, and the first.
    (
        "Let me check that for you in our calendar, and then I will tell you.",
        ["Let me check that for you in our calendar,", "and then I will tell you."],
    ),
    ("Short, and to the point.", ["Short, and to the point."]),
    (
        "Yes. I will check that for you in our calendar, and then I will tell you.",
        ["Yes.", "I will check that for you in our calendar, and then I will tell you."],
    ),
    (
        "אני אבדוק עבורך ביומן שלנו ממש ברגע זה – ואחזור אליך עם תשובה.",
        ["אני אבדוק עבורך ביומן שלנו ממש ברגע זה", "ואחזור אליך עם תשובה."],
    ),
    # Nothing to say.
    ("", []),
    ("...", []),
    ("👍", []),
    ("\n\n---\n\n", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_where_an_answer_is_cut(text: str, expected: list[str]) -> None:
    assert sentences_of(text) == expected
    assert sentences_of(text, 1) == expected
    assert sentences_of(text, len(text) or 1) == expected


def test_a_bracket_that_is_never_closed_holds_up_one_sentence_only() -> None:
    text = "Unclosed (bracket. " + "Long " * 25 + "one. Two."
    assert sentences_of(text)[-1] == "Two."


def test_a_sentence_is_said_before_the_next_has_ended() -> None:
    splitter = SpokenSentences()
    assert splitter.feed("We are open. Do", 0.0) == ["We are open."]
    assert splitter.feed(" come", 0.0) == []


def test_a_long_sentence_is_cut_behind_a_clause() -> None:
    clause = "one of the things that we can do for you, "
    first, second, *_ = sentences_of("Yes. Only " + clause * 12)
    assert first == "Yes."
    assert EARLY_CHARS < len(second) <= MAX_CHARS
    assert second.endswith(",")


def test_a_long_text_without_any_stop_is_cut_between_words() -> None:
    text = "word " * 200
    said = sentences_of(text)
    assert words_of(*said) == text.split()
    assert max(map(len, said)) <= MAX_CHARS


def test_a_word_without_end_is_cut_all_the_same() -> None:
    assert "".join(sentences_of("x" * 990)) == "x" * 990 + "."


# --- a dawdling model -----------------------------------------------------------------------


def after_a_lull(text: str) -> tuple[list[str], list[str]]:
    """What is said in the lull behind this text, and what at the end."""
    splitter = SpokenSentences()
    assert splitter.feed(text, 1000.0) == []
    assert splitter.tick(1000.0 + FLUSH_AFTER_MS - 1) == []
    said = splitter.tick(1000.0 + FLUSH_AFTER_MS)
    assert splitter.tick(9999.0) == []
    return said, splitter.finish()


@pytest.mark.parametrize(
    ("text", "at_once", "later"),
    [
        ("We are open.", ["We are open."], []),
        ("Are you there?", ["Are you there?"], []),
        ('He said: "Yes."', ['He said: "Yes."'], []),
        ("הדירה עדיין פנויה.", ["הדירה עדיין פנויה."], []),
        ("Please ask for Dr.", [], ["Please ask for Dr."]),
        ("It costs about 3.", [], ["It costs about 3."]),
        ("I will look, as far as I can, for it", ["I will look, as far as I can,"], ["for it."]),
        ("I will look for an apart", ["I will look for an"], ["apart."]),
        ("אני אחפש בשבילך דירה בחי", ["אני אחפש בשבילך דירה"], ["בחי."]),
        ("Just a mo", [], ["Just a mo."]),
        ("We come (on the next sun", [], ["We come (on the next sun."]),
    ],
)
def test_what_is_said_in_a_lull(text: str, at_once: list[str], later: list[str]) -> None:
    assert after_a_lull(text) == (at_once, later)


def test_a_lull_is_counted_from_the_last_token() -> None:
    splitter = SpokenSentences()
    assert splitter.due_ms() is None
    splitter.feed("We are", 1000.0)
    splitter.feed(" open.", 1200.0)
    assert splitter.due_ms() == 1200.0 + FLUSH_AFTER_MS
    assert splitter.tick(1200.0 + FLUSH_AFTER_MS) == ["We are open."]
    assert splitter.due_ms() is None


# --- an answer that is broken off -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("We are open. Come in and", ["We are open."]),
        ("We are open. Come in.", ["We are open.", "Come in."]),
        ("Hello. The price is 3.", ["Hello."]),
        ("We are", ["We are."]),
    ],
)
def test_of_an_answer_cut_off_only_whole_sentences_are_said(text: str, said: list[str]) -> None:
    splitter = SpokenSentences()
    heard = splitter.feed(text, 0.0)
    assert heard + splitter.break_off() == said
    assert splitter.finish() == []


# --- whatever comes ---------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *"Hello world I am a flat in Haifa costs yes no Mr. e.g. No. 5 1. 2. 3.5 10:30 25.".split(),
        *"שלום דירה בחיפה כן לא ד״ר רח' וכו'. ש\"ח ת.ז. 5 א. מחר.".split(),
        *[".", "!", "?", "…", "...", ";", ",", "-", "–", "\n", "(", ")", '"', "״", ":", "a.m."],
        "x" * 60,
    ]
)
TEXTS = st.lists(st.tuples(PIECES, st.sampled_from(["", " ", " ", " ", "  "]))).map(
    lambda pieces: "".join(piece + blank for piece, blank in pieces)
)


def dealt_out(text: str, cuts: Sequence[int], splitter: Splitter) -> list[str]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    said: list[str] = []
    for start, end in pairwise(edges):
        said += splitter.feed(text[start:end], 0.0)
    return said + splitter.finish()


@given(TEXTS, st.lists(st.integers(1, 600), max_size=40))
@example("We open at 9 a.m. and close at 5 p.m. today. Yes.", [])
@example("a" * 249 + ". B", [250])
@example("word " * 49 + "Dr.    x and more words behind it", [248, 249, 250])
def test_the_cuts_do_not_depend_on_how_the_text_was_dealt_out(text: str, cuts: list[int]) -> None:
    whole = dealt_out(text, [], SpokenSentences())
    assert dealt_out(text, cuts, SpokenSentences()) == whole
    assert dealt_out(text, range(1, len(text)), SpokenSentences()) == whole


@given(TEXTS, st.lists(st.integers(1, 600), max_size=40))
def test_no_word_is_lost_or_doubled(text: str, cuts: list[int]) -> None:
    said = dealt_out(text, cuts, SpokenSentences())
    assert "".join(words_of(*said)) == "".join(words_of(text))
    assert all(0 < len(sentence) <= MAX_CHARS + 1 for sentence in said)


@given(st.lists(st.tuples(TEXTS, st.integers(0, 900)), max_size=20))
def test_no_word_is_lost_or_doubled_by_a_dawdling_model(deltas: list[tuple[str, int]]) -> None:
    splitter, now_ms, said = SpokenSentences(), 0.0, list[str]()
    for delta, wait_ms in deltas:
        said += splitter.feed(delta, now_ms)
        now_ms += wait_ms
        said += splitter.tick(now_ms)
    said += splitter.finish()
    assert "".join(words_of(*said)) == "".join(words_of("".join(delta for delta, _ in deltas)))


@given(st.text(max_size=600), st.lists(st.integers(1, 600), max_size=20))
def test_any_text_at_all_is_taken(text: str, cuts: list[int]) -> None:
    whole = dealt_out(text, cuts, SpokenSentences())
    assert whole == dealt_out(text, [], SpokenSentences())
    assert all(speakable(sentence) for sentence in whole)


# --- in writing -------------------------------------------------------------------------------


def test_a_written_answer_is_one_message_with_its_lines() -> None:
    text = "Hello!\n\n1. Buy\n2. Rent 😀"
    assert dealt_out(text, [3, 9], WrittenMessages()) == [text]
    assert WrittenMessages().due_ms() is None


def test_a_long_written_answer_is_cut_between_paragraphs() -> None:
    paragraph = "A sentence that is not so short at all. " * 20
    first, second, third = dealt_out("\n\n".join([paragraph] * 3), [], WrittenMessages())
    assert {first, second, third} == {paragraph.strip()}


@given(st.text(alphabet="ab. \n", max_size=5000))
def test_no_word_is_lost_in_writing(text: str) -> None:
    messages = dealt_out(text, [], WrittenMessages())
    assert "".join(words_of(*messages)) == "".join(words_of(text))
    assert all(0 < len(message) <= MESSAGE_CHARS for message in messages)


def test_of_a_written_answer_cut_off_only_whole_sentences_are_sent() -> None:
    splitter = WrittenMessages()
    splitter.feed("We are open. Come in. And the", 0.0)
    assert splitter.break_off() == ["We are open. Come in."]

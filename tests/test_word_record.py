"""The log words of a call, kept until it is over."""

from voiceagent.telemetry import listen_to_words, word
from voiceagent.word_record import MAX_CALLS, MAX_WORDS, RecordedWord, WordRecord, read_words


def say(
    record: WordRecord, name: str, value: object = None, *, sid: str = "CA1", **more: object
) -> None:
    record.heard(name, value, sid, more)


def test_what_was_logged_is_read_back_in_order() -> None:
    record = WordRecord()
    say(record, "WS_START", stream_sid="MZ1")
    say(record, "STT_FINAL", turn=1, text="hello")
    say(record, "EoU_ms", 320, turn=1)
    say(record, "PNG_PONG_TX")
    assert read_words(record.take("CA1")) == [
        RecordedWord("WS_START", "", None),
        RecordedWord("STT_FINAL", "", 1),
        RecordedWord("EoU_ms", "320", 1),
        RecordedWord("PNG_PONG_TX", "", None),
    ]
    assert record.take("CA1") == ""


def test_no_text_of_the_caller_is_in_it() -> None:
    record = WordRecord()
    say(record, "WS_START")
    say(record, "STT_FINAL", turn=1, text="my secret")
    assert "secret" not in record.take("CA1")


def test_words_before_a_start_and_of_other_calls_are_not_its_own() -> None:
    record = WordRecord()
    say(record, "PNG_PONG_TX")
    say(record, "WS_START")
    say(record, "WS_START", sid="CA2")
    say(record, "MEDIA_TX", 5, sid="CA2", turn=0)
    assert record.take("CA1") == "WS_START"
    assert record.take("CA2") == "WS_START MEDIA_TX=5:0"


def test_it_is_bounded_and_tells_what_it_dropped() -> None:
    record = WordRecord()
    say(record, "WS_START")
    for _ in range(MAX_WORDS + 9):
        say(record, "PNG_PONG_TX")
    told = record.take("CA1")
    assert len(read_words(told)) == MAX_WORDS
    assert told.endswith("dropped=10")
    for number in range(MAX_CALLS + 1):
        say(record, "WS_START", sid=f"CA{number}")
    assert record.take("CA0") == ""
    assert record.take("CA1") == "WS_START"


def test_it_hears_what_is_logged_for_as_long_as_it_is_held() -> None:
    record = WordRecord()
    listen_to_words(record)
    word("WS_START", call_sid="CA7")
    word("EoU_ms", 300, call_sid="CA7", turn=2)
    assert record.take("CA7") == "WS_START EoU_ms=300:2"

import pytest

from voiceagent.whatsapp.opt_out import confirmation, wish_of


@pytest.mark.parametrize(
    "text",
    [
        *("STOP", "stop.", " Stop! ", "Unsubscribe", "СТОП"),
        *("הסר", "״הסר״", "הָסֵר", "נא להסיר אותי", "הסירו אותי."),
    ],
)
def test_words_that_end_messages(text: str) -> None:
    assert wish_of(text) == "stop"


@pytest.mark.parametrize("text", ["START", "התחל", "unstop", "התחל!"])
def test_words_that_begin_them_again(text: str) -> None:
    assert wish_of(text) == "start"


@pytest.mark.parametrize(
    "text",
    [
        *("", "stop the cheque", "don't stop", "nonstop", "תסיר את זה מהרשימה", "start at nine"),
        *("cancel", "ביטול", "quit", "end", "stop2", "S T O P", "stop " * 20),
    ],
)
def test_sentences_that_only_hold_such_a_word_are_none(text: str) -> None:
    assert wish_of(text) is None


def test_the_confirmation_is_in_the_script_of_the_word() -> None:
    assert "START" in confirmation("stop", "stop")
    assert "התחל" in confirmation("הסר", "stop")
    assert "הסר" in confirmation("התחל", "start")


def test_the_confirmations_tell_words_that_work() -> None:
    for word in ("START", "התחל", "STOP", "הסר"):
        assert wish_of(word) is not None

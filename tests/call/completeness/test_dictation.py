"""What a caller dictates: a number, a spelling or an address is whole at its end and not before."""

import pytest

from voiceagent.call.completeness.rule import reads_complete

DIGITS = "4580 1234 5678 9012".replace(" ", "")
SAID = "four five eight six one two three four five six seven eight nine one two three".split()


@pytest.mark.parametrize(
    "number",
    [
        "052 381 5544",
        "052-3815544",
        "0771234567",
        "036154482",
        "03 615 4482",
        "077 123 4567",
        "07700 900456",
        "020 7946 0018",
        "my number is 617 555 0123",
        "המספר שלי הוא 050 123 4567",
        "my phone's 202 555 0143",
        "+1 202 555 0143",
        "+44 7700 900456",
        "+972 3 615 4482",
    ],
)
def test_a_number_in_figures_is_whole_with_its_last_digit(number: str) -> None:
    assert reads_complete(number)
    for end in range(len(number)):
        # With fewer it could be a time, a date or a price.
        if sum(map(str.isdecimal, number[:end])) >= 5:
            assert not reads_complete(number[:end]), number[:end]


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("", "zero five two three eight one five five four four"),
        ("", "oh seven seven double oh nine oh oh four five six"),
        ("", "zero one six one four nine six zero one two three"),
        ("", "zero two zero seven nine four six zero zero one eight"),
        ("", "zero three six one five four four eight two"),
        ("", "plus nine seven two three six one five four four eight two"),
        ("", "אפס חמש שתיים שלוש שמונה אחת חמש חמש ארבע ארבע"),
        ("", "אפס שלוש שש אחת חמש ארבע ארבע שמונה שתיים"),
        ("", "אפס שבע שבע אחת שתיים שלוש ארבע חמש שש שבע"),
        ("", "אפס חמישים אפס שתיים שלוש ארבע חמש שש שבע"),
        ("the card is ", "four five eight six one two three four five six seven eight nine one"),
        ("הטלפון שלי הוא ", "חמש שתיים שלוש שמונה אחת חמש חמש ארבע ארבע אחת"),
    ],
)
def test_a_number_in_words_is_whole_with_its_last_digit(said: str, number: str) -> None:
    words = number.split()
    assert reads_complete(said + number)
    for end in range(2, len(words)):
        assert not reads_complete(said + " ".join(words[:end])), words[:end]


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("my card number is", 14),
        ("כרטיס האשראי הוא", 14),
        ("תעודת הזהות שלי היא", 9),
        ("my account number is", 6),
        ("מספר החשבון שלי הוא", 6),
        ("the order number is", 3),
        ("מספר ההזמנה הוא", 3),
        ("my pin is", 4),
        ("הקוד הוא", 4),
        ("the last four digits are", 4),
        ("ארבע הספרות האחרונות הן", 4),
        ("my zip is", 5),
        ("המיקוד הוא", 7),
    ],
)
def test_a_number_of_something_has_so_many_digits_at_least(said: str, digits: int) -> None:
    assert not reads_complete(f"{said} {DIGITS[: digits - 1]}")
    assert reads_complete(f"{said} {DIGITS[:digits]}")


def test_a_number_that_is_counted_out_is_a_code_or_a_local_number() -> None:
    whole = [count for count in range(1, 11) if reads_complete(" ".join(SAID[:count]))]
    assert whole == [1, 2, 4, 7, 9, 10]


@pytest.mark.parametrize(
    "text",
    [
        "08:30",
        "05/03",
        "05/03/2026",
        "09 30",
        "01 02 1999",
        "500 000",
        "555 0199",
        "*234",
        "star two three four",
        "0 52 381 5544",
        "the number is 4821",
        "two plus two",
        "I make two plus two",
        "I'd like another double",
        "I'd like to order twenty",
        "the order number is eleven one",
        "מספר ההזמנה הוא עשר אחת",
        "מספר ההזמנה הוא שלוש חמש ושש",
        "0",
        "zero",
        "a double",
        "I'd like a double",
        "flat 4",
        "room one",
        "the order number is one fifty",
        "the order number is fifty zero",
        "the order number is fifty two one",
        "the order number is one hundred",
        "the order number is double five seven",
        "the pin is triple five one",
        "מספר ההזמנה הוא שלוש שתים עשרה",
        "it's on T V",
        "at ten a m",
        "Katz K A T Z",
        "class B",
        "dana at gmail dot com",
        "my email is dana at gmail dot com",
        "דנה שטרודל gmail com",
        "we met at Outlook street",
        "דנה שטרודל וואלה נקודה קו נקודה איל",
        "I'd like to order two",
        "202 555 0143",
    ],
)
def test_is_whole(text: str) -> None:
    assert reads_complete(text)


@pytest.mark.parametrize(
    "text",
    [
        "my number is 05 03",
        "05 03 381",
        "0 52 381 554",
        "01 02 03 04",
        "202 555 01",
        "202 55",
        "one zero five",
        "my number is plus nine seven",
        "the order number is eleven",
        "the card is double",
        "my account's four four two one",
        "my phone's two one two three",
        "מספר ההזמנה הוא שלוש וחמש",
        "מספר ההזמנה הוא שלוש עשר",
        "*23",
        "star two three",
        "plus",
        "my number is plus",
        "five double",
        "M double",
        "my number is double",
        "the order number is fifty two",
        "the order number is double five",
        "the pin is one hundred",
        "the pin is triple five",
        "מספר ההזמנה הוא שלוש עשרה",
        "Smith S M I",
        "S M",
        "כהן כף הא",
        "לוי ל ו",
        "my email is dana at gmail",
        "my mail is dana at example",
        "dana at gmail",
        "דנה שטרודל גימייל",
        "דנה שטרודל",
        "dana at example dot",
        "dana at example dot co",
        "dana underscore",
    ],
)
def test_breaks_off(text: str) -> None:
    assert not reads_complete(text)

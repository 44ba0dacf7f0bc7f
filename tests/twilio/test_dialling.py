import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.twilio.dialling import region_of, why_not


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("+972501234567", "IL"),
        ("+97231234567", "IL"),
        ("+12025550123", "US"),
        ("+18765550123", "JM"),
        ("+15005550006", "US"),
        ("+12005550123", "US"),
        ("+80012345678", None),
        ("+99912345678", None),
        ("0501234567", None),
        ("+972 501234567", None),
        ("", None),
    ],
)
def test_the_country_of_a_number(number: str, region: str | None) -> None:
    assert region_of(number) == region


@pytest.mark.parametrize(
    "number",
    [
        "+972501234567",
        "+972521234567",
        "+97231234567",
        "+972721234567",
        "+9721800123456",
    ],
)
def test_who_may_be_called(number: str) -> None:
    assert why_not(number, {"IL"}) is None


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("", "no whole"),
        ("0501234567", "no whole"),
        ("+972-50-1234567", "no whole"),
        ("+972", "no whole"),
        ("+9721234", "no whole"),
        # Seven digits are a whole number within a town, not from abroad.
        ("+15550123", "no whole"),
        ("+120255501234", "no whole"),
        ("+9721900123456", "premium"),
        ("+19005551234", "premium"),
        ("+447012345678", "country"),
        ("+80012345678", "country"),
        ("+12025550123", "country"),
        # Ranges of services that the library does not know.
        ("+9721912123456", "no known kind"),
        ("+972191212345", "no known kind"),
        ("+97219121234567", "no known kind"),
        ("+9721956123456", "no known kind"),
        ("+9721212123456", "no known kind"),
        # A number of a shared code that is nobody's.
        ("+12005550123", "country"),
    ],
)
def test_who_may_not(number: str, why: str) -> None:
    assert why in (why_not(number, {"IL"}) or "")


def test_countries_that_share_a_code_are_told_apart() -> None:
    assert why_not("+12025550123", {"US"}) is None
    assert why_not("+18765550123", {"US"}) is not None
    assert why_not("+12005550123", {"US"}) is not None


def test_a_telephone_in_a_range_that_is_too_new_may_be_called() -> None:
    for number in ("+972501234567", "+972591234567", "+447312345678"):
        assert why_not(number, {"IL", "GB"}) is None


def test_without_a_country_nobody_is_called() -> None:
    assert why_not("+972501234567", ()) is not None


@given(st.text())
def test_any_text_is_answered(number: str) -> None:
    region_of(number)
    assert why_not(number, {"IL"}) == "no whole telephone number"

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from voiceagent.twilio.signature import RETRIES, is_signed, is_upgrade_signed, sign

TOKEN = "12345"
URL = "https://example.com/myapp.php?foo=1&bar=2"
FIELDS = [
    ("Digits", "1234"),
    ("CallSid", "CA1234567890ABCDE"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
    ("From", "+14158675309"),
]


class Fields(dict[str, list[str]]):
    """The shape of a framework's form, as Twilio's validator reads it."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def as_form(fields: list[tuple[str, str]]) -> Fields:
    form = Fields()
    for name, value in fields:
        form.setdefault(name, []).append(value)
    return form


def test_the_example_of_twilios_documentation() -> None:
    # "Security", www.twilio.com/docs/usage/security: its token, address and fields.
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sign(TOKEN, url, FIELDS) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_a_changed_field_or_token_or_address_is_not_signed() -> None:
    signature = sign(TOKEN, URL, FIELDS)
    assert is_signed(TOKEN, [URL], FIELDS, signature)
    assert not is_signed(TOKEN, [URL], [*FIELDS, ("More", "")], signature)
    assert not is_signed(TOKEN, [URL], FIELDS[1:], signature)
    assert not is_signed("other", [URL], FIELDS, signature)
    assert not is_signed(TOKEN, [URL + "3"], FIELDS, signature)
    assert not is_signed(TOKEN, [], FIELDS, signature)


def test_what_is_behind_an_address_for_the_retries_may_be_signed_or_not() -> None:
    # No request carries a fragment, so the address comes without it.
    for signed in (URL, URL + RETRIES):
        assert is_signed(TOKEN, [URL], FIELDS, sign(TOKEN, signed, FIELDS))
    assert not is_signed(TOKEN, [URL], FIELDS, sign(TOKEN, URL + "#rc=5", FIELDS))


@pytest.mark.parametrize("wrong", ["", "x", "=", "שלום", "\ud800", "A" * 28])
def test_what_is_no_signature(wrong: str) -> None:
    assert not is_signed(TOKEN, [URL], FIELDS, wrong)


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
FORMS = st.lists(st.tuples(TEXT, TEXT), max_size=8)
URLS = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["https", "http"]),
    st.sampled_from(["voice.example.com", "10.0.0.7", "x"]),
    st.sampled_from(["", ":443", ":80", ":8443"]),
    st.sampled_from(["", "webhook/incoming_call", "a?b=c&d=%20", "a/?q"]),
)


@given(TEXT, URLS, FORMS)
def test_the_signature_is_that_of_twilios_library(
    token: str, url: str, fields: list[tuple[str, str]]
) -> None:
    assert sign(token, url, fields) == RequestValidator(token).compute_signature(
        url, as_form(fields)
    )


@given(URLS, URLS, FORMS)
def test_the_verdict_is_that_of_twilios_library(
    signed_url: str, url: str, fields: list[tuple[str, str]]
) -> None:
    signature = sign(TOKEN, signed_url, fields)
    assert is_signed(TOKEN, [url], fields, signature) == RequestValidator(TOKEN).validate(
        url, as_form(fields), signature
    )


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("asked", ["", "/"])
@pytest.mark.parametrize("port", ["", ":443"])
def test_an_upgrade_counts_with_and_without_a_trailing_slash(
    slash: str, asked: str, port: str
) -> None:
    signature = RequestValidator(TOKEN).compute_signature(
        f"wss://example.com{port}/ws/twilio-media{slash}", {}
    )
    assert is_upgrade_signed(TOKEN, [f"wss://example.com/ws/twilio-media{asked}"], signature)
    assert not is_upgrade_signed(TOKEN, ["wss://example.com/ws/other"], signature)


def test_an_ipv6_address_keeps_its_brackets() -> None:
    signature = sign(TOKEN, "https://[::1]:8443/x")
    assert is_signed(TOKEN, ["https://[::1]:8443/x"], (), signature)
    assert is_signed(TOKEN, ["https://[::1]/x"], (), sign(TOKEN, "https://[::1]:443/x"))

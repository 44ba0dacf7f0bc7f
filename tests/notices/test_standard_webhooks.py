"""Signatures, against the test vector of the reference libraries."""

import base64

import pytest

from voiceagent.errors import ProtocolError
from voiceagent.notices.standard_webhooks import TOLERANCE_S, WebhookKey

# libraries/python/tests/test_webhooks.py of standard-webhooks/standard-webhooks.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT_S = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="

KEY = WebhookKey.parse(SECRET)
HEADERS = {"webhook-id": ID, "webhook-timestamp": str(AT_S), "webhook-signature": SIGNATURE}


def test_the_vector_is_signed_as_the_reference_signs_it() -> None:
    assert KEY.headers(ID, AT_S, BODY) == HEADERS


def test_a_genuine_message_is_known_by_its_id() -> None:
    for now_s in (AT_S, AT_S - TOLERANCE_S, AT_S + TOLERANCE_S):
        assert KEY.verify(HEADERS, BODY, now_s) == ID
    signatures = f"{OTHER} v2{SIGNATURE[2:]} {SIGNATURE} {OTHER}"
    assert KEY.verify(HEADERS | {"webhook-signature": signatures}, BODY, AT_S) == ID


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_other"},
        {"webhook-id": f"{ID}.{AT_S}"},
        {"webhook-timestamp": str(AT_S + 1)},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": f"-{AT_S}"},
        {"webhook-timestamp": "١" * 10},
        {"webhook-signature": OTHER},
        {"webhook-signature": f"v2{SIGNATURE[2:]}"},
        {"webhook-signature": SIGNATURE[3:]},
        {"webhook-signature": "v1,ééé"},
        {"webhook-signature": ""},
    ],
)
def test_a_changed_header_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        KEY.verify(HEADERS | changed, BODY, AT_S)


@pytest.mark.parametrize("missing", list(HEADERS))
def test_a_missing_header_is_refused(missing: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != missing}
    with pytest.raises(ProtocolError, match="missing"):
        KEY.verify(headers, BODY, AT_S)


def test_a_changed_body_another_secret_and_another_time_are_refused() -> None:
    with pytest.raises(ProtocolError, match="signature"):
        KEY.verify(HEADERS, BODY + b" ", AT_S)
    other = WebhookKey.parse("whsec_" + base64.b64encode(b"x" * 24).decode())
    with pytest.raises(ProtocolError, match="signature"):
        other.verify(HEADERS, BODY, AT_S)
    for now_s in (AT_S - TOLERANCE_S - 1, AT_S + TOLERANCE_S + 1):
        with pytest.raises(ProtocolError, match="time"):
            KEY.verify(HEADERS, BODY, now_s)


@pytest.mark.parametrize(
    "secret",
    [
        SECRET.removeprefix("whsec_"),
        "whsec_",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsec_not base64!",
        "whsec_é",
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and 24") as caught:
        WebhookKey.parse(secret)
    assert len(secret) < 10 or secret not in str(caught.value)


def test_a_key_is_never_printed() -> None:
    assert repr(KEY) == "WebhookKey()"


def test_an_id_with_a_full_stop_is_not_signed() -> None:
    with pytest.raises(ValueError, match="full stop"):
        KEY.signature("a.b", AT_S, BODY)

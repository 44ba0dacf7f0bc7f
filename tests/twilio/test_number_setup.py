"""How a number is set up: where calls come, how Twilio asks, and what stands in meanwhile."""

import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, urldefrag, urlsplit

import pytest

from voiceagent.twilio.number_setup import VoiceSetup, changes, seen, wanted

BASE = "https://agent.example"


def test_calls_are_announced_by_post_and_asked_for_again_within_ten_seconds() -> None:
    setup = wanted(BASE, "he-IL")
    url, overrides = urldefrag(setup.url)
    assert (url, setup.method) == (f"{BASE}/webhook/incoming_call", "POST")
    told = {name: values[0] for name, values in parse_qs(overrides).items()}
    # The limits of Twilio's "Connection Overrides".
    assert 0 <= int(told["rc"]) <= 5
    assert set(told["rp"].split(",")) <= {"4xx", "5xx", "ct", "rt", "all"}
    assert 100 <= int(told["ct"]) <= 10_000
    assert 100 <= int(told["rt"]) <= 15_000
    assert int(told["tt"]) <= 10_000
    assert setup.is_answered_at(BASE)
    assert not setup.is_answered_at("https://other.example")


@pytest.mark.parametrize(("language", "said"), [("he-IL", "שלום"), ("en-US", "Hello")])
def test_the_fallback_is_a_document_that_takes_a_message_in_the_language(
    language: str, said: str
) -> None:
    setup = wanted(BASE, language)
    parts = urlsplit(setup.fallback_url)
    assert (parts.scheme, parts.netloc, setup.fallback_method) == ("https", "twimlets.com", "GET")
    [document] = parse_qs(parts.query, strict_parsing=True)["Twiml"]
    ask, record, thank = ET.fromstring(document)  # noqa: S314 - our own
    assert [one.tag for one in (ask, record, thank)] == ["Say", "Record", "Say"]
    assert ask.get("language") == language
    assert str(ask.text).startswith(said)
    # Nothing of ours is asked: nobody is there.
    assert BASE not in document
    assert "action" not in record.attrib
    assert setup.fallback_url.isascii()


def test_what_differs_is_told_by_its_name() -> None:
    before = seen({"voice_url": "https://old.example/", "voice_method": "GET"})
    after = wanted(BASE, "en-US")
    assert before == VoiceSetup("https://old.example/", "GET", "", "")
    assert [(name, old) for name, old, _ in changes(before, after)] == [
        ("VoiceUrl", "https://old.example/"),
        ("VoiceMethod", "GET"),
        ("VoiceFallbackUrl", ""),
        ("VoiceFallbackMethod", ""),
    ]
    assert changes(after, after) == []

"""How a number is set up: where calls come, how Twilio asks, and what stands in meanwhile."""

import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, urldefrag, urlsplit

import pytest

from voiceagent.twilio.number_setup import VoiceSetup, changes, seen, wanted

BASE = "https://agent.example"


def echoed(url: str) -> str:
    """What Twilio's Echo Twimlet gives back at that address."""
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "twimlets.com", "/echo")
    [document] = parse_qs(parts.query, strict_parsing=True)["Twiml"]
    return document


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
    assert setup.fallback_method == "GET"
    document = echoed(setup.fallback_url)
    ask, record, thank = ET.fromstring(document)  # noqa: S314 - our own
    assert [one.tag for one in (ask, record, thank)] == ["Say", "Record", "Say"]
    assert ask.get("language") == language
    assert str(ask.text).startswith(said)
    # Nothing of ours is asked: nobody is there.
    assert BASE not in document
    assert setup.fallback_url.isascii()


@pytest.mark.parametrize("language", ["he-IL", "en-US"])
def test_whoever_left_a_message_is_thanked_and_not_asked_again(language: str) -> None:
    """Twilio goes on after a message with its `action`, and without one with the same document
    from its beginning; what stands behind `<Record>` is for those who said nothing."""
    _, record, otherwise = ET.fromstring(echoed(wanted(BASE, language).fallback_url))  # noqa: S314
    assert record.get("method") == "GET"
    thank, end = ET.fromstring(echoed(record.attrib["action"]))  # noqa: S314 - our own
    assert [thank.tag, end.tag] == ["Say", "Hangup"]
    assert (thank.text, thank.get("language")) == (otherwise.text, language)


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

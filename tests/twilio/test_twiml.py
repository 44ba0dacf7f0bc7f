import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.errors import ProtocolError
from voiceagent.twilio.twiml import (
    connect_stream,
    dial,
    hang_up,
    reconnect_stream,
    say_and_hang_up,
)

PLAYBOOK = """\
<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Connect action="https://voice.example.com/webhook/stream_ended">
    <Stream url="wss://voice.example.com/ws/twilio-media" \
statusCallback="https://voice.example.com/webhook/stream_status">
      <Parameter name="call_sid" value="CA_TEST"/>
    </Stream>
  </Connect>
</Response>"""


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - made here


def test_exactly_the_twiml_of_the_playbook() -> None:
    assert connect_stream("https://voice.example.com", "CA_TEST") == PLAYBOOK


def test_a_port_and_a_path_stay() -> None:
    text = connect_stream("https://voice.example.com:8443/a/b", "CA1")
    assert 'url="wss://voice.example.com:8443/a/b/ws/twilio-media"' in text
    assert 'action="https://voice.example.com:8443/a/b/webhook/stream_ended"' in text


def test_twilio_streams_to_tls_only() -> None:
    with pytest.raises(ProtocolError):
        connect_stream("http://voice.example.com", "CA1")


@pytest.mark.parametrize(
    ("call_sid", "escaped"),
    [
        ('"><Say>', 'value="&quot;&gt;&lt;Say&gt;"'),
        ("a&b", 'value="a&amp;b"'),
        ("it's", 'value="it\'s"'),
        ("\"'", 'value="&quot;\'"'),
        ("a\nb", 'value="a&#10;b"'),
        ("a\0b", 'value="a\ufffdb"'),
        ("", 'value=""'),
    ],
)
def test_a_call_sid_is_escaped(call_sid: str, escaped: str) -> None:
    assert escaped in connect_stream("https://voice.example.com", call_sid)


@given(st.text(alphabet=st.characters(), max_size=600))
def test_any_call_sid_makes_well_formed_twiml(call_sid: str) -> None:
    response = parsed(connect_stream("https://voice.example.com", call_sid))
    assert [element.tag for element in response.iter()] == [
        "Response",
        "Connect",
        "Stream",
        "Parameter",
    ]
    parameter = response.find(".//Parameter")
    assert parameter is not None
    value = parameter.attrib["value"]
    assert len("call_sid") + len(value) < 500
    if call_sid.isprintable():
        assert value == call_sid[:480]


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters(), max_size=20))
def test_any_phrase_is_said_and_the_call_ended(phrase: str, language: str) -> None:
    say, hang_up = parsed(say_and_hang_up(phrase, language))
    assert (say.tag, hang_up.tag) == ("Say", "Hangup")
    if phrase.isprintable() and language.isprintable():
        assert (say.text or "", say.attrib) == (phrase, {"language": language})


def test_a_stream_that_comes_back_says_why() -> None:
    again = reconnect_stream("https://voice.example.com", "CA_TEST")
    added = '      <Parameter name="resumed" value="transfer_failed"/>\n'
    assert added in again
    assert again.replace(added, "") == PLAYBOOK


def test_a_person_is_dialled_and_the_outcome_asked_of_us() -> None:
    assert dial("https://voice.example.com/a", "+97231234567", "+97237654321") == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Response>\n"
        '  <Dial action="https://voice.example.com/a/webhook/transfer_ended"'
        ' timeout="25" answerOnBridge="true" callerId="+97237654321">\n'
        "    <Number>+97231234567</Number>\n"
        "  </Dial>\n"
        "</Response>"
    )


def test_without_a_number_of_our_own_the_callers_is_shown() -> None:
    (element,) = parsed(dial("https://voice.example.com", "+97231234567", None))
    assert "callerId" not in element.attrib


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters(), min_size=1))
def test_any_number_stays_a_number(number: str, caller_id: str) -> None:
    (element,) = parsed(dial("https://voice.example.com", number, caller_id))
    assert [child.tag for child in element.iter()] == ["Dial", "Number"]
    if number.isprintable() and caller_id.isprintable():
        assert (element[0].text or "", element.attrib["callerId"]) == (number, caller_id)


def test_a_call_is_ended() -> None:
    assert [element.tag for element in parsed(hang_up())] == ["Hangup"]

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.errors import ProtocolError
from voiceagent.twilio.media_stream import (
    MAX_MEDIA_BYTES,
    MAX_MESSAGE_CHARS,
    Connected,
    Dtmf,
    Encoder,
    Mark,
    Media,
    Start,
    Stop,
    Unknown,
    decode,
)

SID = "MZ18ad3ab5a668481ce02b83e7395059f0"
CALL = "CA" + "1" * 32
ACCOUNT = "AC" + "2" * 32


def message(**fields: Any) -> str:
    return json.dumps(fields)


def media(payload: Any, **fields: Any) -> str:
    body = {"track": "inbound", "chunk": "2", "timestamp": "5", "payload": payload} | fields
    return message(event="media", sequenceNumber="4", media=body, streamSid=SID)


def start(**fields: Any) -> str:
    body = {
        "accountSid": ACCOUNT,
        "streamSid": SID,
        "callSid": CALL,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"call_sid": CALL},
    } | fields
    return message(event="start", sequenceNumber="1", start=body, streamSid=SID)


class TestMessagesOfTwilio:
    def test_connected(self) -> None:
        assert decode('{"event":"connected","protocol":"Call","version":"1.0.0"}') == Connected()

    def test_start(self) -> None:
        assert decode(start()) == Start(
            SID, CALL, ACCOUNT, {"call_sid": CALL}, "audio/x-mulaw", 8000, 1
        )

    def test_media(self) -> None:
        frame = bytes(range(160))
        assert decode(media(base64.b64encode(frame).decode())) == Media(frame, 5, SID)

    def test_dtmf(self) -> None:
        text = (
            f'{{"event":"dtmf","streamSid":"{SID}","sequenceNumber":"5",'
            '"dtmf":{"track":"inbound_track","digit":"#"}}'
        )
        assert decode(text) == Dtmf("#", SID)

    def test_mark(self) -> None:
        text = message(event="mark", sequenceNumber="4", streamSid=SID, mark={"name": "3:120"})
        assert decode(text) == Mark("3:120", SID)

    def test_stop(self) -> None:
        stop = {"accountSid": ACCOUNT, "callSid": CALL}
        assert decode(message(event="stop", sequenceNumber="5", stop=stop, streamSid=SID)) == Stop(
            SID
        )

    def test_an_event_that_came_later_than_this_program_is_unknown(self) -> None:
        assert decode('{"event":"hologram","streamSid":"MZ1"}') == Unknown("hologram")


class TestLeniency:
    @pytest.mark.parametrize("timestamp", [5, "5"])
    def test_a_number_may_come_as_a_string(self, timestamp: int | str) -> None:
        decoded = decode(media("", timestamp=timestamp))
        assert isinstance(decoded, Media)
        assert decoded.timestamp_ms == 5

    def test_the_sample_rate_may_come_as_a_string(self) -> None:
        decoded = decode(start(mediaFormat={"sampleRate": "16000"}))
        assert isinstance(decoded, Start)
        assert decoded.sample_rate_hz == 16000

    def test_another_format_is_told_as_it_came(self) -> None:
        form = {"encoding": "audio/x-l16", "sampleRate": 16000, "channels": 2}
        assert decode(start(mediaFormat=form)) == Start(
            SID, CALL, ACCOUNT, {"call_sid": CALL}, "audio/x-l16", 16000, 2
        )

    @pytest.mark.parametrize("form", [{}, {"mediaFormat": {}}])
    def test_a_start_that_tells_no_more_than_who_calls_is_a_phone_call(
        self, form: dict[str, Any]
    ) -> None:
        text = message(event="start", streamSid=SID, start={"callSid": CALL} | form)
        assert decode(text) == Start(SID, CALL, "", {}, "audio/x-mulaw", 8000, 1)

    def test_media_of_the_other_side_does_not_count(self) -> None:
        assert decode(media("/w==", track="outbound")) == Unknown("media")

    def test_a_bare_payload_is_the_callers(self) -> None:
        assert decode(message(event="media", streamSid=SID, media={"payload": "/w=="})) == Media(
            b"\xff", 0, SID
        )

    def test_a_start_without_call_sid_takes_the_parameter(self) -> None:
        text = message(
            event="start",
            start={"streamSid": SID, "customParameters": {"call_sid": "CA_TEST"}},
        )
        assert decode(text) == Start(SID, "CA_TEST", parameters={"call_sid": "CA_TEST"})


class TestRefusals:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "hello",
            "[]",
            "1",
            "null",
            "{}",
            '{"event":null}',
            '{"event":7}',
            '{"event":["media"]}',
            "[" * 60_000,
            '{"event":"media","n":' + "9" * 5000 + "}",
            '{"event":"media"}',
            '{"event":"media","media":[]}',
            '{"event":"media","media":{"payload":"/w=="}}',
            '{"event":"media","streamSid":7,"media":{"payload":"/w=="}}',
            media(None),
            media(7),
            media("%%%%"),
            media("/w"),
            media("/w==\n"),
            media("א"),
            media("/w==", timestamp="soon"),
            media("/w==", timestamp="-1"),
            media("/w==", timestamp=True),
            media("/w==", timestamp=1.5),
            media("/w==", timestamp=None),
            '{"event":"media","streamSid":"M","media":{"payload":"","timestamp":Infinity}}',
            '{"event":"mark","streamSid":"MZ1"}',
            '{"event":"mark","streamSid":"MZ1","mark":{"name":1}}',
            '{"event":"mark","streamSid":"MZ1","mark":{"name":"\\ud800"}}',
            '{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":"12"}}',
            '{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":""}}',
            '{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":5}}',
            '{"event":"stop"}',
            '{"event":"start","start":{}}',
            start(callSid=""),
            start(callSid="CA 1"),
            start(callSid="CA\n1"),
            start(callSid="ק"),
            start(callSid="C" * 65),
            start(callSid=5),
            start(mediaFormat=[]),
            start(mediaFormat={"sampleRate": "fast"}),
            start(customParameters=[1]),
            start(customParameters={"a": 1}),
            start(customParameters={"a": "\0"}),
            start(customParameters={"\ud800": "a"}),
            start(customParameters={str(n): "" for n in range(65)}),
        ],
        ids=lambda text: text[:40],
    )
    def test_what_is_not_a_message(self, text: str) -> None:
        with pytest.raises(ProtocolError):
            decode(text)

    def test_the_largest_payload(self) -> None:
        largest = bytes(MAX_MEDIA_BYTES)
        assert decode(media(base64.b64encode(largest).decode())) == Media(largest, 5, SID)
        with pytest.raises(ProtocolError, match="32 KB"):
            decode(media(base64.b64encode(largest + b"more").decode()))

    @pytest.mark.parametrize(
        ("largest", "larger"),
        [
            (start(callSid="C"), start(callSid="")),
            (start(callSid="C" * 64), start(callSid="C" * 65)),
            (start(accountSid="A" * 1024), start(accountSid="A" * 1025)),
            (
                start(customParameters={str(n): "" for n in range(64)}),
                start(customParameters={str(n): "" for n in range(65)}),
            ),
            (media("", timestamp=10**15 - 1), media("", timestamp=10**15)),
            (media("", timestamp="9" * 15), media("", timestamp="0" * 16)),
            (message(event="e").ljust(MAX_MESSAGE_CHARS), message(event="e").ljust(65_537)),
        ],
        ids=[*("shortest sid", "longest sid", "text", "parameters"), "number", "digits", "message"],
    )
    def test_where_each_bound_lies(self, largest: str, larger: str) -> None:
        decode(largest)
        with pytest.raises(ProtocolError):
            decode(larger)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["event", "streamSid", "media", "payload", "track", "timestamp", "start", "callSid"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
EVENTS = st.sampled_from(["media", "start", "mark", "dtmf", "stop", "connected", "else"])


class TestWhateverComes:
    @given(st.text())
    def test_any_text(self, text: str) -> None:
        self.decodes_or_is_refused(text)

    @given(
        st.fixed_dictionaries(
            {"event": EVENTS},
            optional=dict.fromkeys(("media", "start", "mark", "dtmf", "streamSid"), JSON),
        )
    )
    def test_any_json_that_looks_like_a_message(self, fields: dict[str, Any]) -> None:
        self.decodes_or_is_refused(json.dumps(fields))

    def decodes_or_is_refused(self, text: str) -> None:
        try:
            decoded = decode(text)
        except ProtocolError:
            return
        assert isinstance(decoded, Connected | Start | Media | Dtmf | Mark | Stop | Unknown)


class TestEncoder:
    def test_only_the_fields_that_twilio_takes(self) -> None:
        encoder = Encoder(SID)
        assert json.loads(encoder.media(b"\xff" * 160)) == {
            "event": "media",
            "streamSid": SID,
            "media": {"payload": base64.b64encode(b"\xff" * 160).decode()},
        }
        assert json.loads(encoder.mark("1:20")) == {
            "event": "mark",
            "streamSid": SID,
            "mark": {"name": "1:20"},
        }
        assert json.loads(encoder.clear()) == {"event": "clear", "streamSid": SID}

    @given(st.binary(max_size=400), st.text(max_size=30), st.text(max_size=30))
    def test_any_audio_name_and_sid_stay_well_formed(
        self, ulaw: bytes, name: str, sid: str
    ) -> None:
        encoder = Encoder(sid)
        audio = json.loads(encoder.media(ulaw))
        assert base64.b64decode(audio["media"]["payload"]) == ulaw
        assert audio["streamSid"] == sid
        assert json.loads(encoder.mark(name))["mark"] == {"name": name}
        assert json.loads(encoder.clear())["streamSid"] == sid

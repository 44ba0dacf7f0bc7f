"""Twilio Media Streams: the messages on a call's WebSocket.

Text frames flow in and come out as typed messages; audio, marks and clears
flow in and come out as text frames that hold exactly the fields Twilio takes.
Pure and fast (50 messages a second per call each way): it keeps no state
between messages, opens no socket and reads no clock.

Source: Twilio's "Media Streams - WebSocket Messages".
"""

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voiceagent.errors import ProtocolError

MAX_MEDIA_BYTES: Final = 32 * 1024
"""More audio than that (4 s) in one message is not a phone call."""
MAX_MESSAGE_CHARS: Final = 64 * 1024
"""As long as a message with that much audio may be; a longer one is not even parsed. The Procfile
has the server refuse it, but a server may be run without that option."""
_MAX_PAYLOAD_CHARS: Final = (MAX_MEDIA_BYTES + 2) // 3 * 4
_MAX_SID_CHARS: Final = 64
"""Twilio's are 34; a hand-made check may use others."""
_MAX_TEXT_CHARS: Final = 1024
_MAX_PARAMETERS: Final = 64
_DTMF_DIGITS: Final = frozenset("0123456789*#ABCD")


@dataclass(frozen=True, slots=True)
class Connected:
    """The first message on the socket; the call is not known yet."""


@dataclass(frozen=True, slots=True)
class Start:
    """The stream begins."""

    stream_sid: str
    call_sid: str
    account_sid: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The `<Parameter>` elements of the TwiML."""
    encoding: str = "audio/x-mulaw"
    sample_rate_hz: int = 8000
    channels: int = 1


@dataclass(frozen=True, slots=True)
class Media:
    """Audio from the caller."""

    ulaw: bytes
    timestamp_ms: int
    """Since the stream began, by Twilio's clock; 0 when it was not told."""
    stream_sid: str


@dataclass(frozen=True, slots=True)
class Dtmf:
    """The caller pressed a key."""

    digit: str
    stream_sid: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What was sent before the mark of this name has played, or was cleared."""

    name: str
    stream_sid: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream is over; normally the last message."""

    stream_sid: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A well-formed message that means nothing to us: to be ignored."""

    event: str


InboundMessage = Connected | Start | Media | Dtmf | Mark | Stop | Unknown


def decode(text: str) -> InboundMessage:
    """The message in one text frame.

    Raises `ProtocolError` for anything that is not a message: malformed JSON,
    a missing event, a field of the wrong type, bad base64, too much of anything.
    Numbers may come as numbers or as strings. Audio of any track but the
    caller's own is `Unknown`.
    """
    if len(text) > MAX_MESSAGE_CHARS:
        raise ProtocolError("more than 64 KB in one message")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("not a JSON text") from error
    if type(message) is not dict:
        raise ProtocolError("not a JSON object")
    event = message.get("event")
    if event == "media":
        return _media(message)
    if event == "mark":
        return Mark(_text(_body(message, "mark"), "name"), _stream_sid(message))
    if event == "dtmf":
        return _dtmf(message)
    if event == "start":
        return _start(message)
    if event == "stop":
        return Stop(_stream_sid(message))
    if event == "connected":
        return Connected()
    if type(event) is not str:
        raise ProtocolError("no event")
    return Unknown(event[:_MAX_SID_CHARS])


def _media(message: dict[str, Any]) -> Media | Unknown:
    media = _body(message, "media")
    if media.get("track", "inbound") != "inbound":
        return Unknown("media")
    payload = media.get("payload")
    if type(payload) is not str:
        raise ProtocolError("media without a payload")
    if len(payload) > _MAX_PAYLOAD_CHARS:
        raise ProtocolError("more than 32 KB of audio in one message")
    try:
        ulaw = a2b_base64(payload, strict_mode=True)
    except ValueError as error:
        raise ProtocolError("payload is not base64") from error
    return Media(ulaw, _whole_number(media, "timestamp", 0), _stream_sid(message))


def _dtmf(message: dict[str, Any]) -> Dtmf:
    digit = _body(message, "dtmf").get("digit")
    if type(digit) is not str or digit not in _DTMF_DIGITS:
        raise ProtocolError("not a DTMF digit")
    return Dtmf(digit, _stream_sid(message))


def _start(message: dict[str, Any]) -> Start:
    start = _body(message, "start")
    stream_sid = _sid(start.get("streamSid", message.get("streamSid")), "streamSid")
    parameters = _parameters(start.get("customParameters", {}))
    # Twilio always tells the callSid; our own <Parameter> is the same one again.
    call_sid = _sid(start.get("callSid", parameters.get("call_sid")), "callSid")
    media_format = start.get("mediaFormat", {})
    if type(media_format) is not dict:
        raise ProtocolError("mediaFormat is not an object")
    return Start(
        stream_sid=stream_sid,
        call_sid=call_sid,
        account_sid=_text(start, "accountSid", ""),
        parameters=parameters,
        encoding=_text(media_format, "encoding", "audio/x-mulaw"),
        sample_rate_hz=_whole_number(media_format, "sampleRate", 8000),
        channels=_whole_number(media_format, "channels", 1),
    )


def _body(message: dict[str, Any], key: str) -> dict[str, Any]:
    body = message.get(key)
    if type(body) is not dict:
        raise ProtocolError(f"{key} message without its {key} object")
    return body


def _stream_sid(message: dict[str, Any]) -> str:
    stream_sid = message.get("streamSid")
    if type(stream_sid) is not str:
        raise ProtocolError("no streamSid")
    return stream_sid


def _sid(value: object, key: str) -> str:
    """An identifier that goes into logs, records and answers: short, printable, no spaces."""
    if (
        type(value) is not str
        or not 0 < len(value) <= _MAX_SID_CHARS
        or not value.isascii()
        or not value.isprintable()
        or " " in value
    ):
        raise ProtocolError(f"start without a proper {key}")
    return value


def _text(body: dict[str, Any], key: str, default: str | None = None) -> str:
    value = body.get(key, default)
    if type(value) is not str or len(value) > _MAX_TEXT_CHARS:
        raise ProtocolError(f"{key} is not a short text")
    return _storable(value, key)


def _storable(value: str, key: str) -> str:
    """Refuse what neither UTF-8 nor a database can hold: lone surrogates and NUL."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ProtocolError(f"{key} is not Unicode text") from error
    if "\0" in value:
        raise ProtocolError(f"{key} holds a NUL")
    return value


def _parameters(value: object) -> dict[str, str]:
    if type(value) is not dict or len(value) > _MAX_PARAMETERS:
        raise ProtocolError("customParameters is not a small object")
    return {_storable(name, "customParameters"): _text(value, name) for name in value}


def _whole_number(body: dict[str, Any], key: str, default: int) -> int:
    value = body.get(key, default)
    if type(value) is str and value.isdecimal() and len(value) <= 15:
        value = int(value)
    if type(value) is not int or not 0 <= value < 10**15:
        raise ProtocolError(f"{key} is not a whole number")
    return value


class Encoder:
    """Makes the three messages that Twilio takes, for one stream.

    Twilio refuses messages without `streamSid` and tolerates no other field.
    """

    __slots__ = ("_clear", "_mark_head", "_media_head")

    def __init__(self, stream_sid: str) -> None:
        sid = json.dumps(stream_sid)
        self._media_head = f'{{"event":"media","streamSid":{sid},"media":{{"payload":"'
        self._mark_head = f'{{"event":"mark","streamSid":{sid},"mark":{{"name":'
        self._clear = f'{{"event":"clear","streamSid":{sid}}}'

    def media(self, ulaw: bytes) -> str:
        """Play this µ-law audio (no file header) after what was sent before."""
        return f'{self._media_head}{b2a_base64(ulaw, newline=False).decode("ascii")}"}}}}'

    def mark(self, name: str) -> str:
        """Ask to be told when everything sent so far has played."""
        return f"{self._mark_head}{json.dumps(name)}}}}}"

    def clear(self) -> str:
        """Throw away what has not played; every pending mark comes back at once."""
        return self._clear

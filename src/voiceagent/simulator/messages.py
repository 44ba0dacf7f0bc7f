"""The messages that Twilio sends over a media stream, as text.

Plain values flow in, one JSON text flows out; `sequenceNumber`, `chunk` and
`timestamp` are strings, as on the wire. Nothing is remembered between calls.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

CONNECTED: Final = '{"event":"connected","protocol":"Call","version":"1.0.0"}'


def start(account_sid: str, stream_sid: str, call_sid: str, parameters: Mapping[str, str]) -> str:
    """The stream begins; the first message that carries a sequence number."""
    return _text(
        {
            "event": "start",
            "sequenceNumber": "1",
            "start": {
                "accountSid": account_sid,
                "streamSid": stream_sid,
                "callSid": call_sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(parameters),
            },
            "streamSid": stream_sid,
        }
    )


def media(stream_sid: str, sequence: int, chunk: int, timestamp_ms: int, payload: str) -> str:
    """20 ms of the caller; put together by hand, since it is sent fifty times a second a call."""
    return (
        f'{{"event":"media","sequenceNumber":"{sequence}","media":{{"track":"inbound",'
        f'"chunk":"{chunk}","timestamp":"{timestamp_ms}","payload":"{payload}"}},'
        f'"streamSid":"{stream_sid}"}}'
    )


def mark(stream_sid: str, sequence: int, name: str) -> str:
    """The audio before that mark was played, or cleared."""
    return _text(
        {
            "event": "mark",
            "sequenceNumber": str(sequence),
            "streamSid": stream_sid,
            "mark": {"name": name},
        }
    )


def dtmf(stream_sid: str, sequence: int, digit: str) -> str:
    """A key was pressed."""
    return _text(
        {
            "event": "dtmf",
            "streamSid": stream_sid,
            "sequenceNumber": str(sequence),
            "dtmf": {"track": "inbound_track", "digit": digit},
        }
    )


def stop(stream_sid: str, sequence: int, account_sid: str, call_sid: str) -> str:
    """The stream is over: the caller hung up."""
    return _text(
        {
            "event": "stop",
            "sequenceNumber": str(sequence),
            "stop": {"accountSid": account_sid, "callSid": call_sid},
            "streamSid": stream_sid,
        }
    )


def _text(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)

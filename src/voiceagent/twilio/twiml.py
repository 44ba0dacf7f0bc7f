"""TwiML: what the webhooks tell Twilio to do with a call.

A base address, a call and phrases flow in, XML flows out. Pure: it does not
know where the values come from, so it escapes every one of them.
"""

import re
from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from voiceagent.errors import ProtocolError

MEDIA_PATH: Final = "/ws/twilio-media"
INCOMING_CALL_PATH: Final = "/webhook/incoming_call"
STREAM_STATUS_PATH: Final = "/webhook/stream_status"
STREAM_ENDED_PATH: Final = "/webhook/stream_ended"
TRANSFER_ENDED_PATH: Final = "/webhook/transfer_ended"
ANSWERING_MACHINE_PATH: Final = "/webhook/answering_machine"
CALL_STATUS_PATH: Final = "/webhook/call_status"

RESUMED_PARAMETER: Final = "resumed"
"""The stream parameter that tells a session why a call comes back to it."""
TRANSFER_FAILED: Final = "transfer_failed"
"""Its value when the person to whom the caller was to be connected could not be reached."""
TRANSFER_RING_S: Final = 25
"""How long the person's telephone rings."""

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_MAX_PARAMETER_CHARS: Final = 480
"""Twilio takes less than 500 for name and value of a `<Parameter>` together."""
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even as a reference."""


def connect_stream(base_url: str, call_sid: str) -> str:
    """Connect the call to our socket (playbook B1).

    `base_url` is `https://host[:port][/path]` without a trailing slash; raises
    `ProtocolError` for any other scheme, because Twilio streams to `wss` only.
    """
    return _stream(base_url, {"call_sid": call_sid})


def reconnect_stream(base_url: str, call_sid: str) -> str:
    """Connect the call to our socket again, because its transfer failed.

    The same as `connect_stream`, with one parameter more by which the session knows.
    """
    return _stream(base_url, {"call_sid": call_sid, RESUMED_PARAMETER: TRANSFER_FAILED})


def _stream(base_url: str, parameters: Mapping[str, str]) -> str:
    if not base_url.startswith("https://"):
        raise ProtocolError("the public address does not begin with https://")
    socket = f"wss://{base_url.removeprefix('https://')}{MEDIA_PATH}"
    lines = [
        f"      <Parameter name={_attribute(name)}"
        f" value={_attribute(value[:_MAX_PARAMETER_CHARS])}/>\n"
        for name, value in parameters.items()
    ]
    return (
        f"{_DECLARATION}<Response>\n"
        f"  <Connect action={_attribute(base_url + STREAM_ENDED_PATH)}>\n"
        f"    <Stream url={_attribute(socket)}"
        f" statusCallback={_attribute(base_url + STREAM_STATUS_PATH)}>\n"
        f"{''.join(lines)}"
        "    </Stream>\n"
        "  </Connect>\n"
        "</Response>"
    )


def say_and_hang_up(phrase: str, language: str) -> str:
    """Speak one phrase with Twilio's own voice, then end the call.

    `language` is a BCP 47 tag, e.g. `he-IL`.
    """
    return (
        f"{_DECLARATION}<Response>\n"
        f"  <Say language={_attribute(language)}>{escape(_xml_text(phrase))}</Say>\n"
        "  <Hangup/>\n"
        "</Response>"
    )


def take_message(ask: str, thank: str, thanks_url: str, language: str, most_seconds: int) -> str:
    """Ask for a message, record it at Twilio, thank for it, and end the call: a document that
    needs no service of ours. Silence of 5 s, or a key, ends the message.

    Twilio goes on at `thanks_url` when there is one; without an `action` it would ask for the
    next. It goes on behind `<Record>` only for those who said nothing.
    """
    spoken = f"<Say language={_attribute(language)}>"
    return (
        f"{_DECLARATION}<Response>\n"
        f"  {spoken}{escape(_xml_text(ask))}</Say>\n"
        f'  <Record action={_attribute(thanks_url)} method="GET" maxLength="{most_seconds}"'
        ' timeout="5" playBeep="true"/>\n'
        f"  {spoken}{escape(_xml_text(thank))}</Say>\n"
        "</Response>"
    )


def dial(base_url: str, number: str, caller_id: str | None) -> str:
    """Connect the caller to a person at this E.164 number; then ask us how to go on.

    `caller_id` is the number that the person sees; `None`: what Twilio shows by itself, the
    caller's number.
    """
    shown = f" callerId={_attribute(caller_id)}" if caller_id else ""
    return (
        f"{_DECLARATION}<Response>\n"
        f"  <Dial action={_attribute(base_url + TRANSFER_ENDED_PATH)}"
        f' timeout="{TRANSFER_RING_S}" answerOnBridge="true"{shown}>\n'
        f"    <Number>{escape(_xml_text(number))}</Number>\n"
        "  </Dial>\n"
        "</Response>"
    )


def hang_up() -> str:
    """End the call."""
    return f"{_DECLARATION}<Response>\n  <Hangup/>\n</Response>"


def _attribute(value: str) -> str:
    """The value as a quoted attribute, always in double quotes."""
    quoted = quoteattr(_xml_text(value), {'"': "&quot;"})
    return quoted if quoted.startswith('"') else f'"{quoted[1:-1]}"'


def _xml_text(value: str) -> str:
    return _NOT_XML.sub("\ufffd", value)

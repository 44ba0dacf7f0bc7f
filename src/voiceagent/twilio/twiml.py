"""TwiML: what the webhooks tell Twilio to do with a call.

A base address, a call and phrases flow in, XML flows out. Pure: it does not
know where the values come from, so it escapes every one of them.
"""

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from voiceagent.errors import ProtocolError

MEDIA_PATH: Final = "/ws/twilio-media"
INCOMING_CALL_PATH: Final = "/webhook/incoming_call"
STREAM_STATUS_PATH: Final = "/webhook/stream_status"
STREAM_ENDED_PATH: Final = "/webhook/stream_ended"

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
    if not base_url.startswith("https://"):
        raise ProtocolError("the public address does not begin with https://")
    socket = f"wss://{base_url.removeprefix('https://')}{MEDIA_PATH}"
    return (
        f"{_DECLARATION}<Response>\n"
        f"  <Connect action={_attribute(base_url + STREAM_ENDED_PATH)}>\n"
        f"    <Stream url={_attribute(socket)}"
        f" statusCallback={_attribute(base_url + STREAM_STATUS_PATH)}>\n"
        f'      <Parameter name="call_sid" value={_attribute(call_sid[:_MAX_PARAMETER_CHARS])}/>\n'
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


def _attribute(value: str) -> str:
    """The value as a quoted attribute, always in double quotes."""
    quoted = quoteattr(_xml_text(value), {'"': "&quot;"})
    return quoted if quoted.startswith('"') else f'"{quoted[1:-1]}"'


def _xml_text(value: str) -> str:
    return _NOT_XML.sub("\ufffd", value)

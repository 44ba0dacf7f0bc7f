"""Signatures of webhooks as Standard Webhooks 1.0.0 has them (symmetric: `v1`).

A secret, an id, a time and a body flow in; headers, or the word that they are genuine,
flow out. Pure: the time is handed in, and nothing is sent or received here. The rules
are those of https://www.standardwebhooks.com, sections "Signature scheme" and "Webhook
headers".
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from voiceagent.errors import ProtocolError

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"

TOLERANCE_S: Final = 300
"""How far a message's time may be from the receiver's: the reference libraries' five minutes."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_PREFIX: Final = "whsec_"
_VERSION: Final = "v1"
_KEY_BYTES: Final = range(24, 65)


@dataclass(frozen=True, slots=True)
class WebhookKey:
    """What sender and receiver share."""

    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, secret: str) -> Self:
        """The key of a secret such as `whsec_MfKQ…`. Raises `ValueError`, without the secret."""
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not secret.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
            raise ValueError("the secret must be whsec_ and 24 to 64 bytes in base64")
        return cls(key)

    def headers(self, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
        """The three headers of a message. `timestamp_s`: Unix time of this attempt.

        The id must hold no full stop: it would let two messages have one signature.
        """
        return {
            ID_HEADER: message_id,
            TIMESTAMP_HEADER: str(timestamp_s),
            SIGNATURE_HEADER: self.signature(message_id, timestamp_s, body),
        }

    def signature(self, message_id: str, timestamp_s: int, body: bytes) -> str:
        """`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64."""
        if "." in message_id:
            raise ValueError("the id of a message holds no full stop")
        signed = f"{message_id}.{timestamp_s}.".encode() + body
        digest = hmac.digest(self.key, signed, hashlib.sha256)
        return f"{_VERSION},{base64.b64encode(digest).decode()}"

    def verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> str:
        """The id of a genuine message; a receiver takes each id once.

        `headers` has its names in small letters. Raises `ProtocolError`.
        """
        try:
            message_id, signatures = headers[ID_HEADER], headers[SIGNATURE_HEADER].split()
            timestamp_s = _seconds(headers[TIMESTAMP_HEADER])
            right = self.signature(message_id, timestamp_s, body).encode()
        except KeyError as error:
            raise ProtocolError("a header of the webhook is missing") from error
        except ValueError as error:
            raise ProtocolError("a header of the webhook is malformed") from error
        if abs(now_s - timestamp_s) > TOLERANCE_S:
            raise ProtocolError("the webhook's time is too far from now")
        # A message may be signed with several secrets while one replaces the other.
        matches = [hmac.compare_digest(right, given.encode()) for given in signatures]
        if not any(matches):
            raise ProtocolError("the webhook's signature is not right")
        return message_id


def _seconds(timestamp: str) -> int:
    """Raises `ValueError`."""
    if not _TIMESTAMP.fullmatch(timestamp):
        raise ValueError("no time in seconds")
    return int(timestamp)

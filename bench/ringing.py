"""How soon the webhook of a ringing call is answered, at so many rings a second.

    python bench/ringing.py [--rate 1000] [--seconds 10]

The service, with its database, is on the first core and checks each signature; run this with
`taskset -c 1` to ring from the second. Prints one JSON object; milliseconds.
"""

import argparse
import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import uvloop
from servers import OURS, serving
from webhooks import Client, load

from voiceagent.simulator.results import percentile
from voiceagent.twilio.signature import sign
from voiceagent.twilio.twiml import INCOMING_CALL_PATH

AUTH_TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of nobody
WARMING_S = 2.0
SERVER = replace(OURS, environ={**OURS.environ, "TWILIO_AUTH_TOKEN": AUTH_TOKEN})


async def rings(port: int, rate: float, seconds: float) -> dict[str, Any]:
    """Ring so often, whatever the answers take."""
    url = f"http://127.0.0.1:{port}"
    client = Client(url)

    async def ask(number: int) -> int:
        fields = [
            ("CallSid", f"CA{number:032x}"),
            ("From", f"+97250{number:07d}"),
            ("To", "+97231234567"),
            ("Direction", "inbound"),
            ("CallStatus", "ringing"),
        ]
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": sign(AUTH_TOKEN, url + INCOMING_CALL_PATH, fields),
        }
        return await client.post(INCOMING_CALL_PATH, urlencode(fields).encode(), headers)

    await load(ask, rate / 4, WARMING_S)
    began = time.monotonic()
    times_ms, statuses = await load(ask, rate, seconds)
    lasted_s = time.monotonic() - began
    client.close()
    return {
        "answers_a_second": round(statuses[200] / lasted_s, 1),
        "not_200": statuses.total() - statuses[200],
        **{f"p{share}_ms": round(percentile(times_ms, share) or 0.0, 1) for share in (50, 95, 99)},
    }


def main() -> None:
    """Ring and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    with serving(SERVER) as serves:
        print(json.dumps(uvloop.run(rings(serves.port, given.rate, given.seconds))))


if __name__ == "__main__":
    main()

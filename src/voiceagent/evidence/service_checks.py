"""Checks of the service itself: run line, probes, handshake, TwiML (playbook A2, A3, B1, B2).

Raw answers flow in, verdicts flow out. Pure.
"""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from voiceagent.evidence.check import Check, check
from voiceagent.evidence.facts import HttpAnswer, RunLine, Upgrade

SUBPROTOCOL: Final = "audio.twilio.com"
PARTS: Final = {"ws": "ok", "db": "ok", "stt": "ok", "tts": "ok"}

SIGN: Final = (
    "Signatures: TWILIO_AUTH_TOKEN here must be the service's, and --public-base-url its"
    " PUBLIC_BASE_URL."
)

_LOST_HEADER: Final = (
    "Twilio would end the call with 31920 or 31924; a proxy before it may drop the header."
)
_FIXED_PORT: Final = re.compile(r"--port[ =]\d|-b +\S*:\d|--bind[ =]\S*:\d|:(5000|8000|8080)\b")
_OTHER_PROCESSES: Final = re.compile(r"\b(npm|node|baileys|start_all)\b")


def run_line(line: RunLine) -> Check:
    """The platform runs the API and nothing else, on its own port."""
    name = f"{line.file}: runs only asgi:app, on $PORT"
    if line.text is None:
        return check(
            name, [f"there is no {line.file} here"], "", "Run this in the checkout of the service."
        )
    faults = []
    if "asgi:app" not in line.text:
        faults.append("it does not run asgi:app")
    if not re.search(r"\$\{?PORT\b", line.text):
        faults.append("it does not take $PORT")
    if _FIXED_PORT.search(line.text):
        faults.append("it names a fixed port")
    if _OTHER_PROCESSES.search(line.text):
        faults.append("it runs another process as well")
    return check(name, faults, "asgi:app on $PORT", "See CONTRACT: the run line.", line.text)


def version(answer: HttpAnswer, expected_deploy_id: str | None) -> Check:
    """`/version` is 200 and names the deployment."""
    name = "/version: 200 with the current DEPLOY_ID"
    if answer.status != 200:
        return check(name, [f"it was answered {answer.outcome}"], "", raw=answer.raw())
    told = _json_object(answer.body)
    faults = [f"{key} is missing" for key in ("deploy_id", "commit", "time") if not told.get(key)]
    deploy_id = str(told.get("deploy_id", ""))
    if expected_deploy_id is not None and deploy_id != expected_deploy_id:
        faults.append(f"DEPLOY_ID is {deploy_id!r}, not {expected_deploy_id!r}")
    if told.get("time") and not _is_time(str(told["time"])):
        faults.append(f"time is no ISO 8601: {told['time']!r}")
    figure = f"{deploy_id}, commit {str(told.get('commit', ''))[:12]}, since {told.get('time')}"
    if expected_deploy_id is None:
        figure += "; whether it is the current one nobody said: --expect-deploy-id"
    return check(name, faults, figure, "Is the new deployment the one that runs?", answer.raw())


def healthz(answer: HttpAnswer) -> Check:
    """`/healthz` is 200, `ok`, plain text."""
    faults = []
    if answer.status != 200:
        faults.append(f"it was answered {answer.outcome}")
    else:
        if answer.body != "ok":
            faults.append(f"the body is {answer.body[:40]!r}, not 'ok'")
        if not answer.headers.get("content-type", "").startswith("text/plain"):
            faults.append(f"the content type is {answer.headers.get('content-type')!r}")
    return check(
        "/healthz: 200 ok",
        faults,
        f"200 ok in {answer.took_ms:.0f} ms",
        "The route must be on the application itself.",
        answer.raw(),
    )


def readyz(answer: HttpAnswer) -> Check:
    """Every part is `ok`."""
    name = "/readyz: ws, stt, tts and db are ok"
    told = _json_object(answer.body)
    faults = [] if answer.status == 200 else [f"it was answered {answer.outcome}"]
    faults += [
        f"{_PART_NAMES[part]} ({part}) is {told.get(part, 'missing')!r}"
        for part, wanted in PARTS.items()
        if told.get(part) != wanted
    ]
    return check(
        name,
        faults,
        "ws ok, stt ok, tts ok, db ok",
        "script/voiceagent doctor tells why.",
        answer.raw(),
    )


_PART_NAMES: Final = {
    "ws": "the WebSocket",
    "db": "the database",
    "stt": "speech-to-text",
    "tts": "text-to-speech",
}


def handshake(upgrade: Upgrade) -> Check:
    """101, and the subprotocol that was offered is echoed."""
    faults = _upgrade_faults(upgrade)
    if upgrade.status == 101 and upgrade.subprotocol != SUBPROTOCOL:
        chosen = repr(upgrade.subprotocol) if upgrade.subprotocol else "missing"
        faults.append(f"Sec-WebSocket-Protocol is {chosen}, not {SUBPROTOCOL!r} as offered")
    return check(
        f"handshake: 101 and Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        faults,
        f"101, {SUBPROTOCOL}",
        SIGN if upgrade.status == HTTPStatus.FORBIDDEN else _LOST_HEADER,
        upgrade.head,
    )


def plain_handshake(upgrade: Upgrade) -> Check:
    """Without an offer nothing is echoed: that would break a client."""
    faults = _upgrade_faults(upgrade)
    if upgrade.subprotocol is not None:
        faults.append(f"{upgrade.subprotocol!r} was chosen and nothing was offered")
    return check(
        "handshake without an offer: 101 and no subprotocol",
        faults,
        "101, none",
        raw=upgrade.head,
    )


def twiml(answer: HttpAnswer, call_sid: str) -> Check:
    """The answer to a ringing call, exactly."""
    name = "/webhook/incoming_call: the TwiML"
    if answer.status != 200:
        todo = SIGN if answer.status == HTTPStatus.FORBIDDEN else ""
        return check(name, [f"it was answered {answer.outcome}"], "", todo, answer.raw())
    return check(
        name,
        _twiml_faults(answer.body, call_sid),
        f"200 in {answer.took_ms:.0f} ms, no // and no <Play>",
        "See PUBLIC_BASE_URL, and the forwarded headers of the proxy.",
        answer.raw(),
    )


def stream_status(answer: HttpAnswer) -> Check:
    """The playbook's own check: a form without a signature is 204, and empty."""
    faults = [] if answer.status == 204 else [f"it was answered {answer.outcome}"]
    if answer.status == 204 and answer.body:
        faults.append(f"the body is {answer.body[:40]!r}, not empty")
    return check(
        "/webhook/stream_status: 204 and empty, without a signature",
        faults,
        f"204 in {answer.took_ms:.0f} ms",
        "It must check no signature.",
        answer.raw(),
    )


def payments(answers: Mapping[str, HttpAnswer]) -> Check:
    """What is not configured says so; Stripe is gone; nothing is a 500. By the provider's name."""
    wanted = {"paypal": (200, 501, 403), "tranzila": (200, 501), "stripe": (410,)}
    faults = [
        f"{name} was answered {answers[name].outcome}, not {' or '.join(map(str, allowed))}"
        for name, allowed in wanted.items()
        if answers[name].status not in allowed
    ]
    return check(
        "payments: PayPal and Tranzila work or say 501, Stripe is 410",
        faults,
        ", ".join(f"{name} {answers[name].status}" for name in wanted),
        "These want the service's API_KEY.",
        "\n\n".join(answer.raw() for answer in answers.values()),
    )


def _twiml_faults(text: str, call_sid: str) -> list[str]:
    try:
        # No document type, so no entities to be expanded; its size is bounded.
        root = None if "<!" in text else ET.fromstring(text)  # noqa: S314
    except ET.ParseError as error:
        return [f"it is not XML: {error}"]
    if root is None:
        return ["it has a document type"]
    faults = ["it has a <Play>"] if root.find(".//Play") is not None else []
    connect = root.find("Connect")
    stream = connect.find("Stream") if connect is not None else None
    if root.tag != "Response" or connect is None or stream is None:
        said = " ".join(say.text or "" for say in root.iter("Say"))
        return [*faults, f"it connects to no stream{f': it says {said!r}' if said else ''}"]
    for owner, attribute, scheme, path in (
        (connect, "action", "https", "/webhook/stream_ended"),
        (stream, "url", "wss", "/ws/twilio-media"),
        (stream, "statusCallback", "https", "/webhook/stream_status"),
    ):
        faults += _url_faults(attribute, owner.get(attribute), scheme, path)
    parameters = {one.get("name"): one.get("value") for one in stream.iter("Parameter")}
    if parameters.get("call_sid") != call_sid:
        faults.append(f"the parameter call_sid is {parameters.get('call_sid')!r}")
    return faults


def _url_faults(attribute: str, url: str | None, scheme: str, path: str) -> list[str]:
    if not url:
        return [f"{attribute} is missing"]
    parts = urlsplit(url)
    faults = []
    if parts.scheme != scheme:
        faults.append(f"{attribute} is {parts.scheme}://, not {scheme}://")
    if "//" in parts.path:
        faults.append(f"{attribute} has // in its path: {url}")
    elif not parts.path.endswith(path):
        faults.append(f"{attribute} does not end in {path}: {url}")
    return faults


def _upgrade_faults(upgrade: Upgrade) -> list[str]:
    if upgrade.error:
        return [upgrade.error]
    if upgrade.status != 101:
        return [f"the upgrade was answered {upgrade.status}, not 101 (Twilio's error 31920)"]
    return [] if upgrade.key_is_right else ["Sec-WebSocket-Accept does not fit the key"]


def _json_object(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False

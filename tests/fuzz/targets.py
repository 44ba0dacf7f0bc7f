"""What is fuzzed in memory: each reader of what comes from outside, and what must hold of it.

Bytes flow in; nothing flows out. A target raises for whatever its reader should never do: any
error but its own, an answer that breaks its promise. It knows nothing of who makes the bytes:
`corpus.py` keeps them, `mutants.py` and `run.py` make new ones.
"""

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qsl

from fuzz.archive_target import restored_archive
from fuzz.connection_targets import http_bytes, websocket_frames
from fuzz.kept_target import kept_files
from payments.payment import payment
from voiceagent.brain.agent.file import read_agent
from voiceagent.brain.agent.rewrite import CannotRewrite
from voiceagent.brain.llm.openai_chunks import LlmAnswer
from voiceagent.brain.tools.arguments import BookingRequest, Details, PaymentRequest
from voiceagent.crm.postgres.paging import from_cursor, to_cursor
from voiceagent.errors import (
    AgentFileError,
    InvalidCursor,
    ProtocolError,
    ProviderError,
    SettingsError,
)
from voiceagent.evals.scenario import ScenarioError, read_scenario
from voiceagent.notices.standard_webhooks import WebhookKey
from voiceagent.payments import paypal_orders, tranzila_report
from voiceagent.settings import _SECRETS, Settings, load_settings
from voiceagent.speech import ogg_opus, sensitive_numbers
from voiceagent.speech.riff import RiffStripper, without_riff
from voiceagent.speech.wave_header import wave_header
from voiceagent.twilio import media_stream
from voiceagent.web.byte_range import NotSatisfiable, wanted_range
from voiceagent.web.console.script_form import fits_form, form_of, script_of
from voiceagent.web.console.sessions import Sessions
from voiceagent.web.forms import MAX_FIELDS, parse_form
from voiceagent.web.webhook_answers import call_sid_of, plain
from voiceagent.whatsapp.inbound import SidecarEvent, fate_from_twilio, from_sidecar, from_twilio
from voiceagent.whatsapp.session_events import SessionChange

Target = Callable[[bytes], None]

PAYMENT: Final = payment()
NOW: Final = datetime(2026, 11, 27, 8, tzinfo=UTC)
_NO_CHUNK: Final = (ProviderError, TypeError, AttributeError, KeyError, ValueError, IndexError)
"""What `openai_chat.py` takes for a server that is none; `RecursionError` is a `RuntimeError`."""


def decoded_message(data: bytes) -> None:
    """`twilio/media_stream.py`: a message, or `ProtocolError`; texts that a record can hold."""
    text = _text(data)
    try:
        message = media_stream.decode(text)
    except ProtocolError:
        return
    match message:
        case media_stream.Start():
            texts = [message.stream_sid, message.call_sid, message.account_sid, message.encoding]
            texts += [*message.parameters, *message.parameters.values()]
            _storable(*texts)
            assert message.stream_sid
            assert message.call_sid
            assert message.sample_rate_hz >= 0
        case media_stream.Media():
            assert len(message.ulaw) <= media_stream.MAX_MEDIA_BYTES
            assert 0 <= message.timestamp_ms < 10**15
            encoder = media_stream.Encoder(message.stream_sid)
            again = media_stream.decode(encoder.media(message.ulaw))
            assert isinstance(again, media_stream.Media)
            assert again.ulaw == message.ulaw
        case media_stream.Mark():
            _storable(message.name)


def stripped_audio(data: bytes) -> None:
    """`speech/riff.py`: wherever it is cut, the same samples, none of them a header."""
    if not data:
        return
    whole = without_riff(data)
    assert len(whole) <= len(data)
    step = 1 + data[0] % 17
    stripper = RiffStripper()
    pieces = [stripper.feed(data[at : at + step]) for at in range(0, len(data), step)]
    assert b"".join(pieces) + stripper.finish() == whole
    assert whole[:4] not in {b"RIFF", b"RIFX", b"RF64"}
    samples = data.replace(b"RI", b"..").replace(b"RF", b"..")
    for channels in (1, 2):
        head = wave_header(len(samples), channels=channels, comment=data[:8])
        padding = b"\0" * (len(samples) % 2)
        assert len(head) % 2 == 0
        assert without_riff(head + samples + padding) == samples or not samples


def voice_note(data: bytes) -> None:
    """`speech/ogg_opus.py`: a length that is a number, or `ProtocolError`."""
    try:
        note = ogg_opus.describe(data)
    except ProtocolError:
        return
    assert math.isfinite(note.seconds)
    assert note.seconds >= 0
    assert note.rate_hz >= 0


def environment(data: bytes) -> None:
    """`settings.py`: settings, or `SettingsError` of lines that hold no secret."""
    environ = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        name, _, value = line.partition("=")
        # The kernel's own rule: neither a name nor a value holds a NUL.
        if name and "\0" not in line and not name.endswith("_FILE"):
            environ[name] = value
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        faults = error.faults
    else:
        assert isinstance(settings, Settings)
        faults = [repr(settings), *settings.warnings()]
    assert faults
    assert all(len(fault.splitlines()) == 1 for fault in faults)
    for name in _SECRETS:
        secret = environ.get(name, "").strip()
        told = [value for other, value in environ.items() if other not in _SECRETS]
        # A short one may stand in our own words, and another variable may repeat it.
        if len(secret) > 12 and not any(secret in value for value in told):
            assert not any(secret in fault for fault in faults), name


def form(data: bytes) -> None:
    """`web/forms.py`: the same fields as the standard library's, and Twilio's webhooks of them."""
    read = parse_form(data)
    if not read.cut:
        text = data.decode("utf-8", "replace")
        try:
            expected = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            expected = None  # more separators than fields: ours counts pieces
        assert expected is None or list(read.fields) == expected
    sid = call_sid_of(read)
    assert sid is None or sid.isascii()
    _storable(plain(read.get("CallStatus")))
    with suppress(ProtocolError):
        _storable_json(from_twilio(read.get, NOW).model_dump_json())
    fate = fate_from_twilio(read.get, NOW)
    if fate is not None:
        _storable_json(fate.model_dump_json())


def sidecar_event(data: bytes) -> None:
    """`whatsapp/inbound.py`: a record, nothing, or a refusal."""
    try:
        event = SidecarEvent.model_validate_json(data)
    except ValueError:
        return
    change = SessionChange.of(event.data)
    assert change.sentence
    assert not (change.wants_owner and change.is_ordinary)
    try:
        record = from_sidecar(event, NOW)
    except ProtocolError:
        return
    if record is not None:
        _storable_json(record.model_dump_json())


def agent_file(data: bytes) -> None:
    """`brain/agent/file.py` and the form over it: a sound agent, or `AgentFileError`."""
    text = data.decode("utf-8", "replace")
    faults: list[str] = []
    try:
        profile = read_agent(text, "agent.toml", "en-GB")
    except AgentFileError as error:
        faults = list(error.faults)
        assert faults
    else:
        assert profile.business
    form_of(text, "en-GB", faults)
    fits_form(text)
    try:
        changed = script_of(text, {"business": 'Another "one"\\', "questions.0.ask": "שלום?"})
    except (CannotRewrite, tomllib.TOMLDecodeError, RecursionError):
        return
    assert tomllib.loads(changed)["business"] == 'Another "one"\\'


def scenario_file(data: bytes) -> None:
    """`evals/scenario.py`: a scenario, or `ScenarioError`."""
    try:
        raw = tomllib.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return
    try:
        scenario = read_scenario(raw, "file")
    except ScenarioError:
        return
    for step in scenario.steps:
        assert step.act
        assert isinstance(step.is_answered, bool)
    assert isinstance(scenario.needs_engines, bool)


def provider_answer(data: bytes) -> None:
    """`payments/`: PayPal's orders and Tranzila's rows, whatever JSON they are."""
    try:
        told = json.loads(data, parse_float=str)
    except (ValueError, RecursionError):
        return
    if isinstance(told, dict):
        paypal_orders.finding_of(told, PAYMENT)
        paypal_orders.payer_link(told)
        paypal_orders.is_to_be_captured(told, PAYMENT)
    rows = told if isinstance(told, list) else [told]
    rows = [row for row in rows if isinstance(row, dict)]
    tranzila_report.finding_of(rows, PAYMENT, "terminal")
    for row in rows:
        tranzila_report.charge_of(row)
        tranzila_report.tokens_in(row, {PAYMENT.reference})


def tool_arguments(data: bytes) -> None:
    """`brain/tools/arguments.py`: what a model writes is taken, or a `ValueError`."""
    try:
        told = json.loads(data, parse_float=Decimal)
    except (ValueError, RecursionError):
        return
    for model in (BookingRequest, Details, PaymentRequest):
        try:
            request = model.model_validate(told)
        except ValueError:
            continue
        assert repr(request.identity)
        if isinstance(request, PaymentRequest):
            assert request.amount_minor > 0


def model_chunks(data: bytes) -> None:
    """`brain/llm/openai_chunks.py`: text and calls, or what `openai_chat.py` takes for no chunk."""
    answer = LlmAnswer()
    for line in data.split(b"\n"):
        try:
            answer.take(json.loads(line))
        except _NO_CHUNK:
            return
    answer.rest()
    for call in answer.calls():
        assert call.name


def request_fields(data: bytes) -> None:
    """Small readers of one header or parameter: cursors, ranges, cookies, signatures."""
    text = _text(data)
    try:
        position = from_cursor("calls", text)
    except InvalidCursor:
        pass
    else:
        assert position is not None
        assert from_cursor("calls", to_cursor("calls", position)) == position
        _storable(position.id)
    header = data.decode("latin-1")
    for length in (0, 1, 4096):
        try:
            wanted = wanted_range(header, length)
        except NotSatisfiable:
            continue
        assert wanted is None or 0 <= wanted.first <= wanted.last < length
    assert Sessions("a-key").of(header, 0) is None
    assert not Sessions("a-key").is_csrf("id", header)
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    headers = dict(zip(names, header.split("\n"), strict=False))
    try:
        WebhookKey(b"k" * 32).verify(headers, data, 1e9)
    except ProtocolError:
        return
    raise AssertionError("a signature of nobody's was taken")


def hidden_numbers(data: bytes) -> None:
    """`speech/sensitive_numbers.py`: the same text but for what is hidden, which stays hidden."""
    text = _text(data)
    for identities in (True, False):
        found = sensitive_numbers.find(text, identities=identities)
        kept, behind = [], 0
        for one in found:
            assert behind <= one.start < one.end <= len(text), one
            assert sum(sign.isdecimal() for sign in one.shown) <= 4, one
            kept += [text[behind : one.start], one.shown]
            behind = one.end
        hidden = sensitive_numbers.hide(text, identities=identities)
        assert hidden == "".join((*kept, text[behind:]))
        if not any(one.shown.endswith(" ") for one in found):  # more digits were glued to a card
            assert sensitive_numbers.hide(hidden, identities=identities) == hidden


TARGETS: Final[Mapping[str, Target]] = {
    "agent_file": agent_file,
    "backup_archive": restored_archive,
    "environment": environment,
    "form": form,
    "hidden_numbers": hidden_numbers,
    "http_bytes": http_bytes,
    "kept_files": kept_files,
    "media_stream": decoded_message,
    "model_chunks": model_chunks,
    "ogg_opus": voice_note,
    "provider_answer": provider_answer,
    "request_fields": request_fields,
    "riff": stripped_audio,
    "scenario_file": scenario_file,
    "sidecar_event": sidecar_event,
    "tool_arguments": tool_arguments,
    "websocket_frames": websocket_frames,
}


def _storable(*texts: str) -> None:
    """UTF-8 and a database can hold it."""
    for text in texts:
        text.encode()
        assert "\0" not in text


def _storable_json(text: str) -> None:
    text.encode()
    json.loads(text)


def _text(data: bytes) -> str:
    """With lone surrogates, which JSON and sloppy peers can bring."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("latin-1")

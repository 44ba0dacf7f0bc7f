"""Twilio's REST API for calls on this machine, for tests.

    PYTHONPATH=tests python -m emulators.twilio_rest --port 9010

Requests of the real library flow in over HTTP; the documented resources, errors and codes of
`/2010-04-01/Accounts/{sid}/Calls`, `…/Recordings` and `…/Messages` flow out, and faults on demand.
Nobody is called and nothing is sent: a call stays as it was placed until a test or a request
changes it. It runs in threads of its own, so that a test's event loop may stand still without
stopping it.

Source: Twilio's "Call Resource", "Messages Resource", "Media Subresource" and its list of error
codes.
"""

import argparse
import base64
import json
import re
import secrets
import socket
import struct
import threading
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from emulators.provider_server import Fault
from emulators.twilio_account import AccountPages
from emulators.twilio_call_log import CallLog

HOST = "127.0.0.1"
ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "an-auth-token-of-nobody"
OWN_NUMBER = "+97231234567"
WAIT_S = 30.0
OVER = {"completed", "canceled", "busy", "no-answer", "failed"}

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PATH = re.compile(r"/2010-04-01/Accounts/(\w+)/Calls(?:/([\w-]+))?\.json")
_LISTS = re.compile(r"/2010-04-01/Accounts/(\w+)/(Calls|Recordings)\.json")
_EVENTS = re.compile(r"/Calls/([\w-]+)/Events\.json")
_ACCOUNT = re.compile(r"/2010-04-01/Accounts/(AC\w+?)((?:/.+)?\.json)")
_MESSAGES = re.compile(r"/2010-04-01/Accounts/(\w+)/Messages\.json")
_MESSAGE = re.compile(r"/2010-04-01/Accounts/(\w+)/Messages(?:/(\w+)(/Media)?)?\.json")
_MEDIA = re.compile(r"/2010-04-01/Accounts/(\w+)/Messages/\w+/Media/(\w+)")
_WHATSAPP = re.compile(r"whatsapp:\+[1-9][0-9]{6,14}")
_MAX_TWIML_CHARS = 4000
_MAX_BODY_CHARS = 1600
_MOST_ON_A_PAGE = 3
"""Fewer than anybody asks for."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    form: Mapping[str, str]


class ApiError(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class TwilioRestEmulator:
    """The API of one account, until the end of a `with` block."""

    def __init__(self, own_numbers: Iterable[str] = (OWN_NUMBER,), port: int = 0) -> None:
        self.own_numbers = set(own_numbers)
        self.pages = AccountPages(self.own_numbers)
        self.forbidden_prefixes: set[str] = set()
        """Where the account may not call, e.g. `+1876`."""
        self.requests: list[Request] = []
        self.calls: dict[str, dict[str, Any]] = {}
        self.log = CallLog(ACCOUNT_SID, self.calls)
        """What became of calls, as lists tell it."""
        self.messages: dict[str, dict[str, Any]] = {}
        self.files: dict[str, list[str]] = {}
        """By the message: the sids of its media."""
        self.media: dict[str, tuple[str, bytes] | str] = {}
        """By sid: the type and the content, or an address where they are."""
        self.connections = 0
        """How many were made."""
        self._faults: deque[Fault | None] = deque()
        self._news = threading.Condition()
        self._hanging = 0
        self._released = 0
        self._closing = False
        self._open: set[socket.socket] = set()
        self._server = _Server((HOST, port), _Handler, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def base_url(self) -> str:
        """For `TWILIO_BASE_URL`."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        with self._news:
            self._faults.clear()
            self._closing = True
            self._news.notify_all()
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join(WAIT_S)

    def fail_next(self, *faults: Fault | None) -> None:
        """One for each of the next requests; None: it goes well."""
        with self._news:
            self._faults.extend(faults)

    def release(self) -> None:
        """Let go on what hangs."""
        with self._news:
            self._released += 1
            self._news.notify_all()

    def wait_until_hanging(self, count: int) -> None:
        """Until that many requests hang; for a thread."""
        with self._news:
            if not self._news.wait_for(lambda: self._hanging >= count, WAIT_S):
                raise AssertionError(f"{self._hanging} of {count} requests came")

    def admit(self, call_sid: str, caller: str = "+972501234567", called: str = OWN_NUMBER) -> None:
        """Somebody calls a number of the account and is on the line."""
        call = self._new_call(call_sid, called, caller, "inbound")
        self.calls[call_sid] = call | {"status": "in-progress"}

    def miss(
        self,
        call_sid: str,
        caller: str = "+972501234567",
        *,
        at: datetime,
        called: str = OWN_NUMBER,
        seconds: float = 40.0,
    ) -> None:
        """Somebody called a number of the account and was on the line until it was over."""
        self.log.take(self._new_call(call_sid, called, caller, "inbound"), at, seconds)

    def receive(
        self, sid: str, sender: str, body: str = "", *, at: datetime, files: Iterable[str] = ()
    ) -> None:
        """Somebody writes to the account's WhatsApp sender; `files` are sids of its `media`."""
        files = list(files)
        message = self.new_message(sid, f"whatsapp:{sender}", f"whatsapp:{OWN_NUMBER}", body)
        self.messages[sid] = message | {
            "direction": "inbound",
            "status": "received",
            "date_created": format_datetime(at),
            "date_sent": format_datetime(at),
            "num_media": str(len(files)),
        }
        self.files[sid] = files

    def media_url(self, media_sid: str, message_sid: str = "MM1") -> str:
        """As a webhook names it."""
        path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{message_sid}/Media/{media_sid}"
        return f"{self.base_url}{path}"

    # --- what the API does ----------------------------------------------------------------------

    def file(self, request: Request, authorization: str) -> tuple[str, bytes] | str | None:
        """The file that is asked for, an address where it is, or None: it is no file."""
        if (sound := self.log.sound(request.path)) is not None:
            account_sid, media_type, content = sound
            self._check(account_sid, authorization)
            if content is None:
                raise _not_found(request.path)
            return media_type, content
        match = _MEDIA.fullmatch(request.path)
        if match is None:
            return None
        self._check(match[1], authorization)
        if match[2] not in self.media:
            raise _not_found(request.path)
        return self.media[match[2]]

    def _check(self, account_sid: str, authorization: str) -> None:
        given = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if authorization != f"Basic {given}" or account_sid != ACCOUNT_SID:
            raise ApiError(401, 20003, "Authenticate")

    def answer(self, request: Request, authorization: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON. Raises `ApiError`."""
        url = urlsplit(request.path)
        if request.method == "GET" and (message := _MESSAGE.fullmatch(url.path)):
            self._check(message[1], authorization)
            return 200, self._message_page(message[2], message[3] is not None, url.path, url.query)
        if messages := _MESSAGES.fullmatch(request.path):
            self._check(messages[1], authorization)
            return 201, self._create_message(request.form)
        if request.method == "GET" and (logged := _LISTS.fullmatch(url.path)):
            self._check(logged[1], authorization)
            page = {"Calls": self.log.calls_page, "Recordings": self.log.recordings_page}[logged[2]]
            return 200, page(url.path, dict(parse_qsl(url.query)))
        match = _PATH.fullmatch(request.path)
        if match is None:
            return self._account_page(request, authorization)
        account_sid, call_sid = match.groups()
        self._check(account_sid, authorization)
        if call_sid is None:
            if request.method != "POST":
                raise ApiError(405, 20004, "Method not allowed")
            return 201, self._create(request.form)
        if call_sid not in self.calls:
            raise _not_found(request.path)
        if request.method == "POST":
            self._update(self.calls[call_sid], request.form)
        return 200, self.calls[call_sid]

    def _account_page(self, request: Request, authorization: str) -> tuple[int, dict[str, Any]]:
        url = urlsplit(request.path)
        if url.path == "/v1/Alerts":
            self._check(ACCOUNT_SID, authorization)
            return 200, self.pages.alerts_page(dict(parse_qsl(url.query)), self.base_url)
        match = _ACCOUNT.fullmatch(url.path)
        if match is None:
            raise _not_found(request.path)
        self._check(match[1], authorization)
        of_call = _EVENTS.fullmatch(match[2])
        if of_call and not self.log.tells_events_of(of_call[1]):
            return 200, {"events": [], "next_page_uri": None}
        page = self.pages.answer(request.method, match[2], dict(parse_qsl(url.query)), request.form)
        if page is None:
            raise _not_found(request.path)
        return page

    def _create(self, form: Mapping[str, str]) -> dict[str, Any]:
        to, caller_id = form.get("To", ""), form.get("From", "")
        if not to:
            raise ApiError(400, 21201, "No 'To' number is specified")
        if not _E164.fullmatch(to):
            raise ApiError(
                400, 21211, f"The phone number you are attempting to call, {to}, is not valid."
            )
        if not caller_id:
            raise ApiError(400, 21213, "No 'From' number is specified")
        if caller_id not in self.own_numbers:
            raise ApiError(
                400,
                21210,
                f"The source phone number provided, {caller_id}, is not yet verified for your"
                " account. You may only make calls from phone numbers that you've verified or"
                " purchased from Twilio.",
            )
        if to.startswith(tuple(self.forbidden_prefixes)):
            raise ApiError(
                400,
                21215,
                f"Account not authorized to call {to}. Perhaps you need to enable some"
                " international permissions:"
                " https://www.twilio.com/console/voice/calls/geo-permissions/low-risk",
            )
        if not {"Url", "Twiml", "ApplicationSid"} & form.keys():
            raise ApiError(400, 21205, "Url is not a valid URL: ")
        _check_documents(form)
        if form.get("MachineDetection", "Enable") not in {"Enable", "DetectMessageEnd"}:
            raise ApiError(400, 20001, "Invalid MachineDetection")
        if not 1 <= int(form.get("Timeout", "60")) <= 600:
            raise ApiError(400, 20001, "Invalid Timeout")
        call = self._new_call("CA" + secrets.token_hex(16), to, caller_id, "outbound-api")
        self.calls[call["sid"]] = call
        return call

    def _update(self, call: dict[str, Any], form: Mapping[str, str]) -> None:
        if call["status"] in OVER:
            raise ApiError(400, 21220, "Call is not in-progress. Cannot redirect.")
        _check_documents(form)
        status = form.get("Status")
        if status is not None:
            if status not in {"completed", "canceled"}:
                raise ApiError(400, 20001, f"Invalid Status: {status}")
            call["status"] = status
            call["end_time"] = formatdate()
        call["date_updated"] = formatdate()

    def _create_message(self, form: Mapping[str, str]) -> dict[str, Any]:
        to, sender, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
        if not _WHATSAPP.fullmatch(to):
            raise ApiError(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if sender.removeprefix("whatsapp:") not in self.own_numbers:
            raise ApiError(400, 63007, "Twilio could not find a Channel with the specified From")
        if not body:
            raise ApiError(400, 21602, "Message body is required.")
        if len(body) > _MAX_BODY_CHARS:
            raise ApiError(400, 21617, "The concatenated message body exceeds the 1600 limit.")
        if not re.match(r"https?://[^/]+/", form.get("StatusCallback", "https://unset/")):
            raise ApiError(400, 21609, "The StatusCallback URL is not a valid URL.")
        sid = "SM" + secrets.token_hex(16)
        self.messages[sid] = self.new_message(sid, sender, to, body)
        return self.messages[sid]

    def _message_page(
        self, sid: str | None, of_files: bool, path: str, query: str
    ) -> dict[str, Any]:
        if sid is None:
            return self._messages(path, dict(parse_qsl(query)))
        if sid not in self.messages:
            raise _not_found(path)
        if not of_files:
            return self.messages[sid]
        files = [
            {
                "sid": file,
                "content_type": self.media[file][0],
                "uri": f"{path.removesuffix('.json')}/{file}.json",
            }
            for file in self.files.get(sid, ())
        ]
        return {"media_list": files, "next_page_uri": None}

    def _messages(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        since = datetime.fromisoformat(query.get("DateSent>", "1970-01-01T00:00:00Z"))
        found = [
            message
            for message in self.messages.values()
            if message["to"] == query.get("To", message["to"])
            and parsedate_to_datetime(message["date_created"]) >= since
        ]
        found.sort(key=lambda one: parsedate_to_datetime(one["date_created"]), reverse=True)
        start = int(query.get("Page", "0")) * _MOST_ON_A_PAGE
        following = urlencode(dict(query) | {"Page": str(int(query.get("Page", "0")) + 1)})
        return {
            "messages": found[start : start + _MOST_ON_A_PAGE],
            "next_page_uri": f"{path}?{following}" if found[start + _MOST_ON_A_PAGE :] else None,
        }

    @staticmethod
    def new_message(sid: str, sender: str, to: str, body: str) -> dict[str, Any]:
        return {
            "account_sid": ACCOUNT_SID,
            "api_version": "2010-04-01",
            "body": body,
            "date_created": format_datetime(datetime.now(UTC)),
            "date_sent": None,
            "date_updated": formatdate(),
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": sender,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "sid": sid,
            "status": "queued",
            "subresource_uris": {},
            "to": to,
            "uri": f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}.json",
        }

    @staticmethod
    def _new_call(call_sid: str, to: str, caller_id: str, direction: str) -> dict[str, Any]:
        uri = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls/{call_sid}"
        return {
            "account_sid": ACCOUNT_SID,
            "answered_by": None,
            "api_version": "2010-04-01",
            "caller_name": None,
            "date_created": None,
            "date_updated": None,
            "direction": direction,
            "duration": None,
            "end_time": None,
            "forwarded_from": None,
            "from": caller_id,
            "from_formatted": caller_id,
            "group_sid": None,
            "parent_call_sid": None,
            "phone_number_sid": None,
            "price": None,
            "price_unit": "USD",
            "queue_time": "0",
            "sid": call_sid,
            "start_time": None,
            "status": "queued",
            "subresource_uris": {
                name: f"{uri}/{name.title().replace('_', '')}.json"
                for name in ("events", "notifications", "payments", "recordings", "streams")
            },
            "to": to,
            "to_formatted": to,
            "trunk_sid": None,
            "uri": f"{uri}.json",
        }

    # --- for the handler ------------------------------------------------------------------------

    def next_fault(self, request: Request) -> Fault | None:
        with self._news:
            self.requests.append(request)
            return self._faults.popleft() if self._faults else None

    def hang(self) -> None:
        with self._news:
            self._hanging += 1
            self._news.notify_all()
            released = self._released
            self._news.wait_for(lambda: self._closing or self._released > released, WAIT_S)
            self._hanging -= 1

    def connected(self, connection: socket.socket) -> None:
        with self._news:
            self.connections += 1
            self._open.add(connection)

    def disconnected(self, connection: socket.socket) -> None:
        with self._news:
            self._open.discard(connection)


def _not_found(path: str) -> ApiError:
    return ApiError(404, 20404, f"The requested resource {path} was not found")


def _check_documents(form: Mapping[str, str]) -> None:
    """Addresses must be absolute, TwiML well-formed; the real API finds the latter out later."""
    for name in ("Url", "StatusCallback", "AsyncAmdStatusCallback"):
        if name in form and not re.match(r"https?://[^/]+/", form[name]):
            raise ApiError(400, 21205, f"{name} is not a valid URL: {form[name]}")
    if "Twiml" in form:
        if len(form["Twiml"]) > _MAX_TWIML_CHARS:
            raise ApiError(400, 20001, "Invalid Twiml: too long")
        try:
            ET.fromstring(form["Twiml"])  # noqa: S314 - of this test's own service
        except ET.ParseError as error:
            raise ApiError(400, 12100, "Document parse failure") from error


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        emulator: TwilioRestEmulator,
    ) -> None:
        super().__init__(address, handler)
        self.emulator = emulator


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    # Headers and body go in two writes, which must not wait for each other.
    disable_nagle_algorithm = True
    # A client that was cut off must not be waited for at the end of a test.
    timeout = WAIT_S
    _FORM: ClassVar = "application/x-www-form-urlencoded"

    def setup(self) -> None:
        super().setup()
        self.server.emulator.connected(self.connection)

    def finish(self) -> None:
        self.server.emulator.disconnected(self.connection)
        with suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass

    def _serve(self) -> None:
        emulator = self.server.emulator
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if body and self.headers.get("Content-Type") != self._FORM:
            return self._send_error(ApiError(415, 20001, "Unsupported Media Type"))
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        request = Request(self.command, self.path, form)
        fault = emulator.next_fault(request)
        match fault:
            case Fault.TOO_MANY_REQUESTS:
                return self._send_error(ApiError(429, 20429, "Too Many Requests"))
            case Fault.SERVER_ERROR:
                return self._send_error(ApiError(500, 20500, "An internal server error occurred"))
            case Fault.RESET:
                return self._reset()
            case Fault.HANG:
                emulator.hang()
        try:
            file = emulator.file(request, self.headers.get("Authorization", ""))
            if file is not None:
                return self._send_file(file)
            status, resource = emulator.answer(request, self.headers.get("Authorization", ""))
        except ApiError as error:
            return self._send_error(error)
        if fault is Fault.RESET_AFTERWARDS:
            return self._reset()
        if fault is Fault.NOT_JSON:
            return self._send(status, b"<html>be right back</html>", "text/html")
        return self._send(status, json.dumps(resource).encode())

    def _send_error(self, error: ApiError) -> None:
        problem = {
            "code": error.code,
            "message": error.message,
            "more_info": f"https://www.twilio.com/docs/errors/{error.code}",
            "status": error.status,
        }
        self._send(error.status, json.dumps(problem).encode())

    def _send_file(self, file: tuple[str, bytes] | str) -> None:
        if isinstance(file, tuple):
            return self._send(200, file[1], file[0])
        with suppress(OSError):
            self.send_response(307)
            self.send_header("Location", file)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return None

    def _send(self, status: int, body: bytes, media_type: str = "application/json") -> None:
        with suppress(OSError):  # whoever asked may have gone
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def _reset(self) -> None:
        """Close with a RST instead of an answer."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True


def _main(port: int) -> None:
    with TwilioRestEmulator(port=port) as emulator:
        print(emulator.base_url, flush=True)
        print(f"TWILIO_ACCOUNT_SID={ACCOUNT_SID} TWILIO_AUTH_TOKEN={AUTH_TOKEN}", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9010)
    _main(parser.parse_args().port)

"""Every route of the running service with odd paths, parameters, headers and bodies.

The service's own OpenAPI flows in, a tally flows out: how many requests, what was answered, and
each answer that should not be: a 5xx that the schema does not name, none in time, an error that is
neither a problem nor a page. The pages are walked by somebody who has signed in, the API with its
key, forms as their own content; events of the sidecar are signed.

    PYTHONPATH=src:tests nice python -m fuzz.walk --minutes 5 [--seed 7]
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from fuzz.corpus import kept
from fuzz.house import BEARER, KEY, TOKEN, FuzzedService, interruptible, running
from fuzz.mutants import mutants
from fuzz.tally import Tally
from voiceagent.whatsapp.sidecar import webhook_key

ANSWER_S: Final = 15.0
"""How long an answer may take: a provider's own deadline is 10 s."""
UNDOCUMENTED: Final = (
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/console/nothing/there"),
    ("GET", "/pay/{token}/thanks"),
    ("POST", "/pay/{token}/failed"),
    ("GET", "/console/static/{version}/{name}"),
    ("POST", "/api/crm/payments/stripe/{rest}"),
)
ODD: Final = (
    "", " ", "0", "-1", "1e9", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "9" * 400, "null", "true", "[]", "{}", "NaN", "%00", "a%00b", "%ED%A0%80", "%FF%FE", "%",
    "%zz", "%2e%2e%2f", "%2F", "%0d%0aX-Y:1", "%E2%80%AE", "%F0%9F%98%80", "%D7%90", "x" * 3000,
    "'%3B--", "%22%3E%3Cscript%3E", "{{7*7}}", "2026-02-30", "0001-01-01", "9999-12-31",
    "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "+972501234567", "%2B972501234567",
    "00000000-0000-0000-0000-000000000000", "urn:uuid:00000000-0000-0000-0000-000000000000",
    "CA_FUZZ_0", "whatsapp%3A%2B1", "he-IL", "a&b=c", "a=b=c", "today",
)  # fmt: skip
HEADERS: Final[tuple[Mapping[str, str], ...]] = (
    {},
    {},
    {"Accept-Language": "x" * 300},
    {"Accept-Language": "he;q=9,*;q=-1,;;,"},
    {"Range": "bytes=9999999999-1"},
    {"Range": "bytes=0-0,5-,-1"},
    {"Cookie": "voiceagent_console=\xff; voiceagent_console=a.1.1.b; ="},
    {"Cookie": "voiceagent_console_language=xx; voiceagent_console_visitor=\xe9"},
    {"Idempotency-Key": "\xff"},
    {"Idempotency-Key": "a" * 201},
    {"Authorization": "Bearer \xff"},
    {"Authorization": "Basic Og=="},
    {"X-Forwarded-For": "::1, \xff", "X-Forwarded-Host": 'a"><b', "X-Forwarded-Proto": "x"},
    {"Host": 'a"><b'},
    {"Host": "[::1]:99999"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Content-Type": "multipart/form-data; boundary=" + "x" * 300},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "\xff"},
    {"Last-Event-ID": "9" * 400},
    {"If-None-Match": '"\xff"', "If-Modified-Since": "never"},
    {"X-Twilio-Signature": "\xff"},
)
_RATE_LIMITED: Final = frozenset({"/console/sign-in"})
_STREAMS: Final = re.compile(r"/events(\?|$)")
_FORMS: Final = re.compile(r"^/(webhook|console|pay)/")


@dataclass(frozen=True, slots=True)
class Operation:
    """A method at an address, as the schema has it."""

    method: str
    path: str
    parameters: tuple[str, ...]
    statuses: frozenset[int]
    example: Any


class Walker:
    """Asks one service, by a seed."""

    def __init__(self, service: FuzzedService, seed: int) -> None:
        self._service = service
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self._known = known_values(service)
        self._cookie, self._csrf = signed_in(service)
        self.walked = Tally()

    def walk(self) -> Iterator[None]:
        """All operations over and over; yields after each round."""
        document = self._service.asked("GET", "/openapi.json").json()
        operations = [*_operations(document)]
        while True:
            for operation in operations:
                self._ask(operation)
            yield

    def _ask(self, operation: Operation) -> None:
        rng = self._rng
        method = operation.method
        if rng.random() < 0.04:
            method = rng.choice(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
        target = re.sub(r"\{(\w+)\}", lambda match: self._value(match[1]), operation.path)
        query = [f"{name}={self._value(name)}" for name in operation.parameters]
        query += [f"{rng.choice(ODD)}={rng.choice(ODD)}" for _ in range(rng.choice((0, 0, 1)))]
        query = [part for part in query for _ in range(rng.choice((0, 1, 1, 2)))]
        if query:
            target += "?" + "&".join(query)
        body, kind = self._body(operation) if method not in {"GET", "HEAD"} else (b"", "")
        headers = {"Content-Type": kind} if kind else {}
        headers |= {"Cookie": self._cookie, "Origin": f"https://{self._host}"} | dict(BEARER)
        if operation.path == "/webhook/whatsapp/baileys":
            headers |= webhook_key(TOKEN).headers("evt", int(time.time()), body)
        headers |= rng.choice(HEADERS)
        self._send(operation, method, target.replace(" ", "%20"), headers, body)

    def _value(self, name: str) -> str:
        """One that is there, or an odd one."""
        known = self._known.get(name.removesuffix("_id").removesuffix("_sid"))
        if known and self._rng.random() < 0.5:
            return quote(self._rng.choice(known), safe="")
        return self._rng.choice(ODD)

    def _body(self, operation: Operation) -> tuple[bytes, str]:
        rng = self._rng
        if operation.path == "/webhook/whatsapp/baileys":
            return next(mutants(kept("sidecar_event"), 1, rng)), "application/json"
        if _FORMS.match(operation.path) and not operation.path.endswith("/paypal"):
            if rng.random() < 0.3:
                return next(mutants(kept("form"), 1, rng)), "application/x-www-form-urlencoded"
            names = operation.example if isinstance(operation.example, list) else []
            fields = [("csrf", self._csrf), ("CallSid", f"CA_FUZZ_{rng.randrange(9)}")]
            parts = [urlencode(fields)]
            parts += [f"{name}={self._value(name)}" for name in (*names, "text", "script", "agent")]
            return "&".join(parts).encode("latin-1"), "application/x-www-form-urlencoded"
        text = json.dumps(operation.example if operation.example is not None else {}).encode()
        if rng.random() < 0.8:
            text = next(mutants([text], 1, rng))
        return text, "application/json"

    @property
    def _host(self) -> str:
        return f"127.0.0.1:{self._service.port}"

    def _send(
        self,
        operation: Operation,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        walked = self.walked
        walked.requests += 1
        what = f"{method} {target[:300]} {dict(headers)} {body[:300]!r}"
        connection = HTTPConnection("127.0.0.1", self._service.port, timeout=ANSWER_S)
        began = time.monotonic()
        try:
            connection.putrequest(method, target, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value.encode("latin-1"))
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            status, kind = answer.status, answer.getheader("Content-Type", "")
            content = b"" if _STREAMS.search(target) and status == 200 else answer.read()
        except (OSError, HTTPException) as error:
            walked.faults.append(f"{type(error).__name__} {error}: {what}")
            return
        finally:
            connection.close()
        walked.answered(status, time.monotonic() - began)
        if status >= 500 and status not in operation.statuses:
            walked.faults.append(f"{status} {content[:200]!r}: {what}")
        is_error = kind.startswith(("application/problem+json", "text/html"))
        if status >= 400 and content and not is_error:
            walked.faults.append(f"{status} as {kind}: {what}")


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    schemas = document.get("components", {}).get("schemas", {})
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = next((body.get("schema", {}) for body in content.values()), {})
            if reference := schema.get("$ref"):
                schema = schemas[reference.rpartition("/")[2]]
            is_form = "application/x-www-form-urlencoded" in content
            properties = schema.get("properties", {})
            yield Operation(
                method.upper(),
                path,
                tuple(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"),
                frozenset(int(code) for code in operation["responses"] if code.isdecimal()),
                list(properties) if is_form else {k: _sample(v) for k, v in properties.items()},
            )
    for method, path in UNDOCUMENTED:
        yield Operation(method, path, ("lang",), frozenset(), None)


def _sample(schema: Mapping[str, Any]) -> Any:
    """A value that a field may have."""
    for given in (schema.get("examples"), schema.get("enum")):
        if given:
            return given[0]
    if "default" in schema:
        return schema["default"]
    if choices := schema.get("anyOf"):
        return _sample(choices[0])
    return {"integer": 1, "boolean": True, "array": [], "object": {}, "number": 1.5}.get(
        schema.get("type", ""), "x"
    )


def known_values(service: FuzzedService) -> dict[str, list[str]]:
    """Ids that there are, by the names of parameters."""

    def ids(path: str, name: str = "id") -> list[str]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            # Where the machine is busy the database may be late at first.
            if items := service.asked("GET", f"/api/crm/{path}").json().get("items"):
                return [str(item[name]) for item in items]
            time.sleep(0.1)
        return []

    payment = {"amount_minor": 100, "currency": "ILS", "what_for": "x", "provider": "tranzila"}
    made = service.asked("POST", "/api/crm/payments", json=payment).json()
    return {
        "call": ids("calls", "call_sid"),
        "contact": ids("contacts"),
        "message": ids("messages"),
        "payment": [str(made.get("id", "x"))],
        "token": [str(made.get("pay_url", "")).rpartition("/")[2] or "x"],
        "cursor": [str(service.asked("GET", "/api/crm/calls?limit=1").json()["next_cursor"])],
        "version": ["0", "1"],
        "period": ["today", "week", "month"],
        "position": ["0"],
    }


def signed_in(service: FuzzedService) -> tuple[str, str]:
    """A session's cookie, and the token that its forms hold."""
    client = service.client
    cookie, csrf = received(service)
    form = {"csrf": csrf, "key": KEY}
    headers = {"Cookie": cookie, "Origin": f"https://127.0.0.1:{service.port}"}
    entered = client.post(f"{service.url}/console/sign-in", data=form, headers=headers)
    assert entered.status_code == 303, entered.text
    cookie = _cookie(entered.headers.get_list("set-cookie"))
    shown = client.get(f"{service.url}/console/setup", headers={"Cookie": cookie})
    assert shown.status_code == 200, shown.text
    return cookie, _field(shown.text, "csrf")


def received(service: FuzzedService) -> tuple[str, str]:
    """A visitor's cookie before anybody has signed in, and the token that the form there holds."""
    page = service.client.get(f"{service.url}/console/sign-in")
    return _cookie(page.headers.get_list("set-cookie")), _field(page.text, "csrf")


def _cookie(headers: list[str]) -> str:
    pairs = [header.partition(";")[0] for header in headers]
    return "; ".join(pair for pair in pairs if not pair.endswith(("=", '=""')))


def _field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page[:500]
    return unescape(found[1])


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    given = parser.parse_args()
    interruptible()
    with tempfile.TemporaryDirectory() as place, running(Path(place)) as service:
        walker = Walker(service, given.seed)
        until, rounds = time.monotonic() + given.minutes * 60, walker.walk()
        while time.monotonic() < until:
            next(rounds)
        walked, written = walker.walked, service.faults()
        assert service.get("/healthz").text == "ok"
    print(f"seed {given.seed}: {walked.requests:,} requests, {dict(walked.statuses)}")
    print(f"slowest {walked.slowest_s:.1f} s; lines of errors: {len(written)}")
    for fault in [*walked.faults[:60], *written[:20]]:
        print(f"- {fault}")
    return int(bool(walked.faults or written))


if __name__ == "__main__":
    sys.exit(_main())

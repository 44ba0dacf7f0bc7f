"""What else goes on while people call: messages out and in, and payments.

A running house flows in; what was taken, and what of it is missing or there twice in the end,
flows out. Each is asked for until it is taken, as a well-behaved client does, and told by its
sender until it is acknowledged, as the sidecar and PayPal do.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx

from emulators.paypal import Webhook
from emulators.sidecar import wire_of
from faults.house import KEY, TOKEN, House
from voiceagent.whatsapp.sidecar import webhook_key

PAUSE_S: Final = 0.5
PAYMENT_EVERY: Final = 4
"""So many messages for one payment."""
AGAIN_S: Final = 0.3
LONGEST_PAUSE_S: Final = 2.4
GIVES_UP_S: Final = 60.0
"""A client that asks for so long has lost what it asked for."""
_TAKEN: Final = range(200, 400)
_NOT_NOW: Final = {409, 502, 503, 504}
"""Good answers of a service that cannot take something now."""


@dataclass
class Traffic:
    """Goes on until it is stopped."""

    house: House
    out: list[str] = field(default_factory=list)
    """Texts of messages that were taken, to be sent; and of those that came."""
    inbound: list[str] = field(default_factory=list)
    paid: list[str] = field(default_factory=list)
    """Payments that were really paid."""
    again: int = 0
    """How often something was not taken, and came again."""
    never_taken: int = 0
    bad_answers: Counter[str] = field(default_factory=Counter)
    """Such as no service should give."""
    _taken_s: dict[str, float] = field(default_factory=dict)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
        async with httpx.AsyncClient(trust_env=False, timeout=15, limits=limits) as client:
            self._client = client
            async with asyncio.TaskGroup() as tasks:
                number = 0
                while not self._ending.is_set():
                    tasks.create_task(self._whole(self._send(number)))
                    tasks.create_task(self._whole(self._receive(number)))
                    if number % PAYMENT_EVERY == 0:
                        tasks.create_task(self._whole(self._pay(number)))
                    number += 1
                    await asyncio.sleep(PAUSE_S)

    def waits_s(self) -> float:
        """How long the oldest message has waited that was taken and has not reached WhatsApp."""
        arrived = {letter["text"] for letter in wire_of(self.house.memory)}
        taken = [at_s for text, at_s in tuple(self._taken_s.items()) if text not in arrived]
        return time.monotonic() - min(taken) if taken else 0.0

    def end(self) -> None:
        """Begin nothing any more; what was begun is brought to its end."""
        self._ending.set()

    async def lost(self) -> list[str]:
        """What is missing or too much, in words; waits until what is on its way has come."""
        for _ in range(40):
            wrong = await asyncio.to_thread(self._wrong)
            if not wrong:
                return []
            await asyncio.sleep(0.5)
        return wrong

    # --- what goes on ---------------------------------------------------------------------------

    async def _whole(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(GIVES_UP_S):
                await work
        except TimeoutError:
            self.never_taken += 1

    async def _send(self, number: int) -> None:
        text = f"out {number}"
        body = {"to": _phone(number % 10), "text": text}
        headers = _AUTHORISED | {"Idempotency-Key": f"out-{number}"}
        url = f"{self.house.service.url}/api/whatsapp/send"
        await self._until_taken(lambda: self._client.post(url, json=body, headers=headers))
        self.out.append(text)
        self._taken_s[text] = time.monotonic()

    async def _receive(self, number: int) -> None:
        event = {
            "id": f"evt_{number}",
            "type": "message.received",
            "created_at": datetime.now(UTC).isoformat(),
            "data": {
                "message_id": f"IN{number}",
                "chat": {"phone": _phone(100 + number % 10), "lid": None},
                "name": f"Person {number % 10}",
                "text": f"in {number}",
            },
        }
        body = json.dumps(event).encode()
        key = webhook_key(TOKEN)
        url = f"{self.house.service.url}/webhook/whatsapp/baileys"
        await self._until_taken(
            lambda: self._client.post(
                url,
                content=body,
                headers=key.headers(str(event["id"]), int(time.time()), body),
            )
        )
        self.inbound.append(f"in {number}")

    async def _pay(self, number: int) -> None:
        body = {
            "provider": "paypal",
            "amount_minor": 1000 + number,
            "currency": "ILS",
            "what_for": f"payment {number}",
        }
        headers = _AUTHORISED | {"Idempotency-Key": f"pay-{number}"}
        base = self.house.service.url
        url = f"{base}/api/crm/payments"
        answer = await self._until_taken(lambda: self._client.post(url, json=body, headers=headers))
        payment = answer.json()
        page = f"{base}{urlsplit(payment['pay_url']).path}"
        while True:
            pressed = await self._until_taken(lambda: self._client.post(page))
            there = pressed.headers.get("location", "")
            if there.startswith("http"):
                break
            await asyncio.sleep(AGAIN_S)
        order_id = dict(parse_qsl(urlsplit(there).query))["token"]
        await asyncio.to_thread(self.house.paypal.approve, order_id)
        await self._until_taken(lambda: self._client.get(f"{page}/thanks"))
        self.paid.append(payment["id"])
        for word in self._words_of(payment["id"]):
            await self._until_taken(
                lambda word=word: self._client.post(  # type: ignore[misc]
                    f"{base}/webhook/payments/paypal",
                    content=word.body,
                    headers=dict(word.headers),
                )
            )

    def _words_of(self, payment_id: str) -> list[Webhook]:
        return [w for w in self.house.paypal.webhooks if payment_id.encode() in w.body]

    async def _until_taken(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        pause_s = AGAIN_S
        while True:
            try:
                answer = await ask()
            except httpx.HTTPError as error:
                self.bad_answers[type(error).__name__] += 1
            else:
                if answer.status_code in _TAKEN:
                    return answer
                if answer.status_code not in _NOT_NOW:
                    path = urlsplit(str(answer.request.url)).path
                    self.bad_answers[f"{answer.status_code} {path[:30]}"] += 1
            self.again += 1
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    # --- what became of it ----------------------------------------------------------------------

    def _wrong(self) -> list[str]:
        arrived = Counter(letter["text"] for letter in wire_of(self.house.memory))
        kept = Counter(self._texts())
        found = {
            "requests that were never taken": self.never_taken,
            "messages out that never left": sum(text not in arrived for text in self.out),
            "messages out twice": sum(count - 1 for count in arrived.values()),
            "messages in that are not kept": sum(text not in kept for text in self.inbound),
            "messages kept twice": sum(count - 1 for count in kept.values()),
            "payments not shown as paid": sum(not self._is_paid(one) for one in self.paid),
        }
        return [f"{count} {what}" for what, count in found.items() if count]

    def _texts(self) -> list[str]:
        texts: list[str] = []
        before = ""
        while True:
            query = "/api/crm/messages?limit=100" + (f"&cursor={before}" if before else "")
            page = self.house.service.api(query)
            if page.status_code != 200:
                return texts
            told: dict[str, Any] = page.json()
            texts += [message["text"] for message in told["items"]]
            before = told.get("next_cursor") or ""
            if not before:
                return texts

    def _is_paid(self, payment_id: str) -> bool:
        answer = self.house.service.api(f"/api/crm/payments/{payment_id}")
        return answer.status_code == 200 and answer.json()["status"] == "paid"


_AUTHORISED: Final = {"Authorization": f"Bearer {KEY}"}


def _phone(contact: int) -> str:
    return f"+97250{contact:07d}"

"""Twilio as a carrier: its real library against an emulator of its API."""

import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from emulators.twilio_rest import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    OWN_NUMBER,
    Fault,
    TwilioRestEmulator,
)
from voiceagent.crm.messages.outbox import Letter
from voiceagent.twilio.messaging import TwilioMessaging
from voiceagent.whatsapp.ports import HandedOver, NotSent, Settled, Unclear
from voiceagent.whatsapp.twilio_sender import TwilioSender

PHONE = "+972501234567"
BASE = "https://voice.example.com"


def letter(text: str = "שלום") -> Letter:
    return Letter(
        message_id=uuid4(),
        provider="twilio",
        recipient=PHONE,
        text=text,
        attempts=1,
        was_begun=False,
        stopped=False,
        age_s=0.0,
        owner=uuid4(),
    )


def messaging_of(
    base_url: str,
    *,
    token: str = AUTH_TOKEN,
    sender: str = OWN_NUMBER,
    deadline_s: float = 5.0,
) -> TwilioMessaging:
    return TwilioMessaging(
        ACCOUNT_SID, token, base_url=base_url, sender=sender, deadline_s=deadline_s
    )


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        yield emulator


@pytest.fixture
async def messaging(twilio: TwilioRestEmulator) -> AsyncIterator[TwilioMessaging]:
    messaging = messaging_of(twilio.base_url)
    await messaging.warm_up()
    yield messaging
    await messaging.close()


async def test_a_message_is_handed_over_and_comes_back_with_our_id(
    twilio: TwilioRestEmulator, messaging: TwilioMessaging
) -> None:
    one = letter()
    outcome = await TwilioSender(messaging, lambda: BASE).send(one)
    [(sid, message)] = twilio.messages.items()
    assert outcome == HandedOver(sid)
    assert (message["to"], message["body"]) == (f"whatsapp:{PHONE}", "שלום")
    [request] = twilio.requests
    assert request.form == {
        "To": f"whatsapp:{PHONE}",
        "From": f"whatsapp:{OWN_NUMBER}",
        "Body": "שלום",
        # Asked again after a 503: without `rp` Twilio would not.
        "StatusCallback": f"{BASE}/webhook/whatsapp/twilio/status?message_id={one.message_id}"
        "#rc=5&rp=ct,rt,5xx",
    }


async def test_where_no_address_is_known_nothing_is_called_back(
    twilio: TwilioRestEmulator, messaging: TwilioMessaging
) -> None:
    await TwilioSender(messaging, lambda: None).send(letter())
    assert "StatusCallback" not in twilio.requests[0].form


async def test_what_twilio_refuses_has_failed(
    twilio: TwilioRestEmulator, messaging: TwilioMessaging
) -> None:
    one = replace(letter(), recipient="+972")
    outcome = await TwilioSender(messaging, lambda: BASE).send(one)
    assert isinstance(outcome, Settled)
    assert outcome.status == "failed"
    assert "21211" in outcome.error
    assert twilio.messages == {}


async def test_a_text_that_is_too_long_for_twilio_fails_before_it_is_asked(
    twilio: TwilioRestEmulator, messaging: TwilioMessaging
) -> None:
    sender = TwilioSender(messaging, lambda: BASE)
    assert isinstance(await sender.send(letter("x" * 1600)), HandedOver)
    outcome = await sender.send(letter("x" * 1601))
    assert outcome == Settled(
        "failed",
        error="the text has 1601 characters, and Twilio takes 1600: send it in parts",
    )
    assert len(twilio.requests) == 1


async def test_a_fault_of_the_account_is_none_of_the_message(
    twilio: TwilioRestEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    for wrong in (
        messaging_of(twilio.base_url, token="wrong"),
        messaging_of(twilio.base_url, sender="+12025550123"),
    ):
        outcome = await TwilioSender(wrong, lambda: BASE).send(letter())
        assert isinstance(outcome, NotSent)
        assert outcome.everyone
        await wrong.close()
    assert caplog.text.count("Twilio sends no WhatsApp messages") == 2


async def test_too_many_at_once_come_again(
    twilio: TwilioRestEmulator, messaging: TwilioMessaging
) -> None:
    twilio.fail_next(Fault.TOO_MANY_REQUESTS)
    outcome = await TwilioSender(messaging, lambda: BASE).send(letter())
    assert isinstance(outcome, NotSent)


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.NOT_JSON, Fault.RESET, Fault.RESET_AFTERWARDS]
)
async def test_what_nobody_saw_the_answer_to_is_never_sent_again(
    twilio: TwilioRestEmulator, messaging: TwilioMessaging, fault: Fault
) -> None:
    twilio.fail_next(fault)
    sender, one = TwilioSender(messaging, lambda: BASE), letter()
    assert isinstance(await sender.send(one), Unclear)
    outcome = await sender.ask(one)
    assert isinstance(outcome, Settled)
    assert outcome.status == "unknown"
    assert len(twilio.requests) == 1


async def test_a_deadline_leaves_it_unclear(twilio: TwilioRestEmulator) -> None:
    twilio.fail_next(Fault.HANG)
    messaging = messaging_of(twilio.base_url, deadline_s=0.5)
    await messaging.warm_up()
    assert isinstance(await TwilioSender(messaging, lambda: BASE).send(letter()), Unclear)
    twilio.release()
    await messaging.close()


async def test_without_twilio_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    messaging = messaging_of(f"http://127.0.0.1:{port}")
    outcome = await TwilioSender(messaging, lambda: BASE).send(letter())
    assert isinstance(outcome, NotSent)
    assert outcome.everyone
    await messaging.close()

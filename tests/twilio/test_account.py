"""One Twilio account, as its owner sees it, against the API on this machine."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, Fault, TwilioRestEmulator
from voiceagent.errors import ProviderError
from voiceagent.twilio.account import TwilioAccount
from voiceagent.twilio.number_setup import seen, wanted
from voiceagent.twilio.rest_faults import OutcomeUnknown, TwilioRefused

SINCE = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture
def emulator() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as running:
        yield running


@pytest.fixture
async def account(emulator: TwilioRestEmulator) -> AsyncIterator[TwilioAccount]:
    async with TwilioAccount(ACCOUNT_SID, AUTH_TOKEN, emulator.base_url) as twilio:
        yield twilio


async def test_the_account_and_its_number_are_found(account: TwilioAccount) -> None:
    assert (await account.account())["status"] == "active"
    found = await account.number(OWN_NUMBER)
    assert found is not None
    assert found["phone_number"] == OWN_NUMBER
    assert await account.number("+97239999999") is None
    # Twilio finds numbers by a part as well: whoever mistypes changes none of them.
    for part in (OWN_NUMBER[:-1], "+", "", "*"):
        assert await account.number(part) is None
    assert account.date


async def test_a_numbers_webhook_is_pointed_elsewhere(
    account: TwilioAccount, emulator: TwilioRestEmulator
) -> None:
    found = await account.number(OWN_NUMBER)
    assert found is not None
    setup = wanted("https://h", "he-IL")
    assert seen(await account.set_voice(found["sid"], setup)) == setup
    assert emulator.requests[-1].form == setup.form()
    assert [seen(one) for one in await account.numbers()] == [setup]


async def test_what_a_call_did_is_listed(
    account: TwilioAccount, emulator: TwilioRestEmulator
) -> None:
    emulator.pages.events["CA1"] = [{"request": {"url": "https://h/x"}, "response": {}}]
    emulator.pages.notifications["CA1"] = [{"error_code": "11200"}]
    assert len(await account.call_events("CA1")) == 1
    assert [one["error_code"] for one in await account.call_notifications("CA1")] == ["11200"]
    assert await account.call_events("CA2") == []


async def test_alerts_of_the_call_are_found_on_every_page(
    account: TwilioAccount, emulator: TwilioRestEmulator
) -> None:
    emulator.pages.alerts = [
        {"resource_sid": "CA1" if number == 4 else "CA0", "error_code": str(number)}
        for number in range(5)
    ]
    assert [one["error_code"] for one in await account.call_alerts("CA1", SINCE)] == ["4"]
    assert sum(request.path.startswith("/v1/Alerts") for request in emulator.requests) == 3


async def test_a_wrong_token_is_refused_and_not_told(emulator: TwilioRestEmulator) -> None:
    async with TwilioAccount(ACCOUNT_SID, "some-wrong-token", emulator.base_url) as twilio:
        with pytest.raises(TwilioRefused) as raised:
            await twilio.account()
    assert raised.value.code == 20003
    assert "some-wrong-token" not in str(raised.value)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.SERVER_ERROR, OutcomeUnknown),
        (Fault.TOO_MANY_REQUESTS, TwilioRefused),
        (Fault.NOT_JSON, ProviderError),
        (Fault.RESET, ProviderError),
    ],
)
async def test_faults_are_errors_of_ours(
    account: TwilioAccount, emulator: TwilioRestEmulator, fault: Fault, error: type[ProviderError]
) -> None:
    emulator.fail_next(fault)
    with pytest.raises(error):
        await account.account()

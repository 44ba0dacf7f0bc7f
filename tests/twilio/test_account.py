"""One Twilio account, as its owner sees it, against the API on this machine."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

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


class TestWhatCame:
    """Lists of several pages, as `voicemail/sweep.py` reads them."""

    @pytest.fixture(autouse=True)
    def _calls(self, emulator: TwilioRestEmulator) -> None:
        for number in range(8):
            call_sid, at = f"CA{number:032}", SINCE + timedelta(hours=number)
            emulator.miss(call_sid, at=at)
            emulator.log.record(f"RE{number:032}", call_sid, at)
        emulator.miss("CA" + "f" * 32, at=SINCE, called="+97239999999")

    async def test_calls_to_a_number_and_recordings_are_listed_the_newest_first(
        self, account: TwilioAccount
    ) -> None:
        since, until = SINCE + timedelta(hours=1), SINCE + timedelta(hours=6)
        calls = await account.calls_to(OWN_NUMBER, since, until)
        recordings = await account.recordings(since, until)
        assert [call["sid"] for call in calls] == [f"CA{n:032}" for n in range(6, 0, -1)]
        assert [one["sid"] for one in recordings] == [f"RE{n:032}" for n in range(6, 0, -1)]

    async def test_twilios_own_library_reads_the_same(
        self, account: TwilioAccount, emulator: TwilioRestEmulator
    ) -> None:
        since, until = SINCE + timedelta(hours=2), SINCE + timedelta(hours=5)
        client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=_Here(emulator.base_url))

        def listed() -> tuple[list[str], list[tuple[str, str, str, int]]]:
            calls = client.calls.list(
                to=OWN_NUMBER, start_time_after=since, start_time_before=until
            )
            recordings = client.recordings.list(date_created_after=since, date_created_before=until)
            told = [(one.sid, one.status, one.source, int(one.duration)) for one in recordings]
            assert all(one.date_created >= since and one.channels == 1 for one in recordings)
            return [call.sid for call in calls], told

        calls, recordings = await asyncio.to_thread(listed)
        mine = await account.calls_to(OWN_NUMBER, since, until)
        assert calls == [call["sid"] for call in mine]
        assert len(calls) == 4
        assert recordings == [
            (one["sid"], "completed", "RecordVerb", 12)
            for one in await account.recordings(since, until)
        ]

    async def test_a_page_that_names_another_host_is_asked_for_at_twilio(
        self, account: TwilioAccount, emulator: TwilioRestEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = emulator.log.recordings_page

        def elsewhere(path: str, query: dict[str, str]) -> dict[str, object]:
            made = page(path, query)
            if made["next_page_uri"]:
                made["next_page_uri"] = f"https://evil.example.com{made['next_page_uri']}"
            return made

        monkeypatch.setattr(emulator.log, "recordings_page", elsewhere)
        assert len(await account.recordings(SINCE, SINCE + timedelta(days=1))) == 8


class _Here(TwilioHttpClient):
    """The library's way to the emulator."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    def request(self, method: str, url: str, **options: object) -> object:
        return super().request(
            method, url.replace("https://api.twilio.com", self._base_url), **options
        )

"""Twilio's real library against an emulator of its REST API."""

import asyncio
import logging
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator

import pytest

from emulators.twilio_rest import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    HOST,
    OWN_NUMBER,
    Fault,
    TwilioRestEmulator,
)
from voiceagent.call.control import CallControl
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.twilio.request_threads import THREADS, WAITING
from voiceagent.twilio.rest import OnMachine, OutboundCall, TwilioRest
from voiceagent.twilio.rest_faults import OutcomeUnknown, TwilioRefused

BASE = "https://voice.example.com"
CALLER = "+972501234567"
PERSON = "+97237654321"
LIVE = "CA" + "5" * 32


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        emulator.admit(LIVE)
        yield emulator


def rest_of(
    base_url: str,
    *,
    auth_token: str = AUTH_TOKEN,
    caller_id: str | None = OWN_NUMBER,
    public_base_url: str | None = BASE,
    deadline_s: float = 10.0,
) -> TwilioRest:
    return TwilioRest(
        ACCOUNT_SID,
        auth_token,
        base_url=base_url,
        caller_id=caller_id,
        public_base_url=public_base_url,
        deadline_s=deadline_s,
    )


@pytest.fixture
async def rest(twilio: TwilioRestEmulator) -> AsyncIterator[TwilioRest]:
    rest = rest_of(twilio.base_url)
    yield rest
    await rest.close()


def outbound(
    to: str = CALLER, *, caller_id: str = OWN_NUMBER, on_machine: OnMachine = "hang_up"
) -> OutboundCall:
    return OutboundCall(to, caller_id, BASE, on_machine, max_ring_s=20)


class TestPlace:
    async def test_the_call_is_placed_and_comes_back_to_our_webhooks(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        placed = await rest.place(outbound())
        (request,) = twilio.requests
        assert twilio.calls[placed.call_sid]["to"] == CALLER
        assert placed.status == "queued"
        assert (request.method, request.path) == (
            "POST",
            f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json",
        )
        assert request.form == {
            "To": CALLER,
            "From": OWN_NUMBER,
            "Url": f"{BASE}/webhook/incoming_call",
            "Method": "POST",
            "Timeout": "20",
            "StatusCallback": f"{BASE}/webhook/call_status",
            "StatusCallbackMethod": "POST",
            "MachineDetection": "Enable",
            "AsyncAmd": "true",
            "AsyncAmdStatusCallback": f"{BASE}/webhook/answering_machine?do=hang_up",
            "AsyncAmdStatusCallbackMethod": "POST",
        }

    async def test_a_message_waits_for_the_end_of_the_greeting(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        await rest.place(outbound(on_machine="leave_message"))
        form = twilio.requests[0].form
        assert form["MachineDetection"] == "DetectMessageEnd"
        assert form["AsyncAmdStatusCallback"].endswith("?do=leave_message")

    async def test_nothing_is_detected_when_machines_are_talked_to(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        await rest.place(outbound(on_machine="talk"))
        assert not [name for name in twilio.requests[0].form if "Amd" in name or "Machine" in name]

    async def test_a_refusal_has_twilios_code_and_no_number(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        with pytest.raises(TwilioRefused) as refused:
            await rest.place(outbound("+0501234567"))
        assert (refused.value.code, refused.value.retryable) == (21211, False)
        assert "21211" in str(refused.value)
        assert "0501234567" not in str(refused.value)
        with pytest.raises(TwilioRefused) as refused:
            await rest.place(outbound(caller_id="+97239999999"))
        assert refused.value.code == 21210
        assert twilio.calls.keys() == {LIVE}

    async def test_a_wrong_token_is_told_without_the_token(
        self, twilio: TwilioRestEmulator
    ) -> None:
        rest = rest_of(twilio.base_url, auth_token="wrong-and-secret")
        with pytest.raises(TwilioRefused) as refused:
            await rest.place(outbound())
        await rest.close()
        assert (refused.value.code, refused.value.retryable) == (20003, False)
        assert "wrong-and-secret" not in repr(refused.value)

    @pytest.mark.parametrize(
        "fault", [Fault.RESET, Fault.RESET_AFTERWARDS, Fault.SERVER_ERROR, Fault.NOT_JSON]
    )
    async def test_what_may_ring_already_is_not_placed_again(
        self, twilio: TwilioRestEmulator, rest: TwilioRest, fault: Fault
    ) -> None:
        twilio.fail_next(fault)
        with pytest.raises(OutcomeUnknown) as unknown:
            await rest.place(outbound())
        assert len(twilio.requests) == 1
        assert not unknown.value.retryable

    async def test_no_answer_in_time_is_an_unknown_outcome(
        self, twilio: TwilioRestEmulator
    ) -> None:
        rest = rest_of(twilio.base_url, deadline_s=0.5)
        await rest.warm_up()
        twilio.fail_next(Fault.HANG)
        with pytest.raises(OutcomeUnknown):
            await rest.place(outbound())
        await rest.close()
        assert len(twilio.requests) == 1

    async def test_too_many_requests_may_be_asked_again_later(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        twilio.fail_next(Fault.TOO_MANY_REQUESTS)
        with pytest.raises(TwilioRefused) as refused:
            await rest.place(outbound())
        assert (refused.value.code, refused.value.retryable) == (20429, True)
        assert len(twilio.requests) == 1

    async def test_nobody_at_the_address_means_that_nothing_was_sent(self) -> None:
        with socket.socket() as taken:
            taken.bind((HOST, 0))  # and does not listen
            rest = rest_of(f"http://{HOST}:{taken.getsockname()[1]}")
            with pytest.raises(ProviderError) as error:
                await rest.place(outbound())
            await rest.close()
        assert error.value.retryable
        assert not isinstance(error.value, OutcomeUnknown)

    async def test_a_path_before_the_apis_own_is_kept(self, twilio: TwilioRestEmulator) -> None:
        rest = rest_of(f"{twilio.base_url}/behind/a/proxy")
        with pytest.raises(TwilioRefused) as refused:
            await rest.place(outbound())
        await rest.close()
        assert refused.value.code == 20404
        assert twilio.requests[0].path.startswith("/behind/a/proxy/2010-04-01/Accounts/")


class TestTransfer:
    async def test_the_caller_is_connected_by_a_new_document(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        await rest.transfer(LIVE, PERSON)
        (request,) = twilio.requests
        assert request.path.endswith(f"/Calls/{LIVE}.json")
        assert set(request.form) == {"Twiml"}
        (dial,) = ET.fromstring(request.form["Twiml"])  # noqa: S314 - made here
        assert dial.attrib == {
            "action": f"{BASE}/webhook/transfer_ended",
            "timeout": "25",
            "answerOnBridge": "true",
            "callerId": OWN_NUMBER,
        }
        assert [(child.tag, child.text) for child in dial] == [("Number", PERSON)]
        assert twilio.calls[LIVE]["status"] == "in-progress"

    @pytest.mark.parametrize(
        "fault", [Fault.RESET, Fault.SERVER_ERROR, Fault.TOO_MANY_REQUESTS, Fault.NOT_JSON]
    )
    async def test_one_failure_is_tried_again(
        self, twilio: TwilioRestEmulator, rest: TwilioRest, fault: Fault
    ) -> None:
        twilio.fail_next(fault)
        await rest.transfer(LIVE, PERSON)
        assert len(twilio.requests) == 2

    async def test_two_failures_are_told(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        twilio.fail_next(Fault.SERVER_ERROR, Fault.SERVER_ERROR)
        with pytest.raises(ProviderError, match="HTTP 500"):
            await rest.transfer(LIVE, PERSON)
        assert len(twilio.requests) == 2

    async def test_a_refusal_is_not_tried_again(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        with pytest.raises(TwilioRefused) as refused:
            await rest.transfer("CA" + "9" * 32, PERSON)
        assert refused.value.code == 20404
        assert ACCOUNT_SID not in str(refused.value)
        assert len(twilio.requests) == 1

    async def test_a_caller_who_left_cannot_be_connected(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        twilio.calls[LIVE]["status"] = "completed"
        with pytest.raises(TwilioRefused) as refused:
            await rest.transfer(LIVE, PERSON)
        assert refused.value.code == 21220

    async def test_a_hang_ends_at_the_deadline(self, twilio: TwilioRestEmulator) -> None:
        rest = rest_of(twilio.base_url, deadline_s=0.5)
        await rest.warm_up()
        twilio.fail_next(Fault.HANG)
        with pytest.raises((EngineTimeout, OutcomeUnknown)):
            await rest.transfer(LIVE, PERSON)
        await rest.close()

    async def test_a_hang_leaves_time_for_another_connection(
        self, twilio: TwilioRestEmulator
    ) -> None:
        rest = rest_of(twilio.base_url, deadline_s=2.5)
        await rest.warm_up()
        twilio.fail_next(Fault.HANG)
        await rest.transfer(LIVE, PERSON)
        await rest.close()
        assert twilio.connections == 2

    async def test_without_any_address_of_ours_nobody_is_asked(
        self, twilio: TwilioRestEmulator
    ) -> None:
        rest = rest_of(twilio.base_url, public_base_url=None)
        with pytest.raises(ProviderError, match="PUBLIC_BASE_URL"):
            await rest.transfer(LIVE, PERSON)
        assert twilio.requests == []
        rest.reached_at("https://seen.example.com")
        await rest.transfer(LIVE, PERSON)
        await rest.close()
        assert "https://seen.example.com/webhook/transfer_ended" in twilio.requests[0].form["Twiml"]

    async def test_the_set_address_counts_more_than_the_seen_one(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        rest.reached_at("https://seen.example.com")
        await rest.transfer(LIVE, PERSON)
        assert BASE in twilio.requests[0].form["Twiml"]

    @pytest.mark.parametrize("number", ["", "03-7654321", "*2700", "+1", f"{PERSON}<Say/>"])
    async def test_what_is_no_number_is_not_dialled(
        self, twilio: TwilioRestEmulator, rest: TwilioRest, number: str
    ) -> None:
        with pytest.raises(ProviderError):
            await rest.transfer(LIVE, number)
        assert twilio.requests == []

    @pytest.mark.parametrize("call_sid", ["", "../../Calls", "CA1/Recordings", "CA1?x=1", "א" * 34])
    async def test_what_is_no_sid_is_no_part_of_an_address(
        self, twilio: TwilioRestEmulator, rest: TwilioRest, call_sid: str
    ) -> None:
        with pytest.raises(ProviderError):
            await rest.hang_up(call_sid)
        assert twilio.requests == []


class TestEnd:
    async def test_the_call_is_ended(self, twilio: TwilioRestEmulator, rest: TwilioRest) -> None:
        await rest.hang_up(LIVE)
        assert twilio.requests[0].form == {"Status": "completed"}
        assert twilio.calls[LIVE]["status"] == "completed"

    async def test_a_call_that_is_over_is_no_error(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        await rest.hang_up(LIVE)
        await rest.hang_up(LIVE)
        assert len(twilio.requests) == 2

    async def test_an_end_that_was_done_but_not_told_is_no_error(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        twilio.fail_next(Fault.RESET_AFTERWARDS)
        await rest.hang_up(LIVE)
        assert len(twilio.requests) == 2

    async def test_a_message_is_left_and_the_call_ended(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        await rest.leave_message(LIVE, "שלום, <נחזור> אליך", "he-IL")
        say, hang_up = ET.fromstring(twilio.requests[0].form["Twiml"])  # noqa: S314
        assert (say.tag, say.attrib, say.text) == (
            "Say",
            {"language": "he-IL"},
            "שלום, <נחזור> אליך",
        )
        assert hang_up.tag == "Hangup"


class TestTheLoop:
    async def test_it_goes_on_while_twilio_hangs(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        """Only the loop lets go what hangs: had a request kept it, this would not end."""
        twilio.fail_next(*[Fault.HANG] * THREADS)
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(rest.hang_up(LIVE)) for _ in range(THREADS)]
            await asyncio.to_thread(twilio.wait_until_hanging, THREADS)
            assert not any(task.done() for task in asked)
            twilio.release()
        assert twilio.calls[LIVE]["status"] == "completed"

    async def test_what_does_not_fit_is_refused_and_the_rest_is_done(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        twilio.fail_next(*[Fault.HANG] * THREADS)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(THREADS + WAITING):
                tasks.create_task(rest.hang_up(LIVE))
            await asyncio.to_thread(twilio.wait_until_hanging, THREADS)
            with pytest.raises(ProviderError, match="at once") as full:
                await rest.hang_up(LIVE)
            assert full.value.retryable
            twilio.release()
        assert len(twilio.requests) == THREADS + WAITING

    async def test_what_nobody_waits_for_any_more_is_not_sent(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        twilio.fail_next(*[Fault.HANG] * THREADS)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(THREADS):
                tasks.create_task(rest.hang_up(LIVE))
            await asyncio.to_thread(twilio.wait_until_hanging, THREADS)
            dropped = asyncio.create_task(rest.place(outbound()))
            await asyncio.sleep(0)
            dropped.cancel()
            await asyncio.wait([dropped])
            assert dropped.cancelled()
            twilio.release()
        # A request after it has its turn, so the dropped one is not merely late.
        await rest.hang_up(LIVE)
        assert twilio.calls.keys() == {LIVE}
        assert len(twilio.requests) == THREADS + 1

    async def test_connections_are_kept(self, twilio: TwilioRestEmulator, rest: TwilioRest) -> None:
        for _ in range(5):
            await rest.transfer(LIVE, PERSON)
        assert twilio.connections == 1

    async def test_a_closed_one_asks_nothing(
        self, twilio: TwilioRestEmulator, rest: TwilioRest
    ) -> None:
        await rest.close()
        with pytest.raises(ProviderError):
            await rest.hang_up(LIVE)
        assert twilio.requests == []


def test_the_library_is_imported_in_a_thread_and_not_before() -> None:
    program = """
import asyncio, builtins, sys, threading
from voiceagent.twilio.rest import TwilioRest

importers = set()

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "twilio":
            importers.add(threading.current_thread())

sys.meta_path.insert(0, Watch())

async def main():
    rest = TwilioRest("AC1", "t", base_url="http://127.0.0.1:1", caller_id=None,
                      public_base_url=None)
    assert "twilio.rest" not in sys.modules
    await rest.warm_up()
    assert "twilio.rest.api.v2010.account.call" in sys.modules
    await rest.close()

asyncio.run(main())
assert importers
assert threading.main_thread() not in importers
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


async def test_the_library_tells_the_log_nothing(
    twilio: TwilioRestEmulator, rest: TwilioRest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await rest.place(outbound())
    await rest.transfer(LIVE, PERSON)
    told = " ".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert ACCOUNT_SID not in told
    assert PERSON not in told
    assert CALLER not in told


def test_it_is_what_a_session_needs(twilio: TwilioRestEmulator) -> None:
    control: CallControl = rest_of(twilio.base_url)
    assert control

"""The whole service at its limits: callers, the length of a call, a day's budget."""

import asyncio
import re
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from crm.numbers_world import call_at, keep
from emulators.openai_server import OpenAIEmulator
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from fixtures_database import _server, database, database_url
from test_whatsapp_service import OWNER, PHONE, world
from voiceagent.crm.numbers.tally import Tally
from voiceagent.crm.postgres.database import Database
from voiceagent.simulator.behaviour import AwaitGoodbye
from whole_service import Service, on_the_line, until

__all__ = ["_server", "database", "database_url"]

BENCH = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.4"}
DANA, URI, ANONYMOUS = "+972500000001", "+972500000002", "+266696687"


def refused(service: Service, reason: str) -> int:
    found = re.search(
        rf'voiceagent_calls_refused_total{{reason="{reason}"}} (\d+)', service.get("/metrics").text
    )
    return int(found[1]) if found else 0


async def test_callers_are_counted_over_all_processes_and_a_call_has_an_end(
    tmp_path: Path,
) -> None:
    limits = {"CALLS_PER_CALLER_HOUR": "3", "MAX_CALL_MINUTES": "0.05"}
    with (
        Service(tmp_path, **BENCH, **limits) as one,
        Service(tmp_path, **BENCH, **limits) as other,
    ):
        for service in (one, other):
            await service.until_ready()

        def ring(caller: str, calls: int, name: str) -> list[str]:
            answers = [
                service.post("/webhook/incoming_call", CallSid=f"CA{name}{n}", From=caller)
                for n, service in zip(range(calls), cycle([one, other]))
            ]
            return ["Connect" if "<Connect" in answer.text else answer.text for answer in answers]

        answers = ring(DANA, 9, "dana")
        assert answers.count("Connect") == 3
        away = [answer for answer in answers if answer != "Connect"]
        assert all("<Say" in answer and "<Hangup/>" in answer for answer in away)
        for caller, name in ((URI, "uri"), (ANONYMOUS, "anonymous")):
            calls = 3 if caller == URI else 9
            assert ring(caller, calls, name) == ["Connect"] * calls
        turned_away = f"CAdana{next(n for n, a in enumerate(answers) if a != 'Connect')}"
        await until(lambda: one.call_record(turned_away).get("end_reason") == "caller_limit")
        assert one.call_record(turned_away)["from"] == DANA
        assert refused(one, "caller_limit") + refused(other, "caller_limit") == 6

        # Three seconds are all that a call may last.
        async with on_the_line(one, [AwaitGoodbye()]) as [line]:
            result = await line.over()
        assert result.ended_by == "agent"
        await until(lambda: one.call_record(line.call_sid).get("end_reason") == "time_limit")
        turns = one.call_record(line.call_sid)["turns"]
        assert [turn["source"] for turn in turns][-2:] == ["nearly_over", "goodbye"]


async def test_on_a_day_whose_budget_is_spent(
    tmp_path: Path, database: Database, database_url: str
) -> None:
    await keep(database, *call_at("CAbefore", datetime.now(UTC)))
    await Tally(database, pause_s=0).round(datetime.now(UTC))
    with TwilioRestEmulator() as twilio:
        async with (
            OpenAIEmulator() as model,
            world(
                tmp_path,
                DATABASE_URL=database_url,
                DAILY_BUDGET="0.30",
                PRICE_CALL_MINUTE="0.15",
                BUDGET_CURRENCY="ILS",
                OWNER_WHATSAPP=OWNER,
                TWILIO_ACCOUNT_SID=ACCOUNT_SID,
                TWILIO_AUTH_TOKEN=AUTH_TOKEN,
                TWILIO_SIGNATURE_CHECK="0",
                TWILIO_BASE_URL=twilio.base_url,
                TWILIO_PHONE_NUMBER=OWN_NUMBER,
                LLM_BASE_URL=model.base_url,
                LLM_MODEL="emulated",
            ) as one,
        ):
            await until(lambda: "0.30 ILS of 0.30 ILS" in " ".join(one.sent_to(OWNER)))

            asked_before = len(model.exchanges)
            call = {"CallSid": "CAlate", "From": DANA, "To": OWN_NUMBER}
            answer = one.service.post("/webhook/incoming_call", **call)
            assert "<Record" in answer.text
            assert "<Connect" not in answer.text
            await until(lambda: one.service.call_record("CAlate").get("end_reason") == "budget")

            one.wrote("hello, is anybody there?")
            await until(lambda: one.sent_to(PHONE))
            one.wrote("hello?")
            await until(lambda: "hello?" in str(one.call_api("GET", "/api/crm/messages")))
            await asyncio.sleep(3)  # longer than the agent waits for the rest of a thought
            assert len(one.sent_to(PHONE)) == 1
            assert "Somebody of our team will answer you" in one.sent_to(PHONE)[0]
            assert len(model.exchanges) == asked_before, "nothing was thought"

            key = (one.service.data_dir / "api_key").read_text().strip()
            placing = one.service.client.post(
                f"{one.service.url}/api/calls",
                json={"to": "+972541234567"},
                headers={"Authorization": f"Bearer {key}"},
            )
            assert placing.status_code == 429
            assert "DAILY_BUDGET" in placing.json()["detail"]
            metrics = one.service.get("/metrics").text
            assert 'voiceagent_spent_today{part="calls"} 0.3' in metrics
            assert "voiceagent_daily_budget 0.3" in metrics
            assert refused(one.service, "budget") == 1

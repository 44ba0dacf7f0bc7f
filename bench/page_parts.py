"""The pages' other parts for `bench/pages.py`: calls that go on, the agent's set-up, the telephone.

A database flows in; routers flow out, as `app.py` puts them together. The calls are held in
memory and say nothing new.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fastapi import APIRouter

from live.held import PERSON, Call
from voiceagent.brain.agent.file import agent_text
from voiceagent.call.glimpse import Glimpse
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.recording.call_models import CallRecord, CallStarted, TurnSpoken
from voiceagent.doctor.configuration import configured
from voiceagent.doctor.findings import Finding
from voiceagent.settings import load_settings
from voiceagent.web.agents import Agents
from voiceagent.web.console.followed_calls import FollowedCalls
from voiceagent.web.console.phone import examples_of, phone_router
from voiceagent.web.console.setup import Configuration, setup_router
from voiceagent.web.console.setup_script import script_router
from voiceagent.web.console.setup_view import variables
from voiceagent.web.tickets import Tickets
from voiceagent.wiring.console_office import ConsoleOffice
from voiceagent.wiring.live_office import LiveOffice
from web.test_agents import agents_on, make_live

LIVE: Final = 20
VERSIONS: Final = 30
TURNS: Final = 20
"""Of a call that goes on."""
_GOING_ON: Final = """
INSERT INTO calls (call_sid, contact_id, from_number, started_at, announced_at, streamed_at)
SELECT 'CAlive' || n, id, phone, now(), now(), now()
FROM (SELECT row_number() OVER (ORDER BY created_at) AS n, id, phone FROM contacts LIMIT $1) k
"""


class Nobody:
    """A recorder's and an admission's place."""

    def record(self, record: CallRecord) -> None: ...

    def open_for_calls(self) -> bool:
        return True


async def begin_calls(connection: Connection) -> None:
    """As the record has calls that go on."""
    await connection.execute(_GOING_ON, LIVE)


async def agents_with_versions(database: Database) -> Agents:
    """The bundled agent, edited again and again."""
    file = agent_text(None, "he-IL")
    agents = agents_on(database, file)
    for n in range(VERSIONS):
        await make_live(agents, f"{file.toml}\n# {n}\n")
    return agents


def parts(
    office: ConsoleOffice, database: Database, agents: Agents, place: Path
) -> Sequence[APIRouter]:
    """All routers of pages that `ConsoleOffice` has not."""
    settings = load_settings({"DATA_DIR": str(place), "TWILIO_PHONE_NUMBER": "+97231234567"})
    calls = [_call(f"CAlive{n}") for n in range(1, LIVE + 1)]
    followed = FollowedCalls(Nobody())
    now = datetime.now(UTC)
    for call in calls:
        followed.record(
            CallStarted(call_sid=call.call_sid, at=now, stream_sid="MZ1", simulated=False)
        )
        for seq in range(TURNS):
            followed.record(_turn(call.call_sid, seq, now))
    live = LiveOffice(
        settings,
        database,
        office,
        calls=lambda: calls,
        followed=followed,
        transfer_number=PERSON,
        can_transfer=True,
    )
    is_set = {name: bool(getattr(settings, name.lower())) for name in variables()}
    return [
        live.router(),
        setup_router(
            office.pages,
            office.door,
            agents,
            Configuration(configured(settings), is_set, _nothing_asked),
        ),
        script_router(office.pages, office.door, agents),
        phone_router(
            office.pages,
            office.door,
            admission=Nobody(),
            tickets=Tickets(lambda: 0.0),
            followed=followed,
            calls=CallsRepository(database),
            agents=agents,
            tells_examples=examples_of,
        ),
    ]


async def _nothing_asked(_deadline_s: float) -> Sequence[Finding]:
    return ()


def _call(call_sid: str) -> Call:
    call = Call(call_sid)
    call.seen = Glimpse("hearing", "כמה מילים שנאמרות עכשיו")
    return call


def _turn(call_sid: str, seq: int, at: datetime) -> TurnSpoken:
    words = "כמה מילים שנאמרו כאן, ועוד כמה"
    return TurnSpoken(
        call_sid=call_sid,
        at=at,
        seq=seq,
        turn=seq // 2,
        who="caller" if seq % 2 == 0 else "agent",
        text=words,
        heard=words,
        status="complete",
    )

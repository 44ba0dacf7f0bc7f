"""The application: the only place where its parts are put together.

Settings flow in, an ASGI application flows out. Ports are given their adapters
here, and the lifespan says in which order things come up and go down. The port is
bound before anything slow happens: the warm-up runs behind it.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from errno import EACCES
from functools import partial
from math import inf
from pathlib import Path
from typing import Final

from fastapi import Depends, FastAPI

from voiceagent.backup.place import finish_restore
from voiceagent.brain.ports import Brain
from voiceagent.call.parking import Parking
from voiceagent.call.registry import CallRegistry
from voiceagent.call.services import CallServices
from voiceagent.call.speaking import PhraseBook, Voice
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.vad import VoiceActivity
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.migrate import check_up_to_date, migrate
from voiceagent.crm.recording.engine_failures import engine_failed, is_engine
from voiceagent.crm.recording.recorder_disk import JOURNAL
from voiceagent.doctor.command import examine_running
from voiceagent.doctor.configuration import configured
from voiceagent.errors import SettingsError
from voiceagent.metrics import Metrics
from voiceagent.observability.exposition import exposition
from voiceagent.observability.siblings import Siblings, command_of_workers
from voiceagent.settings import Settings, load_settings
from voiceagent.speech.sensitive_numbers import find
from voiceagent.telemetry import adopt_server_loggers, configure_logging, dropped_lines
from voiceagent.web.call_control_webhooks import call_control_router
from voiceagent.web.calls import calls_router
from voiceagent.web.console.followed_calls import MAX_FOLLOWED, FollowedCalls
from voiceagent.web.console.phone import examples_of, no_examples, phone_router
from voiceagent.web.console.setup import Configuration, setup_router
from voiceagent.web.console.setup_script import script_router
from voiceagent.web.console.setup_view import variables
from voiceagent.web.docs import install_docs
from voiceagent.web.ended_calls import EndedCalls
from voiceagent.web.health import Readiness, install_health_routes, version_report
from voiceagent.web.problems import install_problem_handlers
from voiceagent.web.request_times import RequestTimes
from voiceagent.web.security import api_key_required
from voiceagent.web.self_check import check_handshake, until_bound
from voiceagent.web.telephony import media_router
from voiceagent.web.telephony_webhooks import telephony_router
from voiceagent.web.throttle import Throttle
from voiceagent.web.tickets import Tickets
from voiceagent.wiring import heap
from voiceagent.wiring.admission import Admission
from voiceagent.wiring.agent_office import AgentOffice
from voiceagent.wiring.brains import load_profile, load_text
from voiceagent.wiring.business import Business
from voiceagent.wiring.console_office import ConsoleOffice
from voiceagent.wiring.drain import Drain
from voiceagent.wiring.engines import choose_engines
from voiceagent.wiring.kept_secrets import ensure_api_key
from voiceagent.wiring.live_office import LiveOffice
from voiceagent.wiring.observation import Observation
from voiceagent.wiring.tracing import Tracing
from voiceagent.wiring.warm_up import WarmUp

_RECORDS_S: Final = 10.0
"""How long the last records may take to reach the database; then they go to the journal."""
_WATCH_S: Final = 0.25
_NEVER_STARTS: Final = 3
"""uvicorn's `STARTUP_FAILURE`."""
_BIND_S: Final = 2.0
"""How long all that goes on behind waits for the port; a server without one goes on as well."""
_LAST_WEBHOOKS_S: Final = 2.0
"""Twilio tells of a call's end by webhooks after it."""

_log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service, configured by `settings` or by the environment.

    With a fault in the environment the process ends with code 2 after one line per
    fault on standard error, since a server would bury it under a traceback. One of several
    workers ends with the code that keeps its parent from starting it again and again.
    """
    try:
        settings = settings or load_settings(os.environ)
        return _assemble(settings)
    except SettingsError as error:
        faults = error.faults
    for fault in faults:
        print(fault, file=sys.stderr)
    raise SystemExit(2 if command_of_workers() is None else _NEVER_STARTS)


def _check_data_dir(settings: Settings) -> None:
    """Records wait there while the database is away. Raises `SettingsError`."""
    with _usable(settings.data_dir):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        finish_restore(settings.data_dir)
    for folder in (settings.data_dir, settings.data_dir / JOURNAL):
        with _usable(folder):
            folder.mkdir(exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(EACCES, "not writable")


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError([f"DATA_DIR: {folder} cannot be used ({reason})."]) from None


def _warnings(settings: Settings, brain: Brain) -> list[str]:
    """What the operator should know at start, one sentence each."""
    sentences = settings.warnings()
    heard, spoken = settings.stt_language.partition("-")[0], brain.language.partition("-")[0]
    if heard != spoken and not settings.bench_engines:
        sentences.append(
            f"The agent speaks {brain.language} and listens for {settings.stt_language}:"
            " callers who answer in its language will not be understood."
        )
    wanted = settings.agent_language.partition("-")[0].lower()
    if settings.agent_file is None and wanted != spoken and not settings.bench_engines:
        sentences.append(
            f"AGENT_LANGUAGE is {settings.agent_language}, and no agent of that language comes with"
            f" the service: the one of {brain.language} answers. AGENT_FILE names your own."
        )
    if settings.llm_base_url and settings.stt_engine == "local":
        sentences.append(
            "LLM_BASE_URL is set, but the local recogniser understands only what the agent's"
            " questions expect: let Google listen (STT_ENGINE=google)."
        )
    return sentences


def _assemble(settings: Settings) -> FastAPI:
    _check_data_dir(settings)
    agent_file = load_text(settings)
    profile = load_profile(settings, agent_file)
    url = settings.database_url.get_secret_value() if settings.database_url else None
    database = Database(url, settings.data_dir)

    async def start_database() -> None:
        await database.start()
        if database.embedded:
            await migrate(database)
        else:
            await check_up_to_date(database)

    def on_brain_failure(why: str) -> None:
        metrics.brain_takeovers.inc()
        report_failure("brain", why)

    def report_failure(part: str, why: str) -> None:
        if is_engine(part):
            recorder.record(engine_failed(part))
        warm_up.report_failure(part, why)

    def on_voice_change(works: bool, _why: str) -> None:
        if not works:
            recorder.record(engine_failed("tts"))
        tell("tts", works)

    # Before the secrets, whose places are told.
    configure_logging(settings.log_format)
    api_key = ensure_api_key(settings)
    console = ConsoleOffice(
        settings, database, api_key, business=profile.business, zone=profile.zone
    )
    metrics, tracing = Metrics(), Tracing(settings)
    business = Business(
        settings,
        database,
        profile,
        revive=start_database,
        on_brain_failure=on_brain_failure,
        on_message=console.message_changed,
        on_agent=lambda: office.agents.look_again(),  # noqa: PLW0108 (made below: each needs the other)
        metrics=metrics,
        on_tool=tracing.tool_used,
    )
    recorder, rest = business.recorder, business.rest
    engines = choose_engines(settings, profile, business.house, on_voice_change, metrics)
    business.think_with(engines.model)
    for warning in _warnings(settings, engines.brain):
        _log.warning("%s", warning)
    registry = CallRegistry(settings.max_calls)
    readiness = Readiness(settings.max_calls, lambda: registry.live)
    admission = Admission(readiness, registry, metrics)
    version = version_report(settings, datetime.now(UTC))
    traced = tracing.tap(recorder, version, metrics)
    followed = FollowedCalls(traced, MAX_FOLLOWED + settings.max_calls)
    tickets = Tickets(time.monotonic)
    ended = EndedCalls()
    voice_activity = VoiceActivity(on_batch=metrics.vad_batch_seconds.observe)
    phrase_book = PhraseBook(engines.phrase_store)

    async def warm_up_ears() -> None:
        await engines.recognizer.warm_up()
        # An engine that works may still not know the language.
        await engines.recognizer.open(settings.stt_language).close()

    working: dict[str, bool] = {}

    def tell(part: str, works: bool) -> None:
        working[part] = works
        readiness.db = "ok" if working.get("db") else "err"
        readiness.tts = "ok" if working.get("tts") else "pending"
        readiness.ws = "ok" if working.get("ws") else "pending"
        # Without voice activity nobody is listened to, however well words are recognised.
        ears = working.get("stt") and working.get("vad")
        readiness.stt = "ok" if ears else "pending"

    def first_warm_up_ended() -> None:
        heap.settle()
        readiness.warmed_up = True
        _log.info("calls are taken from now on")

    async def open_records() -> None:
        await start_database()
        # Before the first call: it is answered by what is live.
        await office.agents.load()
        # It asks for itself, and maybe a moment later: what it knows is told from now on.
        while not recorder.healthy:  # noqa: ASYNC110 - rarely, and for a moment
            await asyncio.sleep(_WATCH_S / 10)

    async def check_socket() -> None:
        await check_handshake(settings)

    shared = CallServices(
        recognizer=engines.recognizer,
        voice=Voice(engines.synthesizer, phrase_book, engines.brain.language),
        brain=engines.brain,
        voice_activity=voice_activity,
        recorder=followed,
        metrics=metrics,
        policy=TurnPolicy(
            eou_min_ms=settings.eou_min_ms,
            eou_max_ms=settings.eou_max_ms,
            barge_in_min_ms=settings.barge_in_min_ms,
            call_max_ms=settings.max_call_minutes * 60_000 or inf,
            max_guesses=TurnPolicy().max_guesses if settings.llm_speculation else 0,
        ),
        language=settings.stt_language,
        expected=(),
        control=rest,
        parking=Parking(time.monotonic),
        report_failure=report_failure,
        record=business.record,
        find_sensitive=partial(find, identities=not settings.keep_identity_numbers),
    )
    office = AgentOffice(
        settings,
        agent_file,
        profile,
        business.agent_versions,
        business.house,
        engines=engines,
        phrase_book=phrase_book,
        shared=shared,
    )

    parts = {
        "vad": voice_activity.start,
        "tts": office.warm_up_voice,
        "stt": warm_up_ears,
        "db": open_records,
        "ws": check_socket,
    }
    # No conditions of taking calls: what they are for is done another way meanwhile.
    behind = {}
    if engines.model is not None:
        behind["brain"] = engines.model.warm_up
    if rest is not None:
        behind["twilio"] = rest.warm_up
    warm_up = WarmUp(parts, tell, first_warm_up_ended, behind=behind)

    async def tell_bound(bound: asyncio.Event) -> None:
        try:
            await until_bound(_BIND_S)
        finally:
            bound.set()  # whatever the look came to

    async def drain_calls() -> None:
        readiness.draining = True
        await admission.sockets_came()
        had_calls = registry.live > 0
        await registry.drain(settings.drain_seconds)
        if had_calls:
            await asyncio.sleep(_LAST_WEBHOOKS_S)

    async def watch() -> None:
        """Carry what other parts know into what probes are told."""
        while True:
            await asyncio.sleep(_WATCH_S)
            if readiness.warmed_up:
                tell("db", recorder.healthy)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            # uvicorn.run configures its own handlers after this module was loaded.
            adopt_server_loggers()
            drain = Drain(drain_calls)
            drain.install()
            stack.push_async_callback(drain.close)
            stack.push_async_callback(database.close)
            business.close_with(stack)
            console.close_with(stack)
            await recorder.start()
            tracing.start()
            stack.push_async_callback(recorder.close, _RECORDS_S)
            stack.push_async_callback(tracing.close)
            stack.push_async_callback(engines.synthesizer.close)
            stack.push_async_callback(engines.recognizer.close)
            stack.push_async_callback(voice_activity.close)
            if engines.model is not None:
                stack.push_async_callback(engines.model.close)
            bound = asyncio.Event()
            works = (
                *(warm_up.run, watch, business.run, console.run),
                *(live.run, office.run, observation.run, siblings.run),
            )
            # Imports and templates hold the interpreter: the port first.
            for work in (tell_bound(bound), *(_once(bound, work) for work in works)):
                stack.push_async_callback(_cancelled, asyncio.create_task(_told(work)))
            yield

    live = LiveOffice(
        settings,
        database,
        console,
        calls=lambda: registry.calls,
        followed=followed,
        transfer_number=profile.transfer_number,
        can_transfer=rest is not None,
    )
    office.tell(business.become, console.become, live.become)
    observation = Observation(metrics, database, console.session)
    observation.of_process(version, dropped_lines, lambda: console.open_pages)
    observation.of_calls(readiness, registry, voice_activity)
    observation.of_records(recorder)
    siblings = Siblings(partial(exposition, metrics), settings.data_dir, command_of_workers())
    app = FastAPI(
        title="voiceagent",
        summary="Answers a business's phone and WhatsApp.",
        version=version.version,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Throttle, settings=settings)
    app.add_middleware(RequestTimes, metrics=metrics)
    install_problem_handlers(app)
    install_docs(app)
    install_health_routes(app, readiness, version, siblings.text, settings.metrics_token)
    app.include_router(
        telephony_router(
            settings,
            traced,
            admission,
            metrics,
            busy_phrase=office.busy_phrase,
            turned_away=business.limits.front_door.turned_away,
            seen_at=rest.reached_at if rest else _nobody,
            rings=ended.rings,
        )
    )
    app.include_router(
        call_control_router(
            settings,
            traced,
            admission,
            metrics,
            orders=business.orders,
            machines=rest,
            busy_phrase=office.busy_phrase,
            voicemail_phrase=office.voicemail_phrase,
        )
    )
    app.include_router(
        media_router(
            settings,
            registry,
            office.services,
            business.call_ended,
            tickets,
            ended=ended if settings.checks_signatures else None,
        )
    )
    for router in business.open_routers(metrics):
        app.include_router(router)
    phone = phone_router(
        console.pages,
        console.door,
        admission=admission,
        tickets=tickets,
        followed=followed,
        calls=CallsRepository(database),
        agents=office.agents,
        tells_examples=examples_of if settings.stt_engine == "local" else no_examples,
    )
    configuration = Configuration(
        configured(settings),
        {name: bool(getattr(settings, name.lower())) for name in variables()},
        lambda deadline_s: examine_running(settings, engines, database, deadline_s),
    )
    setup = (
        setup_router(console.pages, console.door, office.agents, configuration),
        script_router(console.pages, console.door, office.agents),
    )
    app.include_router(
        console.router(business.outbox, business.switched, [phone, live.router(), *setup])
    )
    keyed = Depends(api_key_required(api_key, console.attempts))
    placing = calls_router(settings, rest, admission, recorder, is_spent=business.limits.is_spent)
    for router in (placing, *business.routers()):
        app.include_router(router, dependencies=[keyed])
    return app


async def _told(work: Coroutine[object, object, None]) -> None:
    """Do work that lasts as long as the service; its fault is told, not kept until the end."""
    try:
        await work
    except Exception:
        _log.exception("a part of the service ended")


async def _once(
    happened: asyncio.Event, work: Callable[[], Coroutine[object, object, None]]
) -> None:
    """Begin work once something has happened."""
    await happened.wait()
    await work()


async def _cancelled(task: "asyncio.Task[None]") -> None:
    """End a task of the service's own."""
    task.cancel()
    await asyncio.wait([task])


def _nobody(_told: object) -> None: ...

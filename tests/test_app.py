"""The application as a whole, in processes of its own: how it starts, answers and ends."""

import ast
import asyncio
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from voiceagent.simulator.behaviour import Answer, AwaitGoodbye
from whole_service import (
    DEADLINE_S,
    OK,
    ROOT,
    Service,
    agent_of,
    on_the_line,
    postmaster,
    run,
    run_line,
    speech,
    talk,
    until,
)

BENCH = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.6"}
COMPLAINTS = re.compile(r"Traceback|Warning:|never retrieved|was destroyed|unclosed|level=error")
ROUTES = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/version"),
    ("get", "/metrics"),
    ("post", "/webhook/incoming_call"),
    ("post", "/webhook/stream_status"),
    ("post", "/webhook/stream_ended"),
    ("get", "/api/crm/calls"),
    ("get", "/api/crm/calls/{call_sid}"),
    ("get", "/api/crm/contacts"),
    ("get", "/api/crm/contacts/{contact_id}"),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One with everything real, started from another directory, every warning an error."""
    data_dir, elsewhere = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("elsewhere")
    agent = elsewhere / "agent.toml"
    agent.write_text(agent_of(1))
    with Service(
        data_dir,
        AGENT_FILE=str(agent),
        python=("-X", "dev", "-W", "error"),
        cwd=elsewhere,
        DEPLOY_ID="deploy-7",
        PUBLIC_BASE_URL="https://voice.example.com//",
    ) as service:
        yield service
    assert service._process.returncode == 0
    assert "Finished server process" in service.output
    assert not COMPLAINTS.search(service.output), service.output
    assert postmaster(data_dir) is None


class TestStart:
    async def test_the_log_tells_where_the_key_is(self, service: Service) -> None:
        await service.until_ready()
        [line] = [told for told in service.output.splitlines() if "The API key is in" in told]
        place = re.search(r"is in ([^\"]+/api_key)", line)
        assert place is not None
        key = Path(place[1]).read_text(encoding="utf-8").strip()  # noqa: ASYNC240 - a short file
        assert key not in service.output

    def test_nothing_slow_is_done_before_the_port_is_bound(self, tmp_path: Path) -> None:
        program = """
import sys
SLOW = {
    "google", "grpc", "twilio", "onnxruntime", "pocketsphinx", "openai", "espeakng_loader",
    "httpcore",
}
told, seen = {}, []
def tell(name):
    check = sys.modules.get("voiceagent.web.self_check")
    if not seen:
        told.setdefault(name, bool(check and check._listening_address()))
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in SLOW:
            tell(name)
sys.meta_path.insert(0, Watch())
import jinja2, uvicorn
class Loader(jinja2.BaseLoader):
    load = jinja2.BaseLoader.load
def load(self, environment, name, *rest):
    tell("a template")
    return Loader.load(self, environment, name, *rest)
jinja2.BaseLoader.load = load
class Server(uvicorn.Server):
    async def on_tick(self, counter):
        if {"onnxruntime", "a template"} <= told.keys():
            seen.append("enough")  # what comes when the port is closed does not count
        return await super().on_tick(counter) or bool(seen)
import asgi
Server(uvicorn.Config(asgi.app, port=0)).run()
print(told, file=sys.stderr)
"""
        said = run(
            program,
            DATA_DIR=str(tmp_path),
            PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'src'}",
            **BENCH,
        )
        after = ast.literal_eval(said.stderr.splitlines()[-1])
        assert after.keys() >= {"onnxruntime", "a template"}, said
        assert all(after.values()), after

    async def test_not_ready_before_the_first_warm_up_then_ready(self, service: Service) -> None:
        status, told = service.readyz()
        if status == 503:  # as a rule: the first warm-up takes longer than the first question
            assert told["warmed_up"] is False
            assert told["accepting_calls"] is False
        await service.until_ready()
        status, told = service.readyz()
        assert status == 200
        assert {part: told[part] for part in OK} == OK
        assert told["accepting_calls"] is True

    @pytest.mark.parametrize(
        ("environ", "faults"),
        [
            (
                {"PORT": "many", "EOU_MIN_MS": "5"},
                [
                    "EOU_MIN_MS must be within 300 and 600 ms, not 5; EOU_UNSAFE=1 allows others.",
                    "PORT must be a whole number, not 'many'.",
                ],
            ),
            (
                {"STT_ENGINE": "google", "TTS_ENGINE": "google"},
                [
                    (
                        "STT_ENGINE: the google engine needs GOOGLE_APPLICATION_CREDENTIALS"
                        " or GCP_CREDENTIALS_JSON."
                    ),
                    (
                        "TTS_ENGINE: the google engine needs GOOGLE_APPLICATION_CREDENTIALS"
                        " or GCP_CREDENTIALS_JSON."
                    ),
                ],
            ),
            (
                {"AGENT_FILE": "agent.toml"},
                [
                    "AGENT_FILE: agent.toml: greeting: missing",
                    "AGENT_FILE: agent.toml: questions: missing",
                    "AGENT_FILE: agent.toml: closing: missing",
                ],
            ),
            (
                {"DATA_DIR": "agent.toml", "API_KEY": "key"},
                ["DATA_DIR: agent.toml cannot be used (File exists)."],
            ),
            (
                {"DATA_DIR": "spoilt"},
                ["DATA_DIR: spoilt/journal cannot be used (File exists)."],
            ),
        ],
    )
    def test_a_fault_of_the_settings_is_a_line_and_code_2(
        self, tmp_path: Path, environ: dict[str, str], faults: list[str]
    ) -> None:
        (tmp_path / "agent.toml").write_text('business = "x"\n')
        (tmp_path / "spoilt").mkdir()
        (tmp_path / "spoilt" / "journal").touch()
        said = subprocess.run(
            [sys.executable, *run_line(), "--port", "0"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"} | environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert said.returncode == 2
        assert said.stderr.splitlines() == faults


class TestRoutes:
    async def test_every_route_answers_as_promised(self, service: Service) -> None:
        await service.until_ready()
        alive = service.get("/healthz")
        assert (alive.text, alive.headers["content-type"]) == ("ok", "text/plain; charset=utf-8")
        version = service.get("/version").json()
        assert version["deploy_id"] == "deploy-7"
        assert {"commit", "time"} <= version.keys()
        assert "voiceagent_" in service.get("/metrics").text
        answer = service.post("/webhook/incoming_call", CallSid="CA1", From="+972541234567")
        assert answer.headers["content-type"].startswith("application/xml")
        assert 'url="wss://voice.example.com/ws/twilio-media"' in answer.text
        assert 'action="https://voice.example.com/webhook/stream_ended"' in answer.text
        for path in ("/webhook/stream_status", "/webhook/stream_ended"):
            answer = service.post(path, CallSid="CA1")
            assert (answer.status_code, answer.content) == (204, b"")
        await until(lambda: len(service.call_record("CA1").get("webhooks", ())) == 3)
        webhooks = service.call_record("CA1")["webhooks"]
        assert [webhook["status"] for webhook in webhooks] == [200, 204, 204]
        (item,) = (i for i in service.api("/api/crm/calls").json()["items"] if i["from"])
        assert item["from"] == "+972541234567"
        contact = service.api(f"/api/crm/contacts/{item['contact_id']}").json()
        assert contact["phone"] == "+972541234567"
        assert service.api("/api/crm/contacts").json()["items"] == [contact]

    async def test_errors_are_problems(self, service: Service) -> None:
        await service.until_ready()
        for answer, status in (
            (service.get("/api/crm/calls"), 401),
            (service.api("/api/crm/calls/CAnone"), 404),
            (service.api("/api/crm/calls?limit=0"), 422),
            (service.get("/nowhere"), 404),
            (service.get("/webhook/incoming_call"), 405),
        ):
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == status

    async def test_nothing_below_api_answers_without_the_key(self, service: Service) -> None:
        paths = service.get("/openapi.json").json()["paths"]
        asked = [
            (method, re.sub(r"\{\w+\}", "x", path))
            for path, methods in paths.items()
            for method in methods
            if path.startswith("/api/")
        ]
        answers = {
            (method, path): service.client.request(method, service.url + path).status_code
            for method, path in asked
        }
        assert len(asked) > 20
        gone = {one: status for one, status in answers.items() if "/stripe" in one[1]}
        assert set(gone.values()) <= {410}
        assert {one for one, status in answers.items() if status != 401} == set(gone)

    async def test_the_openapi_document_has_every_route_whole(self, service: Service) -> None:
        document = service.get("/openapi.json").json()
        operations = {
            (method, path): operation
            for path, item in document["paths"].items()
            for method, operation in item.items()
        }
        assert operations.keys() >= ROUTES
        for name, operation in operations.items():
            assert operation["summary"], name
            statuses = operation["responses"]
            # What is gone, or has no keys, answers nothing else.
            is_absent = statuses.keys() & {"410", "501"}
            assert is_absent or any(status[0] in "23" for status in statuses), name
            errors = [told for status, told in statuses.items() if status[0] not in "23"]
            assert errors, name
            for error in errors:
                assert error["description"], name
                assert error["content"], name
        for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
            assert reference in document["components"]["schemas"]

    async def test_the_docs_page_shows_every_route_and_loads_nothing(
        self, service: Service
    ) -> None:
        page = service.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        for _, path in ROUTES:
            assert path in page.text
        assert page.text.count("<main>") == page.text.count("</main>") == 1
        assert "<script" not in page.text
        assert "http:" not in page.text
        assert "https:" not in page.text


class TestLanguages:
    async def test_a_call_in_english(self, service: Service) -> None:
        await service.until_ready()
        steps = [Answer(speech("tomorrow morning"), patience_ms=20_000), AwaitGoodbye()]
        async with on_the_line(service, steps) as [line]:
            result = await line.over()
        assert result.completed
        assert not result.violations
        await until(lambda: service.call_record(line.call_sid).get("status") == "completed")
        assert service.call_record(line.call_sid)["fields"] == {"q1": "morning"}

    async def test_an_agent_that_speaks_what_nobody_hears_is_told_of(self, tmp_path: Path) -> None:
        with Service(tmp_path, AGENT_LANGUAGE="he-IL") as service:
            await service.until_ready()
            service.wait_for("speaks he-IL and listens for en-US")
            async with on_the_line(service, talk(1)) as [line]:
                await line.answers(1)
                assert (await line.hang_up()).ended_by == "caller"
            assert "Traceback" not in service.output

    def test_a_language_of_which_there_is_no_agent_is_told_of(self, tmp_path: Path) -> None:
        with Service(tmp_path, AGENT_LANGUAGE="fr-FR", BENCH_ENGINES="0") as service:
            service.wait_for("AGENT_LANGUAGE is fr-FR, .* the one of en-US answers")

    async def test_ears_that_do_not_know_the_language_are_not_ready(self, tmp_path: Path) -> None:
        with Service(tmp_path, STT_LANGUAGE="he-IL") as service:
            await until(lambda: service.parts() == OK | {"stt": "pending"})
            assert service.readyz()[0] == 200
            async with on_the_line(service, [AwaitGoodbye()]) as [line]:
                await line.over()
            # It is answered, apologised to and let go: never a silent line.
            await until(lambda: service.call_record(line.call_sid).get("status") == "failed")
            last = service.call_record(line.call_sid)["turns"][-1]
            assert (last["source"], last["heard"]) == ("cannot_hear", last["text"])
            assert "Traceback" not in service.output


async def test_two_processes_share_a_data_dir(tmp_path: Path) -> None:
    with Service(tmp_path, **BENCH) as one, Service(tmp_path, **BENCH) as other:
        await one.until_ready()
        await other.until_ready()
        async with on_the_line(one, talk(1)) as [line]:
            await line.answers(1)
            await line.hang_up()
        await until(lambda: other.call_record(line.call_sid).get("status") == "completed")
        one.send_signal(signal.SIGTERM)
        assert await one.ended() == 0
        # The one that is left keeps the database.
        assert other.call_record(line.call_sid)["status"] == "completed"
        assert postmaster(tmp_path) is not None
        other.send_signal(signal.SIGTERM)
        assert await other.ended() == 0
    assert postmaster(tmp_path) is None


async def test_it_lives_on_when_nobody_reads_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    with log.open("wb") as writer:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *run_line(),
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            env=os.environ
            | BENCH
            | {
                "DATA_DIR": str(tmp_path / "data"),
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
            },
            stdout=writer,
            stderr=subprocess.STDOUT,
        )
    try:
        said = b""
        while not (found := re.search(rb"running on (http://[0-9.:]+)", said)):
            await until(lambda: fcntl.ioctl(reader, 0x541B, bytes(4)) != bytes(4))  # FIONREAD
            said += os.read(reader, 4096)
        url = found.group(1).decode()

        def answers() -> bool:
            return httpx.get(f"{url}/version").status_code == 200

        # The pipe is full after a few dozen lines, and stays so.
        assert all(answers() for _ in range(100))
        os.close(reader)
        # Now it is broken.
        assert all(answers() for _ in range(20))
        await until(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

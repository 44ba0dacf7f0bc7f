import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from outside import Outside, outside
from voiceagent.web.health import checkout_commit


async def get(service: Outside, path: str, method: str = "GET") -> Any:
    async with service.client() as client:
        return await client.request(method, path)


class TestHealthz:
    @pytest.mark.parametrize("draining", [False, True])
    async def test_alive_whatever_the_state_of_the_parts(self, draining: bool) -> None:
        service = outside()
        service.readiness.draining = draining
        answer = await get(service, "/healthz")
        assert (answer.status_code, answer.text) == (200, "ok")
        assert answer.headers["content-type"].startswith("text/plain")

    async def test_a_head_is_answered_too(self) -> None:
        for path in ("/healthz", "/version"):
            assert (await get(outside(), path, "HEAD")).status_code == 200


class TestReadyz:
    async def test_before_the_first_warm_up_has_ended(self) -> None:
        answer = await get(outside(), "/readyz")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "ws": "pending",
            "db": "err",
            "stt": "pending",
            "tts": "pending",
            "warmed_up": False,
            "draining": False,
            "calls": {"live": 0, "max": 2},
            "accepting_calls": False,
        }

    async def test_when_all_is_well(self) -> None:
        service = outside()
        ready = service.readiness
        ready.ws = ready.stt = ready.tts = ready.db = "ok"
        ready.warmed_up = True
        answer = await get(service, "/readyz")
        assert answer.status_code == 200
        told = answer.json()
        assert [told[part] for part in ("ws", "db", "stt", "tts")] == ["ok"] * 4
        assert told["accepting_calls"]

    async def test_a_part_that_failed_later_is_told_but_takes_nothing_out(self) -> None:
        service = outside()
        service.readiness.warmed_up = True
        answer = await get(service, "/readyz")
        assert (answer.status_code, answer.json()["db"]) == (200, "err")

    async def test_at_capacity_it_stays_ready_and_says_so(self) -> None:
        service = outside()
        service.readiness.warmed_up = True
        service.readiness.live_calls = lambda: 2
        answer = await get(service, "/readyz")
        assert answer.status_code == 200
        assert answer.json()["calls"] == {"live": 2, "max": 2}
        assert not answer.json()["accepting_calls"]

    async def test_while_draining(self) -> None:
        service = outside()
        service.readiness.warmed_up = service.readiness.draining = True
        answer = await get(service, "/readyz")
        assert (answer.status_code, answer.json()["draining"]) == (503, True)


class TestVersion:
    async def test_which_deployment_since_when(self) -> None:
        answer = await get(outside({"DEPLOY_ID": "blue-7", "GIT_COMMIT": "abc123"}), "/version")
        told = answer.json()
        assert told.pop("version")
        assert told == {
            "deploy_id": "blue-7",
            "commit": "abc123",
            "time": "2026-01-02T03:04:05.000Z",
        }

    def git(self, *arguments: str, cwd: Path) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True
        ).stdout.strip()

    def test_the_commit_of_a_checkout(self, tmp_path: Path) -> None:
        checkout = tmp_path / "checkout"
        checkout.mkdir()
        assert checkout_commit(checkout) is None
        self.git("init", "-q", cwd=checkout)
        assert checkout_commit(checkout) is None
        self.git("commit", "-q", "--allow-empty", "-m", "one", cwd=checkout)
        head = self.git("rev-parse", "HEAD", cwd=checkout)
        assert checkout_commit(checkout) == head

        worktree = tmp_path / "worktree"
        self.git("worktree", "add", "-q", str(worktree), cwd=checkout)
        assert checkout_commit(worktree) == head
        self.git("pack-refs", "--all", cwd=checkout)
        assert checkout_commit(checkout) == head
        assert checkout_commit(worktree) == head
        self.git("checkout", "-q", "--detach", cwd=checkout)
        assert checkout_commit(checkout) == head

    def test_what_is_no_commit_is_not_told(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "HEAD").write_text("<script>")
        assert checkout_commit(tmp_path) is None


async def test_metrics_are_shown_for_their_token_only() -> None:
    service = outside({"METRICS_TOKEN": "scraped-by-nobody-else"})
    async with service.client() as client:
        assert (await client.get("/metrics")).status_code == 401
        wrong = {"Authorization": "Bearer scraped-by-somebody"}
        assert (await client.get("/metrics", headers=wrong)).status_code == 401
        right = {"Authorization": "Bearer scraped-by-nobody-else"}
        assert b"voiceagent_" in (await client.get("/metrics", headers=right)).content
        assert (await client.get("/readyz")).status_code in {200, 503}


async def test_metrics_are_prometheus_text() -> None:
    service = outside()
    service.metrics.calls_started.inc()
    answer = await get(service, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"voiceagent_calls_started", "process_start_time_seconds"} <= families


async def test_openapi_has_every_route_with_a_summary_and_its_errors() -> None:
    document = (await get(outside(), "/openapi.json")).json()
    assert set(document["paths"]) >= {
        "/healthz",
        "/readyz",
        "/version",
        "/metrics",
        "/webhook/incoming_call",
        "/webhook/stream_status",
        "/webhook/stream_ended",
    }
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert "application/problem+json" in operation["responses"]["default"]["content"]
    readyz = document["paths"]["/readyz"]["get"]["responses"]
    assert list(readyz["503"]["content"]) == ["application/json"]
    signed = document["paths"]["/webhook/incoming_call"]["post"]["responses"]
    assert list(signed["200"]["content"]) == ["application/xml"]
    assert list(signed["403"]["content"]) == ["application/problem+json"]

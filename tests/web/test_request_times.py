import asyncio

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from voiceagent.metrics import Metrics
from voiceagent.web.request_times import RequestTimes


def service(metrics: Metrics) -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestTimes, metrics=metrics)

    @app.post("/webhook/incoming_call", status_code=204)
    async def incoming_call() -> None: ...

    @app.get("/pay/{token}")
    async def pay(token: str) -> str:
        return token

    @app.get("/api/broken")
    async def broken() -> None:
        raise ValueError("broken")

    return app


async def ask(app: FastAPI, method: str, path: str) -> int:
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        return (await client.request(method, path)).status_code


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"voiceagent_{name}", labels)


async def test_a_webhook_is_timed_by_its_route() -> None:
    metrics = Metrics()
    assert await ask(service(metrics), "POST", "/webhook/incoming_call?x=1") == 204
    assert value(metrics, "webhook_seconds_count", route="/webhook/incoming_call") == 1
    assert value(metrics, "http_answers_total", area="webhook", status="2xx") == 1


async def test_nothing_of_an_address_is_kept_but_its_area() -> None:
    metrics = Metrics()
    assert await ask(service(metrics), "GET", "/pay/secret-token") == 200
    assert await ask(service(metrics), "GET", "/wp-login.php") == 404
    assert value(metrics, "http_answers_total", area="pay", status="2xx") == 1
    assert value(metrics, "http_answers_total", area="other", status="4xx") == 1
    assert b"secret" not in metrics.text()
    assert b"wp-login" not in metrics.text()


async def test_a_fault_of_ours_is_a_5xx() -> None:
    metrics = Metrics()
    assert await ask(service(metrics), "GET", "/api/broken") == 500
    assert value(metrics, "http_answers_total", area="api", status="5xx") == 1


async def test_whoever_is_cut_off_is_no_fault() -> None:
    metrics, waits = Metrics(), asyncio.Event()
    app = service(metrics)

    @app.get("/api/slow")
    async def slow() -> None:
        waits.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(ask(app, "GET", "/api/slow"))
    await waits.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert b"http_answers_total{" not in metrics.text()

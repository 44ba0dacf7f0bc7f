"""What every HTTP client of the service does and does not do."""

import asyncio
import ssl
import threading

import pytest

from emulators.openai_rules import Action, Fault, Rule
from emulators.openai_server import OpenAIEmulator
from voiceagent import http_clients
from voiceagent.http_clients import HttpDeadlines, HttpError, HttpNeverSent, http_client


async def test_a_proxy_that_the_environment_names_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with OpenAIEmulator() as emulator, http_client() as client:
        answer = await client.get(f"{emulator.base_url}/models")
    assert answer.status_code == 200


async def test_a_silent_server_is_given_up() -> None:
    fault = Rule(Action(fault=Fault("hang")))
    async with (
        OpenAIEmulator([fault]) as emulator,
        http_client(HttpDeadlines(receive_s=0.1)) as client,
    ):
        with pytest.raises(HttpError):
            await client.post(f"{emulator.base_url}/chat/completions", json={"messages": []})


async def test_a_client_that_finds_no_free_connection_gives_up() -> None:
    fault = Rule(Action("Hi.", fault=Fault("silent")))
    async with (
        OpenAIEmulator([fault]) as emulator,
        http_client(HttpDeadlines(turn_s=0.1), connections=1) as client,
        client.stream(
            "POST", f"{emulator.base_url}/chat/completions", json={"messages": [], "stream": True}
        ),
    ):
        with pytest.raises(HttpError):
            await client.get(f"{emulator.base_url}/models")


async def test_a_redirection_is_not_followed() -> None:
    async with http_client() as client:
        assert not client.follow_redirects


async def test_no_certificate_is_read_before_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []

    def context() -> ssl.SSLContext:
        read.append(threading.current_thread().name)
        return ssl.create_default_context()

    monkeypatch.setattr(http_clients, "_certificates", context)
    async with OpenAIEmulator() as emulator, http_client() as client:
        assert read == []
        url = f"{emulator.base_url}/models"
        answers = await asyncio.gather(*(client.get(url) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len(read) == 1
    assert read[0] != threading.main_thread().name, "the loop must not wait for a file"


async def test_a_request_whose_client_is_closed_meanwhile_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begins, goes_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def context() -> ssl.SSLContext:
        loop.call_soon_threadsafe(begins.set)
        goes_on.wait(5)
        return ssl.create_default_context()

    monkeypatch.setattr(http_clients, "_certificates", context)
    async with OpenAIEmulator() as emulator:
        client = http_client()
        request = asyncio.create_task(client.get(f"{emulator.base_url}/models"))
        await begins.wait()
        await client.aclose()
        goes_on.set()
        with pytest.raises(HttpNeverSent):
            await request


async def test_a_request_that_finds_no_thread_is_known_not_to_have_been_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(http_clients, "_MAKING_S", 0.05)
    monkeypatch.setattr(http_clients, "_certificates", goes_on.wait)
    async with http_client() as client:
        try:
            with pytest.raises(HttpNeverSent):
                await client.get("http://127.0.0.1:9/")
        finally:
            goes_on.set()

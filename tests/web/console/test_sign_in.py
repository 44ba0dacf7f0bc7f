"""Who gets in, and what every answer carries."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from fixtures_database import _server, database, database_url
from voiceagent.crm.postgres.database import Database
from voiceagent.web.attempts import FAILURES
from voiceagent.web.console.sessions import Sessions
from web.console.world import API_KEY, Console, console, field_of

__all__ = ["_server", "database", "database_url"]

COOKIE = "voiceagent_console"


@pytest.fixture
async def shown(database: Database, tmp_path: Path) -> AsyncIterator[Console]:
    async with console(database, tmp_path) as shown:
        yield shown


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """Their attributes, by the name."""
    lines = answer.headers.get_list("set-cookie")
    return {line.partition("=")[0]: line for line in lines}


async def test_whoever_has_not_signed_in_is_led_there_and_back(shown: Console) -> None:
    answer = await shown.get("/console?q=dana")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/sign-in?next=%2Fconsole%3Fq%3Ddana"
    page = await shown.text(answer.headers["location"])
    assert field_of(page, "next") == "/console?q=dana"
    answer = await shown.sign_in(next="/console?q=dana")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console?q=dana")
    assert (await shown.get("/console")).status_code == 200


@pytest.mark.parametrize(
    "then",
    [
        *("//evil.example", "https://evil.example", "/console//evil", "/consoles", "/\\evil", ""),
        "/console\r\nSet-Cookie: x=1",
    ],
)
async def test_nobody_is_led_elsewhere(shown: Console, then: str) -> None:
    answer = await shown.sign_in(next=then)
    assert answer.headers["location"] == "/console"


async def test_the_cookie_is_kept_from_scripts_and_other_sites_and_holds_no_key(
    shown: Console,
) -> None:
    cookie = cookies_of(await shown.sign_in())[COOKIE]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/console" in cookie
    assert "Secure" not in cookie
    assert API_KEY not in cookie


async def test_over_tls_it_is_for_tls_only(database: Database, tmp_path: Path) -> None:
    environ = {"PUBLIC_BASE_URL": "https://own.example.com"}
    async with console(database, tmp_path, environ=environ) as shown:
        shown.client.base_url = httpx.URL("https://own.example.com")
        assert "Secure" in cookies_of(await shown.sign_in())[COOKIE]


async def test_a_wrong_key_is_refused_and_after_some_nobody_is_heard(shown: Console) -> None:
    for number in range(FAILURES):
        answer = await shown.sign_in(f"wrong {number}")
        assert answer.status_code == 403
        assert COOKIE not in cookies_of(answer)
        assert "wrong" not in answer.text
    answer = await shown.sign_in()
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert (await shown.get("/console")).status_code == 303


@pytest.mark.parametrize("key", ["", "ü" * 100, "\0", "x" * 5000])
async def test_no_key_breaks_anything(shown: Console, key: str) -> None:
    assert (await shown.sign_in(key)).status_code == 403


async def test_a_form_of_another_site_signs_nobody_in(shown: Console) -> None:
    answer = await shown.client.post("/console/sign-in", data={"key": API_KEY})
    assert answer.status_code == 403
    page = await shown.text("/console/sign-in")
    form = {"csrf": field_of(page, "csrf"), "key": API_KEY}
    answer = await shown.client.post(
        "/console/sign-in", data=form, headers={"sec-fetch-site": "cross-site"}
    )
    assert answer.status_code == 403
    shown.client.cookies.clear()
    assert (await shown.client.post("/console/sign-in", data=form)).status_code == 403


async def test_signing_out_takes_the_cookie_back(shown: Console) -> None:
    await shown.signed_in()
    answer = await shown.post("/console/sign-out")
    assert answer.status_code == 303
    assert COOKIE not in dict(shown.client.cookies)
    assert (await shown.get("/console")).status_code == 303


async def test_a_cookie_that_was_tampered_with_or_is_of_another_key_is_none(
    shown: Console,
) -> None:
    await shown.signed_in()
    token = shown.client.cookies[COOKIE]
    others = Sessions("another key")
    session = others.opened(shown.office.door.now())
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), others.token(session), "x"):
        shown.client.cookies.clear()
        shown.client.cookies.set(COOKIE, wrong, path="/console")
        assert (await shown.get("/console")).status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "/console/sign-out",
        "/console/contacts/00000000-0000-7000-8000-000000000000/messages",
        "/console/contacts/00000000-0000-7000-8000-000000000000/agent",
        "/console/messages/00000000-0000-7000-8000-000000000000/send-again",
        "/console/pairing/start",
        "/console/pairing/code",
        "/console/pairing/log-out",
    ],
)
async def test_nothing_is_changed_without_the_sessions_own_token(shown: Console, path: str) -> None:
    assert (await shown.client.post(path)).status_code == 303
    await shown.signed_in()
    assert (await shown.client.post(path)).status_code == 403
    assert (await shown.client.post(path, data={"csrf": "x"})).status_code == 403
    token = field_of(await shown.text("/console"), "csrf")
    answer = await shown.client.post(
        path, headers={"x-csrf-token": token, "sec-fetch-site": "same-site"}
    )
    assert answer.status_code == 403
    answer = await shown.client.post(path, headers={"x-csrf-token": token})
    assert answer.status_code != 403


async def test_scripts_are_told_that_a_session_is_over(shown: Console) -> None:
    for headers in ({"x-console-live": "1"}, {"accept": "text/event-stream"}):
        assert (await shown.get("/console", headers=headers)).status_code == 401
    assert (await shown.get("/console/events", headers={"accept": "*/*"})).status_code == 401


async def test_every_answer_carries_the_policy(shown: Console) -> None:
    css = (await shown.text("/console/sign-in")).split('rel="stylesheet" href="')[1].split('"')[0]
    answers = [
        await shown.get("/console"),
        await shown.get("/console/sign-in"),
        await shown.get("/console/nothing/there"),
        await shown.get(css),
        await shown.client.post("/console/sign-in"),
        await shown.sign_in("wrong"),
        await shown.sign_in(),
        await shown.get("/console"),
        await shown.get("/console/contacts/not-an-id"),
        await shown.get("/console/contacts/00000000-0000-7000-8000-000000000000"),
        await shown.get("/console/pairing"),
        await shown.client.post("/console/pairing/start"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert [answer.status_code for answer in answers] == [
        *(303, 200, 404, 200, 403, 403, 303, 200, 404, 404, 200, 403)
    ]


async def test_pages_hold_no_script_style_or_event_of_their_own(shown: Console) -> None:
    await shown.signed_in()
    for path in ("/console/sign-in", "/console", "/console/pairing", "/console/nothing"):
        page = (await shown.get(path)).text
        assert "<style" not in page
        assert " style=" not in page
        assert " onc" not in page
        assert page.count("<script") == page.count('<script type="module" src="/console/static/')


async def test_what_pages_load_is_kept_for_good_under_its_own_address(shown: Console) -> None:
    page = await shown.text("/console/sign-in")
    css = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = await shown.get(css)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    old = css.replace(css.split("/")[3], "000000000000")
    assert "no-cache" in (await shown.get(old)).headers["cache-control"]
    for path in ("/console/static/x/../door.py", "/console/static/x/%2e%2e/door.py",
                 "/console/static/x//etc/passwd", "/console/static/x/nothing.css"):  # fmt: skip
        assert (await shown.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("options", "language", "direction"),
    [
        ({"headers": {"accept-language": "he-IL,he;q=0.9,en;q=0.5"}}, "he", "rtl"),
        ({"headers": {"accept-language": "fr,en-GB;q=0.9"}}, "en", "ltr"),
        ({"headers": {"accept-language": "fr"}}, "he", "rtl"),
        ({"params": {"lang": "en"}}, "en", "ltr"),
        ({"params": {"lang": "xx"}}, "he", "rtl"),
    ],
)
async def test_each_reader_has_a_language_and_its_direction(
    database: Database, tmp_path: Path, options: dict[str, dict[str, str]], language: str,
    direction: str,
) -> None:  # fmt: skip
    async with console(database, tmp_path, environ={"AGENT_LANGUAGE": "he-IL"}) as shown:
        page = await shown.text("/console/sign-in", **options)
        assert f'<html lang="{language}" dir="{direction}">' in page


async def test_a_language_that_was_chosen_is_kept(shown: Console) -> None:
    await shown.text("/console/sign-in", params={"lang": "he"})
    assert 'lang="he"' in await shown.text("/console/sign-in")


async def test_the_schema_knows_every_answer_of_a_page(shown: Console) -> None:
    """What fuzzing by the schema found: pages of errors that it did not name, and redirections of
    which it said that they were pages."""
    paths = shown.app.openapi()["paths"]
    operations = [
        (path, operation)
        for path, item in paths.items()
        for operation in item.values()
        if path.startswith("/console")
    ]
    assert len(operations) > 10
    for path, operation in operations:
        answers = operation["responses"]
        assert "content" not in answers["303"], path
        for status in ("401", "403", "404", "409", "413", "422", "503"):
            assert "text/html" in answers[status]["content"], (path, status)
    assert "text/html" in paths["/console/sign-in"]["post"]["responses"]["429"]["content"]

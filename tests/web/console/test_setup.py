"""The set-up pages as a browser without scripts sees them, on a real database."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import httpx
import pytest

from fixtures_database import _server, database, database_url
from voiceagent.brain.agent.file import AgentText
from voiceagent.crm.postgres.database import Database
from voiceagent.doctor.configuration import configured
from voiceagent.doctor.findings import Finding
from voiceagent.settings import load_settings
from voiceagent.web.agents import Agents
from voiceagent.web.console.script_form import form_of
from voiceagent.web.console.setup import CHECK_S, Configuration, setup_router
from voiceagent.web.console.setup_script import script_router
from voiceagent.web.console.setup_view import variables
from web.console.world import Console, console, field_of
from web.test_agents import agents_on

__all__ = ["_server", "database", "database_url"]

PAGE = "/console/setup"
SCRIPT = f"{PAGE}/script"
TOML = """\
# Kept as it is.
business = "Corner Clinic"
language = "en-GB"
greeting = "Hello, this is {business}."
persona = "Calm."
closing = "Goodbye."

[[questions]]
id = "name"
ask = "Your name?"
save_as = "name"
accept = "anything"
"""
SECRET = "a-secret-that-nobody-sees"


@dataclass
class World:
    shown: Console
    agents: Agents
    checks: list[float] = field(default_factory=list)
    found: Sequence[Finding] = ()
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: the parts that are checked answer."""

    async def get(self, path: str = PAGE, **query: str) -> str:
        return await self.shown.text(path, params=query)

    async def form(self, **query: str) -> dict[str, str]:
        """The editor's form as a browser would send it."""
        return fields_of(await self.get(SCRIPT, **query))

    async def send(self, form: dict[str, str]) -> httpx.Response:
        return await self.shown.client.post(SCRIPT, data=form)

    async def keep(self, **changes: str) -> int:
        """Change something and keep it; the version."""
        answer = await self.send(await self.form() | changes)
        assert answer.status_code == 303, answer.text
        return int(answer.headers["location"].rpartition("/")[2])

    async def make_live(self, version: int) -> httpx.Response:
        path = f"{PAGE}/versions/{version}"
        form = fields_of(await self.get(path))
        return await self.shown.client.post(f"{path}/live", data=form)

    def now(self) -> str:
        return " ".join(self.agents.now.profile.greeting)


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    agents = agents_on(database, AgentText(TOML, "/etc/clinic.toml", "en-GB"))
    settings = load_settings({"TWILIO_AUTH_TOKEN": SECRET * 2, "DATA_DIR": str(tmp_path)})
    is_set = {name: bool(getattr(settings, name.lower())) for name in variables()}

    async def check(deadline_s: float) -> Sequence[Finding]:
        world.checks.append(deadline_s)
        await world.answers.wait()
        return world.found

    async with console(
        database,
        tmp_path,
        environ={"AGENT_LANGUAGE": "en-US"},
        pages=lambda office: [
            setup_router(
                office.pages,
                office.door,
                agents,
                Configuration(configured(settings), is_set, check),
            ),
            script_router(office.pages, office.door, agents),
        ],
    ) as shown:
        world = World(shown, agents)
        world.answers.set()
        await shown.signed_in()
        yield world


def fields_of(page: str) -> dict[str, str]:
    form = re.search(r'<form method="post" action="/console/setup.*?</form>', page, re.DOTALL)
    assert form is not None, page
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        name, value = re.search(r' name="([^"]*)"', tag), re.search(r' value="([^"]*)"', tag)
        assert name is not None
        assert value is not None
        fields[name[1]] = unescape(value[1])
    for name_, text in re.findall(
        r'<textarea[^>]*name="([^"]*)"[^>]*>\n(.*?)</textarea>', form[0], re.DOTALL
    ):
        fields[name_] = unescape(text)
    # As browsers do.
    return {name: re.sub(r"\r?\n", "\r\n", value) for name, value in fields.items()}


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


class TestOverview:
    @pytest.mark.parametrize("path", [PAGE, SCRIPT, f"{PAGE}/versions/0"])
    async def test_nobody_sees_it_without_signing_in(self, world: World, path: str) -> None:
        world.shown.client.cookies.clear()
        answer = await world.shown.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/console/sign-in?next=")

    async def test_it_says_who_answers_and_why(self, world: World) -> None:
        page = words_of(await world.get())
        assert "the file /etc/clinic.toml" in page
        assert "Nothing was made live here yet" in page
        assert "None yet." in page

    async def test_what_is_missing_comes_with_the_line_to_add(self, world: World) -> None:
        page = await world.get()
        assert "OWNER_WHATSAPP=+972…" in page
        assert 'data-group="notices" data-level="note"' in page
        assert "docs/notices.md" in page

    async def test_a_secret_is_set_and_nothing_else(self, world: World) -> None:
        page = await world.get()
        assert SECRET not in page
        assert "TWILIO_AUTH_TOKEN set" in words_of(page)
        assert "TWILIO_ACCOUNT_SID not set" in words_of(page)

    async def test_in_hebrew_the_findings_are_hebrew(self, world: World) -> None:
        page = await world.get(lang="he")
        assert '<html lang="he" dir="rtl">' in page
        assert "איש אינו מקבל הודעה על שיחות שנענו." in page
        assert "Nobody is told" not in page

    async def test_parts_are_asked_when_somebody_wants_it(self, world: World) -> None:
        world.found = [Finding("database", "broken", "It is <b>gone</b>.", "Look.")]
        assert "Just checked" not in await world.get()
        answer = await world.shown.post(f"{PAGE}/checks", PAGE)
        assert answer.status_code == 200
        assert "Just checked" in answer.text
        assert 'data-group="storage" data-level="broken"' in answer.text
        assert "It is &lt;b&gt;gone&lt;/b&gt;." in answer.text
        assert world.checks == [15.0]

    @pytest.mark.parametrize("path", [f"{PAGE}/checks", SCRIPT, f"{PAGE}/versions/0/live"])
    async def test_a_form_of_another_session_is_refused(self, world: World, path: str) -> None:
        answer = await world.shown.client.post(path, data={"csrf": "x" * 43, "seen": "0"})
        assert answer.status_code == 403
        assert world.checks == []
        assert await world.agents.versions.heads() == []


class TestEditing:
    async def test_only_what_was_changed_is_written_anew(self, world: World) -> None:
        version = await world.keep(greeting="Good day.\r\nWho is calling?", note="shorter")
        kept = await world.agents.versions.get(version)
        assert kept.script == TOML.replace(
            'greeting = "Hello, this is {business}."',
            'greeting = [\n  "Good day.",\n  "Who is calling?",\n]',
        )
        assert (kept.head.note, kept.head.based_on) == ("shorter", None)

    async def test_questions_are_changed_where_they_stand(self, world: World) -> None:
        version = await world.keep(**{"questions.0.ask": "Who are you?"})
        kept = await world.agents.versions.get(version)
        assert kept.script == TOML.replace("Your name?", "Who are you?")

    async def test_nothing_changed_is_the_file_itself(self, world: World) -> None:
        version = await world.keep()
        assert (await world.agents.versions.get(version)).script == TOML
        assert await world.keep() == version

    async def test_the_whole_text_can_be_written(self, world: World) -> None:
        form = await world.form(view="text")
        script = TOML.replace("Calm.", "Wild.")
        answer = await world.send(form | {"script": script.replace("\n", "\r\n")})
        assert answer.status_code == 303
        newest = await world.agents.versions.newest()
        assert newest is not None
        assert newest.script == script

    async def test_faults_stand_beside_their_fields_and_nothing_is_lost(self, world: World) -> None:
        form = await world.form()
        answer = await world.send(
            form | {"transfer_number": "12", "greeting": "", "persona": "Kept <&>", "note": "n"}
        )
        assert answer.status_code == 422
        page = answer.text
        assert re.search(r'id="greeting-fault">\s*<li[^>]*>missing', page)
        assert re.search(r'id="transfer_number-fault">\s*<li[^>]*>not allowed here', page)
        again = fields_of(page)
        assert again["persona"] == "Kept <&>"
        assert again["note"] == "n"
        assert await world.agents.versions.heads() == []
        # Mended, it is kept with what was typed before.
        mended = await world.send(again | {"transfer_number": "+97231234567", "greeting": "Hi."})
        assert mended.status_code == 303, mended.text
        newest = await world.agents.versions.newest()
        assert newest is not None
        assert [
            one.text for one in form_of(newest.script, "en").fields if one.key == "persona"
        ] == ["Kept <&>"]

    @pytest.mark.parametrize(
        ("script", "why"),
        [
            ("business = ", "not TOML"),
            ("", "business : missing"),
            (TOML.replace('"anything"', '"nothing"'), "questions.name.accept"),
            (TOML + 'evil = "<script>alert(1)</script>"', "evil : no such key"),
        ],
        ids=["no toml", "empty", "wrong value", "unknown key"],
    )
    async def test_a_text_that_is_not_sound_comes_back_as_it_is(
        self, world: World, script: str, why: str
    ) -> None:
        answer = await world.send(await world.form(view="text") | {"script": script})
        assert answer.status_code == 422
        assert why in words_of(answer.text)
        assert "<script>alert" not in answer.text
        assert fields_of(answer.text)["script"].replace("\r\n", "\n") == script
        assert await world.agents.versions.heads() == []

    async def test_what_is_written_is_shown_as_text_everywhere(self, world: World) -> None:
        hostile = '"><img src=x onerror=alert(1)>\u202e{{ 7 * 7 }}'
        version = await world.keep(persona=hostile, note=hostile, made_by=hostile)
        for path in (PAGE, f"{PAGE}/versions/{version}", f"{SCRIPT}?version={version}"):
            page = await world.get(path)
            assert "<img" not in page
            assert "{{ 7 * 7 }}" in page

    async def test_a_text_that_no_form_can_change_is_edited_whole(self, world: World) -> None:
        inline = (
            TOML.partition("[[")[0] + 'questions = [{ id = "a", ask = "A?", accept = "number" }]'
        )
        answer = await world.send(await world.form(view="text") | {"script": inline})
        assert answer.status_code == 303
        page = await world.get(SCRIPT)
        assert "written in a way" in page
        assert fields_of(page)["script"].replace("\r\n", "\n") == inline

    async def test_a_script_beyond_the_limit_is_refused(self, world: World) -> None:
        form = await world.form(view="text")
        long = TOML + "# " + "x" * 70_000
        assert (await world.send(form | {"script": long})).status_code == 413
        longer = TOML + "# " + "x" * 600_000
        assert (await world.send(form | {"script": longer})).status_code == 413
        assert await world.agents.versions.heads() == []

    async def test_a_long_script_in_hebrew_is_taken(self, world: World) -> None:
        form = await world.form(view="text")
        answer = await world.send(form | {"script": TOML + "# " + "ש" * 30_000})
        assert answer.status_code == 303

    @pytest.mark.parametrize("version", ["7", "99999999999999999999"])
    async def test_there_is_no_such_version(self, world: World, version: str) -> None:
        for path in (f"{PAGE}/versions/{version}", f"{SCRIPT}?version={version}"):
            assert (await world.shown.get(path)).status_code == 404

    async def test_of_two_who_write_the_second_is_told_and_loses_nothing(
        self, world: World
    ) -> None:
        one, other = await world.form(), await world.form()
        assert (await world.send(one | {"greeting": "Of the first."})).status_code == 303
        answer = await world.send(other | {"greeting": "Of the second."})
        assert answer.status_code == 409
        assert "Somebody else has kept another version" in answer.text
        assert "Of the first." in answer.text
        again = fields_of(answer.text)
        assert again["greeting"] == "Of the second."
        assert (await world.send(again)).status_code == 303
        heads = await world.agents.versions.heads()
        texts = [(await world.agents.versions.get(head.id)).script for head in heads]
        assert ["Of the second." in texts[0], "Of the first." in texts[1]] == [True, True]


class TestVersions:
    async def test_one_is_made_live_and_another_time_given_back(self, world: World) -> None:
        version = await world.keep(greeting="From the page.")
        assert world.now() == "Hello, this is Corner Clinic."
        answer = await world.make_live(version)
        assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
        assert world.now() == "From the page."
        page = words_of(await world.get())
        assert f"Answers now version {version}" in page
        assert "/etc/clinic.toml is not used while a version from here is live" in page
        assert (await world.make_live(0)).status_code == 303
        assert world.now() == "Hello, this is Corner Clinic."
        assert "Somebody gave the floor back to the file" in await world.get()

    async def test_what_differs_is_told_line_by_line(self, world: World) -> None:
        version = await world.keep(greeting="From the page.")
        page = await world.get(f"{PAGE}/versions/{version}")
        text = words_of(page)
        assert '− gone greeting = "Hello, this is {business}."' in text
        assert '+ new greeting = "From the page."' in text
        same = await world.get(f"{PAGE}/versions/{version}", against=str(version))
        assert f"It says the same as version {version}." in same

    async def test_of_two_who_make_another_one_live_the_second_is_told(self, world: World) -> None:
        first = await world.keep(greeting="One.")
        second = await world.keep(greeting="Two.")
        path = f"{PAGE}/versions/{second}"
        form = fields_of(await world.get(path))
        await world.make_live(first)
        answer = await world.shown.client.post(f"{path}/live", data=form)
        assert answer.status_code == 409
        assert "Somebody else has made another version live" in answer.text
        assert world.now() == "One."
        again = await world.shown.client.post(f"{path}/live", data=fields_of(answer.text))
        assert again.status_code == 303
        assert world.now() == "Two."

    async def test_a_damaged_one_is_told_of_and_cannot_be_made_live(self, world: World) -> None:
        kept = await world.agents.versions.add(
            "business = <", made_by="", note="", based_on=None, seen=0
        )
        path = f"{PAGE}/versions/{kept.id}"
        page = await world.get(path)
        assert "cannot be used by this service" in page
        assert "Make it live" not in page
        csrf = field_of(page, "csrf")
        await world.shown.client.post(f"{path}/live", data={"csrf": csrf, "seen": "0"})
        assert (await world.agents.versions.live()).change == 0

    async def test_a_damaged_one_that_is_live_is_told_of(self, world: World) -> None:
        kept = await world.agents.versions.add(
            "business = <", made_by="", note="", based_on=None, seen=0
        )
        await world.agents.versions.make_live(kept.id, made_by="", seen=0, file_sum="")
        await world.agents.load()
        page = words_of(await world.get())
        assert f"Version {kept.id} was made live but cannot be used" in page
        assert "the file /etc/clinic.toml" in page

    async def test_it_opens_with_a_database_that_is_away(self, world: World) -> None:
        await world.agents.versions._database.close()
        page = await world.get()
        assert "The versions cannot be read now" in page
        assert "OWNER_WHATSAPP" in page
        assert (await world.shown.get(SCRIPT)).status_code == 503


async def test_a_check_that_takes_too_long_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.answers.clear()
    monkeypatch.setattr("voiceagent.web.console.setup.SPARE_S", -CHECK_S)
    answer = await world.shown.post(f"{PAGE}/checks", PAGE)
    assert "The check could not be finished" in answer.text

"""`voiceagent twilio` against the API of an account on this machine, and a service that answers."""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from emulators.provider_server import Fault
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from voiceagent.doctor.former_setups import FOLDER
from voiceagent.doctor.twilio_command import connect, restore, status
from voiceagent.settings import Settings, load_settings
from voiceagent.twilio.number_setup import ECHO, seen, wanted


@pytest.fixture(autouse=True)
def _data_dir_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The default is beneath the current directory.
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        yield emulator


@pytest.fixture
def service() -> Iterator[str]:
    """What the public address leads to, as far as the command asks it."""

    class Healthz(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthz)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def settings(twilio: TwilioRestEmulator, public: str | None, **more: str) -> Settings:
    given = {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_BASE_URL": twilio.base_url,
        "AGENT_LANGUAGE": "he-IL",
    }
    made = load_settings(given | more)
    # The loopback has no TLS; everywhere else the setting insists on https.
    return made.model_copy(update={"public_base_url": public})


def the_number(twilio: TwilioRestEmulator) -> dict[str, object]:
    return next(iter(twilio.pages.numbers.values()))


async def test_a_number_is_connected_and_told_as_it_was(
    twilio: TwilioRestEmulator, service: str
) -> None:
    said = io.StringIO()
    before = str(the_number(twilio)["voice_url"])
    assert await connect(settings(twilio, service), OWN_NUMBER, said, change=True) == 0
    assert seen(the_number(twilio)) == wanted(service, "he-IL")
    assert before in said.getvalue()
    assert f"{service}/webhook/whatsapp/twilio#rc=5&rp=ct,rt,5xx" in said.getvalue()
    again = io.StringIO()
    posts = len([one for one in twilio.requests if one.method == "POST"])
    assert await connect(settings(twilio, service), OWN_NUMBER, again, change=True) == 0
    assert "already" in again.getvalue()
    assert len([one for one in twilio.requests if one.method == "POST"]) == posts


async def test_without_change_nothing_is_changed(twilio: TwilioRestEmulator, service: str) -> None:
    said = io.StringIO()
    before = dict(the_number(twilio))
    assert await connect(settings(twilio, service), OWN_NUMBER, said, change=False) == 0
    assert ECHO in said.getvalue()
    assert the_number(twilio) == before


async def test_a_strange_number_is_told_with_those_that_the_account_has(
    twilio: TwilioRestEmulator, service: str
) -> None:
    said = io.StringIO()
    assert await connect(settings(twilio, service), "+97239999999", said, change=True) == 2
    assert OWN_NUMBER in said.getvalue()


async def test_a_number_that_a_trunk_answers_is_left_alone(
    twilio: TwilioRestEmulator, service: str
) -> None:
    the_number(twilio)["trunk_sid"] = "TK1"
    before = dict(the_number(twilio))
    said = io.StringIO()
    assert await connect(settings(twilio, service), OWN_NUMBER, said, change=True) == 2
    assert "SIP trunk" in said.getvalue()
    assert the_number(twilio) == before


async def test_calls_are_not_sent_to_where_nobody_answers(twilio: TwilioRestEmulator) -> None:
    said = io.StringIO()
    nowhere = settings(twilio, "http://127.0.0.1:9")
    assert await connect(nowhere, OWN_NUMBER, said, change=True) == 1
    assert "does not answer" in said.getvalue()
    assert not twilio.requests


@pytest.mark.parametrize(
    ("missing", "named"),
    [("account", "TWILIO_ACCOUNT_SID"), ("address", "PUBLIC_BASE_URL"), ("number", "no number")],
)
async def test_what_is_missing_is_named(
    twilio: TwilioRestEmulator, service: str, missing: str, named: str
) -> None:
    given = settings(twilio, None if missing == "address" else service)
    if missing == "account":
        given = given.model_copy(update={"twilio_account_sid": None})
    said = io.StringIO()
    phone = None if missing == "number" else OWN_NUMBER
    assert await connect(given, phone, said, change=True) == 2
    assert named in said.getvalue()
    assert len(said.getvalue().splitlines()) == 1


async def test_a_refusal_of_twilios_is_one_line(twilio: TwilioRestEmulator, service: str) -> None:
    twilio.fail_next(Fault.SERVER_ERROR)
    said = io.StringIO()
    assert await connect(settings(twilio, service), OWN_NUMBER, said, change=True) == 1
    assert said.getvalue().startswith("voiceagent: Twilio: ")
    assert AUTH_TOKEN not in said.getvalue()


async def test_the_status_tells_whether_calls_come_here(
    twilio: TwilioRestEmulator, service: str
) -> None:
    before, after = io.StringIO(), io.StringIO()
    given = settings(twilio, service)
    assert await status(given, None, before) == 1
    assert "they do not come here" in before.getvalue()
    await connect(given, OWN_NUMBER, io.StringIO(), change=True)
    assert await status(given, OWN_NUMBER, after) == 0
    assert "Twilio takes a message" in after.getvalue()


class TestRestore:
    @pytest.fixture
    def given(self, twilio: TwilioRestEmulator, service: str, tmp_path: Path) -> Settings:
        return settings(twilio, service, DATA_DIR=str(tmp_path))

    async def test_a_number_is_set_up_as_it_was_however_often_it_was_connected(
        self, twilio: TwilioRestEmulator, given: Settings
    ) -> None:
        before = seen(the_number(twilio))
        assert await connect(given, OWN_NUMBER, io.StringIO(), change=True) == 0
        elsewhere = given.model_copy(update={"agent_language": "en-US"})
        assert await connect(elsewhere, OWN_NUMBER, io.StringIO(), change=True) == 0
        connected = seen(the_number(twilio))
        said = io.StringIO()
        assert await restore(given, OWN_NUMBER, said, change=False) == 0
        assert seen(the_number(twilio)) == connected
        assert before.url in said.getvalue()
        assert await restore(given, OWN_NUMBER, said, change=True) == 0
        assert seen(the_number(twilio)) == before
        # There is nothing more to put back.
        assert await restore(given, OWN_NUMBER, said, change=True) == 2

    async def test_connected_again_after_its_fallback_was_taken_away_it_is_still_known_as_it_was(
        self, twilio: TwilioRestEmulator, given: Settings
    ) -> None:
        before = seen(the_number(twilio))
        assert await connect(given, OWN_NUMBER, io.StringIO(), change=True) == 0
        the_number(twilio)["voice_fallback_url"] = ""
        assert await connect(given, OWN_NUMBER, io.StringIO(), change=True) == 0
        assert await restore(given, OWN_NUMBER, io.StringIO(), change=True) == 0
        assert seen(the_number(twilio)) == before

    async def test_what_somebody_has_set_up_since_is_left_alone(
        self, twilio: TwilioRestEmulator, given: Settings
    ) -> None:
        assert await connect(given, OWN_NUMBER, io.StringIO(), change=True) == 0
        the_number(twilio)["voice_url"] = "https://others.example.com/voice"
        said = io.StringIO()
        assert await restore(given, OWN_NUMBER, said, change=True) == 2
        assert the_number(twilio)["voice_url"] == "https://others.example.com/voice"
        assert "somebody has set" in said.getvalue()

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": 1}', "null"])
    async def test_what_cannot_be_read_is_not_put_back(
        self, twilio: TwilioRestEmulator, given: Settings, tmp_path: Path, content: str
    ) -> None:
        assert await connect(given, OWN_NUMBER, io.StringIO(), change=True) == 0
        [kept] = (tmp_path / FOLDER).iterdir()
        assert kept.stat().st_mode & 0o077 == 0
        kept.write_text(content)
        said = io.StringIO()
        connected = seen(the_number(twilio))
        assert await restore(given, OWN_NUMBER, said, change=True) == 2
        assert "not known" in said.getvalue()
        assert seen(the_number(twilio)) == connected

    async def test_where_it_cannot_be_kept_nothing_is_changed(
        self, twilio: TwilioRestEmulator, given: Settings, tmp_path: Path
    ) -> None:
        (tmp_path / FOLDER).write_text("a file in the way")
        before = seen(the_number(twilio))
        said = io.StringIO()
        assert await connect(given, OWN_NUMBER, said, change=True) == 1
        assert said.getvalue().endswith(f"voiceagent: DATA_DIR/{FOLDER}: File exists\n")
        assert seen(the_number(twilio)) == before

    async def test_what_is_missing_or_fails_is_named(
        self, twilio: TwilioRestEmulator, given: Settings
    ) -> None:
        said = io.StringIO()
        no_account = given.model_copy(update={"twilio_account_sid": None})
        assert await restore(no_account, OWN_NUMBER, said, change=True) == 2
        assert await restore(given, None, said, change=True) == 2
        assert await restore(given, "+97239999999", said, change=True) == 2
        twilio.fail_next(Fault.SERVER_ERROR)
        assert await restore(given, OWN_NUMBER, said, change=True) == 1
        for words in ("TWILIO_ACCOUNT_SID", "no number", OWN_NUMBER, "Twilio failed"):
            assert words in said.getvalue()

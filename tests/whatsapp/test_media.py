"""Files are fetched from where they are kept, and from nowhere else; voice notes become words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from emulators.sidecar import SidecarEmulator
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, TwilioRestEmulator
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import ProviderError
from voiceagent.whatsapp.downloads import Download, limited
from voiceagent.whatsapp.twilio_media import TwilioMedia
from whatsapp.world import PHONE, House, house, until, until_true

VOICE = {"id": "m1", "mime_type": "audio/ogg; codecs=opus", "seconds": 4, "voice_note": True}


class Ears:
    """Hears what it is told to."""

    def __init__(self, *heard: str | Exception) -> None:
        self.heard = list(heard)
        self.listened = 0

    def takes(self, mime_type: str) -> bool:
        return mime_type.startswith("audio/ogg")

    async def transcribe(self, audio: bytes, mime_type: str) -> str:
        self.listened += 1
        said = self.heard.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[SidecarEmulator]:
    async with SidecarEmulator(tmp_path / "sidecar") as emulator:
        yield emulator


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        yield emulator


async def media_of(one: House) -> dict[str, Any]:
    [message] = await one.messages()
    [file] = message["media"]
    return dict(file)


async def until_media(one: House, **wanted: object) -> dict[str, Any]:
    async def is_so() -> bool:
        file = await media_of(one)
        return all(file[name] == value for name, value in wanted.items())

    await until_true(is_so)
    return await media_of(one)


async def test_a_file_of_the_sidecar_is_stored(
    database: Database, tmp_path: Path, emulator: SidecarEmulator
) -> None:
    emulator.media["m1"] = ("image/jpeg", b"\xff\xd8" * 1000)
    async with house(database, tmp_path, emulator) as one:
        await one.written(kind="image", media={"id": "m1", "mime_type": "image/jpeg"})
        file = await until_media(one, state="stored")
        assert file["size_bytes"] == 2000
        stored = await one.office.messages.file((await one.office.messages.page()).items[0].id, 0)
        assert stored.content == b"\xff\xd8" * 1000


async def test_a_file_of_twilio_is_stored(
    database: Database, tmp_path: Path, twilio: TwilioRestEmulator
) -> None:
    twilio.media["ME1"] = ("image/png", b"png")
    environ = {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_SIGNATURE_CHECK": "0",
        "TWILIO_BASE_URL": twilio.base_url,
    }
    async with house(database, tmp_path, environ=environ) as one:
        await one.twilio(
            MessageSid="SM1",
            From=f"whatsapp:{PHONE}",
            NumMedia="1",
            MediaUrl0=twilio.media_url("ME1"),
        )
        file = await until_media(one, state="stored")
        assert (file["mime_type"], file["size_bytes"]) == ("image/png", 3)


async def test_one_that_is_gone_is_given_up_and_says_so(
    database: Database, tmp_path: Path, emulator: SidecarEmulator
) -> None:
    async with house(database, tmp_path, emulator) as one:
        await one.written(kind="image", media={"id": "m2"})
        file = await until_media(one, state="failed")
        assert "404" in file["error"]


async def test_one_that_cannot_be_had_now_is_tried_again(
    database: Database, tmp_path: Path
) -> None:
    async with house(database, tmp_path, environ={"BAILEYS_URL": "http://127.0.0.1:1"}) as one:
        await one.written(kind="image", media={"id": "m1"})

        async def was_tried() -> bool:
            return bool((await media_of(one))["error"])

        await until_true(was_tried)
        assert (await media_of(one))["state"] == "waiting"
        assert await MediaQueue(database).claim(5, 30) == []  # it waits


class TestVoiceNotes:
    @pytest.fixture(autouse=True)
    def _soon_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("voiceagent.whatsapp.media.DELAYS_S", (0.01, 0.01))

    async def test_it_is_put_into_words_and_found_by_them(
        self, database: Database, tmp_path: Path, emulator: SidecarEmulator
    ) -> None:
        emulator.media["m1"] = ("audio/ogg", b"OggS")
        ears = Ears(ProviderError("once more", retryable=True), "שלום, זו דנה")
        async with house(database, tmp_path, emulator, transcriber=ears) as one:
            one.office._fetching._poll_s = 0.05
            await one.written(None, kind="audio", media=VOICE)
            await until_media(one, transcript="שלום, זו דנה")
            assert len(await one.messages(q="דנה")) == 1

    async def test_what_is_not_understood_for_good_is_not_listened_to_again(
        self, database: Database, tmp_path: Path, emulator: SidecarEmulator
    ) -> None:
        emulator.media["m1"] = ("audio/ogg", b"OggS")
        ears = Ears(ProviderError("broken", retryable=False))
        async with house(database, tmp_path, emulator, transcriber=ears) as one:
            await one.written(None, kind="audio", media=VOICE)
            file = await until_media(one, error="broken")
            assert file["transcript"] is None
        assert await MediaQueue(database).claim_voice(30) is None

    async def test_what_no_attempt_understands_is_given_up_in_the_end(
        self, database: Database, tmp_path: Path, emulator: SidecarEmulator
    ) -> None:
        emulator.media["m1"] = ("audio/ogg", b"OggS")
        ears = Ears(ProviderError("away", retryable=True), ValueError("odd"), TimeoutError())
        async with house(database, tmp_path, emulator, transcriber=ears) as one:
            one.office._fetching._poll_s = 0.05
            await one.written(None, kind="audio", media=VOICE)
            file = await until_media(one, error="TimeoutError")
            assert file["transcript"] is None
            assert ears.heard == []
        assert await MediaQueue(database).claim_voice(30) is None

    @pytest.mark.parametrize(
        ("file", "heard"),
        [
            (("audio/ogg", b"OggS"), "שלום, זו דנה"),
            (("audio/ogg", b"OggS"), ProviderError("broken", retryable=False)),
            (("audio/amr", b"AMR"), ""),
            (None, ""),
        ],
        ids=["heard", "not understood", "of another kind", "gone"],
    )
    async def test_whoever_answers_is_told_once_it_is_heard_or_given_up(
        self,
        database: Database,
        tmp_path: Path,
        emulator: SidecarEmulator,
        file: tuple[str, bytes] | None,
        heard: str | ProviderError,
    ) -> None:
        wrote: list[UUID | None] = []
        parts = {"transcriber": Ears(heard), "on_written": wrote.append}
        async with house(database, tmp_path, emulator, **parts) as one:
            await until(lambda: wrote == [None])  # it listens from now on
            wrote.clear()
            if file is not None:
                emulator.media["m1"] = file
            await one.written(None, kind="audio", media=VOICE | {"mime_type": ""})
            await until(lambda: len(wrote) == 2)
            [message] = await one.messages()
            assert wrote == [UUID(message["contact_id"])] * 2
            [read] = await one.office.threads.last(UUID(message["contact_id"]), 9)
        assert (read.kind, read.text) == ("media", heard if isinstance(heard, str) else "")

    async def test_without_ears_it_waits_for_some(
        self, database: Database, tmp_path: Path, emulator: SidecarEmulator
    ) -> None:
        emulator.media["m1"] = ("audio/ogg", b"OggS")
        async with house(database, tmp_path, emulator) as one:
            await one.written(None, kind="audio", media=VOICE)
            await until_media(one, state="stored")
        claim = await MediaQueue(database).claim_voice(30)
        assert claim is not None
        assert claim.content == b"OggS"


class TestTwilioMedia:
    """Whoever can send a webhook must not make the service ask anybody else for anything."""

    @pytest.fixture
    async def media(self, twilio: TwilioRestEmulator) -> AsyncIterator[TwilioMedia]:
        media = TwilioMedia(ACCOUNT_SID, AUTH_TOKEN, api_url=twilio.base_url)
        yield media
        await media.close()

    async def test_a_file_is_fetched_with_the_accounts_credentials(
        self, twilio: TwilioRestEmulator, media: TwilioMedia
    ) -> None:
        twilio.media["ME1"] = ("audio/ogg", b"OggS")
        file = await media.fetch(twilio.media_url("ME1"))
        assert (file.content, file.mime_type) == (b"OggS", "audio/ogg")

    @pytest.mark.parametrize(
        "url",
        [
            *("", "http://[::1", "file:///etc/passwd", "http://169.254.169.254/latest/meta-data/"),
            "https://api.twilio.com.evil.example/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
            "https://evil.example/2010-04-01/Accounts/{account}/Messages/MM1/Media/ME1",
            "{api}@evil.example/2010-04-01/Accounts/{account}/Messages/MM1/Media/ME1",
            "{api}/2010-04-01/Accounts/{other}/Messages/MM1/Media/ME1",
            "{api}/2010-04-01/Accounts/{account}/Messages/MM1/Media/../../../Calls.json",
            "{api}/2010-04-01/Accounts/{account}/Calls.json",
        ],
    )
    async def test_a_strange_address_is_never_asked(
        self, twilio: TwilioRestEmulator, media: TwilioMedia, url: str
    ) -> None:
        url = url.format(api=twilio.base_url, account=ACCOUNT_SID, other="AC" + "1" * 32)
        with pytest.raises(Download) as caught:
            await media.fetch(url)
        assert not caught.value.retryable
        assert twilio.requests == []

    @pytest.mark.parametrize(
        "location",
        [
            *(
                "http://127.0.0.1:1/",
                "https://evil.example/x",
                "https://twiliocdn.com.evil.example/",
            ),
            *("http://mms.twiliocdn.com/x", "https://mms.twiliocdn.com:8443/x"),
            *("https://user@mms.twiliocdn.com/x", "https://s3-external-1.amazonaws.com/other/x"),
        ],
    )
    async def test_it_is_not_sent_on_to_strange_hosts(
        self, twilio: TwilioRestEmulator, media: TwilioMedia, location: str
    ) -> None:
        twilio.media["ME1"] = location
        with pytest.raises(Download) as caught:
            await media.fetch(twilio.media_url("ME1"))
        assert not caught.value.retryable

    async def test_twilios_own_store_is_asked_without_credentials(
        self, twilio: TwilioRestEmulator
    ) -> None:
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            if "api" in request.url.host:
                return httpx.Response(307, headers={"location": "https://mms.twiliocdn.com/f?s=1"})
            return httpx.Response(200, content=b"f", headers={"content-type": "image/png"})

        media = TwilioMedia(
            ACCOUNT_SID,
            AUTH_TOKEN,
            api_url="https://api.twilio.com",
            make_client=lambda: httpx.AsyncClient(transport=httpx.MockTransport(answer)),
        )
        path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/MM1/Media/ME1"
        file = await media.fetch(f"https://api.twilio.com{path}")
        assert file.content == b"f"
        assert ["authorization" in request.headers for request in asked] == [True, False]
        await media.close()

    async def test_one_that_is_sent_round_in_circles_is_given_up(
        self, twilio: TwilioRestEmulator, media: TwilioMedia
    ) -> None:
        twilio.media["ME1"] = twilio.media_url("ME1")
        with pytest.raises(Download):
            await media.fetch(twilio.media_url("ME1"))


@asynccontextmanager
async def serving(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """The address of a server that does this with every connection, until the end of the block."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has seen enough
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    await over.wait()
    server.close()
    await server.wait_closed()


class TestLimits:
    async def test_a_file_without_end_is_cut_off(self) -> None:
        async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(bytes(65_536))
                await writer.drain()

        async with serving(endless) as url, httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(Download) as caught:
                await limited(client, url, {}, max_bytes=1_000_000)
            assert not caught.value.retryable

    async def test_one_that_never_comes_is_not_waited_for(self) -> None:
        async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read()

        async with serving(silent) as url, httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(Download) as caught:
                await limited(client, url, {}, deadline_s=0.05)
            assert caught.value.retryable

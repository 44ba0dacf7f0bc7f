"""The browser's phone: whole calls in a real browser, with a WAV for a microphone.

The service checks signatures, so that only the ticket lets the browser in. What the agent says
is measured where it goes to the ear; marks, clears and frames are those on the wire.
"""

import asyncio
import base64
import json
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browser.chromium import Chromium, Page
from voiceagent.call.audio import (
    FRAME_BYTES,
    SAMPLE_RATE_HZ,
    ULAW_SILENCE,
    frame_levels_dbfs,
    ulaw_to_pcm16,
)
from voiceagent.twilio import media_stream as twilio
from whole_service import Service, agent_of, speech, until

MICROPHONE_HZ = 48_000
TOKEN = "0123456789abcdef0123456789abcdef"
LIVE = "document.querySelector('#phone').dataset.state === 'live'"
OVER = "document.querySelector('#phone').dataset.state === 'idle'"
CALL_SID = "document.querySelector('#phone').dataset.call"
FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
LOUD = 0.02
"""RMS of full scale: -34 dBFS."""

# Whatever goes to the ear goes to an analyser as well.
MEASURE = """
window.heard = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode && target.context.measuring === undefined) {
    const analyser = new AnalyserNode(target.context, { fftSize: 2048 });
    const samples = new Float32Array(analyser.fftSize);
    target.context.measuring = analyser;
    setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const energy = samples.reduce((sum, sample) => sum + sample * sample, 0);
      window.heard.push([performance.now(), Math.sqrt(energy / samples.length)]);
    }, 40);
  }
  if (target instanceof AudioDestinationNode) connect.call(this, target.context.measuring);
  return connect.call(this, target, ...rest);
};
"""

LONG_GREETING = (
    "Hello and welcome. This is a long greeting, which goes on for quite a while, so that there is"
    " time enough to talk before it has come to its end. It tells of our opening hours, of our"
    " houses and of our gardens, and of everything else that nobody wants to hear."
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phone")


@pytest.fixture(scope="module")
def service(place: Path) -> Iterator[Service]:
    with _service(place / "short", agent_of(2)) as running:
        yield running


@pytest.fixture(scope="module")
def talkative(place: Path) -> Iterator[Service]:
    """One whose greeting is long."""
    agent = agent_of(2).replace('greeting = "Hello."', f'greeting = "{LONG_GREETING}"')
    with _service(place / "long", agent) as running:
        yield running


@contextmanager
def _service(place: Path, agent: str) -> Iterator[Service]:
    place.mkdir()
    (place / "agent.toml").write_text(agent)
    environ = {"AGENT_FILE": str(place / "agent.toml"), "TWILIO_AUTH_TOKEN": TOKEN}
    with Service(place / "data", **environ) as running:
        asyncio.run(running.until_ready())
        yield running


def microphone(path: Path, *, before_s: float, after_s: float, text: str) -> str:
    """A microphone before which that is said again and again."""
    ulaw = b"".join(frame.ulaw for frame in speech(text).frames)
    spoken = np.repeat(ulaw_to_pcm16(ulaw), MICROPHONE_HZ // SAMPLE_RATE_HZ)
    silences = [np.zeros(round(s * MICROPHONE_HZ), np.int16) for s in (before_s, after_s)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MICROPHONE_HZ)
        file.writeframes(np.concatenate([silences[0], spoken, silences[1]]).tobytes())
    return f"--use-file-for-fake-audio-capture={path}"


@asynccontextmanager
async def signed_in(service: Service, *options: str) -> AsyncIterator[Page]:
    """The phone's page of somebody who has come by the sign-in page."""
    key = (service.data_dir / "api_key").read_text().strip()
    with Chromium(*options) as chromium:
        async with chromium.page(MEASURE) as page:
            await page.send("Page.navigate", url=f"{service.url}/console/phone?lang=en")
            await page.until(
                "document.readyState === 'complete' && !!document.querySelector('#key')"
            )
            await page.write("#key", key)
            await page.click("button.main")
            await page.until("location.pathname === '/console/phone' && !!document.title")
            await page.until("document.readyState === 'complete'")
            yield page


async def record_of(service: Service, call_sid: str) -> dict[str, Any]:
    """The record of a call that was hung up, whole. To be waited for while the browser is open:
    what a page has sent, a browser that is ended at once may not have passed on."""
    await until(lambda: service.call_record(call_sid).get("end_reason"))
    return service.call_record(call_sid)


def payload(message: dict[str, Any]) -> bytes:
    return base64.b64decode(message["media"]["payload"])


def marks(messages: list[tuple[float, dict[str, Any]]]) -> list[str]:
    return [message["mark"]["name"] for _, message in messages if message["event"] == "mark"]


async def test_a_whole_call(service: Service, place: Path) -> None:
    wav = microphone(place / "answer.wav", before_s=5, after_s=3, text="tomorrow morning")
    async with signed_in(service, *FAKE, wav) as page:
        await page.click("#call")
        await page.until(LIVE)
        assert await page.text("#state") == "On the line"
        await page.until("document.querySelectorAll('[data-who=caller]').length === 2", 90)
        await page.until(OVER, 90)
        assert await page.text("#state") == "The agent has ended the call"
        call_sid = await page.evaluate(CALL_SID)
        shown = await page.until(
            "!document.querySelector('[data-status=speaking]') &&"
            " [...document.querySelectorAll('.line-item .text')].map((text) => text.innerText)"
        )
        assert "answers" in await page.text("#summary")
        heard = await page.evaluate("window.heard")
        sent, received = page.sockets("Sent"), page.sockets("Received")
        assert page.complaints() == []

    # What goes out is what Twilio would send.
    decoded = [twilio.decode(json.dumps(message)) for _, message in sent]
    assert isinstance(decoded[0], twilio.Connected)
    assert isinstance(decoded[1], twilio.Start)
    assert decoded[1].call_sid == call_sid
    numbers = [message["sequenceNumber"] for _, message in sent[1:]]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    frames = [(at, m) for at, m in sent if m["event"] == "media"]
    assert {len(payload(message)) for _, message in frames} == {FRAME_BYTES}
    assert [m["media"]["timestamp"] for _, m in frames] == [
        str(20 * number) for number in range(len(frames))
    ]
    assert max(frame_levels_dbfs(b"".join(payload(m) for _, m in frames))) > -30

    # What comes in is heard, and each of its marks goes back, in order, once it was.
    assert max(rms for _, rms in heard) > LOUD
    assert min(rms for _, rms in heard) < LOUD / 10
    assert marks(received)
    assert marks(sent) == marks(received)[: len(marks(sent))]
    assert len(marks(received)) - len(marks(sent)) <= 1

    # What was said is shown, and the record is that of a trial call, complete.
    await until(lambda: service.call_record(call_sid).get("status") == "completed")
    record = service.call_record(call_sid)
    assert record["simulated"] is True
    assert record["from"] == "client:browser"
    turns = record["turns"]
    assert [t["text"] for t in turns if t["who"] == "caller"] == ["tomorrow morning"] * 2
    assert len(turns) == len(shown) >= 5
    for turn, text in zip(turns, shown, strict=True):
        # On a machine that is slow to begin, the greeting is talked into.
        assert text == turn["text"] if turn["heard"] == turn["text"] else "Not heard:" in text
    assert turns[-1]["heard"] == turns[-1]["text"] == "Goodbye."
    socket = [w["status"] for w in record["webhooks"] if not w["event"]]
    assert socket == [101, 1000]


async def test_talking_into_the_agents_words_stops_them(talkative: Service, place: Path) -> None:
    wav = microphone(place / "early.wav", before_s=4, after_s=20, text="tomorrow morning")
    async with signed_in(talkative, *FAKE, wav) as page:
        await page.click("#call")
        await page.until("!!document.querySelector('[data-status=interrupted] .unheard')")
        unheard = await page.text("[data-status=interrupted] .unheard")
        await page.until("document.querySelectorAll('[data-who=caller]').length === 1")
        call_sid = await page.evaluate(CALL_SID)
        await page.click("#hang-up")
        await page.until(OVER)
        assert await page.text("#state") == "You have hung up"
        sent, received = page.sockets("Sent"), page.sockets("Received")
        record = await record_of(talkative, call_sid)
    assert unheard
    assert LONG_GREETING.endswith(unheard) or unheard.endswith("question number 1?")

    # Every mark that was asked for before the clear has come back, in its order.
    clear = next(at for at, (_, message) in enumerate(received) if message["event"] == "clear")
    before = marks(received[:clear])
    assert marks(sent)[: len(before)] == before

    assert record["end_reason"] == "caller_hangup"
    greeting = record["turns"][0]
    assert greeting["text"].startswith(greeting["heard"])
    assert 0 < len(greeting["heard"]) < len(greeting["text"])


async def test_a_muted_phone_sends_silence(service: Service, place: Path) -> None:
    wav = microphone(place / "on_and_on.wav", before_s=0, after_s=0, text="tomorrow morning")
    async with signed_in(service, *FAKE, wav) as page:
        await page.click("#call")
        await page.until(LIVE)
        await until(lambda: max(levels(page), default=-100.0) > -30.0)
        await page.click("#mute")
        assert await page.text("#state") == "On the line, muted"
        await until(lambda: max(levels(page)[-25:]) < -60.0)
        await page.click("#mute")
        await until(lambda: max(levels(page)[-25:]) > -30.0)


async def test_without_leave_to_use_the_microphone(service: Service) -> None:
    async with signed_in(service, "--use-fake-device-for-media-stream") as page:
        await page.send(
            "Browser.setPermission",
            permission={"name": "microphone"},
            setting="denied",
            origin=service.url,
        )
        await page.click("#call")
        await page.until("!document.querySelector('#fault').hidden")
        assert "does not allow the microphone" in await page.text("#fault")
        assert await page.evaluate(OVER)
        assert await page.evaluate("document.activeElement.id") == "call"

        # One can listen all the same, press keys, and hang up by the keyboard.
        await page.click("#listen")
        await page.until(LIVE)
        assert await page.evaluate("document.activeElement.id") == "hang-up"
        await page.click("[data-digit='5']")
        await page.press("#")
        await page.until("document.querySelectorAll('[data-who=agent]').length >= 1")
        call_sid = await page.evaluate(CALL_SID)
        await page.evaluate("document.querySelector('#hang-up').focus()")
        await page.press("\r")
        await page.until(OVER)
        assert await page.evaluate("document.activeElement.id") == "call"
        sent = [message for _, message in page.sockets("Sent")]
        assert page.complaints() == []
        record = await record_of(service, call_sid)
    assert [m["dtmf"]["digit"] for m in sent if m["event"] == "dtmf"] == ["5", "#"]
    assert sent[-1]["event"] == "stop"
    assert {b for m in sent if m["event"] == "media" for b in payload(m)} == {ULAW_SILENCE}
    assert record["end_reason"] == "caller_hangup"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("NotFoundError", "No microphone was found"),
        ("NotReadableError", "another program may be using it"),
        (None, "secure pages only"),
    ],
)
async def test_what_is_in_the_way_of_the_microphone(
    service: Service, fault: str | None, words: str
) -> None:
    refuses = f"{{ getUserMedia: () => Promise.reject(new DOMException('', '{fault}')) }}"
    media = "undefined" if fault is None else refuses
    async with signed_in(service) as page:
        await page.evaluate(
            f"Object.defineProperty(navigator, 'mediaDevices', {{ value: {media} }})"
        )
        await page.click("#call")
        await page.until("!document.querySelector('#fault').hidden")
        assert words in await page.text("#fault")
        assert not await page.evaluate("document.querySelector('#listen').hidden")


async def test_in_hebrew_it_is_all_there(service: Service, place: Path) -> None:
    wav = microphone(place / "hebrew.wav", before_s=0, after_s=30, text="tomorrow morning")
    async with signed_in(service, *FAKE, wav) as page:
        await page.go(f"{service.url}/console/phone?lang=he")
        assert await page.evaluate("document.documentElement.dir") == "rtl"
        assert await page.text("#state") == "הקו פנוי"
        await page.click("#call")
        await page.until(LIVE)
        assert await page.text("#state") == "על הקו"
        # Nothing is wider than a telephone's screen.
        await page.send(
            "Emulation.setDeviceMetricsOverride",
            width=360,
            height=740,
            deviceScaleFactor=2,
            mobile=True,
        )
        await page.until("innerWidth === 360")
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        await page.click("#hang-up")
        await page.until(OVER)
        assert await page.text("#state") == "ניתקתם"


def levels(page: Page) -> list[float]:
    """dBFS of each frame that the browser has sent."""
    frames = [payload(m) for _, m in page.sockets("Sent") if m["event"] == "media"]
    return frame_levels_dbfs(b"".join(frames))
